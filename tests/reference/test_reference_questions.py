"""The notebooks of questions themselves: the reference's answers get all points, an empty notebook none, every time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.course import this_course
from grader.job import questions as job
from grader.nbgrader import nbgrader
from grader.questions import cells
from grader.questions.submitted import cells_of
from grader.release.notebooks import NOTEBOOK, is_fresh
from harness.lab.docker import containers
from harness.lab.docker.images import ensure_notebook
from harness.lab.docker.notebook import Notebooks

NAMES = [name for name in this_course().names() if this_course().questions(name)]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Notebooks]:
    containers.sweep()
    with Notebooks(ensure_notebook(containers.DockerEngine())) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in (tmp_path, *list(tmp_path.parents)[:2]):
        path.chmod(0o755)
    return tmp_path


def earned(nodes: Notebooks, folder: Path, name: str, handed_in: bytes) -> tuple[float, float, list[str]]:
    """Points by program, points that wait, and what was not right."""
    source = this_course().questions(name)
    assert source is not None
    found = job.grade(nodes, folder, source, cells_of(source, handed_in)).answers
    wrong = [f"{one.name}: {one.message} {dict(one.values)}" for one in found if not one.points and not one.waits]
    return sum(one.points for one in found), sum(one.undecided for one in found), wrong


@pytest.mark.parametrize("name", NAMES)
def test_twenty_points_six_to_ten_questions_some_in_words(name: str) -> None:
    source = this_course().questions(name)
    assert source is not None
    assert source.points == 20
    assert len(source.questions) >= 6
    assert any(one.hand for one in source.questions) and any(not one.hand for one in source.questions)
    assert is_fresh(source, (this_course().released(name) / NOTEBOOK).read_bytes())


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_reference_gets_all_and_an_empty_notebook_nothing(nodes: Notebooks, folder: Path, name: str) -> None:
    source = this_course().questions(name)
    assert source is not None
    points, waits, wrong = earned(nodes, folder, name, cells.notebook(source))
    assert (points + waits, wrong) == (20, [])
    points, waits, _ = earned(nodes, folder, name, (this_course().released(name) / NOTEBOOK).read_bytes())
    assert (points, waits) == (0, 0)


@pytest.mark.audit
@pytest.mark.docker
@pytest.mark.parametrize("name", NAMES)
def test_the_reference_gets_all_twenty_times(nodes: Notebooks, folder: Path, name: str) -> None:
    source = this_course().questions(name)
    assert source is not None
    for _ in range(20):
        points, waits, wrong = earned(nodes, folder, name, cells.notebook(source))
        assert (points + waits, wrong) == (20, [])


@pytest.mark.audit
@pytest.mark.nbgrader
@pytest.mark.parametrize("name", NAMES)
def test_nbgrader_validate_accepts_what_is_released(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "repository" / name
    folder.mkdir(parents=True)
    (folder / NOTEBOOK).write_bytes((this_course().released(name) / NOTEBOOK).read_bytes())
    (tmp_path / "repository" / "harness").symlink_to(this_course().root / "harness")
    said = nbgrader(["validate", NOTEBOOK], folder, to="validate it", environment={"HOME": str(tmp_path)})
    assert "Success! Your notebook passes all the tests." in said, said[-2000:]
