"""Run single checks in the local lab, against the reference, a mutant or a folder, and print their stories.

python -m tests.try_check blocking test_one_message test_halves       names of functions, of either suite
python -m tests.try_check blocking test_one_message --mutant "a bare close"
python -m tests.try_check blocking test_one_message --folder examples/class/ada/blocking
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from grader.bench.local import LocalBench
from grader.course import this_course
from tests.grading import ROOT, grade
from tests.mutants import copy_reference, load_mutants, write_mutant


def main() -> int:
    """The exit status is 0 if every check passed."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("assignment", choices=this_course().names())
    line.add_argument("checks", nargs="+", metavar="CHECK", help="the name of its function; all its parameters run")
    line.add_argument("--mutant", help="the reference with this bug of tests/mutants")
    line.add_argument("--folder", type=Path, help="this submission instead of the reference")
    asked = line.parse_args()
    checks = [check.id for check in this_course().load(asked.assignment).checks]
    wanted = [one for one in checks if one.partition("::")[2].partition("[")[0] in asked.checks]
    if not wanted:
        line.error(f"there is no such check; there are {', '.join(checks)}")
    mutants = {mutant.name: mutant for mutant in load_mutants(asked.assignment)}
    if asked.mutant is not None and asked.mutant not in mutants:
        line.error(f"there is no such mutant; there are {', '.join(mutants)}")
    bench = LocalBench(ROOT)
    try:
        with tempfile.TemporaryDirectory() as folder:
            if asked.mutant is not None:
                write_mutant(asked.assignment, mutants[asked.mutant], Path(folder))
            else:
                copy_reference(asked.assignment, Path(folder))
            graded = grade(bench, asked.folder or Path(folder), asked.assignment, only=wanted)
    finally:
        bench.close()
    for one in wanted:
        report = graded.reports.get(one, {"outcome": "no report", "message": "", "story": []})
        print(f"{report['outcome']}  {one}  {report['message']}")
        for step in report["story"] or []:
            print(f"    {step['at']:7.3f} s  {step['who']:7}  {step['what']}")
    return bool(graded.lost)


if __name__ == "__main__":
    sys.exit(main())
