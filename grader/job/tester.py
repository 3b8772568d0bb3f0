"""One tester on one bench: a task in, what came of it out. Both are plain data: where this runs does not matter."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from grader.bench.local import Bench, Ended, measuring
from grader.bench.task import Task
from grader.job.listener import Listener
from harness.lab.interface import LabError
from harness.tester.border.records import Built, Phase, Report, Start


class Cancelled(Exception):
    """Someone wanted the whole run to stop; there is no result."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What came of one tester."""

    ended: Ended
    broken: str = ""  #: what was wrong with the lab, in a sentence
    last: bool = False  #: its last record came
    seconds: float = 0.0  #: how long it took
    crowded: float = 0.0  #: the share of that in which something on the machine had no processor
    reports: dict[str, Report]
    phases: tuple[Phase, ...] = ()
    notes: tuple[str, ...] = ()
    forbidden: Mapping[int, str] | None = None  #: forbidden names by stage; None: it has not looked
    built: Built | None = None
    packed: bool = False  #: all of what was built has come
    archive: BinaryIO | None = None  #: what was built: a tar

    @property
    def own(self) -> float:
        """Seconds that the submission itself took: without what the bench needed to begin and to tidy up."""
        return max(0.0, self.seconds - sum(phase.seconds for phase in self.ended.phases))


def broken(why: str) -> Ran:
    """Of a tester that could not even be started."""
    return Ran(ended=Ended(status=None), broken=why, reports={})


def run_tester(bench: Bench, task: Task, see: Callable[[Start | Report], None] = lambda _: None) -> Ran:
    """Run a task to its end; `see` is told what begins and each report that counts. Raises Cancelled."""
    archive = tempfile.TemporaryFile() if task.pack else None  # noqa: SIM115 - whoever takes it in closes it
    listener = Listener(task.checks, see=see, archive=archive)
    here = measuring()
    try:
        ended = bench.run(task, listener)
    except LabError as error:
        ended, trouble = Ended(status=None), str(error)
    else:
        trouble = listener.trouble
    if ended.cancelled:
        raise Cancelled
    measured = ended.elsewhere or here()
    if ended.died:
        listener.blame(ended.died)
    return Ran(
        ended=ended,
        broken=trouble,
        last=listener.ended,
        seconds=measured.seconds,
        crowded=measured.crowded,
        reports=listener.reports.first,
        phases=tuple(listener.phases),
        notes=tuple(listener.all_notes()),
        forbidden=listener.forbidden,
        built=listener.built,
        packed=listener.packed,
        archive=archive,
    )
