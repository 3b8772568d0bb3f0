"""What crosses between machines: plain bytes, nothing of the course's secret, and nothing that is believed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from fakes import ALL, READS, SECRET, Runs, hand_in, report

from grader.bench.local import Ended, Measured
from grader.farm.answer import MOST_ANSWER, Answer, line_of_record
from grader.farm.parcel import Parcel, parcel_of, task_of
from harness.lab.interface import LabError
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import BadRecord, Phase, parse_record


def test_a_parcel_holds_what_is_needed_and_no_more(runs: Runs, tmp_path: Path) -> None:
    folder = hand_in(runs.submitted, "ann-the-student", **{"client.py": "print(1)\n", "b\udcffd": "x"})
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    task = runs.task("ann-the-student")
    data = parcel_of(task, "v1").to_bytes()
    assert b"ann-the-student" not in data
    again = task_of(Parcel.from_bytes(data), runs.course, tmp_path / "there")
    assert (again.checks, again.seed, again.seconds, again.alone) == ([*task.checks], "ab", 30.0, False)
    assert (again.suites, again.assignment) == (task.suites, task.assignment)
    there = tmp_path / "there"
    assert sorted(path.name for path in there.iterdir()) == ["b\udcffd", "client.py", "run"]
    assert (there / "run").stat().st_mode & 0o111 and not (there / "client.py").stat().st_mode & 0o111


def test_what_checks_before_said_goes_along(runs: Runs, tmp_path: Path) -> None:
    hand_in(runs.submitted, "ann")
    task = runs.task("ann")
    object.__setattr__(task, "outcomes", {READS: Outcome.PASS})
    again = task_of(Parcel.from_bytes(parcel_of(task, "v").to_bytes()), runs.course, tmp_path / "there")
    assert again.outcomes == {READS: Outcome.PASS}


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"{}\n", b"[]\n", b'{"version": "v", "assignment": "blocking"}\n', b"\xff\n", b"[" * 100_000]
)
def test_a_parcel_of_another_version_is_our_trouble(data: bytes) -> None:
    with pytest.raises(LabError):
        Parcel.from_bytes(data)


@pytest.mark.parametrize(
    "change", [{"assignment": "none"}, {"job": {}}, {"submission": b"tar"}, {"assignment": "../x"}]
)
def test_a_parcel_that_does_not_fit_is_our_trouble(runs: Runs, tmp_path: Path, change: dict[str, Any]) -> None:
    hand_in(runs.submitted, "ann")
    parcel = parcel_of(runs.task("ann"), "v")
    with pytest.raises(LabError):
        task_of(Parcel(**{**vars(parcel), **change}), runs.course, tmp_path / "there")


ENDED = Ended(status=0, log="a log", phases=(Phase("start", 0.5),), elsewhere=Measured(seconds=3.0, crowded=0.25))


def test_an_answer_is_what_the_tester_said() -> None:
    records = [parse_record(json.dumps(report(check)).encode()) for check in ALL]
    lines = [*map(line_of_record, records), line_of_record(BadRecord("too long"))]
    again = Answer.from_bytes(Answer(ENDED, lines=lines).to_bytes())
    assert (again.ended, again.trouble) == (ENDED, "")
    *told, bad = again.records()
    assert told == records and isinstance(bad, BadRecord)


def test_what_broke_is_told() -> None:
    again = Answer.from_bytes(Answer(None, "no engine").to_bytes())
    assert (again.ended, again.trouble, list(again.records())) == (None, "no engine", [])


@pytest.mark.parametrize("data", [None, "text", 7, b"", b"[]", b"nothing", b"[" * 100_000, b"\x80\x04\x95"])
def test_what_is_no_answer_is_our_trouble(data: object) -> None:
    with pytest.raises(LabError, match="worker"):
        Answer.from_bytes(data)


def test_an_answer_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_ANSWER > 1 << 20
    monkeypatch.setattr("grader.farm.answer.MOST_ANSWER", 10)
    with pytest.raises(LabError, match="too much"):
        Answer.from_bytes(b"x" * 11)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"status": True, "late": 1, "phases": [["a"], 7, [1, 2], ["x", "y"]], "seconds": "1", "crowded": -1},
        {"seconds": math.inf, "crowded": math.nan, "phases": {"a": 1}, "log": ["x"], "trouble": None},
        {"seconds": 10**400, "log": "x" * 100_000, "died": "d" * 100_000, "phases": [["n" * 1000, 1.0]] * 1000},
    ],
)
def test_nothing_of_an_answer_is_believed(row: dict[str, Any]) -> None:
    lines = b'{"record": "report", "check": 7}\nnot json\n' + json.dumps(report(SECRET)).encode()
    answer = Answer.from_bytes(json.dumps(row).encode() + b"\n" + lines)
    ended = answer.ended
    assert ended is not None and ended.elsewhere is not None
    assert ended.status is None and not (ended.late or ended.cancelled)
    assert 0 <= ended.elsewhere.crowded < 1e9 and 0 < ended.elsewhere.seconds < 1e9
    assert all(0 <= phase.seconds < 1e9 and len(phase.name) < 100 for phase in ended.phases)
    assert len(ended.phases) <= 100 and len(ended.log) < 21_000 and len(ended.died) < 3_000
    assert [isinstance(record, BadRecord) for record in answer.records()] == [True, True, False]
