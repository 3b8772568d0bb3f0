"""What students get, made from reference/ and suites: starters without answers, handouts, public tests, the harness.

`repository.py` puts it together and writes nothing if `leaks.py` finds an answer, a hidden test or a private file in
it; `markers.py` cuts solutions out, `starters.py` and `term.py` make assignments/. May import `course` and what is
below.
"""
