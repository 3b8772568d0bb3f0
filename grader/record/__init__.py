"""What is kept of a class, for ever: each result and the ones before it, each graded copy, each word of a person.

run_folder   RUN as a whole: one writer at a time
journal      a line for everything that has happened
"""
