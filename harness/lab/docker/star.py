"""One lab in Docker: link, tester and warden, kept warm, and a new student node for each submission.

Rule: the host talks to a node over its first process's standard streams; nothing is executed in running nodes.
What each node is and may do is in harness/lab/docker/recipes.py, the reasons in docker/README.md.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness.lab.docker import owner
from harness.lab.docker import recipes as nodes
from harness.lab.docker.channel import ANSWER_WITHIN, Channel
from harness.lab.docker.code_volumes import CodeVolumes
from harness.lab.docker.containers import DockerEngine, sweep
from harness.lab.docker.description import DockerLab
from harness.lab.docker.images import Images
from harness.lab.docker.phases import Phases
from harness.lab.docker.vigil import Vigil
from harness.lab.interface import LabError
from harness.lab.node.captures import LARGE


@dataclass(frozen=True)
class TesterExit:
    """How a job's tester ended."""

    status: int | None  #: exit status, negative for a signal, None if it had to be stopped at the deadline
    complaints: str  #: the end of what our nodes wrote on standard error
    died: NodeEnd | None = None  #: the student's node ended while the job ran; the job was stopped then
    stopped: str = ""  #: which part of the lab stood still at the deadline, in a sentence


@dataclass(frozen=True)
class NodeEnd:
    """How a student's node ended early."""

    text: str  #: a sentence
    by_memory: bool  #: the kernel ended it because its memory was full: the submission's doing


def filled(row: Mapping[str, Any]) -> NodeEnd | None:
    """Whose doing it was that a tester's memory was full, from the nursery's last word: None for ours.

    It has room for several times what any test brings: beside a wire that has carried more, that was what filled it.
    """
    carried = int(row.get("carried", 0))
    if carried < 2 * LARGE:  # what is LARGE at the end of a check begins anew: so much came in this one
        return None
    what = f"the memory of what tests it was full, after {carried / 1e6:,.0f} MB on its wire"
    return NodeEnd(what, by_memory=True)


_FIFO = 1  # sched.h: SCHED_FIFO
#: Seconds between two looks at whether the student's node still lives, while a job runs.
_LOOK = 0.1
#: Seconds within which the engine has to know of an end that the tester has noticed.
_KNOWN_WITHIN = 5.0
#: How long the channel of a part that was killed takes to hang up, at most (seconds).
_HANGS_UP = 0.5
#: Exit status of a node whose first process got SIGKILL, as from the kernel when memory is full.
_KILLED = 128 + 9
_taking_users = threading.Lock()
_stars: weakref.WeakSet[Star] = weakref.WeakSet()
_started: list[bool] = []  # whether this process has made a star


class Star:
    """Link, tester and warden, kept warm; student nodes come and go. Make one with `Star.start`."""

    def __init__(self, images: Images, *, engine: str, runtime: str | None, worker: int) -> None:
        self.engine = engine
        self.worker = worker
        self._images = images
        self._runtime = runtime
        self._docker = DockerEngine(patient=True)
        self._labels = {**owner.this_owner().labels, "socketlab.worker": str(worker)}
        self._containers: list[str] = []
        self._ours: dict[str, str] = {}  #: link, tester and warden -> their containers
        self._broom = ThreadPoolExecutor(1, thread_name_prefix="socketlab-broom")
        self._channels: dict[str, Channel] = {}
        self._name = f"socketlab-{owner.this_owner().identity}-{worker}-{secrets.token_hex(3)}"
        self._own_volumes = (f"{self._name}-trusted", f"{self._name}-agent")
        self._code = CodeVolumes()
        self._take_users()
        self._stopping = threading.Lock()
        self._students = 0
        self._processors = 0  #: of the machine, if one is reserved for the router

    @classmethod
    def start(
        cls,
        images: Images,
        *,
        code: Mapping[str, Path],
        engine: str = "router",
        runtime: str | None = None,
        worker: int = 0,
    ) -> Star:
        """Start the trusted nodes of a star. Raises LabError.

        `code` maps a name to a folder (or file) that is copied to /code/<name> in them; the harness is always there.
        """
        if engine not in ("router", "netem", "auto"):
            raise LabError(f"the engine {engine!r} is none of the Docker lab's: router, netem, auto")
        star = cls(images, engine=engine, runtime=runtime, worker=worker)
        _started.append(True)
        try:
            star._start(code)
        except BaseException:
            star.stop()
            raise
        return star

    def _start(self, code: Mapping[str, Path]) -> None:
        recipes: dict[str, Callable[[str, nodes.Volumes], nodes.Recipe]] = {
            "link": partial(nodes.link, engine=self.engine),
            "tester": nodes.tester,
            "warden": nodes.warden,
        }
        for name in self._own_volumes:
            self._docker.create_volume(name, self._labels)
        self._code.create(self._docker, code)
        self._volumes = nodes.Volumes(*self._own_volumes, self._code.code, self._code.agent_code)
        with ThreadPoolExecutor(len(recipes)) as pool:
            made = pool.map(lambda name: self._create(name, recipes[name](self._images.node, self._volumes)), recipes)
            self._ours = ids = dict(zip(recipes, made, strict=True))
        self._code.fill(ids["warden"])
        with ThreadPoolExecutor(len(ids)) as pool:
            list(pool.map(self._docker.start, ids.values()))
        self._channels["warden"].answer()
        pids = {name: self._docker.pid(ids[name]) for name in ("link", "tester")}
        self._channels["warden"].ask({"op": "hold", **pids})
        for name in ("link", "tester"):
            if self._channels[name].hear(ANSWER_WITHIN) is None:
                raise LabError(f"the lab's {name} node is not ready after {ANSWER_WITHIN:g} s")
        self._code.good = True
        policy = self._channels["warden"].ask({"op": "policy", "pid": pids["link"]})["policy"]
        # Spinning students must not delay packets: without a real-time priority the router gets its own processor.
        if policy != _FIFO and (processors := self._docker.info().get("NCPU", 1)) > 1:
            self._processors = processors

    def _take_users(self) -> None:
        """Take a block of users that no other star of this engine has."""
        with _taking_users:
            rows = [labels.get(nodes.USERS_LABEL, "") for _, labels in self._docker.containers()]
            taken = {int(row) for row in rows if row.isdecimal()} | {star._block for star in _stars}
            # Somewhere at random: another process may be choosing, too.
            self._block: int = nodes.free_block(taken, secrets.randbelow(nodes.USERS // nodes.BLOCK))
            self._labels[nodes.USERS_LABEL] = str(self._block)
            _stars.add(self)

    def _create(self, name: str, recipe: nodes.Recipe) -> str:
        """Create a container, not started yet; its id. One that talks is attached to, so that no line is missed."""
        identity = self._docker.create(
            recipe, name=f"{self._name}-{name}", hostname=name.rstrip("0123456789"), labels=self._labels
        )
        self._containers.append(identity)
        if recipe.spoken:
            self._channels[name] = Channel(self._docker.attach(identity), name)
        return identity

    @contextlib.contextmanager
    def session(
        self, submission: Path, limits: nodes.LimitsLike, *, builds: bool = False, second: Path | None = None
    ) -> Iterator[Session]:
        """A new student node for the submission in a folder, wired to the star; gone afterwards. Raises LabError.

        Two, if the limits say so, with the same submission or another (`second`). `builds`: with compilers in it.
        """
        self._channel("warden")
        self._students += 1
        kinds = nodes.STUDENTS[: limits.nodes]
        names = [f"{kind}{self._students}" for kind in kinds]
        users = [nodes.user_of(self._block, self._students * len(nodes.STUDENTS) + nth) for nth in range(len(kinds))]
        sockets = [f"/agent/{name}.sock" for name in names]
        phases, places = Phases(), (submission, second or submission)
        made: list[str] = []

        def begin(name: str, socket: str, user: int, folder: Path) -> int:
            recipe = nodes.student(
                self._images.build if builds else self._images.student,
                self._volumes,
                str(folder.resolve()),
                limits,
                socket,
                user=user,
                runtime=self._runtime,
                processors=nodes.processors(self._processors, limits.cpus, self.worker),
            )
            made.append(identity := self._create(name, recipe))
            self._docker.start(identity)
            return self._docker.pid(identity)

        try:
            with phases.timed("node"), ThreadPoolExecutor(len(names)) as pool:
                pids = dict(zip(nodes.STUDENTS, pool.map(begin, names, sockets, users, places), strict=False))
            with phases.timed("wires"):
                folders = {kind: nodes.folders(limits, user) for kind, user in zip(kinds, users, strict=True)}
                bound = {"sockets": limits.memory_mb << 20}
                self._channel("warden").ask({"op": "wire", "folders": folders, **bound, **pids})
            yield Session(self, phases, sockets, NodeWatch(self._docker, made))
        finally:
            with phases.timed("teardown"):
                self._end_session(made)

    def _end_session(self, students: Sequence[str]) -> None:
        for student in students:
            # In the background while the next submission begins, since the engine is slow. `stop` waits for it.
            with contextlib.suppress(RuntimeError):  # the star is being stopped, and this container with it
                self._broom.submit(self._remove, student)
        if (warden := self._channels.get("warden")) is not None:
            with contextlib.suppress(LabError):
                warden.ask({"op": "unwire"})

    def _remove(self, container: str) -> None:
        self._docker.remove(container)
        self._containers.remove(container)

    def run_tester(
        self, job: bytes, on_record: Callable[[object], None], deadline: float, watch: NodeWatch
    ) -> TesterExit:
        try:
            return self._run_tester(job, on_record, deadline, watch)
        except BaseException:
            self.stop()  # the job may still run in there: this star is not used again
            raise

    def _run_tester(
        self, job: bytes, on_record: Callable[[object], None], deadline: float, watch: NodeWatch
    ) -> TesterExit:
        channel = self._channel("tester")
        channel.complaints = b""
        channel.say({"job": job.decode("ascii")})
        stopped, died, still, undecided = False, None, "", False
        others = {name: self._channel(name) for name in ("link", "warden")}
        vigil = Vigil(others, lambda: self._standing_still(watch, unknown=""), now=time.monotonic())
        while True:
            match heard := channel.hear(min(deadline - time.monotonic(), _LOOK)):
                case None:
                    pass
                case {"nursery": "done", "status": int(code)} as row:
                    complaints = channel.complaints.decode("utf-8", "replace")
                    still = still or vigil.gone() or (self._known_soon(vigil, watch) if undecided else "")
                    return TesterExit(None if stopped else code, complaints, died or filled(row), still)
                case {"record": "gone"} as row:
                    on_record(row)
                    watch.wait(_KNOWN_WITHIN)  # otherwise the job may be over before the engine says why
                case {"record": "mute"} as row:
                    on_record({**row, "ours": self._standing_still(watch)})
                case row:
                    undecided = undecided or _says_undecided(row)
                    on_record(row)
            late = time.monotonic() >= deadline
            if stopped and late:
                raise LabError("the lab's tester node does not end its job: start the lab again")
            if not (stopped or watch.end):
                still = self._standing_still(watch) if late else vigil.finds(heard=bool(heard), now=time.monotonic())
            if not stopped and (late or watch.end or still):
                # Without one of its nodes a job can learn nothing more, and would wait for it at every step.
                stopped, died, deadline = True, watch.end, time.monotonic() + ANSWER_WITHIN
                channel.say({"stop": True})

    def _known_soon(self, vigil: Vigil, watch: NodeWatch) -> str:
        """Which part serves nobody any more: a tester that is refused everything may be done before that hangs up."""
        until = time.monotonic() + _HANGS_UP
        while not (gone := vigil.gone()) and time.monotonic() < until:
            time.sleep(0.02)
        return gone or self._standing_still(watch, unknown="")

    def _standing_still(self, watch: NodeWatch, *, unknown: str | None = None) -> str:
        """Which part of ours does nothing any more, in a sentence; empty if all do, so far as is known.

        In a student's node that is the agent and what else root has there: a student's user stops nothing of root's.
        `unknown`: what to say where the engine does not tell; its own reason if that is None.
        """
        try:
            for name, identity in (*self._ours.items(), *(("student", each) for each in watch.students)):
                if still := self._docker.standstill(identity):
                    return f"the lab's {name} node {still}"
        except LabError as error:  # an engine that is gone or stopped: then nobody knows what the others did
            return str(error) if unknown is None else unknown
        return ""

    def _channel(self, name: str) -> Channel:
        try:
            return self._channels[name]
        except KeyError:
            raise LabError("this lab was stopped: start another") from None

    def stop(self) -> None:
        """Remove everything of this star. Never raises for what is gone already. Any thread may call it."""
        while self._channels:  # first, so that a thread that waits for a node notices
            with contextlib.suppress(KeyError):
                self._channels.popitem()[1].close()
        with self._stopping:
            self._broom.shutdown(wait=True)
            while self._containers:
                self._docker.remove(self._containers[-1])  # one that cannot be removed now is tried again at the end
                self._containers.pop()
            for name in self._own_volumes:
                self._docker.remove_volume(name)
            self._code.give_back()
            self._docker.close()
            _stars.discard(self)

    def __enter__(self) -> Star:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _says_undecided(row: object) -> bool:
    """Whether a tester's record says that something could not be decided."""
    return isinstance(row, dict) and (row.get("record") == "trouble" or row.get("outcome") == "inconclusive")


class NodeWatch:
    """Waits in threads for the end of a student's nodes, and keeps what the engine says about it."""

    def __init__(self, docker: DockerEngine, students: Sequence[str]) -> None:
        self.end: NodeEnd | None = None  #: None while all live
        self.students = tuple(students)  #: their containers
        self._docker = docker
        self._ended = threading.Event()
        for node in students:
            threading.Thread(target=self._wait, args=(node,), daemon=True, name="socketlab-watch").start()

    def wait(self, seconds: float) -> None:
        """Wait until a node has ended and `end` says how, but no longer than `seconds`."""
        self._ended.wait(seconds)

    def _wait(self, node: str) -> None:
        try:
            found = self._docker.wait_for_end(node)
        except LabError:  # nobody can say; the job then finds out for itself
            return
        if found is None:
            return
        status, memory = found
        if memory and status == _KILLED:
            self.end = NodeEnd("the kernel ended the node, since the submission had filled its memory", True)
        else:
            how = "it was killed" if status == _KILLED else f"with exit status {status}"
            self.end = NodeEnd(f"the student's node ended while it was needed ({how})", False)
        self._ended.set()


@dataclass
class Session:
    """One submission's nodes while they are wired to a star."""

    star: Star
    phases: Phases  #: seconds: node, wires, tester (the job as a whole), teardown
    sockets: list[str]  #: of the agents, as the tester sees them: of the first student node, of the second
    watch: NodeWatch  #: over the nodes

    @property
    def lab(self) -> DockerLab:
        """How the tester reaches these nodes; the job has to name it."""
        wires = ("tester", *nodes.STUDENTS)[: 1 + len(self.sockets)]
        return DockerLab(
            agents=tuple(self.sockets),
            warden="/trusted/warden.sock",
            router="/trusted/router.sock",
            captures=tuple(f"/trusted/capture/{wire}.pcap" for wire in wires),
            engine=self.star.engine,
        )

    def run_tester(self, job: bytes, on_record: Callable[[object], None], deadline: float) -> TesterExit:
        """Run a job (JSON), a call per line that comes, read as JSON, until time.monotonic() is `deadline`.

        Paths in the job are those of the tester node: /code/<name>/... Raises LabError.
        """
        with self.phases.timed("tester"):
            return self.star.run_tester(job, on_record, deadline, self.watch)


@atexit.register
def _stop_all() -> None:
    """Remove what this process made, even if it was interrupted while making it."""
    if _started and os.getpid() == owner.this_owner().pid:
        for star in list(_stars):
            with contextlib.suppress(LabError):
                star.stop()
        with contextlib.suppress(LabError):
            sweep(mine=True)
