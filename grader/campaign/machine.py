"""Which tools a submission finds where it is graded: every result tells them, so that a failed build can be judged."""

from __future__ import annotations

import contextlib
import functools

from grader.bench.local import Place
from harness.lab.interface import LabError
from harness.lab.tools import tools_here


def tools_of_place(place: Place) -> dict[str, str]:
    """Tool -> version; empty where that cannot be known. Nothing is graded by it, so nothing stops for want of it."""
    if place.kind == "local":
        return tools_here()
    if place.kind != "docker":
        return {}
    with contextlib.suppress(LabError):
        return dict(_in_image(place.image.split()[0]))
    return {}


@functools.cache
def _in_image(image: str) -> dict[str, str]:
    """Raises LabError, and then asks again; an image does not change."""
    from harness.lab.docker.containers import DockerEngine  # where there is no engine, the package may be missing
    from harness.lab.docker.images import tools_of

    with DockerEngine() as engine:
        return tools_of(engine, image)
