"""Meetings without any lab: who meets whom, under which names, what is believed of a report, what a student sees."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from grader.interop.found import Cell, Goodput, Part, cells_of, goodput_of
from grader.interop.names import key_of, pseudonyms
from grader.interop.pairs import pairs
from grader.interop.table import played_of, row_of, students_view, table_of
from grader.interop.who import Entrant, Meeting, Played
from grader.reports.interop_view import leaderboard_page, matrix_page, points_csv, student_page
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Report
from harness.transport.simulation.meetings import GOODPUT_RUNS, MEETINGS, goodput_id, meeting_id
from tests.grader.interop.runs import COURSE

CLASS = [f"student-{number}" for number in range(120)]
KEY = key_of(b"secret", "transport")
FIRST = meeting_id("both directions", "client")


@pytest.mark.parametrize("peers", [1, 2, 3, 4, 5])
def test_everybody_meets_as_many_others(peers: int) -> None:
    chosen = pairs(CLASS, peers, KEY)
    met = [sum(place in pair for pair in chosen) for place in range(len(CLASS))]
    assert set(met) == {peers}
    assert all(one < other for one, other in chosen)
    assert chosen == pairs(CLASS, peers, KEY)
    assert chosen != pairs(CLASS, peers, key_of(b"another", "transport"))


def test_all_is_everybody_with_everybody() -> None:
    assert len(pairs(CLASS, None, KEY)) == 120 * 119 // 2
    assert pairs(["a", "b"], 4, KEY) == [(0, 1)]
    assert pairs(["a"], 4, KEY) == []


def test_pseudonyms_differ_within_a_class_and_change_with_the_assignment() -> None:
    names = [f"s{number}" for number in range(2000)]
    here, there = pseudonyms(names, KEY), pseudonyms(names, key_of(b"secret", "blocking"))
    assert len(set(here.values())) == len(names)
    assert sum(here[name] == there[name] for name in names) < 20
    assert here == pseudonyms(list(reversed(names)), KEY)


# -- what is believed --------------------------------------------------------------------------------------------------


def report(**what: Any) -> dict[str, Report]:
    return {FIRST: Report(check=FIRST, **what)}


def first(reports: dict[str, Report], *, alone: bool = False) -> Cell:
    return cells_of(reports, alone=alone, why="")[0]


GOOD = {"side": "second", "how": "rule", "rule": "3.5", "text": "no wait", "packet": 7}


def test_a_report_names_side_and_rule() -> None:
    cell = first(report(outcome=Outcome.FAIL, message="late", facts={"blamed": [GOOD], "seconds": 2.5, "packets": 9}))
    assert cell == Cell("D", "client", "fails", (Part("second", "rule", "3.5", "no wait", 7),), "late", 2.5, 9)


@pytest.mark.parametrize(
    "facts",
    [
        None,
        {"blamed": "nobody"},
        {"blamed": [{**GOOD, "side": "third"}]},
        {"blamed": [{**GOOD, "how": "magic"}]},
        {"blamed": [{**GOOD, "text": 5}]},
        {"blamed": [["second"]], "seconds": math.inf},
    ],
)
def test_what_cannot_be_read_decides_nothing(facts: Any) -> None:
    cell = first(report(outcome=Outcome.FAIL, message="it fails", facts=facts))
    assert (cell.state, cell.parts) == ("undecided", ())


def test_texts_and_rules_are_bounded() -> None:
    blamed = [{**GOOD, "text": "x" * 10_000, "rule": "<script>", "packet": -5}] * 50
    cell = first(report(outcome=Outcome.FAIL, message="y" * 10_000, facts={"blamed": blamed}))
    assert len(cell.parts) <= 12
    assert cell.parts[0].rule == ""
    assert cell.parts[0].packet == 0
    assert len(cell.parts[0].text) < 700
    assert len(cell.text) < 700


def test_the_courses_own_is_never_blamed() -> None:
    cell = first(report(outcome=Outcome.FAIL, message="m", facts={"blamed": [GOOD]}), alone=True)
    assert cell.state == "undecided"


def test_a_node_that_ended_with_the_courses_own_is_the_entrants_doing() -> None:
    cell = first(report(outcome=Outcome.ERROR, message="Its node ended: its memory was full."), alone=True)
    assert (cell.state, [part.side for part in cell.parts]) == ("fails", ["first"])
    cell = first(report(outcome=Outcome.ERROR, message="Its node ended."))
    assert cell.state == "undecided", "of two nobody knows whose"


def test_what_did_not_report_is_undecided() -> None:
    cells = cells_of({}, alone=False, why="its time was up")
    assert len(cells) == 2 * len(MEETINGS)
    assert {(cell.state, cell.text) for cell in cells} == {("undecided", "its time was up")}


def test_goodput_is_the_mean_and_needs_every_run() -> None:
    facts = {"share": 0.5, "repeated": 0.01, "queued": 0.02}
    reports = {
        name: Report(check=name, outcome=Outcome.PASS, facts={**facts, "share": 0.1 * seed})
        for loss, seeds in GOODPUT_RUNS.items()
        for seed in seeds
        if (name := goodput_id(loss, seed))
    }
    found = goodput_of(reports)
    assert found is not None
    assert found[-1].share == pytest.approx(0.2)
    reports.popitem()
    assert goodput_of(reports) is None


# -- what is shown -----------------------------------------------------------------------------------------------------


def table(**more: Any) -> dict[str, Any]:
    """ann, bob and cem, who meet each other; bob breaks 3.5 with ann, and both others are well."""
    entrants = [Entrant(name, name * 8, Path(), {}, name == "bob") for name in ("ann", "bob", "cem")]
    well = [Cell(one.letter, role, "well") for one in MEETINGS for role in ("client", "server")]
    secret = Part("second", "call", "3.5", "raised ValueError (bobs_file.py, line 3, in bobs_function)", 7)
    fails = [Cell("D", "client", "fails", (secret,), secret.text, 1.0, 20), *well[1:]]
    played = [
        *(Played(Meeting(place, None), f"{place}" * 64, well) for place in range(3)),
        Played(Meeting(0, 1), "a" * 64, fails),
        Played(Meeting(0, 2), "b" * 64, well),
        Played(Meeting(1, 2), "c" * 64, well),
        Played(
            Meeting(1, None, "goodput"), "d" * 64, goodput=[Goodput(0.0, 0.9, 0.01, 0.02), Goodput(0.01, 0.3, 0, 0)]
        ),
    ]
    given: dict[str, Any] = {
        "pseudonyms": pseudonyms(["ann", "bob", "cem"], KEY),
        "hopeless": set(),
        "figures": [Goodput(0.0, 0.99, 0.01, 0.02), Goodput(0.01, 0.4, 0, 0)],
        "possible": 0.0,
        "at": "2026-12-01T00:00:00+00:00",
        "when": "Tue 1 Dec 2026, 00:00 UTC",
        "peers": 4,
        "complete": True,
        "lab": {"kind": "docker", "engine": "router", "unprotected": ""},
    }
    return table_of(COURSE.load("transport"), entrants, played, **{**given, **more})


def test_a_meeting_is_kept_and_read_again() -> None:
    played = Played(Meeting(0, 1), "a" * 64, [Cell("D", "client", "fails", (Part("first", "rule", "3.5", "t"),), "t")])
    again = played_of(json.loads(json.dumps(row_of(played))))
    assert again is not None
    assert again.cells == played.cells
    assert played_of({"schema": 1, "cells": 5}) is None


def test_the_instructors_page_says_whose_doing_and_links_to_the_cell() -> None:
    page = matrix_page(table())
    assert "bobs_function" in page
    assert 'href="./meetings/aaaaaaaaaaaaaaaaaaaa/D-client.html"' in page
    assert "D fails: the server, rule 3.5" in page
    assert "Nothing of it counts for points" in page


def test_a_student_sees_nothing_of_others_but_how_it_ended() -> None:
    whole = table()
    names = {one["student"]: one["pseudonym"] for one in whole["entrants"]}
    view = students_view(whole, 0)
    page = student_page(view)
    for text in (page, json.dumps(view)):
        assert "bobs_" not in text
        assert "ValueError" not in text
        for other in ("bob", "cem"):
            assert other not in text.replace(names[other], ""), "only pseudonyms"
    assert names["bob"] in page
    assert "It never failed by your side" in page
    assert "bobs_function" in student_page(students_view(whole, 1)), "what is one's own is told in full"


def test_it_counts_for_nothing_unless_the_course_says_so() -> None:
    assert {one["points"] for one in table()["entrants"]} == {0.0}
    counts = table(possible=10.0)
    points = {one["student"]: one["points"] for one in counts["entrants"]}
    assert points == {"ann": 10.0, "bob": pytest.approx(10 * 35 / 36, abs=1e-5), "cem": 10.0}
    assert points_csv(counts).splitlines()[2].startswith("bob,36,35,9.7")
    assert "9.72 of" in student_page(students_view(counts, 1)) or "give 9.72" in student_page(students_view(counts, 1))


def test_the_leaderboard_has_who_asked_and_no_name() -> None:
    whole = table()
    page = leaderboard_page(whole)
    assert "bob" not in page.replace(whole["entrants"][1]["pseudonym"], "")
    assert whole["entrants"][1]["pseudonym"] in page
    assert whole["entrants"][0]["pseudonym"] not in page
    assert page.index("the course&#39;s own</i>") < page.index(whole["entrants"][1]["pseudonym"]), (
        "it has the larger share"
    )
