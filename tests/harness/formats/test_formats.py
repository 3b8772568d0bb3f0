"""One result in every format: each is what its specification asks for, says the same, and obeys no program's output."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import junitparser
import pytest
import xmlschema
from markdown_it import MarkdownIt
from samples_of_results import ATTACKS, CLASSROOM50, CONTEXT, MIXED, check, hostile, result_with

from harness.errors import UsageError
from harness.formats.choose import FORMATS, wanted
from harness.formats.places import place_in
from harness.formats.result import Context, Place, Result
from harness.formats.summary import MOST as MOST_SUMMARY
from harness.formats.workflow import MOST_OF_A_KIND
from harness.tester.border.outcome import Outcome

SCHEMAS = Path(__file__).parent / "schemas"
JSON_FORMATS = {
    "ctrf": "ctrf.schema.json",
    "gitlab-codequality": "gitlab-codequality.schema.json",
    "gradescope": "gradescope.schema.json",
    "classroom50": "classroom50.schema.json",
}


def said(name: str, result: Result = MIXED, context: Context = CONTEXT) -> str:
    return FORMATS[name](result, context)


def data(name: str, result: Result = MIXED, context: Context = CONTEXT) -> Any:
    return json.loads(said(name, result, context))


def junit(result: Result = MIXED) -> junitparser.TestSuite:
    """What JUnit's own reader makes of it."""
    (suite,) = junitparser.JUnitXml.fromstring(said("junit", result).encode())
    return suite


RESULTS = {"mixed": MIXED, "nothing": result_with(), **{name: hostile(text) for name, text in ATTACKS.items()}}


# -- what the specifications ask for -----------------------------------------------------------------------------------


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("name", JSON_FORMATS)
def test_json_is_as_its_specification_asks(name: str, result: Result) -> None:
    schema = json.loads((SCHEMAS / JSON_FORMATS[name]).read_text())
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    validator(schema).validate(data(name, result))


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_junit_is_as_its_schema_asks(result: Result) -> None:
    xmlschema.XMLSchema(SCHEMAS / "junit.xsd").validate(said("junit", result))


@pytest.mark.slow
def test_the_schema_of_junit_takes_what_pytest_writes(tmp_path: Path) -> None:
    tests = "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n@pytest.mark.skip\ndef test_c(): pass\n"
    tests += "@pytest.fixture\ndef broken(): 1 / 0\ndef test_d(broken): pass\n"
    (tmp_path / "test_them.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml=out.xml", str(tmp_path)]
    subprocess.run(command, cwd=tmp_path, stdout=subprocess.DEVNULL, check=False)
    written = (tmp_path / "out.xml").read_text()
    xmlschema.XMLSchema(SCHEMAS / "junit.xsd").validate(written)
    theirs, ours = ElementTree.fromstring(written), ElementTree.fromstring(said("junit"))
    assert theirs.tag == ours.tag == "testsuites"
    for path in ("testsuite", "testsuite/testcase", "testsuite/testcase/failure", "testsuite/testcase/error"):
        one, other = theirs.find(path), ours.find(path)
        assert one is not None and other is not None
        assert set(other.attrib) == set(one.attrib) - {"hostname"}


# -- what they say -----------------------------------------------------------------------------------------------------


def test_junit_counts_what_failed_and_blames_nobody_for_what_is_undecided() -> None:
    suite = junit()
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (7, 2, 2, 2)
    assert {prop.name: prop.value for prop in suite.properties()} == {"points": "2", "possible": "12.25"}
    cases = {case.name: case for case in suite}
    assert cases["test_passes"].is_passed and cases["test_undecided"].is_skipped
    (failure,) = cases["test_fails"].result
    assert failure.message == "1.1 The rule of test_fails. what broke in test_fails"
    assert failure.text.splitlines()[:4] == [
        "0 of 0.25 points",
        "what broke in test_fails",
        "expected an answer",
        "seen     nothing",
    ]
    assert cases["test_fails"].classname == "blocking.test_client"


def test_gradescope_gets_points_for_each_check_and_the_score_of_the_whole() -> None:
    told = data("gradescope", replace(MIXED, points=1.5))
    assert told["score"] == 1.5  # the result's own: a stage may count for nothing although checks in it passed
    rows = {row["extra_data"]["id"].partition("::")[2]: row for row in told["tests"]}
    assert [rows["test_passes"][key] for key in ("score", "max_score", "status")] == [2.0, 2.0, "passed"]
    assert [rows["test_fails"][key] for key in ("score", "max_score", "status")] == [0.0, 0.25, "failed"]
    assert "status" not in rows["test_undecided"] and "status" not in rows["test_silent"]
    assert "Undecided, through no fault of yours: 4 points." in told["output"]
    assert told["stdout_visibility"] == "hidden" and "leaderboard" not in told


def test_gradescope_compares_students_only_where_that_was_asked_for() -> None:
    told = data("gradescope", MIXED, replace(CONTEXT, leaderboard=True))
    assert told["leaderboard"] == [{"name": "Points", "value": 2.0, "order": "desc"}]


def test_gradescope_shows_no_student_a_hidden_check_that_is_told_in_full() -> None:
    full = replace(check("test_secret", Outcome.FAIL), suite="hidden")
    students = replace(full, rule="", story=(), message="Read section 1.2 again.")
    rows = data("gradescope", result_with(full, students))["tests"]
    assert [row["visibility"] for row in rows] == ["hidden", "visible"]
    assert rows[1]["name"] == "1.1 A hidden check of section 1.1"


@pytest.mark.parametrize(("possible", "whole"), [(2.0, 2), (0.5, 5), (0.25, 25), (0.125, 125)])
def test_classroom_50_gets_whole_numbers_that_keep_the_share(possible: float, whole: int) -> None:
    told = data("classroom50", result_with(check("test_a", possible=possible), check("test_b", Outcome.FAIL)))
    assert told["tests"][0]["score"] == told["tests"][0]["max-score"] == whole
    assert told["score"] == whole and told["max-score"] == whole * (possible + 2) / possible
    assert told["owner"] == "ann" and told["datetime"] == "2026-11-30T10:00:00Z" and told["review"] == told["commit"]


def test_classroom_50_gets_nothing_hidden_and_nothing_without_its_runner() -> None:
    with pytest.raises(UsageError, match="public checks only"):
        said("classroom50", result_with(replace(check("test_a"), suite="hidden")))
    with pytest.raises(UsageError, match="sets CLASSROOM, ASSIGNMENT_TYPE"):
        said("classroom50", MIXED, replace(CONTEXT, environment={"ASSIGNMENT": "blocking", **_without_classroom()}))


def _without_classroom() -> dict[str, str]:
    return {name: value for name, value in CLASSROOM50.items() if name not in ("CLASSROOM", "ASSIGNMENT_TYPE")}


def test_ctrf_says_where_to_look_and_what_is_undecided() -> None:
    told = data("ctrf")["results"]
    assert {key: told["summary"][key] for key in ("tests", "passed", "failed", "skipped", "other")} == {
        "tests": 7, "passed": 1, "failed": 3, "skipped": 1, "other": 2,
    }  # fmt: skip
    failed = told["tests"][2]
    assert (failed["filePath"], failed["line"], failed["message"]) == (
        "blocking/client.py",
        12,
        "what broke in test_fails",
    )
    assert told["summary"]["stop"] - told["summary"]["start"] == 1750


def test_gitlab_gets_a_finding_that_stays_the_same_while_its_line_moves() -> None:
    found = data("gitlab-codequality")
    assert [row["severity"] for row in found] == ["major", "major", "major", "info", "info"]
    assert found[0]["location"] == {"path": "blocking/client.py", "lines": {"begin": 12}}
    moved = replace(MIXED, checks=tuple(replace(one, place=Place("blocking/x.py", 99)) for one in MIXED.checks))
    again = data("gitlab-codequality", moved)
    assert {row["fingerprint"] for row in found} <= {row["fingerprint"] for row in again}
    assert len({row["fingerprint"] for row in found}) == len(found)


def test_an_annotation_names_file_and_line() -> None:
    lines = said("github-annotations").splitlines()
    assert lines[0].startswith(
        "::error file=blocking/client.py,line=12,title=1.1 The rule of test_fails.::what broke in test_fails%0Aexpected"
    )
    assert [line.split(" ")[0] for line in lines] == ["::error"] * 3 + ["::warning"] * 2


def test_an_unfinished_stage_is_a_warning_and_a_broken_one_an_error() -> None:
    lines = said("github-annotations", replace(MIXED, due=frozenset({1}))).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error", *["::warning"] * 4]
    assert "Stage 1 was complete and is not any more." in said("github-summary", replace(MIXED, due=frozenset({1})))
    assert "any more" not in said("github-summary", replace(MIXED, due=frozenset()))
    assert "any more" not in said("github-summary")


def test_no_more_annotations_than_are_shown() -> None:
    many = result_with(*[check(f"test_{number}", Outcome.FAIL) for number in range(30)])
    lines = said("github-annotations", many).splitlines()
    assert len(lines) == MOST_OF_A_KIND and lines[-1].endswith("There are more: the summary has all of them.")


def test_a_stage_that_counts_for_nothing_is_told_once() -> None:
    stage = replace(MIXED.stages[1], message="Stage 2 forbids asyncio (x.py, line 3).")
    lines = said("github-annotations", replace(MIXED, stages=(MIXED.stages[0], stage))).splitlines()
    assert len(lines) == 2 and lines[0].startswith("::error file=blocking/client.py,line=12,title=Stage 2")


def test_csv_has_a_row_for_each_check() -> None:
    rows = list(csv.DictReader(io.StringIO(said("csv"), newline="")))
    assert [row["outcome"] for row in rows] == [
        "pass",
        "skipped",
        "fail",
        "timeout",
        "error",
        "inconclusive",
        "no report",
    ]
    assert rows[2]["possible"] == "0.25" and rows[2]["message"] == "what broke in test_fails"


def test_plain_text_has_the_story_and_what_to_do() -> None:
    text = said("text")
    assert "2 of 12.25 points, 4 undecided" in text
    assert "✗ 1.1 The rule of test_fails. failed, 0/0.25\n    what broke in test_fails\n    expected an answer" in text
    assert "    read     section 1.1 of the handout\n    again    lab check blocking --stage 1 --seed abc" in text


# -- what a program prints obeys nobody --------------------------------------------------------------------------------

#: What a runner of GitHub acts on: `::name::` where a line begins, `##[name]` anywhere (ActionCommand.cs).
_COMMANDS = re.compile(r"^\s*::[^:]*::|##\w*\[", re.MULTILINE)
#: Nothing else may be in a text for people; other spaces than the common one are harmless.
_CONTROL = re.compile(
    r"[^\x20-\x7e\n\t\xa0-\U0010ffff]|[\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufffe\uffff]"
)


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize("name", FORMATS)
def test_nothing_in_a_format_acts(name: str, text: str) -> None:
    written = said(name, hostile(text))
    assert not _CONTROL.search(written.replace("\r\n", "\n"))
    commands = _COMMANDS.findall(written)
    if name == "github-annotations":
        assert all(line.startswith(("::error file=", "::error title=")) for line in written.splitlines())
        assert len(commands) == len(written.splitlines())
    else:
        assert not commands
    written.encode("utf-8")


class _Tags(HTMLParser):
    """The elements of a page, their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[object] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [attr for attr in attrs if attr[0] != "style"]

    def handle_data(self, data: str) -> None:
        self.text += data


def as_page(markdown: str) -> _Tags:
    page = _Tags()
    page.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))
    return page


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
def test_a_summary_shows_markdown_and_html_as_they_were_printed(text: str) -> None:
    expected = as_page(said("github-summary", hostile("words")))
    page = as_page(said("github-summary", hostile(text)))
    assert page.tags == expected.tags and not page.attributes
    assert not re.search(r"^\s*/", said("github-summary", hostile(text)), re.MULTILINE)  # GitLab's quick actions
    if "EVIL" in text:
        assert "EVIL" in page.text


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
def test_a_reader_of_xml_sees_the_same_cases(text: str) -> None:
    suite = junit(hostile(text))
    assert [case.name for case in suite] == ["test_hostile", "test_passes"]
    assert (suite.tests, suite.failures) == (2, 1)


@pytest.mark.parametrize("begin", ["=1", "+1", "-1", "@A", "\t=1", "\r=1", " =1", "＝1", "＋1"])
def test_no_cell_begins_a_formula(begin: str) -> None:
    written = said("csv", hostile(f"{begin}+cmd|'/c calc'!A0"))
    cells = [cell for row in csv.reader(io.StringIO(written, newline="")) for cell in row]
    assert not [cell for cell in cells if cell.strip().startswith(("=", "+", "-", "@", "＝", "＋"))]
    assert all(len(row) == 12 for row in csv.reader(io.StringIO(written, newline="")))


@pytest.mark.parametrize("name", FORMATS)
def test_ten_megabytes_of_output_are_cut(name: str) -> None:
    written = said(name, hostile("x" * 10_000_000))
    assert len(written) < 500_000
    if name in ("text", "junit", "github-summary"):
        assert "more characters)" in written


def test_a_summary_is_no_longer_than_is_taken() -> None:
    many = result_with(*[replace(check(f"test_{n}", Outcome.FAIL), seen="<" * 20_000) for n in range(100)])
    written = said("github-summary", many)
    assert len(written.encode()) <= MOST_SUMMARY + 100
    assert re.search(r"\d+ more checks are left out", written)
    assert as_page(written).tags == as_page(said("github-summary", hostile("words"))).tags


def test_addresses_stay_readable() -> None:
    listens = replace(check("test_a", Outcome.FAIL), message="it listens on ::1 and [::]:80", place=None)
    for name in ("text", "junit", "csv", "ctrf", "gradescope"):
        assert "it listens on ::1 and [::]:80" in said(name, result_with(listens))


# -- places ------------------------------------------------------------------------------------------------------------

FILES = frozenset({"server.py", "lib/frames.py", "src/main.rs"})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('  File "/tmp/w/server.py", line 12, in main\n  File "/usr/lib/socket.py", line 3', Place("a/server.py", 12)),
        ('File "/w/server.py", line 1\nFile "/w/lib/frames.py", line 7', Place("a/lib/frames.py", 7)),
        ("Stage 5 forbids asyncio (server.py, line 3).", Place("a/server.py", 3)),
        ("error[E0425]\n  --> src/main.rs:4:5\n", Place("a/src/main.rs", 4)),
        ("/etc/passwd:1: oops", None),
        ('File "../../server.py/../x", line 12', None),
        ("server.py, line 0", None),
        ('File "server.py", line 3, near x.py:9', Place("a/server.py", 3)),
        ("server.py, line 99999999999", None),
        ("", None),
    ],
)
def test_a_place_is_a_line_of_what_was_handed_in(text: str, place: Place | None) -> None:
    assert place_in([text], FILES, "a") == place


# -- names -------------------------------------------------------------------------------------------------------------


def test_a_format_is_named_with_or_without_a_file() -> None:
    assert (wanted("junit").file, wanted("junit=a=b.xml").file) == ("", "a=b.xml")
    with pytest.raises(UsageError, match='no format "junti"'):
        wanted("junti")
    with pytest.raises(UsageError, match="names no file"):
        wanted("junit=")
