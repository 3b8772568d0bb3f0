"""What was handed in and is not graded yet, and whose time still runs: no 0, and no points of the submission before."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from fakes import hand_in
from terms import Term

pytestmark = pytest.mark.nbgrader


def with_deadline(term: Term) -> None:
    file = term.folder / "course.toml"
    file.write_text(file.read_text().replace("# due = 2026-10-26", "due = 2026-10-26"))
    term.roster()


def collects(term: Term, tmp_path: Path, at: int = 0, **texts: str) -> str:
    """What was handed in so many seconds after noon."""
    for student, text in texts.items():
        hand_in(tmp_path / "in", student) if not (tmp_path / "in" / student).exists() else None
        file = tmp_path / "in" / student / "blocking" / "client.py"
        file.write_text(text)
        os.utime(file, (1_793_012_400 + at,) * 2)
    return term.does("collect", "folder", term.folder, "blocking", tmp_path / "in")


def graded(term: Term) -> str:
    term.will_see()
    term.grades()
    return term.does("gradebook", "sync", term.folder)


def said_by_formgrader(term: Term) -> dict[str, bool]:
    """Who is `graded` in its list of submissions, and who `needs autograding`."""
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    where = CourseDirectory(root=str(term.folder), course_id="term", db_url=f"sqlite:///{term.folder / 'gradebook.db'}")
    return {one["student"]: one["autograded"] for one in NbGraderAPI(where).get_submissions("blocking")}


def refused(term: Term) -> str:
    return term.does("gradebook", "export", term.folder, "--out", term.folder / "x.csv", status=2)


def test_what_is_not_graded_yet_is_no_zero(term: Term, tmp_path: Path) -> None:
    with_deadline(term)
    assert "ann/blocking: 1 file, 8 bytes, 2026-10-26 12:00:00 CET" in collects(term, tmp_path, ann="print(1)", cyd="2")
    graded(term)
    page = (term.folder / "autograded/ann/blocking/checks.ipynb").read_text()
    assert re.search(r"graded [^<]*\d\d:\d\d CES?T\.", page), "the course's time"
    assert said_by_formgrader(term) == {"ann": True, "cyd": True}
    assert term.points()["dan"] == "0"
    collects(term, tmp_path, dan="print(3)")
    said = refused(term)
    assert "there is no grade yet of 1 submission:\n  dan/blocking: handed in, and not graded yet\n" in said
    assert "Grade them: grader run, then grader gradebook sync." in said
    assert said_by_formgrader(term)["dan"] is False
    for word in ("zero", "omit"):
        rows = {row["student_id"]: row for row in term.table("--undecided", word)}
        assert [rows["dan"][key] for key in ("blocking", "total percent")] == ["", ""]
        assert rows["eve"]["blocking"] == "0"
    said = term.does("gradebook", "export", term.folder, "--out", tmp_path / "o", "--undecided", "zero")
    assert "left empty: dan/blocking: handed in, and not graded yet" in said
    graded(term)
    assert term.points()["dan"] == "15"
    assert said_by_formgrader(term) == {"ann": True, "cyd": True, "dan": True}


def test_the_points_of_the_submission_before_do_not_leave(term: Term, tmp_path: Path) -> None:
    with_deadline(term)
    collects(term, tmp_path, ann="print(1)")
    graded(term)
    collects(term, tmp_path, 9, ann="print('again')")
    assert "ann/blocking: handed in again, and not graded yet" in refused(term)
    assert term.points("--undecided", "zero")["ann"] == ""
    said = term.does("gradebook", "sync", term.folder)  # the moment, and its penalty, are not those of this result
    assert "ann/blocking: handed in again, and not graded yet. Grade it first: grader run" in said
    assert said_by_formgrader(term) == {"ann": False}
    graded(term)
    assert (term.points()["ann"], said_by_formgrader(term)) == ("15", {"ann": True})
    # The same without collecting: somebody put files there.
    term.hands_in("ann", "print('by hand')")
    assert term.points("--undecided", "omit")["ann"] == ""
    graded(term)
    assert term.points()["ann"] == "15"


def test_whose_extension_still_runs_has_no_zero(term: Term) -> None:
    with_deadline(term)
    term.says('[[extensions]]\nstudent = "cyd"\nassignment = "blocking"\ndue = 2999-01-01T12:00:00\n')
    term.hands_in("ann")
    graded(term)
    assert "cyd/blocking: may be handed in until 2999-01-01 12:00 CET" in refused(term)
    points = term.points("--undecided", "zero")
    assert (points["ann"], points["cyd"], points["dan"]) == ("15", "", "0")
    for system, column in (("canvas", "blocking"), ("moodle", "blocking"), ("gradescope", "Total Score")):
        rows = term.table("--undecided", "zero", "--for", system)
        assert [row[column] for row in rows if any("Cyd" in str(cell) for cell in row.values())] == [""]


def test_of_a_group_the_later_one_is_waited_for(term: Term, tmp_path: Path) -> None:
    term.says("groups = true\n")
    with_deadline(term)
    collects(term, tmp_path, ann="print(1)")
    graded(term)
    assert term.points()["bob"] == "15"
    inbound = tmp_path / "inbound" / "bob+blocking+2999-10-26 10:00:00 UTC"
    inbound.mkdir(parents=True)
    (inbound / "client.py").write_text("print('of bob')")
    term.does("collect", "exchange", term.folder, "blocking", inbound.parent)
    said = term.does("gradebook", "sync", term.folder)
    assert "ann/blocking: bob, of the same group, handed in later, and that is not graded yet" in said
    points = term.points("--undecided", "zero")
    assert (points["ann"], points["bob"]) == ("", "")
    assert "bob of one group both handed in blocking: bob's counts." in graded(term)
    assert (term.points()["ann"], term.points()["bob"]) == ("15", "15")


def test_where_the_better_one_counts_a_worse_one_that_is_graded_waits_for_nothing(term: Term, tmp_path: Path) -> None:
    term.says('keep = "best"\n')
    with_deadline(term)
    collects(term, tmp_path, ann="good")
    graded(term)
    collects(term, tmp_path, 9, ann="worse")
    assert term.points("--undecided", "omit")["ann"] == ""
    term.will_see(serves={"outcome": "fail"}, survives={"outcome": "fail"})
    term.grades()
    assert "the submission before is better, and stands" in term.does("gradebook", "sync", term.folder)
    assert "the submission before is better, and stands" in term.does("gradebook", "sync", term.folder)
    assert (term.points()["ann"], said_by_formgrader(term)) == ("15", {"ann": True})


def test_without_a_roster_who_is_not_graded_yet_has_a_row(term: Term) -> None:
    term.hands_in("ann")
    graded(term)
    term.hands_in("zoe", "print(2)")
    assert "zoe/blocking: handed in, and not graded yet" in refused(term)
    assert term.points("--undecided", "zero") == {"ann": "15", "zoe": ""}


def test_after_the_deadline_pages_show_what_they_may_then(term: Term) -> None:
    with_deadline(term)
    file = term.folder / "course.toml"
    text = file.read_text().replace('before_due = "all"', 'before_due = "nothing"')
    file.write_text(text.replace("due = 2026-10-26", "due = 2999-10-26"))
    term.hands_in("ann")
    term.hands_in("cyd", "print(2)")
    graded(term)
    pages = [term.folder / "run" / student / "blocking" / "student.html" for student in ("ann", "cyd")]
    assert all("2999-10-26" in page.read_text() for page in pages)
    term.says('[[extensions]]\nstudent = "cyd"\nassignment = "blocking"\ndue = 2999-11-26T12:00:00\n')
    file.write_text(file.read_text().replace("due = 2999-10-26", "due = 2026-10-26"))
    said = term.does("rescore", term.folder)
    assert "0 of 2 results have other points." in said
    assert "Read to the end." in pages[0].read_text()
    assert "2999-11-26" in pages[1].read_text() and "Read to the end." not in pages[1].read_text()
    term.does("gradebook", "sync", term.folder)
    shown = [(term.folder / "autograded" / who / "blocking/checks.ipynb").read_text() for who in ("ann", "cyd")]
    assert ["Read to the end." in text for text in shown] == [True, False]
