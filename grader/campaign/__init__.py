"""A class: `plan.py` finds the jobs, `campaign.py` gives them to workers, `crowd.py` says to how many, `estimate.py`
how long that takes.

A job that is in the journal of the run (`grader/record`) is not run again. It may import all of the grader but
`cli`. Begin with `campaign.py`.
"""
