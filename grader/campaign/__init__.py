"""A class: `plan.py` finds the jobs, `schedule.py` says what of them runs next, `lanes.py` where, `campaign.py` has it
done; `crowd.py` says how many lanes, `estimate.py` how long that takes. `shard.py` and `merge.py`: several machines.

A job that is in the journal of the run (`grader/record`) is not run again. It may import all of the grader but
`cli`. Begin with `schedule.py`.
"""
