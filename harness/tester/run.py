"""Runs the suites of one job against one submission: a JSON job on standard input, JSON lines on standard output.

Rule 1: it runs where no student code runs; the student's side is reached through a lab.
Rule 2: standard output carries records and nothing else: fd 1 is moved away before anything can print.
The job and the records are described in docs/records.md.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from harness.course.assignment import Assignment, load_assignment
from harness.errors import SetupError
from harness.lab.interface import CannotStart, LabError, Network, Node, NodeGone
from harness.lab.signals import hear_all_signals
from harness.tester.border.job import BadJob, Job, LocalLab
from harness.tester.border.records import (
    MOST_PIECE,
    Built,
    End,
    Forbidden,
    Gone,
    Phase,
    Piece,
    Record,
    Trouble,
    line_of,
)
from harness.tester.plugin import StoryPlugin, SuiteRun

#: So much of what was built is sent, in pieces.
MOST_PIECES = 256
#: pytest's options, so that nothing but the suites decides how it runs.
_PYTEST = [
    "-q",
    "--tb=no",  # a report says what broke; what is no fault of the submission's is printed by the plugin
    "--noconftest",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:doctest",
    "--import-mode=importlib",
    "--assert=plain",  # no suite asserts: tests are compiled as any module is, and bytecode that came along is used
    "-s",
]


def make_lab(job: Job, assignment: Assignment) -> tuple[Sequence[Node], Network, Callable[[], None]]:
    """The lab a job asks for, with one student node or two, and a function that closes it. Raises LabError."""
    if not isinstance(job.lab, LocalLab):
        from harness.lab.docker.lab import docker_lab

        nodes, network = docker_lab(job.lab, assignment)
        return nodes, network, lambda: None
    from harness.lab.local.lab import LocalNode, local_lab

    submission = job.lab.submission
    node, link, leave = local_lab(submission, assignment.limits)
    other = job.lab.second or submission
    more = [LocalNode(other, assignment.limits) for _ in range(assignment.limits.nodes - 1)]

    def leave_all() -> None:
        leave()
        for each in more:
            each.close()

    return [node, *more], link, leave_all


def run_job(text: str | bytes, emit: Callable[[Record], None]) -> None:
    """Run the wanted checks of the job in a text; every result is emitted as a record; the last one is `end`.

    Without it, whatever has not reported is ours: so it comes only when all was done that could be, not on the way out.
    """
    try:
        job = Job.from_json(text)
        assignment = _assignment_of(job)
        nodes, network, leave = make_lab(job, assignment)
    except (BadJob, SetupError) as error:
        emit(Trouble(str(error)))
        emit(End())
        return
    try:
        # What was built is copied to the other nodes, if it is sent.
        broken_build = _build(nodes[:1] if job.pack else nodes, assignment, emit, wanted=job.build)
        if job.look and broken_build is None:
            _look(nodes[0], assignment, job.programs, emit)
        if job.pack and broken_build is None:
            _send(nodes[0].pack(), emit)
        session = SuiteRun(
            assignment=assignment,
            suites={name: folder.resolve() for name, folder in job.suites.items()},
            wanted=job.checks,
            outcomes=job.outcomes,
            node=nodes[0],
            second=nodes[1] if len(nodes) > 1 else None,
            network=network,
            programs=job.programs,
            second_programs=job.second_programs,
            seed=job.seed,
            public_seed=job.public_seed or _public_seed(job.seed),
            broken_build=broken_build,
            reference=job.reference,
            until_failure=job.until_failure,
        )
        if job.checks:
            _run_pytest(session, emit)
    except LabError as error:
        if isinstance(error, NodeGone):
            emit(Gone(""))
        emit(Trouble(str(error)))
    finally:
        leave()
    emit(End())


def _assignment_of(job: Job) -> Assignment:
    """The assignment whose checks are wanted. Raises SetupError."""
    assignment = load_assignment(job.assignment)
    if not job.meets:
        return assignment
    from harness.transport.simulation.meetings import as_assignment  # no other assignment's tester loads the transport

    return as_assignment(assignment, two=job.second_programs is not None)


def _public_seed(seed: str) -> str:
    """What may be shown of a seed: enough to repeat the public checks, nothing of the hidden ones."""
    return hashlib.sha256(f"{seed}\0public".encode()).hexdigest()[:16]


def _build(
    nodes: Sequence[Node], assignment: Assignment, emit: Callable[[Record], None], *, wanted: bool
) -> str | None:
    begun = time.monotonic()
    build = assignment.build if wanted else None
    broken = None
    for node in nodes:
        try:
            broken = node.build(build.command if build else None, timeout=build.timeout if build else 60)
        except CannotStart as error:
            broken = str(error)
        if broken is not None:
            break
    emit(Phase("build", round(time.monotonic() - begun, 4)))
    late = build is not None and broken is not None and time.monotonic() - begun >= build.timeout
    emit(Built(broken is None, broken or "", late))
    return broken


def _look(
    node: Node, assignment: Assignment, programs: Mapping[str, Sequence[str]], emit: Callable[[Record], None]
) -> None:
    """Have the sources looked through for forbidden names, where they are going to run. Raises LabError."""
    begun = time.monotonic()
    rules = assignment.rules(programs)
    found = node.look(rules) if rules else {}
    emit(Phase("forbidden names", round(time.monotonic() - begun, 4)))
    emit(Forbidden(found))


def _send(packed: int, emit: Callable[[Record], None]) -> None:
    """Send a tar in pieces. It is cut where it gets larger than anybody takes: then its last piece never comes."""
    with open(packed, "rb") as tar:
        for _ in range(MOST_PIECES):
            piece = tar.read(MOST_PIECE)
            emit(Piece(piece, not piece))
            if not piece:
                return


def _run_pytest(session: SuiteRun, emit: Callable[[Record], None]) -> None:
    begun = time.monotonic()
    plugin = StoryPlugin(session, emit)
    wanted = [check for check in session.assignment.checks if check.id in set(session.wanted)]
    with tempfile.TemporaryDirectory(prefix="suites-") as neutral:
        # An empty folder as root: no ini file, and no conftest or plugin is picked up on the way.
        files = {session.suites[check.suite] / check.file: None for check in wanted if check.suite in session.suites}
        there = [str(file) for file in files if file.is_file()]
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        arguments = [*_PYTEST, f"--rootdir={neutral}", "-c", _empty_ini(neutral), *(there or [neutral])]
        status = pytest.main(arguments, plugins=[plugin])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        emit(Trouble(f"pytest stopped with {status!r}: see the log of the tester"))
    emit(Phase("finding tests", round(plugin.collected, 4)))
    emit(Phase("fresh nodes", round(plugin.made_fresh, 4)))
    emit(Phase("suites", round(time.monotonic() - begun, 4)))


def _empty_ini(folder: str) -> str:
    path = Path(folder, "pytest.ini")
    path.write_text("[pytest]\n")
    return str(path)


@contextmanager
def private_stdout() -> Iterator[BinaryIO]:
    """Standard output for us alone: whatever else writes to fd 1 from now on writes to standard error."""
    sys.stdout.flush()
    mine = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(mine, "wb", buffering=0) as stream:
        yield stream


def emitter(stream: BinaryIO) -> Callable[[Record], None]:
    """Write each record as a line, immediately."""

    def emit(record: Record) -> None:
        stream.write(line_of(record))

    return emit


def main() -> None:
    """The tester as a process. SIGTERM and SIGINT end it tidily: what it started is ended too."""
    hear_all_signals()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, _stop)
    with private_stdout() as stream:
        try:
            run_job(sys.stdin.buffer.read(), emitter(stream))
        except KeyboardInterrupt:
            sys.exit(130)


def _stop(*_: object) -> None:
    """Stop, once: a second signal must not interrupt the tidying up.

    KeyboardInterrupt, since pytest takes SystemExit for the failure of one test and goes on with the next.
    """
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
