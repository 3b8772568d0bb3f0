"""Notebooks of questions: predict, run, see. Pure: nothing here opens a file, runs a cell or knows nbgrader's code.

    source      reference/<a>/questions.md -> cells and questions
    cells       cells -> the notebook that nbgrader makes the released one from
    submitted   what a student handed in -> the cells that are run: ours restored, theirs kept
    judge       values that came out of a student's kernel -> right or not
    result      what became of each question, as it is kept
    executed    the notebook that stands in autograded/: what was run, what was seen, and nothing that acts

Rule: what is right is compared here, outside; into a student's kernel go cells and expressions, never an answer.
"""
