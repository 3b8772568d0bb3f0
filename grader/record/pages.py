"""The pages beside a result, as the course has them: what students see and when, times in its zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader.course_file import CourseFile
from grader.record.journal import write_file
from grader.reports.html import index_page, instructor_page, student_page


class Pages:
    """Makes them."""

    def __init__(self, course: CourseFile | None) -> None:
        self.course = course

    def write(
        self,
        folder: Path,
        result: Mapping[str, Any],
        *,
        copy: Path | None,  # noqa: ARG002
        earlier: Mapping[str, Any] | None,  # noqa: ARG002
        home: str,  # noqa: ARG002
    ) -> None:
        """The instructor's and the student's page of a result. Raises OSError.

        `copy`: the submission; `earlier`: the result before this one; `home`: the way to the class page.
        """
        write_file(folder / "report.html", instructor_page(result).encode("utf-8"))
        write_file(folder / "student.html", student_page(result).encode("utf-8"))

    def index(
        self, results: Sequence[Mapping[str, Any]], remarks: Sequence[str], *, left: int = 0, going: bool = False
    ) -> bytes:
        """The class as a page."""
        return index_page(results, remarks, left=left, going=going).encode("utf-8")

    def when(self, result: Mapping[str, Any]) -> str:
        """When it was graded, in the course's zone."""
        at = datetime.fromisoformat(result["graded_at"])
        return self.course.local(at) if self.course else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
