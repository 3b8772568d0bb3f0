"""Why there is no Docker engine that the lab can use, in sentences. It talks to none: containers.py does."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from harness.lab.interface import LabError


@dataclass(frozen=True)
class DockerEngineInfo:
    """The Docker engine within reach, or why there is none that the lab can use."""

    version: str = ""
    cgroup: str = ""  #: "1" or "2"
    runtimes: tuple[str, ...] = ()
    obstacle: str = ""  #: what keeps the lab from using it; empty: nothing does
    advice: str = ""  #: what to do about that
    forbidden: bool = False  #: there is one, and this user may not talk to it

    @property
    def usable(self) -> bool:
        """Whether the Docker lab can use it."""
        return not self.obstacle

    @property
    def why_not(self) -> str | None:
        """A sentence with what to do; None if the lab can use it."""
        return f"{self.obstacle}: {self.advice}" if self.obstacle else None


class NoEngine(LabError):
    """No Docker engine answers, or none is asked since it is on another machine."""

    def __init__(self, info: DockerEngineInfo) -> None:
        super().__init__(info.why_not)
        self.info = info


def unanswered(error: Exception) -> DockerEngineInfo:
    """What is said of an engine that was asked and does not answer."""
    obstacle = f"no Docker engine answers at {where()} ({_cause(error)})"
    return DockerEngineInfo(obstacle=obstacle, advice=_advice(error), forbidden=is_forbidden(error))


def _by_ssh() -> bool:
    return os.environ.get("DOCKER_HOST", "").lower().startswith("ssh://")


def on_another_machine() -> DockerEngineInfo | None:
    """What is said of an engine that is named by ssh://; None if it is not. It cannot see the files of this machine."""
    if not _by_ssh():
        return None
    obstacle = f"the Docker engine at {where()} is on another machine, and the Docker lab needs one on this machine"
    return DockerEngineInfo(obstacle=obstacle, advice=f"{named()}; or use --lab local")


def where() -> str:
    """Where the engine is looked for."""
    named = os.environ.get("DOCKER_HOST", "")
    return f"DOCKER_HOST={named}" if named else "/var/run/docker.sock" if os.name == "posix" else "its usual place"


def named() -> str:
    """What to do about an engine that the environment names, if it does."""
    if _by_ssh():
        return "unset DOCKER_HOST for the engine of this machine, or type this on the machine of that engine"
    names = [name for name in ("DOCKER_HOST", "DOCKER_TLS_VERIFY") if os.environ.get(name)]
    return f"correct {' and '.join(names)}, or unset for the engine of this machine" if names else ""


def _advice(error: BaseException) -> str:
    if is_forbidden(error):
        return "let this user talk to it (sudo usermod -aG docker $USER, then log in again), or use --lab local"
    if wrong := named():
        return f"{wrong}; or use --lab local"
    return "start one, or use --lab local"


def _cause(error: BaseException) -> str:
    """What lies at the bottom of an error that the client and its libraries have wrapped, in a few words."""
    found: BaseException = error
    while inner := next(_inside(found), None):
        found = inner
    if isinstance(found, TimeoutError):
        return "it does not answer"
    if isinstance(found, OSError) and found.strerror:
        return found.strerror
    said = textwrap.shorten(in_short(found) or in_short(error), 120, placeholder=" ...")
    for _ in range(said.count("(") - said.count(")")):  # what the cut has left open, or whoever wrote it
        said = said.rpartition("(")[0].rstrip()
    return said or type(found).__name__


def _inside(error: BaseException) -> Iterator[BaseException]:
    """The errors that an error was made of, as its arguments, its reason or its context."""
    seen = (*error.args, getattr(error, "reason", None), error.__context__)
    for each in seen:
        if isinstance(each, BaseException) and each is not error:
            yield each


def is_forbidden(error: BaseException) -> bool:
    """Whether the kernel refused it: the client wraps that in errors of its own, as their context or an argument."""
    return isinstance(error, PermissionError) or any(map(is_forbidden, _inside(error)))


def in_short(error: BaseException) -> str:
    """What an engine or its client says of an error, in one line of at most 300 characters."""
    text = getattr(error, "explanation", None) or str(error)
    return " ".join(str(text).split())[:300]
