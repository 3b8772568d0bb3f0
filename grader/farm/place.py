"""A farm as a place: its benches send parcels, and hand on the records that come back.

Rule 1: a farm is a place like any other. Whoever grades on it decides what runs next, and is the one writer.
Rule 2: a worker that is killed, hangs or is cut off costs its groups another run, elsewhere: dask sees to that. A
        scheduler that is lost is looked for again, and asked once more.
Rule 3: workers of another version are named and not used.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future
from pathlib import Path
from typing import Any

from distributed import Client

from grader.bench.local import Bench, Ended, OnRecord
from grader.bench.task import Task
from grader.course import Course
from grader.farm.answer import Answer
from grader.farm.dask_settings import security_of
from grader.farm.parcel import parcel_of, version_of, versions_of
from grader.farm.worker import about_worker, run_parcel
from harness.errors import SetupError, cause_of
from harness.lab.interface import LabError

#: Seconds to wait for a scheduler, and for the first worker.
PATIENCE = 60.0
#: Seconds without any worker after which what waits is given up.
DESERTED = 180.0
#: How often a group is asked for when the scheduler is lost on the way.
TRIES = 3
#: Seconds between two looks whether anybody works.
_LOOK = 5.0


class FarmBench:
    """Sends one parcel at a time."""

    def __init__(self, farm: FarmPlace) -> None:
        self._farm = farm
        self._stop = threading.Event()
        self._future: Future[bytes] | None = None

    def run(self, task: Task, on_record: OnRecord) -> Ended:
        try:
            data = parcel_of(task, self._farm.version).to_bytes()
        except OSError as error:
            raise LabError(f"the submission's copy cannot be sent: {cause_of(error)}") from None
        answer = self._ask(data, task.alone)
        if answer is None:
            return Ended(status=None, cancelled=True)
        if answer.ended is None:
            raise LabError(answer.trouble)
        for record in answer.records():
            on_record(record)
        return answer.ended

    def _ask(self, data: bytes, alone: bool) -> Answer | None:
        """What became of a parcel; None if we were cancelled. Raises LabError."""
        for _ in range(TRIES):
            try:
                self._future = future = self._farm.submit(data, alone)
                self._wait(future)
                if self._stop.is_set():
                    future.cancel()
                    return None
                return Answer.from_bytes(future.result())
            except CancelledError:
                if self._stop.is_set():
                    return None  # else the scheduler was lost, and all that it knew
            except LabError:
                raise
            except Exception as error:  # of any kind: dask hands on what was raised, anywhere
                raise LabError(f"the farm could not run it: {type(error).__name__}: {error}") from None
        raise LabError(f"the farm's scheduler was lost {TRIES} times while this ran")

    def _wait(self, future: Future[bytes]) -> None:
        """Until it is done, or we are cancelled. Raises LabError when nobody works any more."""
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        while not done.wait(_LOOK) and not self._stop.is_set():
            if self._farm.deserted():
                future.cancel()
                raise LabError(f"no worker of the farm was there for {DESERTED:g} s")

    def cancel(self) -> None:
        self._stop.set()
        if self._future is not None:
            self._future.cancel()

    def close(self) -> None:
        self.cancel()


class FarmPlace:
    """A cluster that grades with this course's tests."""

    def __init__(
        self,
        course: Course,
        address: str,
        certificates: Path | None,
        *,
        say: Callable[[str], None],
        patience: float = PATIENCE,
    ) -> None:
        """`address` is a checked one; `say` is told which workers are not used. Raises SetupError."""
        self._address, self._security = address, security_of(certificates)
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._executors: dict[bool, Executor] = {}
        self._seen = self._looked = time.monotonic()
        with self._as_setup():
            self._connect(max(patience, 1.0))
            fits = self._fitting(course, patience, say)
        first = fits[0]
        self.kind, self.engine = str(first["kind"]), str(first["engine"])
        self.image, self.unprotected = str(first["image"]), str(first["unprotected"])
        self.version = str(first["version"])
        self.machines, self.labs = len(fits), sum(int(row["labs"]) for row in fits)
        self._tools = {str(key): str(value) for key, value in dict(first["tools"]).items()}

    @contextlib.contextmanager
    def _as_setup(self) -> Iterator[None]:
        try:
            yield
        except LabError as error:
            self.close()
            raise SetupError(str(error)) from None
        except BaseException:
            self.close()
            raise

    def _connect(self, patience: float) -> None:
        """Raises LabError."""
        try:
            self._client = Client(
                self._address, security=self._security, timeout=patience, set_as_default=False, name="grader"
            )
        except (OSError, TimeoutError) as error:
            why = str(error).splitlines()[:1] or [type(error).__name__]
            raise LabError(
                f"no scheduler answers at {self._address} ({why[0]}). grader farm scheduler starts one."
            ) from None
        self._executors = {}

    def _fitting(self, course: Course, patience: float, say: Callable[[str], None]) -> Sequence[Mapping[str, Any]]:
        """What the workers of our version are. Waits for the first one. Raises LabError."""
        assert self._client is not None
        versions = versions_of(course, course.names())
        deadline, others = time.monotonic() + patience, ""
        while True:
            told = self._client.run(about_worker, on_error="ignore")
            ours, others = _sorted_out(told, versions)
            if ours:
                if others:
                    say(others)
                return ours
            if time.monotonic() >= deadline:
                what = others or "no worker of the farm is there."
                raise LabError(f"{what} grader worker {self._address} starts one, on a machine with this version.")
            time.sleep(0.5)

    def submit(self, data: bytes, alone: bool) -> Future[bytes]:
        """Have a worker run a parcel. Raises LabError when there is no scheduler any more."""
        with self._lock:
            if self._client is None or self._client.status != "running":
                self._find_again()
            assert self._client is not None
            if alone not in self._executors:
                needs = {"labs": 1, f"version {self.version}": 1, **({"alone": 1} if alone else {})}
                self._executors[alone] = self._client.get_executor(pure=False, resources=needs)
            return self._executors[alone].submit(run_parcel, data)

    def _find_again(self) -> None:
        """dask's client looks for a lost scheduler less and less often: a new one is faster. Raises LabError."""
        self.close()
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._connect(_LOOK)
                break
            except LabError:
                if time.monotonic() >= deadline:
                    raise
        self._seen = time.monotonic()

    def deserted(self) -> bool:
        """Whether nobody has been there to work for a while."""
        now = time.monotonic()
        with self._lock:
            if now - self._looked < _LOOK or self._client is None:
                return now - self._seen > DESERTED
            self._looked = now
            with contextlib.suppress(Exception):  # a scheduler that does not answer shows no worker
                known = self._client.scheduler_info(n_workers=-1)["workers"].values()
                if any(f"version {self.version}" in row["resources"] for row in known):
                    self._seen = now
            return now - self._seen > DESERTED

    def bench(self) -> Bench:
        return FarmBench(self)

    def tools(self) -> Mapping[str, str]:
        return self._tools

    def close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(Exception):  # whatever became of the scheduler
                self._client.close(timeout=5)
            self._client = None


def _sorted_out(told: Mapping[str, Any], versions: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], str]:
    """Those that may be used: of our tests, and of one image and lab, the one that most have; and who is not used."""
    rows = {where: row for where, row in sorted(told.items()) if isinstance(row, dict)}
    fits = {
        where: row
        for where, row in rows.items()
        if row["version"] == version_of(versions, kind=row["kind"], engine=row["engine"], image=row["image"])
    }
    most = Counter(row["version"] for row in fits.values()).most_common(1)
    ours = {where: row for where, row in fits.items() if row["version"] == most[0][0]}
    others = [where for where in sorted(told) if where not in ours]
    if not others:
        return list(ours.values()), ""
    named = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
    return list(ours.values()), f"not used, since their tests, image or lab are others: {named}."
