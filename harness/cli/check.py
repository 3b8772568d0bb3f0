"""`lab check`: the public tests against a solution on this machine.

Runs them and yields the records; `check_report` prints them.

The tester is a process of its own, as when it is graded: a program that runs wild can end the tester at most.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.course.assignment import Assignment, Check, load_assignment
from harness.course.misplaced import expected_files, misplaced_in
from harness.course.programs import load_programs
from harness.errors import UsageError
from harness.tester.border.job import Job, LocalLab
from harness.tester.border.records import BadRecord, End, Record, Report, Trouble, parse_record
from harness.text.nearest import nearest

#: Where an assignment's folder is looked for, from the current folder upwards.
_PLACES = ("", "assignments")
TESTS = "tests"
#: Where failing checks leave files to look at, below the current folder.
RESULTS = "lab-results"
#: The repository this file belongs to: assignments are found from anywhere.
HOME = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Solution:
    """An assignment and the folder of the solution to try."""

    assignment: Assignment
    folder: Path
    tests: Path  #: the folder of the public tests


def find_assignments(start: Path) -> dict[str, Path]:
    """Names of the assignments within reach of a folder -> their folders."""
    found: dict[str, Path] = {}
    for base in (start, *start.parents, HOME):
        for place in _PLACES:
            for path in sorted((base / place).glob("*/assignment.toml")):
                if (path.parent / TESTS).is_dir():
                    found.setdefault(path.parent.name, path.parent)
        if (base / "assignment.toml").is_file() and (base / TESTS).is_dir():
            found.setdefault(base.name, base)
    return found


def find_solution(name: str, folder: Path | None, start: Path) -> Solution:
    """The assignment of that name and the solution in `folder` (default: the assignment's own). Raises UsageError."""
    known = find_assignments(start)
    if name not in known:
        there = f"There are: {', '.join(sorted(known))}." if known else "Go to the folder you cloned."
        raise UsageError(f"there is no assignment {name!r} here. {there} (First the assignment, then the folder.)")
    folder = folder or known[name]
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder: give the folder that holds your programs.")
    return Solution(load_assignment(known[name] / "assignment.toml"), folder.resolve(), known[name] / TESTS)


def where_programs_are(solution: Solution) -> str:
    """What is to be said of programs that lie elsewhere than they are looked for; empty if nothing is."""
    assignment = solution.assignment
    others = {
        name: expected_files(load_assignment(folder / "assignment.toml").programs)
        for name, folder in find_assignments(Path.cwd()).items()
        if name != assignment.name
    }
    programs = load_programs(assignment.programs, solution.folder)
    return misplaced_in(solution.folder, programs, assignment.build_of(solution.folder) is not None, others)


def checks_to_run(assignment: Assignment, stage: int | None, names: Sequence[str] = ()) -> list[Check]:
    """The public checks of a stage (None: of all), and those they need, in the rubric's order. Raises UsageError.

    names: only these, each the name of a function (with all of its parameters) or a whole id.
    """
    numbers = [row.number for row in assignment.stages]
    if stage is not None and stage not in numbers:
        raise UsageError(f"there is no stage {stage}: {assignment.name} has {numbers[0]} to {numbers[-1]}.")
    public = assignment.checks_of(stage=stage, suite="public")
    known = [(check.id, check.id.partition("::")[2], check.id.partition("::")[2].partition("[")[0]) for check in public]
    for name in names:
        if not any(name in row for row in known):
            raise UsageError(
                f'there is no public check "{name}". {nearest(name, dict.fromkeys(row[2] for row in known))}'
            )
    needed = {row[0] for row in known if not names or set(row) & set(names)}
    for check in reversed(assignment.checks):
        if check.id in needed:
            needed.update(check.needs)
    return [check for check in assignment.checks if check.id in needed]


def run_checks(solution: Solution, checks: Sequence[Check], seed: str | None = None) -> Generator[Record, None, None]:
    """Run public checks and yield the tester's records as they come. Raises SubmissionError."""
    assignment = solution.assignment
    job = Job(
        lab=LocalLab(solution.folder),
        assignment=assignment.path.resolve(),
        suites={"public": solution.tests.resolve()},
        checks=[check.id for check in checks],
        programs=load_programs(assignment.programs, solution.folder),
        build=assignment.build_of(solution.folder) is not None,
        look=True,
        seed="",
        public_seed=seed or secrets.token_hex(4),
    )
    paths = [str(HOME), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    with tempfile.TemporaryFile() as log:  # not a pipe: nobody reads it while the tester writes
        tester = subprocess.Popen(
            [sys.executable, "-B", "-m", "harness.tester.run"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        try:
            yield from _records(tester, job, log)
        finally:
            _end(tester)


class Results:
    """The folder of files that failing checks leave; a check that passes clears its own."""

    #: Plots of one run: each takes a quarter of a second.
    MOST_PLOTS = 12

    def __init__(self, start: Path, assignment: str) -> None:
        self.folder = start / RESULTS / assignment
        self.trouble = ""  #: why nothing can be written, if so
        self._plots = 0

    def keep(self, record: Record) -> list[Path]:
        """Write the files of a report; returns their paths, relative to `start`'s folder if they are below it."""
        if not isinstance(record, Report) or not (record.bundle or self.folder.is_dir()):
            return []
        # here, as it takes a while to load and most checks leave nothing
        from harness.transport.pictures import artefacts

        try:
            files = artefacts.keep(record.check, record.bundle, self.folder, plot=self._plots < self.MOST_PLOTS)
        except OSError as error:
            self.trouble = f"{self.folder} cannot be written ({error.strerror}): no pictures are kept"
            return []
        self._plots += any(file.name == artefacts.PLOT for file in files)
        return [_shown(file) for file in files]


def _shown(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _records(tester: subprocess.Popen[bytes], job: Job, log: IO[bytes]) -> Iterator[Record]:
    assert tester.stdin and tester.stdout
    ended = False
    try:
        tester.stdin.write(job.to_json())
        tester.stdin.close()
    except BrokenPipeError:
        pass  # it has ended already; its log says why
    for line in tester.stdout:
        try:
            record = parse_record(line)
        except BadRecord as error:
            record = Trouble(f"the tester wrote a line that is no record ({error}); it is left out")
        ended = ended or isinstance(record, End)
        yield record
    if not ended:
        log.seek(max(0, log.seek(0, os.SEEK_END) - 2000))
        text = log.read().decode("utf-8", "replace")
        yield Trouble(f"the tester stopped before its end:\n{text}")


def _end(tester: subprocess.Popen[bytes]) -> None:
    """Let the tester tidy up (it does on SIGTERM); kill it after a while."""
    if tester.poll() is None:
        tester.terminate()
    try:
        tester.wait(10)
    except subprocess.TimeoutExpired:
        tester.kill()
        tester.wait()
