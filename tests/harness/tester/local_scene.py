"""A scene in the local lab with the servers of a folder, for words that need a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.course.assignment import Limits, load_assignment
from harness.lab.local.lab import local_lab
from harness.tester.scene import Scene

MakeScene = Callable[[], Scene]

#: Any that there is: what is asked of a scene here is its words.
ASSIGNMENT = load_assignment(Path(__file__).resolve().parents[3] / "reference" / "blocking" / "assignment.toml")


@contextmanager
def local_scenes(folder: Path, programs: dict[str, list[str]]) -> Iterator[MakeScene]:
    """A function that makes a fresh scene; all of them end with the block."""
    node, network, leave = local_lab(folder, Limits(open_files=2048))
    made: list[Scene] = []

    def make() -> Scene:
        while made:
            made.pop().close()
        node.fresh()
        scene = Scene(node, network, assignment=ASSIGNMENT, programs=programs, seed=1)
        made.append(scene)
        return scene

    try:
        node.build(None, timeout=10)
        yield make
    finally:
        for scene in made:
            scene.close()
        leave()
