"""Which lab a run uses: Docker where an engine answers, else this machine for code that is trusted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from grader.bench.local import LocalPlace, Place
from grader.course import Course
from harness.errors import SetupError, UsageError
from harness.lab import doctor
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
) -> Place:
    """The place for a run. `lab` is auto, docker or local; `assignments` will be graded; `say` is told what takes long.

    Raises UsageError, SetupError.
    """
    if lab != "local":
        missing = _no_docker()
        if not missing:
            from grader.bench.docker import DockerPlace

            return DockerPlace(course, assignments, engine=engine, say=say)
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


def make_images(say: Callable[[str], None]) -> str:
    """Make the Docker lab's images if they are missing; their names. Raises SetupError."""
    if missing := _no_docker():
        raise SetupError(f"the images cannot be made: {missing}")
    from grader.bench.docker import DockerPlace

    return DockerPlace(Course(Path()), [], engine="auto", say=say).image


def _bundled(course: Course, submitted: Path) -> bool:
    """Whether these are the examples that come with the course."""
    return submitted.resolve() == (course.root / "examples" / "class").resolve()
