"""What crosses the borders of the tester's process: a job in, records out. Pure; the grader imports it, too.

`job.py` is what the tester reads, `records.py` what it writes, `outcome.py` what can become of a check; docs/records.md
describes the lines. What comes in is validated here and nowhere else.
"""
