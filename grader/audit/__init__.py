"""How often this grader's verdict is wrong: known bugs, known good programs, attacks, and the same once more.

Rule 1: what it grades are *specimens*, of which is known beforehand what has to become of them. They are graded as a
        class is (`grader/campaign`), on the same lanes, each part into a run folder of its own, so that a run that was
        stopped can be continued.
Rule 2: what came of it is measured by pure functions of the results (`measure.py`, `figures.py`, `drift.py`).
Rule 3: the specimens are data of this project's tests (`tests/mutants`, `tests/alternates`, `tests/redteam`); one file
        here knows each of them.

It may import all of the grader but `cli`. Begin with `specimen.py`.
"""
