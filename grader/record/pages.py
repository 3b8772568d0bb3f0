"""The pages beside a result, as the course has them: what students see and when, times in its zone.

Rule: a page says what the result says. What is added here is where it stands: course, time, history, commands.
"""

from __future__ import annotations

import math
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader.course_file import CourseFile
from grader.record.journal import write_file
from grader.reports.explain import commands
from grader.reports.html import closed_page, index_page, instructor_page, packets_page, students_page
from grader.reports.source import source_page, sources_of
from grader.reports.view import student_view

#: Of a submission, what its page of sources is made from at most (bytes; files).
_MOST_SOURCE, _MOST_FILES = 4_000_000, 300


#: What a public check says that waits for a hidden one, while hidden ones are not shown.
WAITS = "Not run, because it builds on more than is shown yet."


class Pages:
    """Makes them."""

    def __init__(self, run: Path, course: CourseFile | None) -> None:
        self.run, self.course = run, course

    def write(
        self,
        folder: Path,
        result: Mapping[str, Any],
        *,
        copy: Path | None,
        history: Sequence[Mapping[str, Any]] = (),
        back: str = "",
    ) -> None:
        """The instructor's and the student's page of a result, and that of its sources. Raises OSError.

        `copy`: the submission; `history`: the results before this one, the newest first; `back`: the way from here to
        the result that stands in front, where that is another one.
        """
        told = self.told(result, history, back)
        before = next((one for one in history if one.get("kind") != "rerun"), None)
        earlier = self._before(before, told) if before is not None else None
        files = _files(copy)
        if files:
            write_file(folder / "source.html", source_page(files).encode("utf-8"))
        sources = sources_of(files) if files else None
        whole = student_view(told, before=earlier)
        report = instructor_page(told, before=earlier, sources=sources, students=whole)
        write_file(folder / "report.html", report.encode("utf-8"))
        write_file(folder / "student.html", self._student(told, earlier, whole).encode("utf-8"))
        for check in told["checks"]:
            if check["packets"] and (folder / check["ladder_svg"]).is_file():
                write_file(folder / check["packets"], packets_page(told, check).encode("utf-8"))

    def _before(self, before: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
        """What a student may see now of the result before, whatever they could see of it then."""
        now = {**before, "when": self.when(before["graded_at"]), "shown": told.get("shown")}
        return student_view(self._for_student(now))

    def shown(self, assignment: str, student: str) -> dict[str, Any]:
        """What a result says of who may see what now; nothing where a student's page holds everything."""
        shown = self.course.shown(assignment, datetime.now(UTC), student) if self.course else "all"
        return {} if shown == "all" else {"shown": shown, "until": self._opens(assignment, student)}

    def _student(self, told: Mapping[str, Any], earlier: Mapping[str, Any] | None, whole: Mapping[str, Any]) -> str:
        """The student's page; `whole`: their view of all of it."""
        if told.get("shown") == "nothing":
            return closed_page(told, told.get("until", ""))
        shown = self._for_student(told)
        return students_page(whole if shown is told else student_view(shown, before=earlier))

    def _opens(self, assignment: str, student: str) -> str:
        due = self.course.due(assignment, student) if self.course else None
        return self.course.local(due) if self.course and due else ""

    def _for_student(self, result: Mapping[str, Any]) -> Mapping[str, Any]:
        if result.get("shown") != "public":
            return result
        history = [{**row, **row.get("public", {})} for row in result.get("history", [])]
        return {**public_part(result), "history": history}

    def told(
        self, result: Mapping[str, Any], history: Sequence[Mapping[str, Any]] = (), back: str = ""
    ) -> dict[str, Any]:
        """The result with what pages show besides it (docs/result.md)."""
        return {
            **result,
            **({"course": {"name": self.course.title, "term": self.course.term}} if self.course else {}),
            "when": self.when(result["graded_at"]),
            "version": str(result.get("versions", ""))[:12],
            "home": f"{back}../../",
            "history": [self._earlier(one, back) for one in history],
            "stages": [self._decided(stage) for stage in result["stages"]],
            "checks": [self._check(result, check) for check in result["checks"]],
        }

    def _check(self, result: Mapping[str, Any], check: Mapping[str, Any]) -> dict[str, Any]:
        picture = check["ladder_svg"]
        packets = f"{picture.removesuffix('.ladder.svg')}.packets.html" if picture else None
        return {**self._decided(check), "repeat": self._repeat(result, check), "packets": packets}

    def _repeat(self, result: Mapping[str, Any], check: Mapping[str, Any]) -> list[str]:
        return commands(result, check, str(self.run)) if check["outcome"] != "pass" else []

    def _decided(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row whose decision has its time as people read it."""
        word = row.get("decided")
        return {**row, "decided": {**word, "when": self.when(word["at"])}} if word else dict(row)

    def _earlier(self, result: Mapping[str, Any], back: str) -> dict[str, Any]:
        short = str(result.get("short") or result["identity"][:8])
        keys = ("points", "possible", "state")
        href = f"{back}history/{short}/report.html"
        return {
            **{key: result[key] for key in keys},
            "when": self.when(result["graded_at"]),
            "short": short,
            "href": href,
            "public": {key: value for key, value in public_part(result).items() if key in keys},
        }

    def index(
        self, results: Sequence[Mapping[str, Any]], remarks: Sequence[str], *, left: int = 0, going: bool = False
    ) -> bytes:
        """The class as a page."""
        latest = max((str(result["graded_at"]) for result in results), default="")
        named: dict[str, Any] = {"when": self.when(latest)} if latest else {}
        if self.course:
            weights = {row.name: row.weight for row in self.course.assignments}
            named |= {"name": self.course.title, "term": self.course.term, "weights": weights}
        return index_page(results, remarks, left=left, going=going, course=named).encode("utf-8")

    def when(self, iso: str) -> str:
        """A moment as people in the course write it: Mon 30 Nov 2026, 23:15 CET."""
        zone = self.course.zone if self.course else UTC
        return datetime.fromisoformat(iso).astimezone(zone).strftime("%a %-d %b %Y, %H:%M %Z")


def public_part(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result without its hidden checks: what a student's page holds while the course shows no more."""
    hidden_ids = {check["id"] for check in result["checks"] if check["suite"] == "hidden"}
    checks = [_public_check(check, hidden_ids) for check in result["checks"] if check["suite"] == "public"]
    stages = [_public_stage(stage, checks) for stage in result["stages"]]
    counted = [stage for stage in stages if not stage.get("bonus")]
    possible = math.fsum(stage["possible"] for stage in counted)
    points = min(math.fsum(stage["points"] for stage in stages), possible)
    undecided = min(math.fsum(stage["undecided"] for stage in stages), possible - points)
    hidden = {"points": points, "possible": possible, "undecided": undecided}
    return {**result, **hidden, "checks": checks, "stages": [stage for stage in stages if stage["possible"]]}


def _public_check(check: Mapping[str, Any], hidden: Container[str]) -> Mapping[str, Any]:
    """A public check, which says nothing of a hidden one that it waits for."""
    if check["because"] not in hidden:
        return check
    return {**check, "because": None, "message": WAITS}


def _public_stage(stage: Mapping[str, Any], checks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    mine = [check for check in checks if check["stage"] == stage["number"]]
    lost = bool(stage["forbidden"])
    return {
        **stage,
        "decided": None,
        "points": 0.0 if lost else math.fsum(check["points"] for check in mine),
        "possible": math.fsum(check["possible"] for check in mine),
        "undecided": math.fsum(check["possible"] for check in mine if check["outcome"] == "inconclusive"),
    }


def _files(copy: Path | None) -> dict[str, bytes]:
    """The files of a kept copy, as far as a page has room for them."""
    found: dict[str, bytes] = {}
    room = _MOST_SOURCE
    for root, folders, names in os.walk(copy) if copy is not None else ():
        folders.sort()
        for name in sorted(names):
            path = Path(root) / name
            if path.is_symlink() or not path.is_file() or len(found) >= _MOST_FILES or path.stat().st_size > room:
                continue
            data = path.read_bytes()
            room -= len(data)
            found[str(path.relative_to(copy or Path()))] = data
    return found
