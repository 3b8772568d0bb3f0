"""A whole term in one test: roster, submissions, grading, gradebook, a person's word, feedback, grades out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from fakes import story
from terms import NAMES, Term

from grader.gradebook import book as books
from grader.gradebook.stages import Given
from grader.record.record import Record

pytestmark = pytest.mark.nbgrader

SECRET = {"outcome": "fail", "message": "THE HIDDEN STORY", "story": story("a HIDDEN PAYLOAD")}


def opened(term: Term):
    return books.opened(term.folder, term.url or f"sqlite:///{term.folder / 'gradebook.db'}", "term")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def graded(term: Term, request: pytest.FixtureRequest) -> Term:
    """Twelve on the roster, of whom ten handed in, graded and in the gradebook."""
    if request.param == "postgres":
        term.keeps_gradebook(request.getfixturevalue("postgres"))
    term.roster()
    for student in NAMES[:10]:
        term.hands_in(student, f"print('{student}')\n")
    term.will_see(secretly_reads=SECRET)
    term.grades("--workers", 1)
    term.does("gradebook", "sync", term.folder)
    return term


def test_a_term_from_the_roster_to_the_grades(graded: Term) -> None:
    term = graded
    # Everybody has a row; 2 of the 3 lost points come back through the extension.
    points = term.points()
    assert list(points) == list(NAMES)
    assert (points["ann"], points["kay"]) == ("14", "0")
    said = term.does("gradebook", "sync", term.folder)
    assert "0 changed, 10 as before" in said

    # A person overrules: that stands when the submission is graded anew, and is to be looked at again.
    with opened(term) as book:
        book.give("blocking", "cyd", {"stage-1": Given(4.0, None, "the intent was right")})
    assert term.points()["cyd"] == "15"
    term.hands_in("cyd", "print('again')\n")
    term.will_see(reads={"outcome": "fail"}, secretly_reads={"outcome": "skipped"}, serves={"outcome": "fail"})
    term.grades("--student", "cyd")
    said = term.does("gradebook", "sync", term.folder)
    assert "cyd/blocking: 15 -> 12. A person gave points for Stage 1: Reading" in said
    refused = term.does("gradebook", "export", term.folder, "--out", term.folder / "x.csv", status=2)
    assert "cyd/blocking: stage-1" in refused
    assert term.points("--undecided", "zero")["cyd"] == "12"
    assert term.points("--undecided", "omit")["cyd"] == ""

    # Somebody leaves: kept, and out of every count. Comes back: everything is as it was.
    term.roster(cyd="no")
    assert "cyd has left" in term.does("gradebook", "sync", term.folder)
    assert "cyd" not in term.points()
    assert "cyd" not in term.nbgraders_table()
    assert {path.parent.name for path in term.folder.glob("*/cyd")} == {"left", "run"}
    term.roster()
    term.does("gradebook", "sync", term.folder)
    assert term.points("--undecided", "zero")["cyd"] == "12"

    # nbgrader's own export takes what was made, and says the same.
    rows = {row["student_id"]: row for row in csv.DictReader(io.StringIO(term.nbgraders_table()))}
    assert len(rows) == 12
    assert (float(rows["cyd"]["score"]), float(rows["ann"]["score"]), float(rows["ann"]["max_score"])) == (12, 14, 15)

    # What students get has no word of a hidden check's story.
    term.does("gradebook", "feedback", term.folder, "--to", term.folder / "zips")
    assert (term.folder / "zips" / "ann.zip").is_file()
    pages = [*term.folder.glob("autograded/**/*.*"), *term.folder.glob("feedback/**/*.*")]
    assert len(pages) == 20
    for page in pages:
        assert "HIDDEN" not in page.read_text()
    assert "the intent was right" in (term.folder / "feedback/cyd/blocking/checks.html").read_text()

    # And a person's word goes back to the results, once, and not before the second look; taken back there, it is
    # taken back here.
    assert term.brings() == "0 new decisions\n"
    with opened(term) as book:
        book.give("blocking", "cyd", book.given("blocking", "cyd"))  # as `Resolve` does
    assert "cyd/blocking, stage 1: 4 points (the intent was right)" in term.brings("--by", "ida")
    assert term.brings() == "0 new decisions\n"
    (word,) = Record(term.folder / "run").decisions()
    assert (word.target, word.given, word.because, word.by) == ("stage 1", 4.0, "the intent was right", "ida")
    assert term.result("cyd")["points"] == 12
    assert "0 changed" in term.does("gradebook", "sync", term.folder)
    with opened(term) as book:
        book.give("blocking", "cyd", {"stage-1": Given()})
    assert "cyd/blocking, stage 1: taken back" in term.brings()
    assert term.result("cyd")["points"] == 8


def test_a_comment_saved_after_its_points_comes_with_the_next_import(term: Term) -> None:
    """formgrader saves the two one after the other: an import may meet the points alone."""
    term.hands_in("ann")
    term.will_see()
    term.grades()
    term.does("gradebook", "sync", term.folder)
    for comment, told in ((None, "9 points"), ("nearly right", "9 points (nearly right)"), ("", "9 points")):
        with opened(term) as book:
            book.give("blocking", "ann", {"stage-2": Given(9.0, None, comment)})
        assert f"ann/blocking, stage 2: {told}\n1 new decision\n" in term.brings()
        assert term.brings() == "0 new decisions\n"
        assert term.result("ann")["stages"][1]["points"] == 9
        assert Record(term.folder / "run").decisions()[-1].because == (comment or "given in formgrader")


def test_group_work_is_graded_once_and_counts_for_all(term: Term) -> None:
    term.says("groups = true\n")
    term.roster()
    term.hands_in("ann")
    term.will_see(survives={"outcome": "fail"})
    term.grades()
    term.does("gradebook", "sync", term.folder)
    points = term.points()
    assert (points["ann"], points["bob"], points["cyd"]) == ("11", "11", "0")
    with opened(term) as book:
        book.give("blocking", "bob", {"stage-2": Given(9.0, None, "for both")})
    term.does("gradebook", "sync", term.folder)
    points = term.points()
    assert (points["ann"], points["bob"]) == ("15", "15")
    assert "ann/blocking, stage 2: 9 points (for both)\n1 new decision" in term.brings()
    # Two people say different things: neither is taken over, and both are named.
    with opened(term) as book:
        book.give("blocking", "ann", {"stage-2": Given(1.0)})
        book.give("blocking", "bob", {"stage-2": Given(2.0)})
    assert "different points (ann, bob)" in term.does("gradebook", "sync", term.folder)
    # Taken back by one: taken back for all.
    with opened(term) as book:
        book.give("blocking", "ann", {"stage-2": Given(9.0, None, "for both")})
        book.give("blocking", "bob", {"stage-2": Given()})
    term.does("gradebook", "sync", term.folder)
    assert "ann/blocking, stage 2: taken back" in term.brings()
    term.does("gradebook", "sync", term.folder)
    assert (term.points()["ann"], term.points()["bob"]) == ("11", "11")


def test_when_two_of_a_group_hand_in_the_last_one_counts(term: Term, tmp_path: Path) -> None:
    term.says("groups = true\n")
    term.roster()
    inbound = tmp_path / "inbound"
    for name in ("ann+blocking+2026-10-26 12:00:00 UTC", "bob+blocking+2026-10-26 10:00:00 UTC"):
        (inbound / name).mkdir(parents=True)
        (inbound / name / "client.py").write_text(name)
    term.does("collect", "exchange", term.folder, "blocking", inbound)
    term.will_see()
    term.grades()
    said = term.does("gradebook", "sync", term.folder)
    assert "ann and bob of one group both handed in blocking: ann's counts." in said
    assert "2 changed" in said
    assert "0 changed, 2 as before" in term.does("gradebook", "sync", term.folder)


def test_being_late_costs_what_the_course_says_and_nothing_of_the_score(term: Term, tmp_path: Path) -> None:
    file = term.folder / "course.toml"
    text = file.read_text().replace("# due = 2026", "due = 2026").replace("# percent_per_day", "percent_per_day")
    file.write_text(text.replace("# late_days = 3", "late_days = 1"))
    term.roster()
    inbound = tmp_path / "inbound"
    for name in ("ann+blocking+2026-10-26 10:00:00 UTC", "cyd+blocking+2026-10-28 12:00:00 UTC"):
        (inbound / name).mkdir(parents=True)
        (inbound / name / "client.py").write_text(name)
    term.does("collect", "exchange", term.folder, "blocking", inbound)
    term.will_see()
    term.grades()
    term.does("gradebook", "sync", term.folder)
    rows = {row["student_id"]: row for row in term.table()}
    assert (rows["ann"]["blocking"], rows["cyd"]["blocking"], rows["cyd"]["blocking penalty"]) == ("15", "13.5", "1.5")
    assert "0 changed" in term.does("gradebook", "sync", term.folder)
    with opened(term) as book:
        assert {row.student: (row.points, row.penalty) for row in book.rows()} == {"ann": (15, 0), "cyd": (15, 1.5)}
    assert ",15.0,1.5,13.5,15.0" in term.nbgraders_table()
    page = (term.folder / "autograded/cyd/blocking/checks.ipynb").read_text()
    assert "Handed in 2 days late: 1 late day was used, and 1.5 points are taken off (10 % of 15)." in page


def test_the_better_of_two_submissions_stands_where_the_course_says_so(term: Term) -> None:
    term.says('keep = "best"\n')
    term.hands_in("ann", "good")
    term.will_see()
    term.grades()
    term.does("gradebook", "sync", term.folder)
    term.hands_in("ann", "worse")
    term.will_see(serves={"outcome": "fail"}, survives={"outcome": "fail"})
    term.grades()
    assert "the submission before is better, and stands" in term.does("gradebook", "sync", term.folder)
    assert term.points()["ann"] == "15"


def test_undecided_points_wait_for_a_person(term: Term) -> None:
    term.hands_in("ann")
    term.will_see(survives={"outcome": "inconclusive"})
    term.grades(status=1)
    assert "6 undecided" in term.does("gradebook", "sync", term.folder)
    refused = term.does("gradebook", "export", term.folder, "--out", term.folder / "x.csv", status=2)
    assert "ann/blocking: stage-2" in refused
    assert not (term.folder / "x.csv").exists()
    with opened(term) as book:
        book.give("blocking", "ann", {"stage-2": Given(10.0)})
    term.does("gradebook", "sync", term.folder)
    assert term.points()["ann"] == "15"


def test_a_sum_never_exceeds_what_is_possible(term: Term) -> None:
    term.hands_in("ann")
    term.will_see()
    term.grades()
    assert "nothing -> 15" in term.does("gradebook", "sync", term.folder)
    assert ",15.0,0.0,15.0,15.0" in term.nbgraders_table()


def test_before_the_deadline_a_page_holds_what_the_course_says(term: Term) -> None:
    file = term.folder / "course.toml"
    file.write_text(
        file.read_text()
        .replace('before_due = "all"', 'before_due = "public"')
        .replace("# due = ", "due = ")
        .replace("2026-10-26", "2999-10-26")
    )
    term.hands_in("ann")
    term.will_see(secretly_reads=SECRET)
    term.grades()
    term.does("gradebook", "sync", term.folder)
    text = (term.folder / "autograded/ann/blocking/checks.ipynb").read_text()
    assert "Read to the end." in text and "Read section 1.2 again." not in text


def test_a_sync_that_was_killed_half_way_is_finished_by_the_next(term: Term, monkeypatch: pytest.MonkeyPatch) -> None:
    for student in NAMES[:3]:
        term.hands_in(student, student)
    term.will_see()
    term.grades()
    put, calls = books.Book.put, []

    def dies(self: books.Book, *words: object, **more: object) -> None:
        calls.append(words)
        if len(calls) == 2:
            raise KeyboardInterrupt
        put(self, *words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(books.Book, "put", dies)
        term.types(["gradebook", "sync", str(term.folder)])
    assert "2 changed, 1 as before" in term.does("gradebook", "sync", term.folder)


def test_a_second_command_does_not_write_at_the_same_time(term: Term) -> None:
    term.hands_in("ann")
    term.will_see()
    term.grades()
    with opened(term):
        assert "is being written by another command" in term.does("gradebook", "sync", term.folder, status=2)


def test_a_database_that_is_not_there_is_a_message_without_its_password(term: Term) -> None:
    term.keeps_gradebook("postgresql://grader@127.0.0.1:1/networks")
    term.hands_in("ann")
    term.will_see()
    term.grades()
    said = term.does("gradebook", "sync", term.folder, status=2)
    assert "postgresql+psycopg://grader@127.0.0.1:1/networks cannot be used" in said
    with (
        pytest.raises(Exception, match="postgresql://x@h/d cannot"),
        books.opened(Path(term.folder), "postgresql://x:geheim@h/d", "term"),
    ):
        pass


def test_the_source_notebook_has_a_cell_for_each_stage(term: Term) -> None:
    term.hands_in("ann")
    term.will_see()
    term.grades()
    term.does("gradebook", "sync", term.folder)
    whole = json.loads((term.folder / "source/blocking/checks.ipynb").read_text())
    assert [cell["id"] for cell in whole["cells"]] == ["head", "stage-1", "stage-2", "stage-3", "remarks"]


def test_an_nbgrader_course_that_was_there_before_keeps_what_it_has(term: Term) -> None:
    """docs/moving.md: an assignment of nbgrader's own, with its grades, in the same gradebook."""
    own = term.folder / "nbgrader_config.py"
    own.write_text("c = get_config()\nc.Exchange.timezone = 'UTC'\n")
    term.does("gradebook", "settings", term.folder)
    assert "c.Exchange.timezone = 'UTC'" in own.read_text() and "_start, _refusing, _refuse" in own.read_text()
    with opened(term) as book:
        theirs = book._book
        theirs.add_assignment("ps1")
        theirs.add_notebook("p1", "ps1")
        theirs.add_grade_cell("q1", "p1", "ps1", max_score=3, cell_type="code")
        theirs.add_student("ann")
        with theirs.db.no_autoflush:
            theirs.add_submission("ps1", "ann")
        theirs.find_grade("q1", "p1", "ps1", "ann").manual_score = 2
        theirs.db.commit()
    term.roster()
    term.hands_in("ann")
    term.will_see()
    term.grades()
    term.does("gradebook", "sync", term.folder)
    assert term.points()["ann"] == "15"
    assert term.brings() == "0 new decisions\n"
    term.roster(ann="no")
    said = term.does("gradebook", "sync", term.folder, status=2)
    assert "ann has left, and has submissions that nbgrader itself graded (ps1)" in said
    assert "ps1,,,ann,Student,Ann,ann@example.org,2.0,0.0,2.0,3.0" in term.nbgraders_table()


def test_autograde_is_refused_in_each_of_two_courses_of_one_server(term: Term, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbgrader.converters import Autograde, NbGraderException
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import PyFileConfigLoader

    for name in ("started_by_nbgrader", "refusing"):
        monkeypatch.setattr(Autograde, name, Autograde.start if name == "started_by_nbgrader" else frozenset(), False)
    monkeypatch.setattr(Autograde, "start", Autograde.start)
    other = term.folder.parent / "other"
    term.does("course", "new", other)
    for folder in (term.folder, other, term.folder):
        PyFileConfigLoader("nbgrader_config.py", str(folder)).load_config()
    for folder in (term.folder, other):
        with pytest.raises(NbGraderException, match="Submissions are not run here"):
            Autograde(coursedir=CourseDirectory(root=str(folder), assignment_id="x")).start()
    with pytest.raises(NbGraderException, match="No notebooks were matched"):  # nbgrader's own course goes on
        Autograde(coursedir=CourseDirectory(root=str(term.folder.parent), assignment_id="x")).start()
