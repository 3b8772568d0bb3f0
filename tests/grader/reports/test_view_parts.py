"""What the pages count, compare and say in words: reasons, changes, the class, the link."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from fakes import READS, SECRET, SERVES, SURVIVES, report, result_of

from grader.course import Course
from grader.reports.class_view import class_causes, class_view, histogram, run_row
from grader.reports.html import index_page, instructor_page, student_page
from grader.reports.link_words import figures, link_words
from grader.reports.moments import when_of
from grader.reports.reasons import reasons_of
from grader.reports.view import instructor_view, student_view

Result = dict[str, Any]

FAILS = (report(READS, "fail", message="CANARY no"), report(SERVES, "pass"), report(SURVIVES, "pass"))


# --- reasons ---


def test_reasons_add_up_to_what_is_lacking(course: Course) -> None:
    result = result_of(course, report(READS, "fail"), report(SERVES, "inconclusive", message="too slow"))
    reasons = reasons_of(result, result["checks"])
    assert math.fsum(row.lost for row in reasons) == result["possible"] - result["points"] - result["undecided"]
    assert math.fsum(row.open for row in reasons) == result["undecided"]


def test_a_reason_says_what_waits_for_it_and_which_sections_that_is_about(course: Course) -> None:
    result = result_of(course, *FAILS)
    (reason,) = reasons_of(result, student_view(result)["stages"][0]["checks"] + result["checks"][2:])
    assert (reason.title, reason.lost, reason.costs) == ("Read to the end.", 5, "1 check, 3 points, waits for it")
    assert reason.sections == ["1.2"]


def test_sections_are_in_the_handouts_order(course: Course) -> None:
    result = result_of(course, report(READS, "fail"), report(SERVES), report(SURVIVES))
    rows = [dict(check) for check in result["checks"]]
    for place, section in ((1, "4.10"), (2, "4.2"), (3, "4.x")):
        rows[place] |= {"section": section, "because": READS, "outcome": "skipped", "points": 0}
    (reason,) = reasons_of({**result, "checks": rows}, rows)
    assert reason.sections == ["4.2", "4.10", "4.x"]


def test_a_student_is_sent_to_what_costs_most_and_reads_no_hidden_rule(course: Course) -> None:
    view = student_view(result_of(course, report(READS), report(SECRET, "fail"), report(SERVES, "fail")))
    assert (view["next"].check["number"], view["next"].lost) == (3, 10)
    assert [row.title for row in view["reasons"]] == ["Serve one after the other.", "Read section 1.2 again."]


# --- changes ---


def test_what_changed_is_told_by_stage_and_by_public_check(course: Course) -> None:
    before = result_of(course, *FAILS)
    now = result_of(course, report(READS), report(SECRET), report(SERVES, "fail"))
    changes = student_view(now, before=student_view(before))["changes"]
    assert [(row["number"], row["before"], row["now"]) for row in changes["stages"]] == [(1, 0, 5), (2, 10, 0)]
    assert [row["id"] for row in changes["passes"]] == [READS]
    assert [row["id"] for row in changes["fails"]] == [SERVES]
    assert (changes["before"], changes["now"], changes["same"]) == (10, 5, True)


def test_the_first_submission_has_nothing_before_it(course: Course) -> None:
    assert student_view(result_of(course, *FAILS))["changes"] is None


def test_hidden_checks_are_not_compared(course: Course) -> None:
    before = result_of(course, report(READS), report(SECRET, "fail"), report(SERVES), report(SURVIVES))
    now = result_of(course, report(READS), report(SECRET), report(SERVES), report(SURVIVES))
    page = student_page(now, before=student_view(before))
    assert "10 → 15" not in page
    assert "12 → 15" in page
    assert "secretly" not in page


# --- a class ---


@pytest.fixture
def results(course: Course) -> list[Result]:
    """Three fail the first check, one waits for a person, one has everything."""
    one = {
        "ann": result_of(course, *FAILS),
        "zoe": result_of(course, report(READS), report(SECRET), report(SERVES), report(SURVIVES), student="zoe"),
        "yan": result_of(course, report(READS), report(SECRET), report(SERVES, "inconclusive"), student="yan"),
    }
    return [*one.values(), {**one["ann"], "student": "bob"}, {**one["ann"], "student": "cem"}]


def test_the_class_counts_by_root_cause_with_names(results: list[Result]) -> None:
    places = {"ann": 1, "bob": 2, "cem": 3, "yan": 4, "zoe": 5}
    (cause,) = class_causes(results, places)
    assert (cause.title, cause.lost, cause.of, cause.waiting) == ("Read to the end.", 15, 5, 3)
    assert cause.students == [(1, "ann"), (2, "bob"), (3, "cem")]
    page = index_page(results)
    assert "3 of 5 fail, 3 checks wait for it" in page
    assert 'href="#s2"' in page and 'id="s2"' in page


def test_the_causes_of_a_class_add_up(results: list[Result]) -> None:
    causes = class_causes(results, {row["student"]: 1 for row in results})
    lacking = math.fsum(row["possible"] - row["points"] - row["undecided"] for row in results)
    assert math.fsum(cause.lost for cause in causes) == lacking


def test_what_is_open_is_named_once_for_all_that_waits(results: list[Result]) -> None:
    (open_,) = class_view(results, {})["tables"][0]["open"]
    assert (open_["student"], open_["points"], open_["waiting"], open_["check"]["id"]) == ("yan", 10, 1, SERVES)


def test_totals_are_points_or_weighed(results: list[Result]) -> None:
    def totals(**told: Any) -> dict[str, float]:
        view = class_view(results, told)
        return {"possible": view["possible"], **{row["student"]: row["total"] for row in view["rows"]}}

    assert totals() == {"possible": 15, "ann": 10, "bob": 10, "cem": 10, "yan": 5, "zoe": 15}
    weighed = totals(weights={"blocking": 30, "another": 70})
    assert weighed == {
        "possible": 100,
        "ann": pytest.approx(200 / 3),
        **dict.fromkeys(("bob", "cem"), pytest.approx(200 / 3)),
        "yan": pytest.approx(100 / 3),
        "zoe": 100,
    }


def test_a_histogram_counts_everybody_once() -> None:
    found = histogram([(0, 10), (9.99, 10), (10, 10), (5, 10), (1, 0), (11, 10)])
    assert [count for count, _ in found["bars"]] == [1, 0, 0, 0, 0, 1, 0, 0, 0, 3]
    assert (found["none"], found["some"], found["full"], found["count"]) == (1, 2, 2, 5)


def test_nobody_is_a_class_too() -> None:
    assert class_view([], {})["rows"] == []
    assert histogram([])["count"] == 0
    assert "Nothing is graded yet." in index_page([])


def test_a_student_who_lacks_an_assignment_has_a_gap(results: list[Result]) -> None:
    other = {**results[0], "assignment": "another", "title": "Another"}
    rows = class_view([*results, other], {})["rows"]
    assert [[cell is None for cell in row["cells"]] for row in rows] == [[False, False], *[[True, False]] * 4]


def test_a_run_in_the_index_of_runs(results: list[Result]) -> None:
    row = run_row("winter", results, left=2, name="Sockets")
    assert (row["students"], row["submissions"], row["left"], row["open"], row["name"]) == (5, 5, 2, 1, "Sockets")


# --- the link, and times ---


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ({}, "No packet came to the link."),
        ({"packets": "many", "lost": None}, "No packet came to the link."),
        ({"packets": 1}, "The one packet was delivered, as asked."),
        ({"packets": 40, "lost": 2, "duplicated": 1}, "2 of 40 packets lost, 1 doubled, as asked."),
        ({"packets": 9, "profile": 3}, "All 9 packets delivered, as asked."),
        ({"packets": 9, "profile": "a\x1b[2J"}, "All 9 packets delivered, as the profile a\\x1b[2J asks."),
        (
            {"packets": 9, "engine_drops": 3},
            "All 9 packets delivered, as asked. The link itself lost 3 more, which nobody asked for.",
        ),
        ({"packets": 9, "late_p99": 0.25}, "All 9 packets delivered, as asked. It was late: up to 250 ms."),
    ],
)
def test_the_link_in_words(link: dict[str, Any], words: str) -> None:
    assert link_words(link) == words


def test_figures_have_units_and_no_exponent() -> None:
    rows = dict(figures({"late_p99": 4.0985e-05, "packets": 1234, "queue": {"most_bytes": 10}, "odd": [1]}))
    assert rows == {
        "late at most, of 99 in 100": "0.04 ms",
        "packets in": "1,234",
        "queue, most bytes": "10",
        "odd": "[1]",
    }


def test_a_time_is_the_courses_where_it_is_known() -> None:
    assert when_of({"graded_at": "2026-11-30T21:52:34+00:00"}) == "30 Nov 2026, 21:52 UTC"
    assert when_of({"graded_at": "x", "when": "Mon 30 Nov 2026, 22:52 CET"}) == "Mon 30 Nov 2026, 22:52 CET"


# --- what is folded, and where links lead ---


def test_passes_take_a_line_even_when_the_tests_have_changed(course: Course) -> None:
    result = result_of(course, *FAILS)
    old = {**result, "checks": [{**check, "stale": True} for check in result["checks"]]}
    stage = instructor_view(old)["stages"][1]
    assert (len(stage["told"]), len(stage["passes"])) == (0, 2)
    page = instructor_page(old)
    assert "2 passed, 10 points" in page
    assert "all of an older version" in page


def test_what_a_student_reads_of_a_hidden_check_is_taken_from_their_page(course: Course) -> None:
    result = result_of(course, report(READS), report(SECRET, "fail"), report(SERVES, "fail"))
    page = instructor_page(result)
    assert "The student reads: Read section 1.2 again." in page
    assert "The student reads: Think of clients" not in page  # it was not run, and no student reads that


@pytest.mark.parametrize("state", ["fails", "forbidden", "builds", "decided"])
def test_no_link_inside_a_page_leads_nowhere(course: Course, state: str) -> None:
    before = student_view(result_of(course, report(READS), report(SECRET), report(SERVES), report(SURVIVES)))
    result = result_of(course, report(READS, "fail"), report(SERVES, "fail"))
    if state == "builds":
        result = {**result, "build": {"log": "make: no"}, "message": "The build failed."}
    if state in ("forbidden", "decided"):
        stages = [{**stage, "forbidden": "No asyncio here."} for stage in result["stages"]]
        word = {
            "by": "g",
            "at": "x",
            "when": "x",
            "because": "y",
            "given": 1.0,
            "before": {"outcome": None, "points": 0},
        }
        stages[0]["decided"] = word if state == "decided" else None
        result = {**result, "stages": stages}
    for page in (student_page(result, before=before), instructor_page(result, before=before)):
        ids = set(re.findall(r' id="([^"]+)"', page))
        assert set(re.findall(r'href="#([^"]+)"', page)) <= ids
