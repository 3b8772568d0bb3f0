"""The volumes with our code. Stars of one process that run the same code share them: filling costs a star a quarter of
the processor that it takes to start.

Rule: the first star fills them, the last one removes them. Where a star did not start, they are filled again, and so
are those that an engine or a person has removed meanwhile.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from harness.lab.docker import owner
from harness.lab.docker import recipes as nodes
from harness.lab.docker.code_tar import agent_code, archive, harness_tar
from harness.lab.docker.containers import DockerEngine

_lock = threading.Lock()
_users: Counter[str] = Counter()  # name -> stars that have these volumes
_filled: dict[str, list[str]] = {}  # name -> when the volumes were made that are full


class CodeVolumes:
    """What one star has of them, from `create` to `give_back`."""

    def __init__(self) -> None:
        self.good = False  #: whether the star has started with them
        self._mine = False

    def create(self, docker: DockerEngine, code: Mapping[str, Path]) -> None:
        """Make them, unless another star has. Raises LabError.

        `code`: name -> file or folder, beside the harness, which is always there.
        """
        self._docker = docker
        self._contents = (
            (nodes.CODE, harness_tar()),
            (nodes.CODE, archive(code)),
            (nodes.AGENT_CODE, archive(agent_code())),
        )
        digest = hashlib.sha256()
        for _, tar in self._contents:
            digest.update(hashlib.sha256(tar).digest())
        self._name = f"socketlab-{owner.this_owner().identity}-{digest.hexdigest()[:12]}"
        self.code, self.agent_code = f"{self._name}-code", f"{self._name}-lab"
        with _lock:
            _users[self._name] += 1
            self._mine = True
            labels = owner.this_owner().labels
            self._made = [self._docker.create_volume(volume, labels) for volume in (self.code, self.agent_code)]

    def fill(self, warden: str) -> None:
        """Fill them through a container that has them, unless another star has. Raises LabError."""
        with _lock:
            if _filled.get(self._name) != self._made:
                for path, tar in self._contents:
                    self._docker.put(warden, path, tar)
                _filled[self._name] = self._made

    def give_back(self) -> None:
        """This star is gone. Raises LabError."""
        with _lock:
            if not self._mine:
                return
            self._mine = False
            _users[self._name] -= 1
            if not self.good or not _users[self._name]:
                _filled.pop(self._name, None)
            if not _users[self._name]:
                for volume in (self.code, self.agent_code):
                    self._docker.remove_volume(volume)
