"""The submission's processes that answer calls, started when they are first needed. They share one meter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.actors.story import Story
from harness.lab.interface import Node, Process
from harness.transport.calls.meter import Meter
from harness.transport.calls.remote import Remote

#: The guest, and its name in the student's node.
GUEST = Path(__file__).resolve().with_name("guest.py")
NAME = "socketlab_guest.py"


class GuestProcesses:
    """As many as a check needs: the second one is the peer of the first."""

    def __init__(self, node: Node, story: Story, *, program: Sequence[str] | None, cpus: float) -> None:
        """`program`: one that offers the calls itself, in another language; None: our guest, with a Python class."""
        self.meter = Meter(node.usage, cpus=cpus)
        self._node = node
        self._story = story
        self._program = program
        self._path: str | None = None
        self._running: dict[int, Remote] = {}

    def get(self, which: int = 0) -> Remote:
        """One of them, started again if it has ended. Raises CannotStart."""
        remote = self._running.get(which)
        if remote is None:
            name = "connection" if which == 0 else "the other connection"
            remote = self._running[which] = Remote(self._start, self.meter, self._story, name=name)
        elif not remote.runs:
            remote.restart()
        return remote

    def _start(self) -> Process:
        if self._program is not None:
            return self._node.start(self._program)
        if self._path is None:
            self._path = self._node.put_file(NAME, GUEST.read_bytes())
        # -I: no file of the submission can replace what the guest itself imports; -B: it leaves no files.
        return self._node.start(["python3", "-I", "-B", self._path])

    def dismiss(self) -> None:
        """End all of them."""
        for remote in self._running.values():
            remote.dismiss()
        self._running.clear()
