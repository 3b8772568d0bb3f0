"""`lab check`: the public tests against a solution on this machine.

Runs them and yields what came; `check_report` says it.

The tester is a process of its own, as when it is graded: a program that runs wild ends the tester at most.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.assignment import Assignment, load_assignment
from harness.forbidden import find_forbidden, forbidden_message
from harness.programs import load_programs

#: Where an assignment's folder is looked for, from the current folder upwards.
_PLACES = ("", "assignments")
TESTS = "tests"


class CheckError(Exception):
    """What was asked for cannot be done; the message says what to type instead."""


@dataclass(frozen=True)
class Solution:
    """An assignment and the folder of the solution to try."""

    assignment: Assignment
    folder: Path
    tests: Path  #: the folder of the public tests


def find_assignments(start: Path) -> dict[str, Path]:
    """Names of the assignments within reach of a folder -> their folders."""
    found: dict[str, Path] = {}
    for base in (start, *start.parents):
        for place in _PLACES:
            for path in sorted((base / place).glob("*/assignment.toml")):
                if (path.parent / TESTS).is_dir():
                    found.setdefault(path.parent.name, path.parent)
        if (base / "assignment.toml").is_file() and (base / TESTS).is_dir():
            found.setdefault(base.name, base)
    return found


def find_solution(name: str, folder: Path | None, start: Path) -> Solution:
    """The assignment of that name and the solution in `folder` (default: the assignment's own). Raises CheckError."""
    known = find_assignments(start)
    if name not in known:
        there = f"There are: {', '.join(sorted(known))}." if known else "Go to the folder you cloned."
        raise CheckError(f"there is no assignment {name!r} here. {there}")
    folder = folder or known[name]
    if not folder.is_dir():
        raise CheckError(f"{folder} is no folder: give the folder that holds your programs.")
    return Solution(load_assignment(known[name] / "assignment.toml"), folder.resolve(), known[name] / TESTS)


def forbidden_by_stage(solution: Solution) -> dict[int, str]:
    """Stage number -> what it forbids and the solution uses, as one sentence; stages without findings are left out."""
    broken: dict[int, str] = {}
    for stage in solution.assignment.stages:
        if findings := find_forbidden(solution.assignment, stage, solution.folder):
            broken[stage.number] = forbidden_message(stage, findings)
    return broken


def run_checks(solution: Solution, stage: int | None, seed: str | None = None) -> Iterator[dict[str, Any]]:
    """Run the public checks (of one stage) and yield the tester's records as they come. Raises ProgramsError."""
    assignment = solution.assignment
    checks = [check.id for check in assignment.checks_of(stage=stage, suite="public")]
    build = assignment.build
    job = {
        "lab": {"kind": "local"},
        "assignment": str(assignment.path.resolve()),
        "suites": {"public": str(solution.tests.resolve())},
        "checks": _with_needs(assignment, checks),
        "submission": str(solution.folder),
        "programs": load_programs(assignment.programs, solution.folder),
        "build": build is not None and (solution.folder / build.file).is_file(),
        "seed": "",
        "public_seed": seed or secrets.token_hex(4),
    }
    root = Path(__file__).resolve().parent.parent
    paths = [str(root), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    tester = subprocess.Popen(
        [sys.executable, "-B", "-m", "harness.tester"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )  # fmt: skip
    assert tester.stdin and tester.stdout and tester.stderr
    try:
        tester.stdin.write(json.dumps(job).encode())
        tester.stdin.close()
        ended = False
        for line in tester.stdout:
            record = json.loads(line)
            ended = ended or record["record"] == "end"
            yield record
        if not ended:
            log = tester.stderr.read().decode("utf-8", "replace")[-2000:]
            yield {"record": "trouble", "text": f"the tester stopped before its end:\n{log}"}
    finally:
        _end(tester)


def _end(tester: subprocess.Popen[bytes]) -> None:
    """Let the tester tidy up (it does at SIGTERM); insist after a while."""
    if tester.poll() is None:
        tester.terminate()
    try:
        tester.wait(10)
    except subprocess.TimeoutExpired:
        tester.kill()
        tester.wait()


def _with_needs(assignment: Assignment, wanted: Sequence[str]) -> list[str]:
    """The wanted checks and those they depend on, in the rubric's order."""
    needed = set(wanted)
    for check in reversed(assignment.checks):
        if check.id in needed:
            needed.update(check.needs)
    return [check.id for check in assignment.checks if check.id in needed and check.suite == "public"]
