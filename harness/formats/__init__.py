"""One result in every format that a CI or a course platform reads. Pure: a result and a context in, a text out.

`result.py` is what every format is made from: `lab check` makes it from its records, the grader from a student's view.
One file for each format: `junit`, `summary` and `workflow` (GitHub and its kin), `codequality` (GitLab), `gradescope`,
`classroom50`, `ctrf`, `table` (CSV), `data` (JSON of our own), `plain`. `choose.py` knows them by name. `places.py`
finds the line of a program that a failure speaks of, `words.py` is what every format says of a check, and makes texts
of unknown origin harmless.

May import `tester.border` (outcomes) and `text`. Begin with `result.py`.
"""
