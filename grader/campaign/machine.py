"""Which tools a submission finds where it is graded: every result tells them, so that a failed build can be judged."""

from __future__ import annotations

from grader.bench.local import Place
from harness.lab.interface import LabError
from harness.lab.tools import tools_here


def tools_of_place(place: Place) -> dict[str, str]:
    """Tool -> version; empty where that cannot be known. Nothing is graded by it, so nothing stops for want of it."""
    if place.kind == "local":
        return tools_here()
    if place.kind != "docker":
        return {}
    from harness.lab.docker.containers import DockerEngine  # where there is no engine, the package may be missing
    from harness.lab.docker.images import tools_of

    try:
        with DockerEngine() as engine:
            return tools_of(engine, place.image.split()[1])  # where it is built: all that is where it runs, and more
    except LabError:
        return {}
