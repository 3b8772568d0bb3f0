"""A place whose benches outlive a campaign: who grades one submission after the other starts no lab for each.

Rule: a bench that broke, or was cancelled, is closed for good; any other waits for the next campaign.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from grader.bench.local import Bench, Ended, OnRecord, Place
from grader.bench.task import Task
from harness.lab.interface import LabError


class WarmPlace:
    """Another place, with benches that are kept. `close` closes them all."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.kind, self.engine, self.image, self.unprotected = place.kind, place.engine, place.image, place.unprotected
        self.machines, self.tools = place.machines, place.tools
        self._idle: list[Bench] = []
        self._lock = threading.Lock()
        self._closed = False

    def warm(self, count: int) -> None:
        """Make so many benches now, side by side; one that cannot be made is made, or missed, later."""

        def make() -> None:
            with contextlib.suppress(LabError):
                self._keep(self._place.bench())

        with ThreadPoolExecutor(max(1, count)) as makers:
            for _ in range(count):
                makers.submit(make)

    def bench(self) -> Bench:
        """An idle bench, or a new one. Raises LabError."""
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        return _Lent(kept or self._place.bench(), self)

    def take_back(self, bench: Bench) -> None:
        """A bench that nobody uses any more and that is whole."""
        if not self._keep(bench):
            bench.close()

    def _keep(self, bench: Bench) -> bool:
        with self._lock:
            if not self._closed:
                self._idle.append(bench)
            return not self._closed

    def close(self) -> None:
        """Close the benches that are idle, and the place."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for bench in idle:
            with contextlib.suppress(Exception):  # the place sweeps up what is left
                bench.close()
        self._place.close()


class _Lent:
    """A bench for one campaign."""

    def __init__(self, bench: Bench, owner: WarmPlace) -> None:
        self._bench, self._owner = bench, owner
        self._whole = True

    def run(self, task: Task, on_record: OnRecord) -> Ended:
        with self._or_broken():
            ended = self._bench.run(task, on_record)
        self._whole = self._whole and not (ended.cancelled or ended.stopped)
        return ended

    def cancel(self) -> None:
        self._whole = False
        self._bench.cancel()

    def close(self) -> None:
        if self._whole:
            self._owner.take_back(self._bench)
        else:
            self._bench.close()

    @contextlib.contextmanager
    def _or_broken(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._whole = False
            raise
