"""Docker: images, containers and volumes. The only file that talks to it.

Rule 1: everything made here carries its owner's labels, so that `sweep` finds what a dead owner left behind.
Rule 2: whatever the engine refuses becomes a LabError of one sentence.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import LogConfig, Ulimit

import docker
from harness.lab.docker import owner
from harness.lab.docker.absence import (
    DockerEngineInfo,
    NoEngine,
    in_short,
    is_forbidden,
    on_another_machine,
    unanswered,
    where,
)
from harness.lab.docker.recipes import Recipe
from harness.lab.interface import LabError

#: Seconds within which an engine that has answered before has to answer again; seconds for its first word.
BACK_WITHIN, PING_WITHIN = 30.0, 20


def find_engine() -> DockerEngineInfo:
    """The engine within reach; `why_not` says why the lab cannot use it."""
    try:
        engine = DockerEngine()
    except NoEngine as error:
        return error.info
    with engine:
        info = engine.info()
    options = " ".join(info.get("SecurityOptions") or ())
    obstacle = advice = ""
    if info.get("OSType") != "linux":
        obstacle, advice = "the engine runs Windows containers", "switch it to Linux containers"
    elif "name=rootless" in options or "name=userns" in options:
        obstacle = "the engine is rootless or maps users, so no wires can be made"
        advice = "use one that runs as root"
    return DockerEngineInfo(
        version=info.get("ServerVersion", ""),
        cgroup=str(info.get("CgroupVersion", "1")),
        runtimes=tuple(info.get("Runtimes") or ()),
        obstacle=obstacle,
        advice=advice,
    )


def sweep(*, mine: bool = False) -> int:
    """Remove the containers, volumes and folders that dead owners left behind; returns how many. Raises LabError.

    With `mine`, those of this process instead.
    """
    me = owner.this_owner().identity

    def goes(labels: Mapping[str, str]) -> bool:
        return labels.get(owner.OWNER) == me if mine else owner.is_dead(labels)

    with DockerEngine() as engine:
        count = 0 if mine else owner.sweep_folders()
        for identity, labels in engine.containers():
            if goes(labels):
                count += engine.remove(identity)
        for name, labels in engine.volumes():
            if goes(labels):
                count += engine.remove_volume(name)
    return count


@contextlib.contextmanager
def _plainly(what: str) -> Iterator[None]:
    try:
        yield
    except (DockerException, requests.RequestException, OSError) as error:
        why = in_short(error)
        if "no space left on device" in why:
            why += "; free space on the engine's disk (docker system df)"
        if "bind source path does not exist" in why:
            why += f". Is the engine at {where()} on another machine? The Docker lab needs one that sees these files"
        raise LabError(f"{what}: {why}") from None


class DockerEngine:
    """A connection to the engine. Every method raises LabError.

    patient: one that does not answer is being started again, and a class need not be broken off for that.
    """

    _gone = False  #: one was waited for and did not come: the rest of a class does not wait as long again

    def __init__(self, *, patient: bool = False) -> None:
        if elsewhere := on_another_machine():
            raise NoEngine(elsewhere)
        deadline = time.monotonic() + (BACK_WITHIN if patient and not DockerEngine._gone else 0.0)
        while True:
            try:
                self._client = docker.from_env(timeout=PING_WITHIN)
                self._client.ping()
                break
            except (DockerException, requests.RequestException, OSError) as error:
                if time.monotonic() > deadline or is_forbidden(error):
                    DockerEngine._gone = DockerEngine._gone or patient
                    raise NoEngine(unanswered(error)) from None
            time.sleep(0.2)
        DockerEngine._gone = False
        self._client.api.timeout = 120

    def __enter__(self) -> DockerEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def info(self) -> dict[str, Any]:
        """What the engine says about itself."""
        with _plainly("the Docker engine does not say what it is"):
            info: dict[str, Any] = self._client.info()
            return info

    # -- images (an ImageStore of images.py) -----------------------------------------------------------------------

    def has_image(self, tag: str) -> bool:
        with _plainly(f"the Docker engine cannot say whether it has {tag}"):
            try:
                self._client.images.get(tag)
            except ImageNotFound:
                return False
            return True

    def pull(self, tag: str, timeout: float) -> str | None:
        heard = time.monotonic()
        failed: str | None = "it ended without a word"

        def fetch() -> None:
            nonlocal heard, failed
            repository, _, version = tag.partition(":")
            try:
                for event in self._client.api.pull(repository, version, stream=True, decode=True):
                    heard = time.monotonic()
                    failed = event.get("error")
            except (DockerException, requests.RequestException) as error:
                failed = in_short(error)

        thread = threading.Thread(target=fetch, daemon=True)
        thread.start()
        while thread.is_alive():
            if time.monotonic() - heard > timeout:
                return f"no word from it for {timeout:g} s"
            thread.join(0.2)
        return failed

    def build(self, folder: Path, target: str, tag: str, arguments: Mapping[str, str]) -> None:
        with _plainly(f"building the {target} image failed (see docker/README.md)"):
            self._client.images.build(path=str(folder), target=target, tag=tag, buildargs=dict(arguments), rm=True)

    def size(self, tag: str) -> int:
        with _plainly(f"the Docker engine cannot say how large {tag} is"):
            return int(self._client.images.get(tag).attrs["Size"])

    def load_rootfs(self, tar: IO[bytes], tag: str) -> None:
        repository, _, version = tag.partition(":")
        with _plainly(f"loading {tag} into the engine failed"):
            self._client.api.import_image_from_stream(tar, repository=repository, tag=version)
        if not self.has_image(tag):
            raise LabError(f"the engine took {tag} but does not have it: is its disk full? (docker system df)")

    # -- containers ------------------------------------------------------------------------------------------------

    def containers(self) -> list[tuple[str, dict[str, str]]]:
        """Ids and labels of all containers of this project, whoever owns them."""
        with _plainly("the Docker engine does not list its containers"):
            rows = self._client.api.containers(all=True, filters={"label": owner.OWNER})
            return [(row["Id"], row["Labels"]) for row in rows]

    def create(self, recipe: Recipe, *, name: str, hostname: str, labels: Mapping[str, str]) -> str:
        """Create a container, not started yet; its id."""
        api = self._client.api
        with _plainly(f"the {hostname} node cannot be made"):
            host = api.create_host_config(
                **{key: value for key, value in recipe.host.items() if value is not None},
                ulimits=[Ulimit(name=kind, soft=value, hard=value) for kind, value in recipe.limits.items()],
                log_config=LogConfig(type="none"),  # their output goes to us, and logs would fill the disk
            )
            made = api.create_container(
                recipe.image,
                recipe.command,
                name=name,
                hostname=hostname,
                labels=dict(labels),
                host_config=host,
                environment=recipe.environment,
                stdin_open=recipe.spoken,
                user="0:0",
                working_dir="/",
            )
        identity: str = made["Id"]
        return identity

    def attach(self, identity: str) -> Any:
        """The standard streams of a container, for a Channel."""
        with _plainly("a node's standard streams cannot be had"):
            params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            return self._client.api.attach_socket(identity, params=params)

    def put(self, identity: str, folder: str, tar: bytes) -> None:
        """Unpack a tar in a container's folder."""
        with _plainly(f"{folder} of a node cannot be filled"):
            self._client.api.put_archive(identity, folder, tar)

    def start(self, identity: str) -> None:
        """Start a container."""
        with _plainly("a node cannot be started"):
            self._client.api.start(identity)

    def pid(self, identity: str) -> int:
        """The process id, on the engine's host, of a container's first process."""
        with _plainly("a node cannot be looked at"):
            row = self._client.api.inspect_container(identity)
        state = row["State"]
        if not state["Pid"]:
            why = state.get("Error") or f"status {state.get('ExitCode')}"
            raise LabError(f"the lab's {row['Config']['Hostname']} node ended as it began: {why}")
        return int(state["Pid"])

    def wait_for_end(self, identity: str) -> tuple[int, bool] | None:
        """Wait until a container ends: its exit status, and whether its memory had run out. None if it was removed."""
        with _plainly("a node cannot be watched"):
            try:
                self._client.api.wait(identity, timeout=None)
                state = self._client.api.inspect_container(identity)["State"]
            except NotFound:
                return None
            return int(state["ExitCode"]), bool(state["OOMKilled"])

    def standstill(self, identity: str) -> str:
        """Why nothing of ours moves in a container, as a verb with its subject left out; empty if nothing is known.

        A process of root was stopped by a signal or a debugger (ps(1), states T and t), or the whole container.
        """
        with _plainly("a node cannot be looked at"):
            try:
                state = self._client.api.inspect_container(identity)["State"]
            except NotFound:
                return "is gone"
            if not state["Running"]:
                return "has ended"
            if state["Paused"]:
                return "was paused"
            try:
                rows = self._client.api.top(identity, ps_args="-o pid,uid,stat")["Processes"] or []
            except APIError:  # an engine without ps(1) cannot say
                return ""
        stopped = any(uid == "0" and state[:1] in ("T", "t") for _, uid, state in rows)
        return "has a process that was stopped by a signal" if stopped else ""

    def remove(self, identity: str) -> int:
        """Kill and remove a container; 0 if it was gone."""
        with _plainly(f"container {identity[:12]} cannot be removed"):
            try:
                self._client.api.remove_container(identity, force=True, v=True)
            except NotFound:
                return 0
            except APIError as error:
                if error.status_code != HTTPStatus.CONFLICT:  # it is: someone else is removing it
                    raise
            return 1

    # -- volumes ---------------------------------------------------------------------------------------------------

    def volumes(self) -> list[tuple[str, dict[str, str]]]:
        """Names and labels of all volumes of this project.

        Found by name: for a container created while its star stops, the engine makes a missing volume without labels.
        """
        with _plainly("the Docker engine does not list its volumes"):
            rows = self._client.api.volumes(filters={"name": "socketlab-"})["Volumes"] or ()
            return [(row["Name"], row.get("Labels") or {}) for row in rows]

    def create_volume(self, name: str, labels: Mapping[str, str]) -> str:
        """Create an empty volume, unless there is one of that name; when it was made, in the engine's words."""
        with _plainly(f"volume {name} cannot be made"):
            made: str = self._client.api.create_volume(name, labels=dict(labels)).get("CreatedAt", "")
            return made

    def remove_volume(self, name: str) -> int:
        """Remove a volume; 0 if it was gone, or is still in use and so left to the next sweep."""
        with _plainly(f"volume {name} cannot be removed"):
            try:
                self._client.api.remove_volume(name, force=True)
            except NotFound:
                return 0
            except APIError as error:
                if error.status_code != HTTPStatus.CONFLICT:  # it is: it is in use
                    raise
                return 0
            return 1
