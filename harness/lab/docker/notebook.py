"""Nodes in which notebooks of questions run: one kernel, one node, no wire, nothing kept.

Rule 1: a node talks to us over its first process's standard streams (harness/lab/node/kernel.py); it has no port.
Rule 2: a kernel that is gone ends its node; who wants another kernel gets another node.
Rule 3: what the student's doing ended is `Ended`, not an error; a LabError is ours or the machine's.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.lab.docker import owner
from harness.lab.docker import recipes as nodes
from harness.lab.docker.channel import ANSWER_WITHIN, Channel
from harness.lab.docker.code_tar import archive, harness_tar, keeper_code
from harness.lab.docker.containers import DockerEngine
from harness.lab.interface import LabError
from harness.lab.node.kernel import BEGINS_WITHIN, STOPS_WITHIN

_choosing = threading.Lock()


@dataclass(frozen=True)
class NotebookLimits:
    """What a notebook may use (harness.lab.docker.recipes.LimitsLike)."""

    memory_mb: int = 512
    processes: int = 256
    open_files: int = 1024
    file_mb: int = 64
    disk_mb: int = 96
    cpus: float = 1.0
    nodes: int = 1


class Notebooks:
    """Makes nodes on an engine. Use as a context manager. Raises LabError."""

    def __init__(self, image: str, limits: NotebookLimits | None = None) -> None:
        self._image = image
        self._limits = limits or NotebookLimits()
        self._docker = DockerEngine(patient=True)
        self._labels = owner.this_owner().labels
        self._name = f"socketlab-{owner.this_owner().identity}-n{secrets.token_hex(3)}"
        self._volume = f"{self._name}-code"
        self._number = 0

    def __enter__(self) -> Notebooks:
        """Fill the volume of the code, through a node that is never started."""
        self._docker.create_volume(self._volume, self._labels)
        host = {"network_mode": "none", "binds": {self._volume: {"bind": nodes.CODE, "mode": "rw"}}}
        recipe = nodes.Recipe(image=self._image, command=["true"], host=host, limits={})
        filler = self._docker.create(recipe, name=f"{self._name}-code", hostname="code", labels=self._labels)
        try:
            self._docker.put(filler, nodes.CODE, harness_tar())
            self._docker.put(filler, nodes.CODE, archive(keeper_code()))
        finally:
            self._docker.remove(filler)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(LabError):
            self._docker.remove_volume(self._volume)
        self._docker.close()

    @contextlib.contextmanager
    def node(self, submission: Path) -> Iterator[Kernel]:
        """A new kernel, in a new node, beside a copy of a submission; gone afterwards. Raises LabError."""
        with _choosing:
            rows = [labels.get(nodes.USERS_LABEL, "") for _, labels in self._docker.containers()]
            taken = {int(row) for row in rows if row.isdecimal()}
            block = nodes.free_block(taken, secrets.randbelow(nodes.USERS // nodes.BLOCK))
            recipe = nodes.notebook(
                self._image, self._volume, str(submission.resolve()), self._limits, user=nodes.user_of(block, 0)
            )
            self._number += 1
            identity = self._docker.create(
                recipe,
                name=f"{self._name}-{self._number}",
                hostname="notebook",
                labels={**self._labels, nodes.USERS_LABEL: str(block)},
            )
        try:
            channel = Channel(self._docker.attach(identity), "notebook")
            try:
                self._docker.start(identity)
                _hear(channel, BEGINS_WITHIN + ANSWER_WITHIN)
                yield Kernel(self._docker, identity, channel)
            finally:
                channel.close()
        finally:
            self._docker.remove(identity)


def _hear(channel: Channel, seconds: float) -> dict[str, Any]:
    """The next answer. Raises LabError."""
    said = channel.hear(seconds)
    if not isinstance(said, dict):
        raise LabError(f"the notebook's node gave no answer within {seconds:g} s")
    if not said.get("ok"):
        raise LabError(f"the notebook's node says: {said.get('text', 'nothing')}")
    return said


@dataclass(frozen=True)
class Ran:
    """How a cell ended."""

    ended: str  #: "ok", "error", "late", "gone" or "stuck" (harness/lab/node/kernel.py)
    said: Mapping[str, Any]  #: what else the node told
    seconds: float

    @property
    def over(self) -> bool:
        """Whether the kernel is gone, and its node with it."""
        return self.ended in ("gone", "stuck")


class Kernel:
    """A kernel in its node."""

    def __init__(self, docker: DockerEngine, identity: str, channel: Channel) -> None:
        self._docker, self._identity, self._channel = docker, identity, channel

    def run(self, source: str, seconds: float) -> Ran:
        """Run a cell. Raises LabError."""
        return self._ask({"op": "run", "source": source, "seconds": seconds}, seconds)

    def ask(self, expression: str, seconds: float) -> Ran:
        """Have an expression evaluated; `said` has its value as text, or None and why. Raises LabError."""
        return self._ask({"op": "ask", "expression": expression, "seconds": seconds}, seconds)

    def _ask(self, request: Mapping[str, Any], seconds: float) -> Ran:
        begun = time.monotonic()
        self._channel.say(request)
        try:
            said = _hear(self._channel, seconds + STOPS_WITHIN + ANSWER_WITHIN)
        except LabError:
            if self._full():
                return Ran("gone", {}, time.monotonic() - begun)
            raise
        return Ran(str(said.get("ended")), said, time.monotonic() - begun)

    def _full(self) -> bool:
        """Whether the node ended because its memory was full: the submission's doing."""
        if not self._channel.ended:
            return False
        end = self._docker.wait_for_end(self._identity)
        return end is not None and end[1]
