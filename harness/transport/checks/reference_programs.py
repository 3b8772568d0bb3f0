"""The reference's programs as processes, run where the tests run: never beside a submission's.

Rule: what the reference does wrong is ours, whatever it says of the submission.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.actors.program import Program
from harness.actors.server import Server
from harness.lab.interface import LabError, Process
from harness.lab.local.children import die_with_parent
from harness.lab.local.lab import LocalProcess

#: Exit statuses above this are of programs that were told to end by a signal, as a shell has it.
_BY_SIGNAL = 128


class Ours(Program):
    """A program of the reference. In the story it is the tester's."""

    who = "tester"

    def doubt(self) -> str | None:
        """No segment ends it by a signal, or stops it."""
        status = self.status(within=0)
        if status is not None and (status < 0 or status > _BY_SIGNAL) and not self.signalled:
            return f"{self.name} was {self.ending()}, which no peer of it can do"
        if status is None and isinstance(self._process, LocalProcess) and self._process.stands_still():
            return f"{self.name} was stopped by a signal, which no peer of it can do"
        return None


class ReferenceProgram(Ours):
    """The reference's program."""


class ReferenceServer(Ours, Server):
    """The reference's server."""


def start(folder: Path, programs: Mapping[str, Sequence[str]], name: str, words: Sequence[str]) -> Process:
    """Start one as the assignment does, whatever a submission made of that; it ends with the tester at the latest.

    Raises LabError.
    """
    argv = [*programs[name], *words]
    if argv[0] in ("python3", "python"):
        argv[:1] = [sys.executable, "-B"]
    try:
        popen = subprocess.Popen(
            argv,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=die_with_parent(),
        )
    except OSError as error:
        raise LabError(f"the reference's {name} cannot be started: {error.strerror}") from None
    return LocalProcess(popen)
