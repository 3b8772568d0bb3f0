"""The Docker lab from outside: stars of containers, made and removed. The only file that talks to Docker.

Rule 1: everything made here carries its owner's labels and is removed when the star stops, or by the next run's `sweep`.
Rule 2: the host speaks with a node over the standard streams of its first process; nothing is executed in a running container.

A star is three warm, trusted nodes (link, tester, warden) and, for each submission, a new student node. docker/README.md
says why each has the capabilities it has.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import io
import json
import secrets
import tarfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import LogConfig, Ulimit

import docker
from harness import nodes, owner
from harness.channel import PATIENCE, Channel
from harness.images import Images
from harness.lab import LabError


@dataclass(frozen=True)
class EngineInfo:
    """The Docker engine within reach, or why there is none that serves."""

    version: str = ""
    cgroup: str = ""  #: "1" or "2"
    runtimes: tuple[str, ...] = ()
    why_not: str | None = None  #: a sentence with what to do; None if the lab can use it

    @property
    def usable(self) -> bool:
        """Whether the Docker lab can use it."""
        return self.why_not is None


@dataclass(frozen=True)
class TesterExit:
    """How a job's tester ended."""

    status: int | None  #: exit status, negative for a signal, None if it had to be stopped at the deadline
    seconds: float
    complaints: str  #: the end of what our nodes wrote on standard error


# -- the engine ----------------------------------------------------------------------------------------------------


def _connect() -> Any:
    """A client. Raises LabError."""
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except (DockerException, requests.RequestException, OSError) as error:
        raise LabError(f"no Docker engine answers ({_short(error)}): start one, or use --lab local") from None
    return client


def find_engine() -> EngineInfo:
    """The engine within reach; `why_not` says what keeps the lab from it."""
    try:
        client = _connect()
    except LabError as error:
        return EngineInfo(why_not=str(error))
    try:
        info = client.info()
    finally:
        client.close()
    why_not = None
    if info.get("OSType") != "linux":
        why_not = "the engine runs Windows containers: switch it to Linux containers"
    elif any(
        "name=rootless" in option or "name=userns" in option for option in info.get("SecurityOptions") or ()
    ):
        why_not = (
            "the engine is rootless or maps users, so wires cannot be made: use an engine that runs as root"
        )
    return EngineInfo(
        version=info.get("ServerVersion", ""),
        cgroup=str(info.get("CgroupVersion", "1")),
        runtimes=tuple(info.get("Runtimes") or ()),
        why_not=why_not,
    )


def _short(error: BaseException) -> str:
    text = getattr(error, "explanation", None) or str(error)
    return " ".join(str(text).split())[:300]


class EngineImages:
    """The engine's images, for harness.images."""

    def __init__(self) -> None:
        self._client = _connect()

    def has_image(self, tag: str) -> bool:
        """See ImageStore."""
        try:
            self._client.images.get(tag)
        except ImageNotFound:
            return False
        return True

    def pull(self, tag: str, timeout: float) -> str | None:
        """See ImageStore."""
        failed: list[str | None] = [f"no answer within {timeout:g} s"]

        def fetch() -> None:
            try:
                self._client.images.pull(tag)
                failed[0] = None
            except (DockerException, requests.RequestException) as error:
                failed[0] = _short(error)

        thread = threading.Thread(target=fetch, daemon=True)
        thread.start()
        thread.join(timeout)
        return failed[0]

    def build(self, folder: Path, target: str, tag: str, base: str) -> None:
        """See ImageStore."""
        try:
            self._client.images.build(
                path=str(folder), target=target, tag=tag, buildargs={"BASE": base}, rm=True
            )
        except (DockerException, requests.RequestException) as error:
            raise LabError(
                f"building the {target} image failed: {_short(error)}; see docker/README.md"
            ) from None

    def load_rootfs(self, tar: IO[bytes], tag: str) -> None:
        """See ImageStore."""
        repository, _, version = tag.partition(":")
        try:
            self._client.api.import_image_from_stream(tar, repository=repository, tag=version)
        except (DockerException, requests.RequestException) as error:
            raise LabError(f"loading {tag} into the engine failed: {_short(error)}") from None
        if not self.has_image(tag):
            raise LabError(
                f"the engine took {tag} but does not have it: is its disk full? (docker system df)"
            )


def sweep() -> int:
    """Remove the containers, volumes and folders that dead owners left; how many. Raises LabError."""
    client = _connect()
    count = owner.sweep_folders()
    filters = {"label": owner.OWNER}
    try:
        for row in client.api.containers(all=True, filters=filters):
            if owner.is_dead(row["Labels"]):
                count += _remove_container(client, row["Id"])
        for row in client.api.volumes(filters=filters)["Volumes"] or ():
            if owner.is_dead(row.get("Labels") or {}):
                count += _remove_volume(client, row["Name"])
    finally:
        client.close()
    return count


def _remove_container(client: Any, identity: str) -> int:
    try:
        client.api.remove_container(identity, force=True, v=True)
    except NotFound:
        return 0
    except APIError as error:
        if "already in progress" not in _short(error):
            raise LabError(f"container {identity[:12]} cannot be removed: {_short(error)}") from None
    return 1


def _remove_volume(client: Any, name: str) -> int:
    try:
        client.api.remove_volume(name, force=True)
    except NotFound:
        return 0
    except APIError as error:
        if "in use" in _short(error):
            return 0  # by a container of an owner who lives, or one that is being removed: the next sweep's
        raise LabError(f"volume {name} cannot be removed: {_short(error)}") from None
    return 1


# -- stars ---------------------------------------------------------------------------------------------------------


class Phases(dict[str, float]):
    """Seconds per phase, in the order in which they happened."""

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add what the block takes to a phase."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self[name] = round(self.get(name, 0.0) + time.monotonic() - begun, 4)


_stars: weakref.WeakSet[Star] = weakref.WeakSet()


class Star:
    """Link, tester and warden, kept warm; student nodes come and go. Make one with `Star.start`."""

    def __init__(self, images: Images, *, engine: str, runtime: str | None, worker: int) -> None:
        self.engine = engine
        self.worker = worker
        self.phases = Phases()  #: of the start
        self._images = images
        self._runtime = runtime
        self._client = _connect()
        self._labels = {**owner.this_owner().labels, "socketlab.worker": str(worker)}
        self._containers: list[str] = []
        self._channels: dict[str, Channel] = {}
        name = f"socketlab-{owner.this_owner().identity}-{worker}-{secrets.token_hex(3)}"
        self._name = name
        self._volumes = nodes.Volumes(*(f"{name}-{part}" for part in ("trusted", "agent", "code", "lab")))
        self._students = 0

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
        if engine != "router":
            raise LabError(f"the engine {engine!r} is not there yet in the Docker lab: use --engine router")
        star = cls(images, engine=engine, runtime=runtime, worker=worker)
        _stars.add(star)
        try:
            star._start(code)
        except BaseException as error:
            star.stop()
            if isinstance(error, (DockerException, requests.RequestException)):
                raise LabError(f"the lab cannot be started: {_short(error)}") from None
            raise
        return star

    def _start(self, code: Mapping[str, Path]) -> None:
        recipes = {"link": nodes.link, "tester": nodes.tester, "warden": nodes.warden}
        with self.phases.timed("create"):
            for name in dataclasses.astuple(self._volumes):
                self._client.api.create_volume(name, labels=self._labels)
            ids = {
                name: self._create(name, make(self._images.node, self._volumes))
                for name, make in recipes.items()
            }
            self._client.api.put_archive(ids["warden"], nodes.CODE, _archive({"harness": _HARNESS, **code}))
            self._client.api.put_archive(ids["warden"], nodes.AGENT_CODE, _archive(_agent_code()))
        with self.phases.timed("start"), ThreadPoolExecutor(len(ids)) as pool:
            list(pool.map(self._client.api.start, ids.values()))
        with self.phases.timed("ready"):
            self._channels["warden"].answer()
            pids = {name: self._pid(ids[name]) for name in ("link", "tester")}
            self._channels["warden"].ask({"op": "hold", **pids})
            for name in ("link", "tester"):
                if self._channels[name].hear(PATIENCE) is None:
                    raise LabError(f"the lab's {name} node is not ready after {PATIENCE:g} s")

    def _create(self, name: str, recipe: nodes.Recipe) -> str:
        """Create a container, not started yet; its id. A spoken one is attached to, so that no line is missed."""
        api = self._client.api
        host = api.create_host_config(
            **{key: value for key, value in recipe.host.items() if value is not None},
            ulimits=[Ulimit(name=kind, soft=value, hard=value) for kind, value in recipe.limits.items()],
            log_config=LogConfig(type="none"),
        )
        made = api.create_container(
            recipe.image, recipe.command, name=f"{self._name}-{name}", hostname=name, labels=self._labels,
            environment=recipe.environment, host_config=host, stdin_open=recipe.spoken, user="0:0", working_dir="/",
        )  # fmt: skip
        identity: str = made["Id"]
        self._containers.append(identity)
        if recipe.spoken:
            params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            self._channels[name] = Channel(api.attach_socket(identity, params=params), name)
        return identity

    def _pid(self, container: str) -> int:
        state = self._client.api.inspect_container(container)["State"]
        if not state["Pid"]:
            raise LabError(
                f"a node of the lab ended as it began: {state.get('Error') or state.get('ExitCode')}"
            )
        return int(state["Pid"])

    @contextlib.contextmanager
    def session(self, submission: Path, limits: nodes.LimitsLike) -> Iterator[Session]:
        """A new student node for the submission in a folder, wired to the star; gone afterwards. Raises LabError."""
        self._students += 1
        name = f"student{self._students}"
        phases = Phases()
        student = ""
        try:
            with phases.timed("node"):
                socket = f"/agent/{name}.sock"
                recipe = nodes.student(
                    self._images.student,
                    self._volumes,
                    str(submission.resolve()),
                    limits,
                    socket,
                    self._runtime,
                )
                student = self._create(name, recipe)
                self._client.api.start(student)
            with phases.timed("wires"):
                folders = nodes.folders(limits)
                self._channels["warden"].ask(
                    {"op": "wire", "student": self._pid(student), "folders": folders}
                )
            yield Session(self, phases, socket)
        except (DockerException, requests.RequestException) as error:
            raise LabError(f"the submission's node cannot be started: {_short(error)}") from None
        finally:
            with phases.timed("teardown"):
                self._end_session(student)

    def _end_session(self, student: str) -> None:
        warden = self._channels.get("warden")
        with contextlib.suppress(LabError):
            if warden is not None:
                warden.say({"op": "unwire"})  # it takes its time, while the engine takes its own
        if student:
            _remove_container(self._client, student)
            self._containers.remove(student)
        with contextlib.suppress(LabError):
            if warden is not None:
                warden.answer()

    def run_tester(
        self, job: Mapping[str, Any], on_line: Callable[[bytes], None], deadline: float
    ) -> TesterExit:
        """See Session.run_tester."""
        begun = time.monotonic()
        channel = self._channels["tester"]
        channel.complaints = b""
        channel.say({"job": job})
        stopped = False
        while True:
            line = channel.hear(deadline - time.monotonic())
            if line is None:
                if stopped:
                    raise LabError("the lab's tester node does not end its job: start the lab again")
                stopped, deadline = True, time.monotonic() + PATIENCE
                channel.say({"stop": True})
            elif line.startswith(b'{"nursery"'):
                status = None if stopped else int(json.loads(line)["status"])
                complaints = channel.complaints.decode("utf-8", "replace")
                return TesterExit(status, round(time.monotonic() - begun, 4), complaints)
            else:
                on_line(line)

    def stop(self) -> None:
        """Remove everything of this star. Never raises for what is gone already."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()
        for identity in self._containers:
            _remove_container(self._client, identity)
        self._containers.clear()
        for name in dataclasses.astuple(self._volumes):
            _remove_volume(self._client, name)
        self._client.close()
        _stars.discard(self)

    def __enter__(self) -> Star:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass
class Session:
    """One submission's node while it is wired to a star."""

    star: Star
    phases: Phases  #: seconds: node, wires, tester (the job as a whole), teardown
    socket: str  #: of the agent, as the tester sees it

    @property
    def lab(self) -> dict[str, Any]:
        """The job's "lab": how the tester reaches this node."""
        return {
            "kind": "docker",
            "agent": self.socket,
            "warden": "/trusted/warden.sock",
            "router": "/trusted/router.sock",
            "captures": ["/trusted/capture/tester.pcap", "/trusted/capture/student.pcap"],
            "engine": self.star.engine,
        }

    def run_tester(
        self, job: Mapping[str, Any], on_line: Callable[[bytes], None], deadline: float
    ) -> TesterExit:
        """Run a job (its "lab" is filled in here), a call per line that comes, until time.monotonic() is `deadline`.

        Paths in the job are those of the tester node: /code/<name>/... Raises LabError.
        """
        with self.phases.timed("tester"):
            return self.star.run_tester({**job, "lab": self.lab}, on_line, deadline)


@atexit.register
def _stop_all() -> None:
    for star in list(_stars):
        with contextlib.suppress(LabError, DockerException, requests.RequestException):
            star.stop()
    owner.forget_folder()


_HARNESS = Path(__file__).resolve().parent


def _agent_code() -> dict[str, Path]:
    """What is readable in a student node: the agent and what it imports, nothing else."""
    modules = ("__init__.py", "agent.py", "agent_child.py", "agent_kernel.py")
    return {
        "agent/__main__.py": _HARNESS / "agent.py",
        **{f"agent/harness/{name}": _HARNESS / name for name in modules},
    }


def _archive(code: Mapping[str, Path]) -> bytes:
    """A tar of folders and files under new names, owned by root, without caches, links and special files."""
    out = io.BytesIO()

    def tidy(row: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if row.name.endswith(("__pycache__", ".pyc")) or not (row.isfile() or row.isdir()):
            return None
        row.uid = row.gid = 0
        row.uname = row.gname = ""
        row.mode = 0o755 if row.isdir() else 0o644
        return row

    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, path in code.items():
            try:
                archive.add(path, arcname=name, filter=tidy)
            except OSError as error:
                raise LabError(f"{path} cannot be copied into the lab: {error.strerror}") from None
    return out.getvalue()
