"""What the tester writes: what is a record, and how far its values are believed."""

from __future__ import annotations

import json

import pytest
from fakes import packets, report
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.actors.story import Step
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import (
    MOST_TEXT,
    PCAPNG_MAGIC,
    BadRecord,
    Built,
    End,
    Forbidden,
    Gone,
    Mute,
    Phase,
    Piece,
    Record,
    Report,
    Start,
    Trouble,
    line_of,
    parse_record,
)


def parse(data: object) -> object:
    return parse_record(json.dumps(data).encode())


def test_each_kind_of_record_is_read() -> None:
    assert parse({"record": "phase", "name": "build", "seconds": 0.5}) == Phase("build", 0.5)
    assert parse({"record": "start", "check": "a", "at": 12}) == Start("a", 12.0)
    assert parse({"record": "build", "ok": False, "text": "no rule"}) == Built(False, "no rule")
    assert parse({"record": "trouble", "text": "broke"}) == Trouble("broke")
    assert parse({"record": "gone", "check": "a"}) == Gone("a")
    assert parse({"record": "gone", "check": None}) == Gone("")
    assert parse({"record": "mute", "check": "a"}) == Mute("a")
    assert parse({"record": "mute", "check": "a", "ours": "it was stopped"}) == Mute("a", "it was stopped")
    assert parse({"record": "forbidden", "stages": {"2": "no"}}) == Forbidden({2: "no"})
    assert parse({"record": "piece", "data": "eA==", "last": False}) == Piece(b"x", last=False)
    assert parse({"record": "end"}) == End()
    got = parse(report("a", "fail", message="m", story=[{"at": 1, "who": "student", "what": "w"}], pcapng=packets()))
    assert isinstance(got, Report)
    assert got.story
    assert (got.outcome, got.message, got.story[0].what) == (Outcome.FAIL, "m", "w")
    assert got.pcapng


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"[1]",
        b"{}",
        b'{"record": "points", "points": 100}',
        b'{"record": "forbidden", "stages": ["2"]}',
        b'{"record": "forbidden", "stages": {"x": "no"}}',
        b'{"record": "piece", "data": "no base 64!"}',
        b'{"record": "piece", "data": "' + b"A" * 2_000_000 + b'"}',
        b'{"record": "mute"}',
        b"[" * 100_000,
        b"\xff",
        b'{"record": "report", "check": "a", "outcome": "great"}',
        b'{"record": "report", "outcome": "pass"}',
        b'{"record": "report", "check": 7, "outcome": "pass"}',
        b'{"record": "report", "check": "a", "outcome": ["pass"]}',
        b'{"record": "report", "check": "a", "outcome": "fail", "message": 5}',
    ],
)
def test_what_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(BadRecord):
        parse_record(line)


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "-5", "1e999", '"12"', "true", "null", "[]", "9" * 400]
)
def test_numbers_are_finite_and_not_negative(number: str) -> None:
    line = f'{{"record": "report", "check": "a", "outcome": "pass", "seconds": {number}, "link": {{"lost": {number}}}}}'
    got = parse_record(line.encode())
    assert isinstance(got, Report)
    assert got.seconds == 0
    json.dumps(dict(got.link or {}), allow_nan=False)


def test_texts_are_cut() -> None:
    got = parse(report("a", "fail", seen="x" * (MOST_TEXT + 7)))
    assert isinstance(got, Report)
    assert got.seen is not None
    assert got.seen.endswith("… (7 more characters)")


@pytest.mark.parametrize("data", ["", "!!!", "AAAA", 5])
def test_what_is_no_capture_is_left_out(data: object) -> None:
    got = parse(report("a", "fail", pcapng=data))
    assert isinstance(got, Report)
    assert got.pcapng is None


@settings(derandomize=True, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_value_in_a_report_makes_it_crash(value: object) -> None:
    for key in ("seconds", "story", "link", "pcapng", "bundle"):
        assert isinstance(parse(report("a", **{key: value})), Report)
    try:
        parse(report("a", message=value, expected=value, because=value))
    except BadRecord:
        pass


@pytest.mark.parametrize(
    "record",
    [
        Phase("build", 0.5),
        Start("a", 12.0),
        Built(False, "no rule"),
        Trouble("broke"),
        Gone("a"),
        Gone(""),
        Mute("a", "it was stopped"),
        Forbidden({2: "Stage 2 forbids asyncio."}),
        Piece(b"\x00\xff", last=False),
        Piece(b"", last=True),
        End(),
        Report(check="a", outcome=Outcome.PASS),
        Report(
            check="é\udce9",
            outcome=Outcome.FAIL,
            seconds=0.25,
            message="m",
            expected="e",
            seen="s",
            story=(Step(0.5, "student", "w"),),
            link={"engine": "relay", "lost": 3, "late_p99": 0.01, "up": {"loss": 0.5}},
            seed="ab12",
            pcapng=PCAPNG_MAGIC + b"\x00\xff",
            bundle={"packets": [[1, 0.5, None]]},
        ),
        Report(check="a", outcome=Outcome.SKIPPED, because="b", story=()),
    ],
)
def test_what_the_tester_writes_is_read_as_it_was(record: Record) -> None:
    line = line_of(record)
    assert line.endswith(b"\n")
    assert line.isascii()
    assert parse_record(line) == record


def test_what_a_suite_gives_instead_of_a_text_is_written_as_python_shows_it() -> None:
    got = parse_record(line_of(Report(check="a", outcome=Outcome.FAIL, seen=b"x")))  # type: ignore[arg-type]
    assert isinstance(got, Report)
    assert got.seen == "b'x'"
