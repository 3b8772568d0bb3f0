"""Pages as a course has them: what a student sees when, times in its zone, the way from one result to another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fakes import READS, SECRET, SERVES, SURVIVES, report, result_of

from grader.course import Course
from grader.course_file import CourseFile, load_course_file
from grader.record.pages import WAITS, Pages, public_part

FILE = """\
[course]
schema = 1
name = "sockets"
title = "Sockets in winter"
term = "2026"
zone = "Europe/Berlin"

[students]
before_due = "{before}"
after_due = "{after}"

[[assignments]]
name = "blocking"
due = {due}
"""
#: Days that are over, and that nobody of us will see.
OVER, TO_COME = "2020-01-01", "2999-12-31"


def a_course(folder: Path, *, due: str, before: str = "all", after: str = "all") -> CourseFile:
    path = folder / "course.toml"
    path.write_text(FILE.format(before=before, after=after, due=due))
    return load_course_file(path, ["blocking"])


@pytest.fixture
def result(course: Course) -> dict[str, Any]:
    """A hidden check failed, and a public one waits for another hidden one. 2 of 6 public points."""
    made = result_of(
        course,
        report(READS),
        report(SECRET, "fail", message="CANARY"),
        report(SERVES, "fail"),
        report(SURVIVES, "skipped", because=SERVES),
    )
    made["checks"][2] |= {"outcome": "skipped", "because": SECRET, "message": "CANARY waits for test_secretly_reads"}
    return made


def student_page(pages: Pages, folder: Path, result: dict[str, Any], history: Any = ()) -> str:
    folder.mkdir(exist_ok=True)
    pages.write(folder, {**result, **pages.shown("blocking", "ann")}, copy=None, history=history)
    return (folder / "student.html").read_text()


def test_of_a_result_only_the_public_checks_and_their_points_are_public(result: dict[str, Any]) -> None:
    part = public_part(result)
    assert [check["id"] for check in part["checks"]] == [READS, SERVES]
    assert (part["points"], part["possible"], part["undecided"]) == (2, 6, 0)
    assert [(stage["points"], stage["possible"]) for stage in part["stages"]] == [(2, 2), (0, 4)]
    assert (part["checks"][1]["because"], part["checks"][1]["message"]) == (None, WAITS)
    assert result["points"] == 2 and len(result["checks"]) == 4, "the result itself stays"


def test_an_extension_of_public_checks_only_makes_up_for_others(result: dict[str, Any]) -> None:
    stages = [dict(stage) for stage in result["stages"]]
    stages[0]["bonus"] = True
    part = public_part({**result, "stages": stages})
    assert (part["points"], part["possible"]) == (2, 4)


def test_a_stage_that_is_forbidden_gives_nothing_of_its_public_part(result: dict[str, Any]) -> None:
    stages = [{**stage, "forbidden": "no"} for stage in result["stages"]]
    assert public_part({**result, "stages": stages})["points"] == 0


def test_before_it_is_due_a_student_may_see_nothing(result: dict[str, Any], tmp_path: Path) -> None:
    page = student_page(Pages(tmp_path, a_course(tmp_path, due=TO_COME, before="nothing")), tmp_path / "a", result)
    assert "Your submission was graded." in page
    assert "Results are shown after 2999-12-31" in page
    assert result["short"] in page
    for word in ("CANARY", "points", "secret", "Read", "hidden", "pass", "fail"):
        assert word not in page.split("</style>")[1]


def test_before_it_is_due_a_student_may_see_the_public_part(result: dict[str, Any], tmp_path: Path) -> None:
    page = student_page(Pages(tmp_path, a_course(tmp_path, due=TO_COME, before="public")), tmp_path / "a", result)
    body = page.split("</style>")[1]
    assert "of 6 points" in body
    assert WAITS in body
    for word in ("CANARY", "secretly", "Read section 1.2 again", "Hidden check", "of 15", "1.2", "2.2"):
        assert word not in body


def test_after_it_was_due_a_student_sees_everything(result: dict[str, Any], tmp_path: Path) -> None:
    file = a_course(tmp_path, due=OVER, before="nothing")
    page = student_page(Pages(tmp_path, file), tmp_path / "a", result)
    assert "Read section 1.2 again." in page
    assert "of 15 points" in page


def test_the_instructor_sees_everything_at_any_time(result: dict[str, Any], tmp_path: Path) -> None:
    student_page(Pages(tmp_path, a_course(tmp_path, due=TO_COME, before="nothing")), tmp_path / "a", result)
    assert "CANARY" in (tmp_path / "a" / "report.html").read_text()


def test_earlier_results_are_told_as_the_student_may_see_them_now(
    result: dict[str, Any], course: Course, tmp_path: Path
) -> None:
    earlier = result_of(course, report(READS), report(SECRET), report(SERVES, "fail"), report(SURVIVES, "fail"))
    pages = Pages(tmp_path, a_course(tmp_path, due=TO_COME, before="public"))
    body = student_page(pages, tmp_path / "a", result, [earlier]).split("</style>")[1]
    assert "2 of 6" in body.split("1 earlier result")[1]
    assert "5 of 15" not in body
    assert earlier["short"] in body
    assert "history/" not in body
    report_ = (tmp_path / "a" / "report.html").read_text()
    assert f'href="./history/{earlier["short"]}/report.html"' in report_
    assert "5 of 15" in report_


def test_times_are_the_courses(result: dict[str, Any], tmp_path: Path) -> None:
    pages = Pages(tmp_path, a_course(tmp_path, due=OVER))
    at = {**result, "graded_at": "2026-11-30T22:15:00+00:00"}
    page = student_page(pages, tmp_path / "a", at, [{**result, "graded_at": "2026-07-01T22:15:00+00:00"}])
    assert "Mon 30 Nov 2026, 23:15 CET" in page
    assert "That one was graded Thu 2 Jul 2026, 00:15 CEST" in page


def test_from_an_earlier_result_one_gets_back_to_the_class(result: dict[str, Any], tmp_path: Path) -> None:
    run = tmp_path / "run"
    place = run / "ann" / "blocking" / "history" / "abcd"
    place.mkdir(parents=True)
    (run / "index.html").write_text("")
    pages = Pages(run, None)
    pages.write(place, result, copy=None, back="../../")
    pages.write(place.parent.parent, result, copy=None)
    for page in (place / "report.html", place.parent.parent / "report.html"):
        (home,) = re.findall(r'href="([^"]*index\.html)"', page.read_text())
        assert (page.parent / home).resolve() == (run / "index.html").resolve()


def test_the_sources_are_beside_the_report_and_its_tracebacks_lead_there(course: Course, tmp_path: Path) -> None:
    copy, folder = tmp_path / "copy", tmp_path / "a"
    (copy / "pkg").mkdir(parents=True)
    folder.mkdir()
    (copy / "client.py").write_text("import x\nx.y()\n")
    (copy / "pkg" / "x.py").write_text("y = 1\n")
    (copy / "away").symlink_to("/etc/passwd")
    seen = 'Traceback:\n  File "/work/client.py", line 2, in <module>'
    Pages(tmp_path, None).write(folder, result_of(course, report(READS, "fail", seen=seen)), copy=copy)
    page, source = (folder / "report.html").read_text(), (folder / "source.html").read_text()
    assert 'href="./source.html#f0-2"' in page
    assert 'id="f0-2"' in source
    assert "pkg/x.py" in source
    assert "root:" not in source
    assert "source.html" not in (folder / "student.html").read_text()
