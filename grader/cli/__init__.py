"""What instructors and CI type. No logic here: it asks the modules below and prints what they say.

    run         grade a class
    merge       runs of several machines into one
    record      what is kept of a class, and words on it
    course      the file of a course
    release     what students get; the images
    app         the program that the commands are hung on

`main.py` puts them together. Each file of commands imports `app` and nothing of its neighbours.
"""
