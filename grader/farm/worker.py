"""A worker: takes parcels from a scheduler, runs each on a bench of this machine, and sends back what came of it.

Rule 1: a parcel of another version of tests, image or lab is not opened.
Rule 2: what nobody waits for any more is ended; a group that hangs ends its worker, so that others get what it had.
Rule 3: a scheduler that is gone is looked for again, until somebody ends this.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from distributed import Reschedule, Worker, WorkerPlugin, get_worker

from grader.bench.folder import folder_of_a_tester, sweep
from grader.bench.local import Bench, Place, measuring
from grader.bench.pool import Benches
from grader.course import Course
from grader.farm.answer import Answer, line_of_record
from grader.farm.dask_settings import security_of
from grader.farm.gate import Gate, GivenUp
from grader.farm.parcel import Parcel, task_of, version_of, versions_of
from harness.lab.interface import LabError
from harness.tester.border.records import BadRecord, Record, Report

#: Under this name dask knows what a worker of ours has.
NAME = "socketlab"
#: Seconds after a group's own time after which its bench is taken for hung.
HUNG = 180.0
#: Seconds that a scheduler has to answer whoever wants to work.
_ANSWERS = 10.0
#: Seconds between two looks for a scheduler that is gone.
LOOK = 3.0


class _Call:
    """A parcel while it is run."""

    def __init__(self) -> None:
        self.bench: Bench | None = None
        self._given_up = threading.Event()
        self._lock = threading.Lock()

    @property
    def given_up(self) -> bool:
        return self._given_up.is_set()

    def give_up(self) -> None:
        """End it, soon."""
        with self._lock:
            self._given_up.set()
            if self.bench is not None:
                self.bench.cancel()

    @contextlib.contextmanager
    def on(self, bench: Bench) -> Iterator[None]:
        """It uses this bench. Raises GivenUp when it was ended meanwhile: then the bench is of no use any more."""
        with self._lock:
            self.bench = bench
        try:
            if self.given_up:
                raise GivenUp
            yield
        finally:
            with self._lock:
                self.bench = None
            if self.given_up:
                raise GivenUp


class Station(WorkerPlugin):
    """What a worker has: a place, benches, and a gate. Several threads of dask's call `run`."""

    name = NAME

    def __init__(self, course: Course, place: Place, labs: int) -> None:
        """Raises as `Course.versions`."""
        sweep()  # what a worker has left here that was killed
        self.labs = labs
        self._course, self._place = course, place
        self._benches, self._gate = Benches(place, labs, ahead=1), Gate(labs)
        self._calls: dict[str, _Call] = {}
        versions = versions_of(course, course.names())
        self.version = version_of(versions, kind=place.kind, engine=place.engine, image=place.image)

    def about(self) -> dict[str, Any]:
        """What this worker is, as plain data."""
        place = self._place
        told = {name: getattr(place, name) for name in ("kind", "engine", "image", "unprotected")}
        return {**told, "version": self.version, "labs": self.labs, "tools": dict(place.tools())}

    @property
    def resources(self) -> dict[str, float]:
        """What dask shares out: labs, one turn to be alone, and the version, of which there is enough."""
        return {"labs": self.labs, "alone": 1, f"version {self.version}": 1e9}

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """dask calls this for all that becomes of a call: one that is cancelled while it runs is ended."""
        if start in ("executing", "long-running") and finish in ("cancelled", "released"):
            if (call := self._calls.get(str(key))) is not None:
                call.give_up()
            self._gate.look()

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - dask calls it so
        """dask calls this when a worker closes, as when its scheduler is gone, before it waits for its threads."""
        self.end_all()

    def end_all(self) -> None:
        """End what runs, soon: whoever asked for it is gone, or this worker is to go."""
        for call in list(self._calls.values()):
            call.give_up()
        self._gate.look()

    def close(self) -> None:
        """Leave nothing behind."""
        self.end_all()
        self._benches.cancel()
        self._benches.close()

    def run(self, data: bytes, key: str) -> bytes:
        """Run a parcel; the answer. Raises Reschedule when it was ended and somebody may wait for it still."""
        call = self._calls[key] = _Call()
        try:
            parcel = Parcel.from_bytes(data)
            if parcel.version != self.version:
                raise LabError(
                    f"this worker has version {self.version} of tests, image and lab, and the parcel {parcel.version}"
                )
            return self._run(parcel, call).to_bytes()
        except GivenUp:
            raise Reschedule from None
        except LabError as error:
            return Answer(None, str(error)).to_bytes()
        except Exception as error:
            return Answer(None, f"the worker broke: {type(error).__name__}: {error}").to_bytes()
        finally:
            del self._calls[key]

    def _run(self, parcel: Parcel, call: _Call) -> Answer:
        lines: list[bytes] = []
        reports: list[Report] = []

        def hear(record: Record | BadRecord) -> None:
            lines.append(line_of_record(record))
            if isinstance(record, Report):
                reports.append(record)

        alone = parcel.job.get("alone") is True
        with (
            self._gate.passed(alone=alone, given_up=lambda: call.given_up),
            folder_of_a_tester() as folder,
            self._benches.bench() as bench,
        ):
            task = task_of(parcel, self._course, folder / "submission")
            measured = measuring()
            with call.on(bench), _ended_if_hung(task.seconds + HUNG):
                ended = bench.run(task, hear)
            elsewhere = measured()
        if not alone:
            self._gate.learn(reports)
        return Answer(replace(ended, elsewhere=elsewhere), lines=lines)


@contextlib.contextmanager
def _ended_if_hung(seconds: float) -> Iterator[None]:
    """End this process if the block takes longer: a bench keeps its time by itself, so then something hangs."""
    timer = threading.Timer(seconds, os._exit, (70,))  # EX_SOFTWARE; the next worker sweeps up
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def run_parcel(data: bytes) -> bytes:
    """What dask calls in a thread of a worker."""
    worker = get_worker()
    return cast(Station, worker.plugins[NAME]).run(data, str(worker.get_current_task()))


def about_worker(dask_worker: Worker) -> dict[str, Any] | None:
    """What dask calls to ask what a worker is; None: none of ours."""
    station = dask_worker.plugins.get(NAME)
    return station.about() if isinstance(station, Station) else None


async def serve(
    station: Station,
    address: str,
    certificates: Path | None,
    *,
    name: str,
    say: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    """Work for the scheduler at a checked address until `stop` is set. Raises SetupError."""
    security = security_of(certificates)
    told = ""
    while not stop.is_set():
        try:
            with folder_of_a_tester() as folder:
                worker = Worker(
                    address,
                    security=security,
                    name=name,
                    nthreads=station.labs,
                    resources=station.resources,
                    # Of this machine only, where nothing is encrypted.
                    host="127.0.0.1" if address.startswith("tcp://") else None,
                    dashboard_address="127.0.0.1:0",
                    dashboard=False,
                    memory_limit=0,
                    death_timeout=_ANSWERS,
                    local_directory=str(folder),
                    plugins=(station,),
                )
                async with worker:
                    say(f"working for {address}: up to {station.labs} labs, version {station.version}")
                    told = ""
                    await _first(worker.finished(), stop.wait())
                    await asyncio.to_thread(station.end_all)
                    if stop.is_set():
                        await worker.close_gracefully()
        except (OSError, TimeoutError, RuntimeError) as error:
            why = str(error) or type(error).__name__
        else:
            why = "it has ended, or the network has"
        if not stop.is_set():
            if told != why:
                say(f"the scheduler at {address} is not there ({why}); looking for it again every {LOOK:g} s")
            told = why
            await _first(stop.wait(), asyncio.sleep(LOOK))


async def _first(*calls: Any) -> None:
    """Wait for the first of some."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
