"""A course folder to collect into, and `grader` typed in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import grader.course
from grader.cli.main import app
from grader.course import Course

ROSTER = """\
id,first,last,mail,group,repository,active,canvas,gradescope
ann,Ann,Lee,ann@x.y,,{here}/ann.git,yes,4711,s1
bob,Bob,de la Cruz,bob@x.y,,{here}/bob.git,yes,4712,s2
cyd,Cyd,Zeta,cyd@x.y,,,no,4713,s3
"""


class Collecting:
    """A course's folder, due on 26 October 2026 at 23:59 in Berlin."""

    def __init__(self, folder: Path, types: Callable[[list[str]], Result]) -> None:
        self.folder, self._types = folder, types
        self.does("course", "new", folder)
        file = folder / "course.toml"
        file.write_text(file.read_text().replace("# due = 2026", "due = 2026"))
        (folder / "roster.csv").write_text(ROSTER.format(here=folder.parent))

    def does(self, *words: object, status: int = 0) -> str:
        result = self._types([str(word) for word in words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == status, result.output
        return result.output

    def collects(self, kind: str, *words: object, status: int = 0) -> str:
        return self.does("collect", kind, self.folder, "blocking", *words, status=status)

    def has(self, student: str) -> dict[str, str]:
        """What lies in submitted/ of a student, by name; without nbgrader's timestamp.txt."""
        folder = self.folder / "submitted" / student / "blocking"
        return {
            path.relative_to(folder).as_posix(): path.read_text()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path != folder / "timestamp.txt"
        }


@pytest.fixture
def term(course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Collecting:
    monkeypatch.setattr(grader.course, "this_course", lambda: course)
    return Collecting(tmp_path / "term", lambda words: CliRunner().invoke(app, words))
