"""A build at home: done once, offline, and compared with what the machine that grades has."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from harness.cli import building
from harness.course.assignment import Build, load_assignment
from harness.course.languages import DEFAULT, TOLD_IN, Grader

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it runs make")
ASSIGNMENT = load_assignment(Path(__file__).resolve().parents[3] / "assignments/blocking/assignment.toml")
MAKE = Build(file="Makefile", command=("make",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if shutil.which("make") is None:
        pytest.skip("there is no make here")
    made = tmp_path / "solution"
    made.mkdir()
    (made / "Makefile").write_text("all:\n\tcp data made\n")
    (made / "data").write_text("one")
    return made


def build(folder: Path, grader: Grader | None = None) -> tuple[building.Built, str]:
    """How it went, and what is in the file that was made."""
    with building.built(ASSIGNMENT, folder, MAKE, grader or Grader()) as made:
        path = made.folder / "made"
        return made, path.read_text() if path.is_file() else ""


def test_it_is_done_once_until_something_changes(folder: Path) -> None:
    first, made = build(folder)
    assert first.seconds is not None and made == "one" and not (folder / "made").exists()
    second, made = build(folder)
    assert second.seconds is None and made == "one"
    assert "no file has changed" in second.told(MAKE)
    (folder / "data").write_text("two")
    third, made = build(folder)
    assert third.seconds is not None and made == "two"


def test_few_builds_are_kept(folder: Path, builds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "KEPT", 2)
    for number in range(building.KEPT + 2):
        (folder / "data").write_text(str(number))
        build(folder)
    assert len(list(builds.iterdir())) == building.KEPT


def test_one_that_fails_is_not_kept(folder: Path, builds: Path) -> None:
    (folder / "Makefile").write_text("all:\n\t@echo no compiler today; exit 3\n")
    for _ in range(2):
        failed, made = build(folder)
        assert "no compiler today" in failed.broken and not made
    assert list(builds.iterdir()) == []


def test_what_the_grader_does_not_have_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir(mode=0o755)
    (tools / "cmake").write_text("#!/bin/sh\necho made by cmake > made\n")
    (tools / "cmake").chmod(0o755)
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    (folder / "Makefile").write_text("all:\n\tcmake .\n")
    found, made = build(folder)
    assert made == "made by cmake\n"  # it works here
    told = "The build uses cmake, and the machine that grades has none: there it fails. It builds Python, C and Go."
    assert found.warnings == (told,)
    again, _ = build(folder)
    assert again.warnings == (told,)  # also where nothing had to be built


def test_a_newer_go_than_the_graders_is_told(folder: Path) -> None:
    (folder / "go.mod").write_text("module x\n\ngo 1.22.1\n")
    assert build(folder)[0].warnings == ("go.mod asks for Go 1.22, and the machine that grades may have 1.19.",)
    assert build(folder, Grader(tools={"go": "1.24.4"}))[0].warnings == ()


def test_a_build_finds_no_network_and_no_caches_of_its_user(folder: Path) -> None:
    (folder / "Makefile").write_text("all:\n\techo $$GOPROXY $$CGO_ENABLED > made; cd && touch here\n")
    found, made = build(folder)
    assert made == "off 0\n"
    with building.built(ASSIGNMENT, folder, MAKE, Grader()) as kept:
        assert sorted(path.name for path in kept.folder.iterdir()) == ["Makefile", "data", "made"]
    assert not found.broken


@pytest.mark.parametrize("text", [None, "{", "[]", '{"languages": 3}'])
def test_where_nothing_is_told_the_grader_is_the_usual_one(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / TOLD_IN).write_text(text)
    assert building.graded_on(tmp_path) == Grader(languages=DEFAULT)


def test_what_a_release_tells_is_read(tmp_path: Path) -> None:
    told = Grader(languages=("python", "c"), tools={"gcc": "12.2.0"})
    (tmp_path / TOLD_IN).write_text(told.to_json())
    assert building.graded_on(tmp_path) == told
    assert json.loads(told.to_json())["languages"] == ["python", "c"]
