"""What `run_autograder` runs where only the public checks score. It has the students' repository and nothing private.

Rule: results.json says what became of the submission. Where nothing can be said there is none, and the status is 1.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.console import Console

from harness.cli import check as checking
from harness.cli import written
from harness.cli.check_report import CheckReport
from harness.cli.check_result import result_of
from harness.errors import CommandError, SubmissionError
from harness.formats.choose import Wanted
from harness.formats.result import Result

#: Where Gradescope puts things (its specification, "File hierarchy"); another root is for tests.
ROOT = Path(os.environ.get("AUTOGRADER", "/autograder"))
NAME = (ROOT / "source" / "assignment").read_text(encoding="utf-8").strip()
#: A run with undecided checks is repeated: a busy machine may be quieter then.
_TRIES = 2


def main() -> int:
    """Run the checks and write the results; the exit status."""
    results = [Wanted("gradescope", str(ROOT / "results" / "results.json"))]
    try:
        solution = checking.find_solution(NAME, unwrapped(ROOT / "submission"), ROOT / "source" / "course")
        for _ in range(_TRIES):
            result = checked(solution)
            if not result.undecided:
                break
    except SubmissionError as error:
        result = refused(str(error))
    except CommandError as error:
        print(f"the autograder broke: {error}", file=sys.stderr)
        return 1
    written.write(result, results, written.context_now())
    return 0


def unwrapped(folder: Path) -> Path:
    """The folder with the programs: what a ZIP puts around everything is taken off."""
    names = [path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX"))]
    return names[0] if len(names) == 1 and names[0].is_dir() and not names[0].is_symlink() else folder


def checked(solution: checking.Solution) -> Result:
    """The result of one run of all public checks."""
    checks = checking.checks_to_run(solution.assignment, None)
    console = Console(file=sys.stderr, highlight=False, width=120)
    report = CheckReport(console, solution.assignment, checks, None, f"lab check {NAME}")
    report.begin(misplaced := checking.where_programs_are(solution))
    for record in checking.run_checks(solution, checks):
        report.hear(record)
    if misplaced and not report.broken_build:
        report.console.print(misplaced, markup=False)
    return result_of(report, solution, root=solution.folder)


def refused(message: str) -> Result:
    """The result of a submission that cannot be run."""
    described = checking.find_solution(NAME, None, ROOT / "source" / "course").assignment
    possible = sum(check.points for check in described.checks_of(suite="public"))
    return Result(
        assignment=NAME, title=described.title, points=0.0, possible=possible, message=message, stages=(), checks=()
    )


if __name__ == "__main__":
    sys.exit(main())
