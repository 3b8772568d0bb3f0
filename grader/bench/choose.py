"""Which lab a run uses: Docker where an engine answers, else this machine for code that is trusted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.bench.local import LocalPlace, Place, closing
from grader.course import Course
from harness.course.languages import DEFAULT
from harness.errors import SetupError, UsageError
from harness.lab import doctor
from harness.lab.interface import LabError
from harness.lab.local.machine import lacking


def choose_place(
    course: Course,
    *,
    lab: str,
    engine: str,
    submitted: Path,
    trusted: bool,
    assignments: list[str],
    say: Callable[[str], None],
    languages: Sequence[str] = DEFAULT,
) -> Place:
    """The place for a run. `lab` is auto, docker or local; `assignments` will be graded; `say` is told what takes long.

    `languages`: those of the submissions; a local lab has what this machine has. Raises UsageError, SetupError.
    """
    if lab != "local":
        missing = _no_docker()
        if not missing:
            from grader.bench.docker import DockerPlace

            return DockerPlace(course, assignments, engine=engine, say=say, languages=languages)
        if lab == "docker":
            raise SetupError(f"the Docker lab cannot be used: {missing}")
        why = f"no Docker engine is within reach ({missing})"
        if os.environ.get("DOCKER_HOST"):
            say(f"{missing}. The local lab is used instead.")
    else:
        why = "the local lab was asked for"
    if engine != "auto":
        raise UsageError(f"the engine {engine} needs the Docker lab, and {why}. Leave --engine out.")
    if not (trusted or _bundled(course, submitted)):
        raise UsageError(
            f"{why}, and without Docker every submission would run as you, with your files in its reach. "
            "If you trust all of them, say so: --trust-submissions, or TRUST=1 with make grade."
        )
    for name in assignments:
        if short := lacking(course.load(name).limits, Path(tempfile.gettempdir())):
            raise SetupError(f"{name} cannot be graded in the local lab: {short}")
    return LocalPlace(course.root)


def _no_docker() -> str:
    """Why there is no Docker engine that the lab can use, and how to get one; empty if there is one."""
    found = doctor.look("docker")
    if not found.there:
        return f"{found.what}; to have it: {found.remedy}"
    from harness.lab.docker.containers import find_engine

    return find_engine().why_not or ""


@dataclass(frozen=True)
class Image:
    """One of the Docker lab's images."""

    name: str
    size: int  #: bytes
    made_in: float | None  #: seconds, if it was made now
    tools: dict[str, str]  #: tool -> version; empty for our own nodes


def make_images(say: Callable[[str], None], languages: Sequence[str] = DEFAULT) -> list[Image]:
    """Make the Docker lab's images if they are missing, and say what they are. Raises SetupError, LabError."""
    if missing := _no_docker():
        raise SetupError(f"the images cannot be made: {missing}")
    from grader.bench.docker import DockerPlace
    from harness.lab.docker.containers import DockerEngine
    from harness.lab.docker.images import KINDS, tools_of

    took: dict[str, float] = {}
    place = DockerPlace(
        Course(Path()),
        [],
        engine="auto",
        say=say,
        languages=languages,
        made=lambda made: took.update({made.kind: made.seconds}),
    )
    with closing(place), DockerEngine() as engine:
        names = {kind: getattr(place.images, kind) for kind in KINDS}
        return [
            Image(name, engine.size(name), took.get(kind), {} if kind == "node" else tools_of(engine, name))
            for kind, name in names.items()
        ]


def tools_of_images(languages: Sequence[str]) -> dict[str, str] | None:
    """Tool -> version in the image that builds submissions in these languages; None where it has not been made."""
    if _no_docker():
        return None
    from harness.lab.docker.containers import DockerEngine
    from harness.lab.docker.images import tools_of, wanted_images

    wanted = wanted_images(languages).build
    try:
        with DockerEngine() as engine:
            return tools_of(engine, wanted) if engine.has_image(wanted) else None
    except LabError:
        return None


def _bundled(course: Course, submitted: Path) -> bool:
    """Whether these are the examples that come with the course."""
    return submitted.resolve() == (course.root / "examples" / "class").resolve()
