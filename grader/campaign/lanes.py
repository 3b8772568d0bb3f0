"""The lanes of this machine: threads, each with a bench of its own while it works. An executor (concurrent.futures).

Rule: a lane keeps its bench for the next call; one that broke is closed, and another one is made when it is needed.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from grader.bench.local import Place
from grader.bench.pool import Benches
from harness.errors import SetupError, shortage

T = TypeVar("T")


class Lanes(Executor):
    """As many threads as were asked for, or as this machine has room for. Raises SetupError if that is none."""

    def __init__(self, place: Place, count: int, *, ahead: int = 1) -> None:
        """`ahead`: when the first bench is needed, so many are made."""
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        for number in range(count):
            thread = threading.Thread(target=self._work, name=f"lane-{number}")
            try:
                thread.start()
            except RuntimeError as error:
                if not number:
                    raise SetupError(f"no worker can be started: {shortage(error) or error}") from None
                break
            self._threads.append(thread)
        self._benches = Benches(place, len(self._threads), ahead=ahead)
        self.bench = self._benches.bench  #: a bench for the call that runs
        self.cancel = self._benches.cancel  #: end what runs, soon

    def __len__(self) -> int:
        return len(self._threads)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Have a lane call that, soon."""
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        self._calls.put(call)
        return future

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end when all calls are done, and close the benches."""
        assert not cancel_futures  # nobody asks for that
        self._benches.stop()
        for _ in self._threads:
            self._calls.put(None)
        if wait:
            for thread in self._threads:
                thread.join()
        self._benches.close()
