"""A farm as a place, for a command that was given its scheduler. dask is imported when it is needed, and not before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from grader.bench.local import Place
from grader.course import Course
from grader.farm import trust


def farm_place(
    course: Course, scheduler: str, certificates: Path | None, say: Callable[[str], None]
) -> tuple[Place, int]:
    """A farm to grade on, and how many labs it carries. Raises UsageError, SetupError."""
    address = trust.checked(scheduler, certificates)
    trust.need_dask()
    from grader.farm.dask_settings import settle
    from grader.farm.place import FarmPlace

    settle()
    place = FarmPlace(course, address, certificates, say=say)
    return place, place.labs
