"""Grades out: what Canvas, Moodle, Gradescope and people take."""

from __future__ import annotations

import csv
import io

import pytest

from grader.term.leaving import Column, Mark, System, Undecided, table, undecided
from grader.term.roster import Person
from grader.term.table import read_table, write_table

ANN = Person(id="ann", first="Ann", last="Lee", mail="ann@x.y", section="A", canvas="4711", moodle="u1")
BOB = Person(id="bob", first="=cmd()", last="@SUM(A1)", mail="+bob@x.y")
COLUMNS = [Column("blocking", 20, 3, "Homework 1 (815)"), Column("transport", 100, 1)]
MARKS = {
    ("ann", "blocking"): Mark(19.5, 2.0),
    ("ann", "transport"): Mark(104.0),
    ("bob", "transport"): Mark(40.0, 0.0, ("stage-2",)),
}


def rows(
    system: System, word: Undecided | None = Undecided.zero, columns: list[Column] | None = None
) -> list[list[str]]:
    return list(csv.reader(io.StringIO(table(system, [ANN, BOB], columns or COLUMNS, MARKS, word))))


def test_canvas_wants_its_five_columns_and_the_points_possible() -> None:
    assert rows(System.canvas) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Homework 1 (815)", "transport"],
        ["    Points Possible", "", "", "", "", "20", "100"],
        ["Lee, Ann", "4711", "", "ann", "A", "17.5", "100"],
        ["'@SUM(A1), =cmd()", "", "", "bob", "", "0", "40"],
    ]


def test_moodle_finds_students_by_number_or_mail() -> None:
    assert rows(System.moodle)[1] == ["Ann", "Lee", "u1", "ann@x.y", "17.5", "100"]
    assert rows(System.moodle)[2][:4] == ["'=cmd()", "'@SUM(A1)", "bob", "'+bob@x.y"]


def test_gradescope_has_the_columns_of_its_own_export() -> None:
    assert rows(System.gradescope, columns=COLUMNS[:1]) == [
        ["First Name", "Last Name", "SID", "Email", "Sections", "Total Score", "Max Points", "Status"],
        ["Ann", "Lee", "ann", "ann@x.y", "A", "17.5", "20", "Graded"],
        ["'=cmd()", "'@SUM(A1)", "bob", "'+bob@x.y", "", "0", "20", "Missing"],
    ]


def test_the_total_is_weighted() -> None:
    found = [dict(zip(rows(System.plain)[0], row, strict=True)) for row in rows(System.plain)[1:]]
    assert found[0]["total percent"] == "90.62"  # (3 * 17.5 / 20 + 1 * 100 / 100) / 4
    assert found[1]["total percent"] == "10"
    assert (found[0]["blocking"], found[0]["blocking penalty"]) == ("17.5", "2")


def test_what_is_undecided_is_listed_and_left_out_with_a_word_only() -> None:
    assert undecided([ANN, BOB], COLUMNS, MARKS) == ["bob/transport: stage-2"]
    assert rows(System.canvas, Undecided.omit)[3][-1] == ""
    assert rows(System.plain, Undecided.omit)[2][-1] == ""


def test_what_is_not_due_yet_is_empty_and_in_no_total() -> None:
    columns = [COLUMNS[0], Column("transport", 100, over=False)]
    person = table(System.plain, [Person(id="cyd")], columns, {}, None).splitlines()[1]
    assert person == '"cyd","","","","","","0","20","0","","100","0","0"'


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\n@x"])
def test_no_cell_begins_a_formula(cell: str) -> None:
    (line,) = read_table(write_table(["a"], [[cell]]).encode(), "x")[1]
    assert line.cells["a"].startswith("'")
