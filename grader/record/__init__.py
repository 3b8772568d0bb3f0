"""What is kept of a class, for ever: each result and the ones before it, each graded copy, each word of a person.

    run_folder   RUN for the one who writes: results in their places, decisions, the class page
    scores       scores made again from outcomes, for a whole class
    record       RUN for whoever reads it: results, history, decisions, the short ids
    pages        the pages beside a result, as the course has them
    backup       a run or a course as one archive
    copies, journal, lines, lock     the graded copies; what happened, in order; one writer at a time

Each may import those below it. `grader.verdict` says what outcomes, results and decisions are. Begin with `record.py`.
"""
