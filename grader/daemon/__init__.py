"""The daemon: takes what was pushed out of the queue, grades it, and answers. The only one near the engine.

    daemon     one push after the other, for ever; what it does when it is started again
    grading    one push: its files as data, its verdict
    whose      what course.toml and the roster say of a push: whose it is, and where its files come from
    budget     how many full verdicts a student has left today
    told       the sentences. Pure
    poller     looks at repositories on forges, and posts what became of them

Begin with `daemon.py`.
"""
