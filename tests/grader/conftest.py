"""What every test of the judge may ask for."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import TOML, Runs

from grader.course import Course
from harness.course.assignment import Assignment

if importlib.util.find_spec("websocket") is not None:  # comes with the extra dev
    from chromium import Page, chromium


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course with one assignment of two stages and four checks."""
    root = tmp_path / "course"
    (root / "reference" / "blocking").mkdir(parents=True)
    (root / "reference" / "blocking" / "assignment.toml").write_text(TOML)
    for suite in ("public", "hidden"):
        folder = root / "grader" / "suites" / "blocking" / suite
        folder.mkdir(parents=True)
        (folder / "test_client.py").write_text("def test_reads(lab): ...\n")
    return Course(root)


@pytest.fixture
def assignment(course: Course) -> Assignment:
    return course.load("blocking")


@pytest.fixture
def runs(course: Course, tmp_path: Path) -> Runs:
    return Runs(course, tmp_path)


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core: finds what some people cannot read or reach."""
    import axe_core_python

    return (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
