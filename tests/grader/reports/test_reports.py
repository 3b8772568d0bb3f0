"""Pages: everything escaped, hidden things hidden, nothing from elsewhere."""

from __future__ import annotations

import base64
import copy
import hashlib
import html
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fakes import ALL, END, READS, SECRET, SERVES, SURVIVES, TOML, FakeBench, packets, report, story
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from grader.bench.task import Task
from grader.course import Course
from grader.job.grading import grade, ours, refuse
from grader.reports import html as html_of_reports
from grader.reports.html import index_page, instructor_page, student_page
from grader.reports.terminal import class_table, result_line
from grader.reports.text import line, visible
from grader.submission import Submission
from harness.transport.pictures.bundle import Bundle, Finding, as_data
from tests.harness.transport import sample

#: Where the name of a file stands.
FILES = ("pcapng", "bundle", "ladder_svg", "plot")

LAB = {"kind": "fake", "engine": "none", "image": None, "unprotected": None}

#: Where student or tester text can stand in a check's row.
CANARIES = ("message", "expected", "seen", "ladder", "replay")
A_RUN = Bundle(assignment="blocking", wire=sample.WIRE, packets=tuple(sample.packets()))


def a_task(course: Course, student: str = "ann") -> Task:
    return Task(
        student=student,
        assignment=course.load("blocking"),
        suites=course.suites("blocking"),
        seed="ab",
        identity="id",
        lab=LAB,
    )


def graded(
    course: Course, tmp_path: Path, *records: dict[str, Any], student: str = "ann", build_says: str = ""
) -> dict[str, Any]:
    """The result of a run with these records."""
    bench = FakeBench([[*records, END]], build_says=build_says)
    submission = Submission(student, "blocking", tmp_path / "copy", "hash", 1, 10)
    return grade(a_task(course, student), submission, bench, lambda _: None).result


def canary(check: str, mark: str, outcome: str = "fail") -> dict[str, Any]:
    """A report that has a mark in every place that has one."""
    return report(
        check,
        outcome,
        story=story(f"{mark}-story"),
        link={"engine": "none", "profile": f"{mark}-profile"},
        pcapng=packets(mark),
        **{key: f"{mark}-{key}" for key in ("message", "expected", "seen")},
        seed=f"{mark}-replay",
        bundle=as_data(replace(A_RUN, findings=(Finding(5, f"{mark}-ladder"),))),
    )


@pytest.mark.parametrize("outcome", ["fail", "timeout", "error", "inconclusive", "skipped"])
def test_a_student_reads_nothing_of_a_hidden_check_but_its_feedback(
    course: Course, tmp_path: Path, outcome: str
) -> None:
    result = graded(
        course,
        tmp_path,
        report(READS, "fail" if outcome == "skipped" else "pass"),
        canary(SECRET, "CANARY", outcome),
        report(SERVES),
        canary(SURVIVES, "CANARY", "pass"),
    )
    page = student_page(result)
    for secret in ("CANARY", "secretly", "survives", "The rule of a hidden check", "The hint of a hidden", "Survive"):
        assert secret not in page
    assert ("Read section 1.2 again." in page) == (outcome in ("fail", "timeout", "error"))
    assert ("not run, because a check that it builds on" in page) == (outcome == "skipped")
    assert "Think of clients that vanish" not in page
    assert "1.2" in page
    assert ("see <code>lab show short-read</code>" in page) == (outcome in ("fail", "timeout", "error", "inconclusive"))


def test_of_a_hidden_check_a_student_reads_that_a_program_ended_and_no_more(course: Course, tmp_path: Path) -> None:
    others = [report(check) for check in ALL if check != SECRET]
    crashed = report(SECRET, "fail", crashed=True, message="CANARY ended by itself")
    pages = [student_page(graded(course, tmp_path, *others, row)) for row in (report(SECRET, "fail"), crashed)]
    assert [page.count("ended by itself while it was being checked") > 0 for page in pages] == [False, True]
    assert all("Read section 1.2 again." in page and "CANARY" not in page for page in pages)


def test_why_a_hidden_check_did_not_pass_stays_hidden(course: Course, tmp_path: Path) -> None:
    pages = set()
    for outcome in ("fail", "timeout", "error"):
        result = graded(course, tmp_path, *[report(check) for check in ALL if check != SECRET], report(SECRET, outcome))
        pages.add(student_page({**result, "graded_at": "2026-11-30T12:00:00+00:00", "short": "abcd2345"}))
    assert len(pages) == 1


def test_trouble_that_names_a_hidden_check_does_not_reach_the_student(course: Course, tmp_path: Path) -> None:
    trouble = {"record": "trouble", "text": f"no test was found for the check {SECRET}"}
    page = student_page(graded(course, tmp_path, trouble))
    assert "secretly" not in page
    assert "A person decides" in page


def test_our_own_log_is_for_the_instructor(course: Course) -> None:
    result = ours(a_task(course), "The lab broke: CANARY", "CANARY log").result
    assert "CANARY" not in student_page(result)
    assert "CANARY log" in instructor_page(result)


def test_a_student_reads_everything_of_a_public_check(course: Course, tmp_path: Path) -> None:
    page = student_page(graded(course, tmp_path, canary(READS, "CANARY")))
    for key in (*CANARIES, "story"):
        assert f"CANARY-{key}" in page
    assert "recv may return less." in page
    assert 'href="./captures/public/01-test_reads.pcapng"' in page


def test_an_instructor_reads_everything(course: Course, tmp_path: Path) -> None:
    page = instructor_page(graded(course, tmp_path, report(READS), canary(SECRET, "CANARY")))
    for key in (*CANARIES, "story", "profile"):
        assert f"CANARY-{key}" in page
    for text in ("secretly", "The rule of a hidden check", "The hint of a hidden", "captures/hidden/02-"):
        assert text in page


def test_a_refused_submission_says_why(course: Course) -> None:
    result = refuse(a_task(course), "loop is a symbolic link (to <x>).").result
    for page in (student_page(result), instructor_page(result)):
        assert "loop is a symbolic link (to &lt;x&gt;)." in page
    assert {check["outcome"] for check in result["checks"]} == {"error"}
    assert "Read section 1.2 again." not in student_page(result)


def test_a_failed_build_is_the_one_thing_to_do(course: Course, tmp_path: Path) -> None:
    said = "`make` ended with status 2:\nmake: rustc: No such file or directory"
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/Makefile").touch()
    result = graded(course, tmp_path, build_says=said)
    result["lab"] = {**LAB, "machine": {"python": "3.11.2", "gcc": "12.2.0", "processors": 1.0, "memory_mb": 256}}
    for page in (student_page(result), instructor_page(result)):
        assert "The build failed. rustc is not on the machine that grades." in page
        assert "What is there: Python 3.11.2, gcc 12.2.0, 1 processor, 256 MB of memory." in page
        assert page.count("make: rustc: No such file or directory") == 1  # and not once for each check
        assert "recv may return less." not in page and 'class="check' not in page
    assert "rustc is not on the machine" in result_line(result)
    assert result["state"] == "graded"  # what a build prints decides nothing
    assert "The build failed." in index_page([result]) and "Read to the end." not in index_page([result])


def test_the_page_of_a_run_that_goes_on_renews_itself() -> None:
    page = index_page([], left=3, going=True)
    assert '<meta http-equiv="refresh"' in page and "3 submissions have no result yet" in page
    for stopped in (index_page([], left=3), index_page([])):
        assert "refresh" not in stopped and "goes on" not in stopped


def test_a_forbidden_name_is_the_first_thing_to_mend(course: Course, tmp_path: Path) -> None:
    result = graded(course, tmp_path, report(READS, "fail"), *[report(check) for check in ALL if check != READS])
    message = "Stage 2 forbids asyncio (server.py, line 3)."
    result["stages"][1]["forbidden"], result["message"] = message, ""
    page = student_page(result)
    top = page[: page.index('class="stages"')]
    assert message in top and "The stage gives no points" in top and "Where to continue" not in page
    assert "Serve one after the other." not in page  # no column of bare crosses
    assert "Serve one after the other." in instructor_page(result)  # folded
    assert message in result_line(result)


def test_signs_are_explained(course: Course, tmp_path: Path) -> None:
    everything = graded(course, tmp_path, *[report(check) for check in ALL])
    assert 'class="legend"' not in student_page(everything)
    rest = [report(check) for check in ALL if check not in (READS, SECRET)]
    because = report(SECRET, "skipped", because=READS)
    some = graded(course, tmp_path, report(READS, "fail"), because, *rest)
    for page in (student_page(some), instructor_page(some)):
        assert "Not run, because a check it builds on did not pass." in page


# --- escaping ---

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>\"'`&{{7*7}}{% raw %}</pre></style>"
    "\x1b]0;owned\x07\x1b[2J\x00\r\u202egnp.exe\u2066\u200b\u2028\ufeff\udcff"
)


class Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


OUR_SCRIPT = (Path(html_of_reports.__file__).parent / "templates" / "class.js").read_text(encoding="utf-8")


def examine(page: str) -> Tags:
    """Assert that a page is harmless: of scripts it holds our one at most, which its policy allows by its hash."""
    if OUR_SCRIPT in page:
        hash_ = base64.b64encode(hashlib.sha256(OUR_SCRIPT.encode()).digest()).decode()
        assert f"script-src 'sha256-{hash_}'" in page
        page = page.replace(f"<script>{OUR_SCRIPT}</script>", "", 1)
    else:
        assert "script-src" not in page
    tags = Tags()
    tags.feed(page)
    assert not {"script", "iframe", "object", "link", "base", "form", "svg"} & set(tags.tags)
    for name, value in tags.attributes:
        assert not name.startswith("on")
        if name in ("href", "src", "srcset"):
            assert (value or "").startswith(("./", "../", "#"))
    assert not re.search(r"(?i)url\(|@import|https?:", page)
    unseen = [char for char in html.unescape(page) if visible(char) != char]
    assert unseen == []
    page.encode("utf-8")
    return tags


def everywhere(result: dict[str, Any], text: str, steps: int = 50) -> dict[str, Any]:
    """The result with a text in every place where a stranger's text can be."""
    result = copy.deepcopy(result)
    result.update(student=text or "x", message=text, notes=[text], log=text, build={"log": text})
    result["submission"]["notes"] = [text]
    result["link"] = {
        **(
            result["link"]
            or dict.fromkeys(
                ("packets", "delivered", "lost", "duplicated", "reordered", "overflowed", "engine_drops", "late_p99"), 0
            )
        ),
        "engine": text,
    }
    for check in result["checks"]:
        check.update(dict.fromkeys((*CANARIES, "rule", "hint", "feedback", "section", "id", *FILES), text))
        check["story"] = [{"at": 0.0, "who": text, "what": text}] * steps
        check["link"] = {text: text, "up": {text: text}}
    for stage in result["stages"]:
        stage.update(title=text, forbidden=text)
    return result


@pytest.fixture
def result(course: Course, tmp_path: Path) -> dict[str, Any]:
    return graded(course, tmp_path, report(READS), canary(SECRET, "m"), canary(SERVES, "m", "timeout"))


@pytest.mark.parametrize(
    "page", [instructor_page, student_page, lambda result: index_page([result], [result["message"]])]
)
def test_hostile_text_is_shown_and_not_obeyed(result: dict[str, Any], page: Any) -> None:
    made = page(everywhere(result, HOSTILE))
    tags = examine(made)
    assert tags.tags.count("html") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made
    assert "\\x1b]0;owned\\x07" in made
    assert "\\u202egnp.exe" in made
    assert "{{7*7}}" in made


_PAGE: dict[str, Any] = {}


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(text=st.text(st.characters(codec=None), max_size=30))
def test_no_text_changes_the_structure_of_a_page(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    if not _PAGE:
        course = Course(tmp_path_factory.mktemp("course"))
        (course.root / "reference" / "blocking").mkdir(parents=True)
        (course.root / "reference" / "blocking" / "assignment.toml").write_text(TOML)
        for folder in course.suites("blocking").values():
            folder.mkdir(parents=True)
        _PAGE.update(graded(course, course.root, report(READS), canary(SECRET, "m"), canary(SERVES, "m")))
    text = text or "x"
    for page in (instructor_page, student_page, lambda result: index_page([result])):
        plain = examine(page(everywhere(_PAGE, "plain", 2))).tags
        assert examine(page(everywhere(_PAGE, text, 2))).tags == plain


def test_a_page_needs_nothing_from_elsewhere(result: dict[str, Any]) -> None:
    page = instructor_page(result)
    assert "default-src 'none'" in page
    examine(page)


def test_a_long_story_is_folded_in_the_middle(course: Course, tmp_path: Path) -> None:
    long = report(READS, "fail", story=story(*[f"step {n}." for n in range(100)]))
    page = student_page(graded(course, tmp_path, long))
    assert "74 more steps" in page
    assert page.index("step 5.") < page.index("74 more steps") < page.index("step 6.") < page.index("step 99.")


def test_names_that_are_not_utf8_have_working_links(course: Course, tmp_path: Path) -> None:
    result = graded(course, tmp_path, student="caf\udce9 #1?")
    assert 'href="./caf%E9%20%231%3F/blocking/report.html"' in index_page([result])
    assert "caf\\xe9 #1?" in index_page([result])
    json.dumps(result, allow_nan=False).encode("ascii")


def test_the_class_shows_where_points_are_lost(course: Course, tmp_path: Path) -> None:
    rows = [
        graded(course, tmp_path, *[report(check) for check in ALL], student="ann"),
        graded(course, tmp_path, report(READS), report(SECRET), report(SERVES, "fail"), student="bob"),
    ]
    page = index_page(rows, ["eve/bloking: there is no such assignment."])
    assert "Median 10 of 15 points." in page
    assert "1 of 2" in page
    assert "Serve one after the other." in page
    assert "eve/bloking: there is no such assignment." in page


def test_the_terminal_shows_escapes_and_not_colours(result: dict[str, Any]) -> None:
    hostile = everywhere(result, HOSTILE + "[bold]x[/]")
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(class_table([hostile]))
    console.print(result_line(hostile), markup=False)
    text = console.export_text()
    assert "\x1b" not in text
    assert "\\x1b[2J" in text
    assert "[bold]x[/]" in text


def test_text_on_one_line() -> None:
    assert line("a\nb\tc") == "a\\nb\\tc"
    assert visible("a\nb\tc") == "a\nb\tc"


def test_no_name_is_a_command_to_a_ci(course: Course) -> None:
    result = refuse(a_task(course, student="a::error::b" * 5), f"{' ' * 20}::notice::x ##[group]").result
    console = Console(width=60, record=True, file=io.StringIO())
    console.print(class_table([result]))
    lines = [*console.export_text().splitlines(), result_line(result)]
    assert not [text for text in lines if text.lstrip().startswith("::") or "##[" in text]
