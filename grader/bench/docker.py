"""A tester in a container, beside a student's node of its own. Thin: `harness.lab.docker.containers` knows how.

Rule: a star (link, tester, warden) is kept warm by one bench; after trouble it is thrown away and a new one made.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from grader.bench.local import Bench, Ended, OnRecord, read
from grader.bench.task import Task
from grader.course import Course
from harness.course.languages import DEFAULT
from harness.lab import doctor
from harness.lab.docker import containers
from harness.lab.docker import recipes as nodes
from harness.lab.docker.images import Images, Made, ensure_images, tools_of
from harness.lab.docker.star import Star
from harness.lab.interface import LabError
from harness.tester.border.records import Phase, record_of


class DockerBench:
    """One star, one worker."""

    def __init__(self, start: Callable[[], Star]) -> None:
        self._start = start
        self._star: Star | None = start()
        self._stop = threading.Event()

    def run(self, task: Task, on_record: OnRecord) -> Ended:
        try:
            if self._star is None:
                self._star = self._start()
                if self._stop.is_set():
                    raise LabError("the run was cancelled while the lab started")
            begun = time.monotonic()  # not before: an engine that is started again takes no time from the tests
            with self._star.session(task.submission, task.limits, builds=task.build, second=task.second) as node:
                job = task.docker_job(node.lab, PurePosixPath(nodes.CODE)).to_json()
                left = node.run_tester(job, lambda row: on_record(read(record_of, row)), begun + task.seconds)
                if left.died is not None and not left.died.by_memory:
                    raise LabError(left.died.text)
                if left.stopped:
                    self._forget_star()  # it serves nobody any more; what is tried again is tried in another one
        except Exception as error:
            if self._stop.is_set():
                return Ended(status=None, cancelled=True)
            self._forget_star()
            if isinstance(error, LabError):
                raise
            raise LabError(f"the Docker lab broke: {error}") from error
        return Ended(
            status=left.status,
            late=left.status is None and left.died is None,
            stopped=left.stopped,
            died=left.died.text if left.died else "",
            cancelled=self._stop.is_set(),
            log=left.complaints,
            phases=tuple(Phase(name, seconds) for name, seconds in node.phases.items() if name != "tester"),
        )

    def cancel(self) -> None:
        # The tester's channel closes while the worker uses it; the worker sees that this was intended.
        self._stop.set()
        self._forget_star(keep=True)

    def close(self) -> None:
        self._stop.set()
        self._forget_star()

    def _forget_star(self, *, keep: bool = False) -> None:
        star = self._star
        if star is not None:
            with contextlib.suppress(LabError):  # it is tried again at the end; the trouble before it is what counts
                star.stop()
        if not keep:
            self._star = None


class DockerPlace:
    """A Docker engine. What dead runs left behind is removed first; missing images are made."""

    kind = "docker"
    unprotected = ""
    machines = 1

    def __init__(
        self,
        course: Course,
        names: list[str],
        *,
        engine: str,
        say: Callable[[str], None],
        languages: Sequence[str] = DEFAULT,
        made: Callable[[Made], None] = lambda _: None,
    ) -> None:
        # The engine's kernel is this machine's: containers are given no other (find_engine in containers.py).
        without = engine == "auto" and not doctor.look("netem").there
        self.engine = "router" if without else engine
        containers.sweep()
        self.images: Images = ensure_images(containers.DockerEngine(), say, languages=languages, made=made)
        self.image = str(self.images)
        self._code = _code(course, names)
        self._tools: Mapping[str, str] = {}
        self._workers = 0
        self._lock = threading.Lock()

    def bench(self) -> Bench:
        with self._lock:
            number = self._workers
            self._workers += 1
        return DockerBench(lambda: Star.start(self.images, code=self._code, engine=self.engine, worker=number))

    def tools(self) -> Mapping[str, str]:
        """Nothing is graded by it, so nothing stops for want of it. An image does not change: it is asked once."""
        with contextlib.suppress(LabError):
            if not self._tools:
                with containers.DockerEngine() as engine:
                    self._tools = tools_of(engine, self.images.build)
        return self._tools

    def close(self) -> None:
        with contextlib.suppress(LabError):  # the engine is gone: the next run sweeps up what this one has left
            containers.sweep()


def _code(course: Course, names: list[str]) -> Mapping[str, Path]:
    """What the trusted nodes are given of the assignments: their descriptions, their tests, and the answers."""
    code: dict[str, Path] = {}
    for name in names:
        code[f"{name}/assignment.toml"] = course.reference(name) / "assignment.toml"
        code[f"{name}/reference"] = course.reference(name)
        code.update({f"{name}/reference/{part}": folder for part, folder in course.parts(name).items()})
        code.update({f"{name}/{suite}": folder for suite, folder in course.suites(name).items()})
        if (meetings := course.meetings(name)).is_dir():
            code[f"{name}/{meetings.name}"] = meetings
    return code
