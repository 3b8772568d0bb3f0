"""assignment.toml: what is read, and how each mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.course.assignment import Assignment, load_assignment, parse_assignment
from harness.errors import SetupError
from harness.text.nearest import nearest

GOOD = """\
[assignment]
schema = 1
name = "blocking"
title = "Programs that wait"
handout = "handout.md"

[programs]
daytime_client = ["python3", "daytime_client.py"]

[build]
file = "Makefile"
command = ["make"]

[limits]
memory_mb = 128
seconds = 60

[[stages]]
number = 1
title = "Reading"
points = 3
section = "Stage 1"
programs = ["daytime_client"]
forbidden = ["socketserver", "os.fork"]

[[checks]]
id = "test_daytime_client.py::test_reads_to_the_end"
suite = "public"
stage = 1
points = 1
section = "1.2"
rule = "Read until recv returns b''."

[[checks]]
id = "test_daytime_client.py::test_reads_slowly"
suite = "hidden"
stage = 1
points = 2
needs = ["test_daytime_client.py::test_reads_to_the_end"]
section = "1.2"
rule = "A stream has no message boundaries."
feedback = "Read section 1.2 again."
timeout = 5
takes = 2.5
alone = "measures idle CPU"
"""

PATH = Path("reference/blocking/assignment.toml")


def parse(text: str) -> Assignment:
    return parse_assignment(text, PATH)


def complaint(old: str, new: str, *, count: int = 1) -> str:
    """The message for GOOD with one thing changed."""
    assert old in GOOD
    with pytest.raises(SetupError) as caught:
        parse(GOOD.replace(old, new, count))
    return str(caught.value)


def line_of(text: str) -> int:
    return GOOD[: GOOD.index(text)].count("\n") + 1


def test_reads_a_whole_file(tmp_path: Path) -> None:
    (tmp_path / "assignment.toml").write_text(GOOD)
    assignment = load_assignment(tmp_path / "assignment.toml")
    assert assignment.name == "blocking"
    assert assignment.points == 3
    assert assignment.programs["daytime_client"] == ("python3", "daytime_client.py")
    assert assignment.build is not None
    assert assignment.build.command == ("make",)
    assert (assignment.limits.memory_mb, assignment.limits.processes) == (128, 128)
    assert assignment.stage(1).forbidden == ("socketserver", "os.fork")
    assert [check.timeout for check in assignment.checks] == [10, 5]
    assert [(check.takes, check.alone) for check in assignment.checks] == [(0.3, ""), (2.5, "measures idle CPU")]
    assert [check.suite for check in assignment.checks_of(1, "hidden")] == ["hidden"]
    assert assignment.check("test_daytime_client.py::test_reads_slowly").file == "test_daytime_client.py"
    assert not assignment.public


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        ('handout = "handout.md"', 'handot = "handout.md"', 'handout = "', 'Did you mean "handout"?'),
        ("schema = 1", "schema = 9", "schema = 1", "Write: schema = 1"),
        ('name = "blocking"', 'name = "Block/ing"', 'name = "blocking"', "cannot name a folder"),
        ('handout = "handout.md"', 'handout = "../x"', 'handout = "', "not a plain file name"),
        ('["python3", "daytime_client.py"]', '"python3 daytime_client.py"', "daytime_client =", "list of texts"),
        ("memory_mb = 128", "memory_mb = -1", "memory_mb", "whole number from 1 on"),
        ("memory_mb = 128", "memory_mb = true", "memory_mb", "whole number from 1 on"),
        ("seconds = 60", "seconds = nan", "seconds", "number above zero"),
        ("seconds = 60", "seconds = inf", "seconds", "number above zero"),
        ("seconds = 60", "seconds = 3", "", "Lower it, or raise seconds"),
        ("memory_mb = 128", "memory = 128", "memory_mb", 'Did you mean "memory_mb"?'),
        ("points = 3", "points = 4", "points = 3", "add up to 3"),
        ('programs = ["daytime_client"]', 'programs = ["daytime"]', "programs = [", "no program"),
        ('"os.fork"', '"os fork"', "forbidden", "not a Python name"),
        ('"test_daytime_client.py::test_reads_slowly"', '"x.py::test"', "", "is not a test"),
        ("test_reads_slowly", "test_reads_to_the_end", 'id = "test_daytime_client.py::test_reads_slowly', "twice"),
        ('suite = "hidden"', 'suite = "secret"', 'suite = "hidden"', 'Write "public" or "hidden".'),
        ('feedback = "Read section 1.2 again."', "", "", "has no feedback"),
        (
            'needs = ["test_daytime_client.py::test_reads_to_the_end"]',
            'needs = ["test_x.py::test_y"]',
            "needs",
            "not a check above",
        ),
        ("stage = 1\npoints = 2", "stage = 2\npoints = 2", "stage = 1\npoints = 2", "there is no stage 2"),
        ("[limits]", "[limit]", "[limits]", 'Did you mean "limits"?'),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, at: str, says: str) -> None:
    message = complaint(old, new)
    assert says in message
    assert message.startswith(f"{PATH}, line ")
    if at:
        assert f"line {line_of(at)}:" in message


def test_a_missing_key_is_named_with_its_table() -> None:
    message = complaint("rule = \"Read until recv returns b''.\"", "")
    assert f"line {line_of('[[checks]]')}:" in message
    assert '"rule" is missing' in message


def test_text_that_is_not_toml_is_named_with_its_line() -> None:
    message = complaint("schema = 1", "schema 1")
    assert f"{PATH}, line 2: this is not TOML" in message


def test_an_unclosed_text_at_the_end_is_named_with_the_last_line() -> None:
    with pytest.raises(SetupError, match=r"line \d+: this is not TOML"):
        parse(GOOD + 'x = """\n')


def test_a_missing_table_says_how_to_write_it() -> None:
    with pytest.raises(SetupError, match=r"Write \[\[checks\]\] above each row"):
        parse(GOOD[: GOOD.index("[[checks]]")])


def test_a_key_inside_a_long_text_is_not_taken_for_a_key() -> None:
    text = GOOD.replace('title = "Reading"', 'title = """\npoints = 7\n"""').replace("points = 3", "points = 9")
    with pytest.raises(SetupError) as caught:
        parse(text)
    where = text[: text.index("points = 9")].count("\n") + 1
    assert f"line {where}:" in str(caught.value)


def test_the_students_copy_has_fewer_checks_and_no_hidden_ones() -> None:
    public = GOOD.replace("schema = 1", "schema = 1\npublic = true")
    with pytest.raises(SetupError, match="a hidden check in the students' copy"):
        parse(public)
    hidden = public.index("[[checks]]", public.index("[[checks]]") + 1)
    assignment = parse(public[:hidden])
    assert assignment.public
    assert assignment.points == 3


def test_a_public_check_needs_public_ones_only() -> None:
    swapped = GOOD.replace('suite = "public"', 'suite = "hidden"\nfeedback = "x"')
    swapped = swapped.replace('suite = "hidden"\nstage = 1\npoints = 2', 'suite = "public"\nstage = 1\npoints = 2')
    with pytest.raises(SetupError, match="Let it need public checks only"):
        parse(swapped)


def test_a_missing_file_is_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="there is no such file"):
        load_assignment(tmp_path / "assignment.toml")


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "assignment.toml").write_bytes(b"\xff")
    with pytest.raises(SetupError, match="Save the file as UTF-8"):
        load_assignment(tmp_path / "assignment.toml")


def test_nearest_lists_what_is_known_when_nothing_is_near() -> None:
    assert nearest("zzz", ["a", "b"]) == "Known: a, b."
    assert nearest("zzz", []) == "There is none."
