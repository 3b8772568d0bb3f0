"""compare50 in its node: two that were made alike on purpose come first, what was given is at none."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from grader.cli.main import app
from grader.course import this_course
from grader.likeness.whole import find_hints
from grader.record.run_folder import RunFolder
from tests.grader.interop.runs import COURSE, kept
from tests.grader.likeness.twins import write_twin

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def test_two_made_alike_come_first_and_starters_are_at_none(tmp_path: Path) -> None:
    there = COURSE.root / "examples/class"
    write_twin(there / "ada/transport", tmp_path / "twin")
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    (hostile / "deep.py").write_text("(" * 50_000)
    (hostile / "not-text.py").write_bytes(b"\xff\xfe\x00" * 500)
    submissions = {name: there / name / "transport" for name in ("ada", "chen", "dora")}
    starters = {name: COURSE.released("transport") for name in ("starter-one", "starter-two")}
    kept(tmp_path / "run", {**submissions, **starters, "twin": tmp_path / "twin", "hostile": hostile})
    with RunFolder(tmp_path / "run", new=False) as run:
        page, rows = find_hints(this_course(), run, "transport", print)
    assert {rows[0]["one"], rows[0]["other"]} == {"ada", "twin"}
    assert rows[0]["score"] > 3 * rows[1]["score"]
    assert min(rows[0]["shares"]) > 0.3
    named = {row[key] for row in rows for key in ("one", "other")}
    assert named <= {"ada", "chen", "dora", "twin"}, "no starter, and nothing of the hostile one"
    assert "ada and twin" in page.read_text()
    assert "lines" in page.with_name("pair-1.html").read_text()
    pages = (tmp_path / "run").glob("*/transport/student.html")
    assert all("twin and" not in one.read_text() for one in pages)


def test_one_alone_is_like_nobody(tmp_path: Path) -> None:
    kept(tmp_path / "run", {"ada": COURSE.root / "examples/class/ada/transport"})
    done = CliRunner().invoke(app, ["likeness", str(tmp_path / "run"), "transport"])
    assert done.exit_code == 2
    assert "fewer than two submissions of transport" in done.output
