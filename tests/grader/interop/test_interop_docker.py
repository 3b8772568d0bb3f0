"""Two submissions that meet in Docker: nothing of one is within the other's reach, and who floods is blamed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.bench.docker import DockerPlace
from grader.bench.local import Place, closing
from grader.interop.play import Meetings
from grader.interop.who import Entrant, Meeting, Played
from tests.grader.interop.runs import COURSE
from tests.harness.transport.pairs import alternate, mutant

pytestmark = [pytest.mark.docker, pytest.mark.slow]

#: Looks for anything of a peer's, leaves something for the next one, and raises what it has found.
NOSY = """
import os, pathlib
places = [pathlib.Path(name) for name in ("/tmp", "/dev/shm", "/work", "/build", "/files")]
found = [str(path) for place in places for path in place.rglob("left-by-*")]
users = {os.stat(f"/proc/{pid}").st_uid for pid in os.listdir("/proc") if pid.isdecimal()} - {0, os.getuid()}
if found or users:
    raise RuntimeError(f"within reach: {found} {users}")
for place in ("/tmp", "/dev/shm", "."):
    pathlib.Path(place, f"left-by-{os.getuid()}").write_text("me")
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with closing(DockerPlace(COURSE, ["transport"], engine="auto", say=lambda _: None)) as made:
        yield made


def entrant(name: str, folder: Path) -> Entrant:
    return Entrant(name, name * 8, folder, COURSE.load("transport").programs, False)


def nosy(folder: Path) -> Path:
    path = alternate("go back n", folder) / "connection.py"
    future, _, rest = path.read_text().partition("from __future__ import annotations\n")
    path.write_text(f"{future}from __future__ import annotations\n{NOSY}\n{rest}" if rest else NOSY + future)
    return path.parent


def play(place: Place, entrants: list[Entrant]) -> Played:
    meetings = Meetings(COURSE, place, COURSE.load("transport"), "5a" * 32, entrants, 1, print)
    (played,) = meetings.play([Meeting(0, 1)])
    return played


def test_two_that_look_for_each_other_find_nothing(place: Place, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    played = play(place, [entrant("ann", nosy(tmp_path / "a")), entrant("bea", nosy(tmp_path / "b"))])
    assert [(cell.name, cell.text) for cell in played.cells if cell.state != "well"] == []


def test_a_bug_is_blamed_on_its_side_in_docker_too(place: Place, tmp_path: Path) -> None:
    bug = mutant("half-close ends both directions", tmp_path)
    played = play(place, [entrant("bug", bug), entrant("own", alternate("selective repeat", tmp_path))])
    told = {(cell.name, part.side, part.rule) for cell in played.cells for part in cell.parts}
    assert told == {("H-server", "first", "4.7")}
