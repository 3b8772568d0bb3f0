"""Benches for several callers at a time: each is kept for the next call, and made when it is needed, or ahead.

Rule: one that broke is closed, and another one is made when it is needed.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from grader.bench.local import Bench, Place
from harness.lab.interface import LabError


class Benches:
    """The benches of a place, for `most` calls at a time."""

    def __init__(self, place: Place, most: int, *, ahead: int = 1) -> None:
        """`ahead`: when the first bench is needed, so many are made."""
        self._place, self._count_ahead = place, min(ahead, most)
        self._idle: list[Bench] = []
        self._benches: list[Bench] = []
        #: Making a bench takes processors: the first ones are there sooner if not all are made at a time.
        self._makers = threading.Semaphore(max(1, (os.cpu_count() or 1) // 2))
        self._coming = 0  # benches that are being made
        self._lock = threading.Lock()
        self._stopped = False
        self._ahead: threading.Thread | None = None

    @contextlib.contextmanager
    def bench(self) -> Iterator[Bench]:
        """A bench for the call that runs: an idle one, else a new one. Raises LabError. One that broke is closed."""
        bench = self._an_idle_one()
        if bench is None:
            self._count(+1)
            self._make_ahead()
            with self._makers:
                if (bench := self._an_idle_one()) is None:
                    bench = self._make()
                else:
                    self._count(-1)
        try:
            yield bench
        except BaseException:
            self._drop(bench)
            raise
        with self._lock:
            self._idle.append(bench)

    def _make_ahead(self) -> None:
        """Make benches in the background until there are enough. Once."""

        def make() -> None:
            with contextlib.suppress(LabError):  # whoever needs one finds out
                while not self._stopped and len(self._benches) + self._coming < self._count_ahead:
                    self._count(+1)
                    with self._makers:
                        bench = self._make()
                    with self._lock:
                        self._idle.append(bench)

        with self._lock:
            if self._ahead is None:
                self._ahead = threading.Thread(target=make, name="benches-ahead")
                with contextlib.suppress(RuntimeError):  # no room for a thread: they are made when they are needed
                    self._ahead.start()

    def _an_idle_one(self) -> Bench | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _count(self, more: int) -> None:
        with self._lock:
            self._coming += more

    def _make(self) -> Bench:
        """Make a bench that is counted as coming."""
        try:
            bench = self._place.bench()
        except BaseException:
            self._count(-1)
            raise
        with self._lock:
            self._benches.append(bench)
            self._coming -= 1
            stopped = self._stopped
        if stopped:
            bench.cancel()
        return bench

    def _drop(self, bench: Bench) -> None:
        with self._lock:
            self._benches.remove(bench)
        with contextlib.suppress(Exception):  # the place sweeps up what is left when it is closed
            bench.close()

    def cancel(self) -> None:
        """End what runs, soon."""
        with self._lock:
            self._stopped = True
            benches = list(self._benches)
        for bench in benches:
            bench.cancel()

    def stop(self) -> None:
        """Make none ahead any more."""
        self._stopped = True

    def close(self) -> None:
        """Close all of them; nobody uses one."""
        self._stopped = True
        if self._ahead is not None and self._ahead.ident is not None:
            self._ahead.join()
        for bench in list(self._benches):
            self._drop(bench)
