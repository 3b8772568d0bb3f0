"""nbgrader's gradebook and its formgrader. `book.py` is the only place that imports nbgrader.

    sync        a run's results -> the gradebook and autograded/
    terms       a course's file, roster and receipts -> what a sync has to know
    groups      what counts for all members of a group
    left        who has left, and who comes back
    feedback    nbgrader's generate_feedback, and a ZIP for each student
    decisions   what a person gave in formgrader, as decisions
    totals      what stands in the gradebook, for the files that leave it
    stages      a result -> the points of each stage's cell. Pure
    checks      the notebook `checks`: a graded cell for each stage, with its story in the student's view. Pure
    settings    nbgrader_config.py
    book        the database

Nothing of it is needed to grade: `make course` brings nbgrader.
"""
