"""`lab check --watch`: the checks again whenever a file of the solution is saved, the failing one first.

It looks at times and sizes and asks no system for events: that needs no package, works on folders shared with a virtual
machine and under WSL, where events do not arrive, and for the few files of a solution costs about a millisecond.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness.cli.check import Solution, run_checks
from harness.cli.check_report import CheckReport
from harness.course.assignment import Assignment, Check
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Record

#: Seconds between two looks; files beyond so many are not looked at.
INTERVAL, MOST_FILES = 0.3, 2_000
#: What a run itself may write, and what no check reads.
_LEFT_OUT = frozenset({"lab-results", "__pycache__", "node_modules", "venv"})

_FAILED = (Outcome.FAIL, Outcome.TIMEOUT, Outcome.ERROR)
#: Path -> time of its last change (ns) and size.
Snapshot = dict[str, tuple[int, int]]


def snapshot(folder: Path) -> Snapshot:
    """The files of a folder as they are now; hidden ones and what tools leave behind are left out."""
    seen: Snapshot = {}
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("."))
        for name in sorted(files):
            if name.startswith(".") or name.endswith((".pyc", "~", ".swp")):
                continue
            if len(seen) >= MOST_FILES:
                return seen
            path = os.path.join(here, name)
            try:
                status = os.stat(path, follow_symlinks=False)
            except OSError:  # an editor has just put another one in its place
                continue
            seen[path] = (status.st_mtime_ns, status.st_size)
    return seen


def first_to_run(assignment: Assignment, wanted: Sequence[Check], failed: str) -> list[Check]:
    """The check that failed last time, and those that it needs, in the rubric's order."""
    needed = {failed}
    for check in reversed(assignment.checks):
        if check.id in needed:
            needed.update(check.needs)
    return [check for check in wanted if check.id in needed]


class Watcher:
    """Knows when a folder has changed since it was last asked. `pause` waits between two looks."""

    def __init__(self, folder: Path, pause: Callable[[float], None] = time.sleep) -> None:
        self._folder, self._pause = folder, pause
        self._seen = snapshot(folder)

    def changed(self) -> bool:
        """Whether a file has changed since the last change that was told."""
        now = snapshot(self._folder)
        told = now != self._seen
        self._seen = now
        return told

    def wait(self) -> None:
        """Return when a file has changed, and when nothing has for one more look: editors write in steps."""
        while not self.changed():
            self._pause(INTERVAL)
        self._pause(INTERVAL)
        while self.changed():
            self._pause(INTERVAL)

    def until_changed(self, records: Generator[Record, None, None]) -> Iterator[Record]:
        """The records of a run, which is ended early when a file changes; `interrupted` says whether it was."""
        self.interrupted = False
        last = time.monotonic()
        with contextlib.closing(records):
            for record in records:
                yield record
                if time.monotonic() - last < INTERVAL:
                    continue
                last = time.monotonic()
                if snapshot(self._folder) != self._seen:
                    self.interrupted = True
                    return


def watch(
    solution: Solution, template: CheckReport, watcher: Watcher, seed: str | None = None
) -> Iterator[CheckReport]:
    """Run the checks again and again; yields each finished round. It ends by KeyboardInterrupt only.

    After a failure the first check that failed is run alone, with those it needs, and the others once it passes.
    """
    failed = ""
    while True:
        rounds = [list(template.wanted)]
        if failed:
            rounds.insert(0, first_to_run(solution.assignment, template.wanted, failed))
        for checks in rounds:
            report = replace(template, wanted=checks, outcomes={}, reports={}, forbidden={}, broken_build="")
            for record in watcher.until_changed(run_checks(solution, checks, seed)):
                report.hear(record)
            if watcher.interrupted:
                break
            report.summary()
            yield report
            failed = next((check.id for check in checks if report.outcomes.get(check.id) in _FAILED), "")
            if failed:
                break
        if not watcher.interrupted:
            template.console.print("[dim]Waiting for a file to be saved; Ctrl-C ends this.[/]")
        watcher.wait()
        template.console.rule(style="dim")
