"""How many groups run side by side on a worker: as many as it carries, or one that wants the machine for itself.

Rule 1: who wants the machine for itself waits until it is empty; meanwhile nobody else begins.
Rule 2: the worker's own clocks say how many it carries (`Crowd`), as on a machine without a farm.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator

from grader.campaign.crowd import Crowd, suffered
from harness.tester.border.records import Report


class GivenUp(Exception):
    """Nobody waits for this group any more."""


class Gate:
    """What every group of a worker goes through."""

    def __init__(self, most: int) -> None:
        self._crowd = Crowd(most)
        self._changed = threading.Condition()
        self._inside = 0
        self._apart = False  # the one inside has the machine for itself
        self._want_it = 0  # how many wait for that

    @contextlib.contextmanager
    def passed(self, *, alone: bool, given_up: Callable[[], bool]) -> Iterator[None]:
        """Wait for a turn, and have it. Raises GivenUp, when `given_up` says so at a `look`."""
        with self._changed:
            self._want_it += alone
            try:
                self._changed.wait_for(lambda: given_up() or self._may_pass(alone))
            finally:
                self._want_it -= alone
                self._changed.notify_all()
            if given_up():
                raise GivenUp
            self._inside, self._apart = self._inside + 1, alone
        try:
            yield
        finally:
            with self._changed:
                self._inside, self._apart = self._inside - 1, False
                self._changed.notify_all()

    def _may_pass(self, alone: bool) -> bool:
        if alone:
            return not self._inside
        return not self._apart and not self._want_it and self._inside < self._crowd.now

    def look(self) -> None:
        """Let those who wait ask whether they still should."""
        with self._changed:
            self._changed.notify_all()

    def learn(self, reports: Collection[Report]) -> None:
        """Take note of what a group reported."""
        with self._changed:
            self._crowd.learn(suffered(reports))
            self._changed.notify_all()
