"""One job: some checks of one assignment against one submission, in a process of its own. May import all but `cli`.

`run.py` is the process: a job on standard input, records on standard output (`border/`). `plugin.py` lets pytest
run the checks in the rubric's order, `scene.py` is the fixture `lab` that each of them gets. `nursery.py` keeps a warm
process in a tester node that forks testers. Begin with `scene.py`.
"""
