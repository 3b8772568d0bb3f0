"""`lab check`: the public tests against a solution on this machine.

Runs them (`testers`) and yields the records; `check_report` prints them.
"""

from __future__ import annotations

import os
import secrets
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cli.building import built, graded_on
from harness.cli.testers import run_testers
from harness.course.assignment import Assignment, Check, load_assignment
from harness.course.groups import cut, split
from harness.course.misplaced import expected_files, misplaced_in
from harness.course.programs import load_programs
from harness.errors import UsageError
from harness.lab.interface import LabError
from harness.tester.border.job import Job, LocalLab
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Built, Forbidden, Record, Report, Trouble
from harness.text.nearest import nearest

#: Where an assignment's folder is looked for, from the current folder upwards.
_PLACES = ("", "assignments")
TESTS = "tests"
#: Where failing checks leave files to look at, below the current folder.
RESULTS = "lab-results"
#: More testers than that take longer to start than they save.
MOST_TESTERS = 4
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


def testers_here() -> int:
    """How many testers this machine carries: most of a test is waiting, but somebody else works on it as well."""
    return min(MOST_TESTERS, 2 * (os.cpu_count() or 1))


def run_checks(
    solution: Solution, checks: Sequence[Check], seed: str | None = None, *, testers: int | None = None
) -> Generator[Record, None, None]:
    """Run public checks and yield what comes of them, reports in the rubric's order. Raises SubmissionError.

    `testers`: so many side by side at most (default: as this machine carries). What those leave undecided runs once
    more, when nothing else does.
    """
    build = solution.assignment.build_of(solution.folder)
    if build is None:
        yield from _run_built(solution, checks, seed, testers=testers)
        return
    try:
        with built(solution.assignment, solution.folder, build, graded_on(HOME)) as made:
            yield Built(not made.broken, made.broken or made.told(build))
            if made.broken:
                reason = "the build failed"
                yield from (Report(check=check.id, outcome=Outcome.ERROR, message=reason) for check in checks)
            else:
                yield from _run_built(replace(solution, folder=made.folder), checks, seed, testers=testers)
    except LabError as error:
        yield Trouble(str(error))


def _run_built(
    solution: Solution, checks: Sequence[Check], seed: str | None, *, testers: int | None
) -> Generator[Record, None, None]:
    """Run checks of what needs no building."""
    assignment = solution.assignment
    job = Job(
        lab=LocalLab(solution.folder),
        assignment=assignment.path.resolve(),
        suites={"public": solution.tests.resolve()},
        checks=[check.id for check in checks],
        programs=load_programs(assignment.programs, solution.folder),
        build=False,
        look=True,
        seed="",
        public_seed=seed or secrets.token_hex(4),
    )
    beside, alone = split(assignment, "public", set(job.checks))
    groups = cut(beside, testers or testers_here())
    if len(groups) < 2:
        yield from run_testers([job])
        return
    jobs = [replace(job, checks=group.checks, look=number == 0) for number, group in enumerate(groups)]
    known: dict[str, Outcome] = {}
    again = {check.id for check in alone}
    with closing(run_testers(jobs)) as records:
        for record in _in_order(job.checks, records):
            if isinstance(record, Report):
                known[record.check] = record.outcome
                skipped = record.outcome is Outcome.SKIPPED and record.because in again
                if skipped or (not record.outcome.decided and not record.unmeasured):
                    again.add(record.check)
                    continue
            yield record
    if again:
        outcomes = {check: outcome for check, outcome in known.items() if check not in again}
        wanted = [check for check in job.checks if check in again]
        yield from run_testers([replace(job, checks=wanted, outcomes=outcomes, look=False)])


def _in_order(checks: Sequence[str], records: Iterable[Record]) -> Iterator[Record]:
    """The records, but reports in this order, and none before it is known what the sources use that is forbidden."""
    left, came, looked = deque(checks), dict[str, Report](), False
    for record in records:
        if isinstance(record, Report):
            came[record.check] = record
        else:
            looked = looked or isinstance(record, Forbidden)
            yield record
        while looked and left and left[0] in came:
            yield came.pop(left.popleft())
    yield from (came[check] for check in left if check in came)


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
