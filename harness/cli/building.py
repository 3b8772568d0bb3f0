"""Builds a solution on this machine, as the machine that grades would: once for all that is then checked.

Rule 1: nothing is fetched from a network, as there. What was built is kept until a file of the solution changes.
Rule 2: a build that uses what the machine that grades does not have is told so, although it works here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.course import languages
from harness.course.assignment import Assignment, Build
from harness.course.languages import Grader
from harness.lab.local.lab import LocalNode

#: So many builds are kept, the newest.
KEPT = 8
#: A command that writes down that it was used, and is then what it stands for.
_WATCHED = '#!/bin/sh\necho {name} >> "{log}"\nexec "{real}" "$@"\n'


@dataclass(frozen=True)
class Built:
    """How it went."""

    folder: Path  #: what is to be run
    broken: str = ""  #: what the author is told of a build that failed
    seconds: float | None = None  #: None if nothing had to be done
    warnings: tuple[str, ...] = ()  #: sentences: what would be different where it is graded

    def told(self, build: Build) -> str:
        """A line of what was done, and the warnings, a line each."""
        shown = f"`{' '.join(build.command)}`"
        done = f"Built with {shown} in {self.seconds:.1f} s." if self.seconds is not None else ""
        return "\n".join([done or f"Built before with {shown}; no file has changed since.", *self.warnings])


def graded_on(home: Path) -> Grader:
    """What the repository in `home` says of the machine that grades; the usual, if it says nothing."""
    try:
        return languages.grader_from((home / languages.TOLD_IN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Grader()


@contextlib.contextmanager
def built(assignment: Assignment, folder: Path, build: Build, grader: Grader) -> Iterator[Built]:
    """The solution in `folder`, built. Raises LabError."""
    store = _store()
    with tempfile.TemporaryDirectory(prefix="sl-built-") as scratch:
        place = store or Path(scratch)
        kept = place / _key(folder, build, grader)
        before = kept / "warnings"
        if before.is_file():
            os.utime(kept)
            yield Built(kept / "files", warnings=tuple(before.read_text(encoding="utf-8").splitlines()))
            return
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=place))
        try:
            made = _build(assignment, folder, build, grader, fresh)
            if not made.broken:
                (fresh / "warnings").write_text("\n".join(made.warnings), encoding="utf-8")
                shutil.rmtree(kept, ignore_errors=True)
                fresh.rename(kept)
                _forget_old(place)
                made = Built(kept / "files", seconds=made.seconds, warnings=made.warnings)
            yield made
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _build(assignment: Assignment, folder: Path, build: Build, grader: Grader, fresh: Path) -> Built:
    with tempfile.TemporaryDirectory(prefix="sl-tools-") as name:
        watch = Path(name)
        watch.chmod(0o755)
        log = _watch(watch, grader)
        node = LocalNode(folder, assignment.limits)
        try:
            begun = time.monotonic()
            broken = node.build(build.command, timeout=build.timeout, tools=watch, env=_own_cache())
            seconds = time.monotonic() - begun
            if broken is None:
                shutil.copytree(node.built, fresh / "files", symlinks=True)
        finally:
            node.close()
        used = log.read_text(encoding="utf-8").split() if log.is_file() else []
    warnings = tuple(_warnings(used, fresh / "files", grader)) if broken is None else ()
    return Built(folder, broken or "", seconds, warnings)


def _warnings(used: list[str], folder: Path, grader: Grader) -> Iterator[str]:
    """What would be different where it is graded, a sentence each."""
    for name in languages.foreign(used, grader.languages):
        yield (
            f"The build uses {name}, and the machine that grades has none: there it fails. "
            f"It builds {languages.in_words(grader.languages)}."
        )
    for path in sorted(folder.rglob("go.mod")):
        wanted, there = _go_of(path), (grader.tools or {}).get("go", "1.19")
        if wanted and tuple(map(int, wanted.split("."))) > tuple(map(int, there.split(".")[:2])):
            yield f"{path.relative_to(folder)} asks for Go {wanted}, and the machine that grades may have {there}."


def _go_of(path: Path) -> str:
    """The version of the language that a go.mod asks for, such as "1.22"; empty if it asks for none."""
    found = re.search(r"^go (\d+\.\d+)", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return found[1] if found else ""


def _watch(folder: Path, grader: Grader) -> Path:
    """Put commands there that note their use, one for each that the grader lacks and this machine has; the notes."""
    log = folder / "used"
    if sys.platform != "win32":
        log.touch()
        log.chmod(0o666)
        for name in languages.foreign(languages.TOOLS_OF_BUILDS, grader.languages):
            if real := shutil.which(name):
                (folder / name).write_text(_WATCHED.format(name=name, log=log, real=real), encoding="utf-8")
                (folder / name).chmod(0o755)
    return log


def _own_cache() -> Mapping[str, str]:
    """Where Go keeps what it has compiled, so that the next build need not. Builds of root are another user's."""
    store = _store()
    if store is None or sys.platform == "win32" or os.geteuid() == 0:
        return {}
    return {"GOCACHE": str(store / "go")}


def _store() -> Path | None:
    """The folder of this user's builds; None where none can be made."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        folder = Path(base).expanduser() / "socketlab" / "built"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder if os.access(folder, os.W_OK) else None
    except (OSError, RuntimeError):
        return None


def _forget_old(place: Path) -> None:
    builds = sorted((path for path in place.glob("[0-9a-f]*") if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in builds[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)


def _key(folder: Path, build: Build, grader: Grader) -> str:
    """A name for what the build makes of these files, with the tools of this machine."""
    digest = hashlib.sha256(repr((str(folder), build, grader)).encode())
    for tool in ("cc", "gcc", "go", "make", *build.command[:1]):
        if found := shutil.which(tool):
            state = Path(found).stat()
            digest.update(f"{tool} {os.path.realpath(found)} {state.st_mtime_ns} {state.st_size}\n".encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".git" not in path.parts:
            row = f"{path.relative_to(folder).as_posix()} {path.stat().st_mode:o} "
            digest.update(row.encode("utf-8", "surrogateescape") + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:24]
