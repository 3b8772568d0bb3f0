"""course.toml: what a course decides once, and every mistake with its line."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from grader.course_file import find_course_file, load_course_file, the_course_of
from grader.course_new import new_course
from harness.errors import SetupError, UsageError

KNOWN = ["blocking", "transport"]
GOOD = """\
[course]
schema = 1
name = "networks"
title = "Computer networks"
term = "winter 2026"
zone = "Europe/Berlin"
secret = "file:.secret"

[students]
before_due = "public"

[[assignments]]
name = "blocking"
opens = 2026-10-12T08:00:00
due = 2026-10-26T23:59:00
weight = 25

[[assignments]]
name = "transport"
due = 2026-12-01
"""


def read(folder: Path, text: str):
    (folder / "course.toml").write_text(text)
    return load_course_file(folder / "course.toml", KNOWN)


def test_a_course_knows_its_deadlines_in_its_own_zone(tmp_path: Path) -> None:
    course = read(tmp_path, GOOD)
    blocking, transport = course.assignments
    assert blocking.due is not None
    assert blocking.due.astimezone(UTC) == datetime(2026, 10, 26, 22, 59, tzinfo=UTC)  # winter time began on the 25th
    assert transport.due is not None
    assert course.local(transport.due) == "2026-12-01 23:59 CET"
    assert course.shown("blocking", datetime(2026, 10, 26, 22, 58, tzinfo=UTC)) == "public"
    assert course.shown("blocking", datetime(2026, 10, 26, 23, 0, tzinfo=UTC)) == "all"
    assert (course.assignment("tlspipe").due, course.assignment("tlspipe").weight) == (None, 1)
    assert (course.submitted, course.run) == (tmp_path / "submitted", tmp_path / "run")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"Europe/Berlin"', '"Europe/Berlim"', "line 6: there is no time zone 'Europe/Berlim'"),
        ('"Europe/Berlin"', '"../x"', "line 6: there is no time zone"),
        ('"Europe/Berlin"', '"Europe"', "line 6: there is no time zone"),
        ('"Europe/Berlin"', '"localtime"', "line 6: 'localtime' is another zone on another machine"),
        ('"file:.secret"', '"file:.secret"\nrun = ""', 'line 8: "run" names no folder. Write: run = "run"'),
        (
            '"file:.secret"',
            '"file:.secret"\nrun = "submitted"',
            "line 8: submissions and results cannot be in one folder",
        ),
        ('"file:.secret"', '"file:.secret"\nrun = "."', "line 8: submissions and results cannot be in one folder"),
        ('"file:.secret"', '"file:.secret"\nrun = "a\\u0000b"', 'line 8: "run" holds a NUL character'),
        ('"file:.secret"', '"file:\\u0000"', 'line 7: "secret" holds a NUL character'),
        ("schema = 1", "schema = 2", "line 2: the version"),
        ('"networks"', '"Net works"', "line 3: 'Net works' cannot name a course"),
        ('"file:.secret"', '"hunter2"', "line 7: this says where the secret is, and is not it"),
        ('before_due = "public"', 'before_due = "publik"', "line 10: a student's page cannot hold 'publik'"),
        ('before_due = "public"', 'befor_due = "public"', 'unknown key "befor_due"'),
        ('name = "blocking"', 'name = "bloking"', "line 13: there is no assignment 'bloking'. Did you mean"),
        ('name = "transport"', 'name = "blocking"', "line 19: 'blocking' is there twice"),
        ("2026-10-26T23:59:00", "2026-10-12T07:00:00", "line 15: it is due before it opens"),
        ("2026-10-26T23:59:00", "2026-10-25T02:30:00", "is there twice in Europe/Berlin: the clocks change. Give an"),
        ("2026-10-12T08:00:00", "2026-03-29T02:30:00", "is not there in Europe/Berlin"),
        ("2026-10-26T23:59:00", '"tomorrow"', 'line 15: "due" has to be a date with a time'),
        ("weight = 25", "weight = -1", 'line 16: "weight" has to be a number above zero'),
        ("[students]", "[studens]", "line 9: unknown table [studens]"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(SetupError) as told:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert says in str(told.value)
    assert "course.toml" in str(told.value)


def test_who_has_an_extension_sees_no_more_before_the_own_deadline(tmp_path: Path) -> None:
    course = read(tmp_path, GOOD + '[[extensions]]\nstudent = "ann"\nassignment = "blocking"\ndays = 2\n')
    for student, due in (("ann", "28"), ("bob", "26")):
        before = datetime.fromisoformat(f"2026-10-{due}T22:59:00+00:00")
        assert course.shown("blocking", before, student) == "public"
        assert course.shown("blocking", before + timedelta(seconds=1), student) == "all"


TERM = """
[late]
grace_minutes = 10
percent_per_day = 10
late_days = 2
cut_off_days = 7

[gradebook]
url = "postgresql://grader@localhost/networks"

[[extensions]]
student = "ann"
assignment = "blocking"
days = 2
why = "ill"

[[extensions]]
student = "bob"
assignment = "blocking"
due = 2026-10-28T12:00:00
"""


def test_a_term_has_late_days_and_extensions(tmp_path: Path) -> None:
    course = read(tmp_path, GOOD.replace("weight = 25", 'weight = 25\ngroups = true\nkeep = "best"') + TERM)
    assert course.late.in_words().startswith("10 minutes after the deadline are not late; 2 late days")
    dues = {student: course.due("blocking", student) for student in ("ann", "bob", "cyd")}
    assert {student: course.local(due) for student, due in dues.items() if due} == {
        "ann": "2026-10-28 23:59 CET",
        "bob": "2026-10-28 12:00 CET",
        "cyd": "2026-10-26 23:59 CET",
    }
    assert course.due("tlspipe", "ann") is None
    blocking = course.assignment("blocking")
    assert (blocking.groups, blocking.keep, course.roster) == (True, "best", tmp_path / "roster.csv")
    assert read(tmp_path, GOOD).late.in_words() == "Being late costs nothing."


def test_nought_in_a_rule_is_none_of_it(tmp_path: Path) -> None:
    rules = "percent_per_day = 0\nmost_percent = 0\nlate_days = 0\ncut_off_days = 0\n"
    late = read(tmp_path, f"{GOOD}\n[late]\ngrace_minutes = 0\n{rules}").late
    assert late.in_words() == "nothing counts that comes too late."
    assert (late.late_days, late.percent_per_day, late.most_percent, late.cut_off) == (0, 0, 0, timedelta(0))


def test_days_of_an_extension_end_at_the_same_hour_when_the_clocks_change(tmp_path: Path) -> None:
    text = GOOD.replace("2026-10-26T23:59:00", "2026-10-24T12:00:00").replace("2026-10-12T", "2026-10-01T") + TERM
    due = read(tmp_path, text).due("blocking", "ann")
    assert due is not None
    assert due.astimezone(UTC) == datetime(2026, 10, 26, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("percent_per_day = 10", "percent_per_day = 110", '"percent_per_day"'),
        ("grace_minutes = 10", "grace = 10", 'unknown key "grace"'),
        ("late_days = 2", "late_days = 1.5", '"late_days" has to be a whole number'),
        ("postgresql://grader@localhost/networks", "gradebook.db", "is not the address of a database"),
        ("postgresql://grader@", "postgresql://grader:hunter2@", "a password in the course's file"),
        ('assignment = "blocking"\ndays = 2', 'assignment = "tlspipe"\ndays = 2', "'tlspipe' has no deadline here"),
        ("days = 2\nwhy", "why", "an extension has either due or days"),
        ("due = 2026-10-28T12:00:00", "due = 2026-10-28T12:00:00\ndays = 1", "an extension has either due or days"),
    ],
)
def test_a_mistake_in_a_terms_rules_is_named_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in TERM
    with pytest.raises(SetupError) as told:
        read(tmp_path, GOOD + TERM.replace(old, new, 1))
    assert says.replace('"percent_per_day"', "more than everything") in str(told.value)
    assert "course.toml, line " in str(told.value)
    assert "hunter2" not in str(told.value)


def test_an_hour_that_is_there_twice_is_told_apart_by_its_offset(tmp_path: Path) -> None:
    course = read(tmp_path, GOOD.replace("2026-10-26T23:59:00", "2026-10-25T02:30:00+01:00"))
    due = course.assignment("blocking").due
    assert due is not None
    assert due.astimezone(UTC) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert course.local(due) == "2026-10-25 02:30 CET"


def test_the_secret_is_somewhere_else_and_nobody_else_reads_it(tmp_path: Path) -> None:
    course = read(tmp_path, GOOD)
    with pytest.raises(SetupError, match="cannot be read"):
        course.read_secret()
    (tmp_path / ".secret").write_text("long and random\n")
    (tmp_path / ".secret").chmod(0o644)
    with pytest.raises(SetupError, match="chmod 600"):
        course.read_secret()
    (tmp_path / ".secret").chmod(0o600)
    assert course.read_secret() == "long and random"
    from_environment = read(tmp_path, GOOD.replace("file:.secret", "env:COURSE_SECRET"))
    with pytest.raises(SetupError, match=r"\$COURSE_SECRET, which is not set"):
        from_environment.read_secret({})
    assert from_environment.read_secret({"COURSE_SECRET": "s"}) == "s"


def test_a_new_course_can_be_read_and_keeps_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "Net Works"
    folder.mkdir()
    (folder / ".gitignore").write_text("mine\n")
    made = new_course(folder, KNOWN, year=2026, zone="America/New_York")
    assert [path.name for path in made] == [".secret", "course.toml"]
    course = the_course_of(folder / "run", KNOWN)  # a folder beside the file belongs to the course, too
    assert (course.name, course.zone.key) == ("net-works", "America/New_York")
    assert [row.name for row in course.assignments] == KNOWN
    assert stat.S_IMODE((folder / ".secret").stat().st_mode) == 0o600
    assert len(course.read_secret() or "") == 64
    assert (folder / ".gitignore").read_text() == "mine\n"
    with pytest.raises(UsageError, match="is there already"):
        new_course(folder, KNOWN, year=2026, zone="UTC")
    assert find_course_file(tmp_path) is None
    with pytest.raises(UsageError, match="grader course new"):
        the_course_of(tmp_path, KNOWN)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("[late]\ngrace_minutes = 99999999999999999", r"line \d+: that is more than ten years"),
        (
            '[[extensions]]\nstudent = "ann"\nassignment = "transport"\ndays = 1e12',
            "more than ten years. Write: days = 2",
        ),
    ],
)
def test_times_that_nobody_waits_for_are_mistakes(tmp_path: Path, more: str, says: str) -> None:
    with pytest.raises(SetupError, match=says):
        read(tmp_path, f"{GOOD}{more}\n")
    for year in ("0001", "9999"):
        with pytest.raises(SetupError, match="is not a year of a course"):
            read(tmp_path, GOOD.replace("2026-12-01", f"{year}-12-01"))


def test_a_secret_that_others_may_write_is_none(tmp_path: Path) -> None:
    (tmp_path / ".secret").write_text("s")
    (tmp_path / ".secret").chmod(0o622)
    with pytest.raises(SetupError, match="chmod 600"):
        read(tmp_path, GOOD).read_secret()
