"""A whole audit with benches that follow a script: run, stopped, continued, written and compared."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import ALL, END, READS, SECRET, SERVES, FakeBench, FakePlace, report, said
from typer.testing import CliRunner

from grader.audit import audit as audits
from grader.audit.audit import Audit, shares
from grader.audit.load import Load, under
from grader.audit.parts import Batch, Options
from grader.audit.specimen import Specimen
from grader.bench.local import Ended, OnRecord
from grader.bench.task import Task
from grader.campaign.campaign import JobEvent
from grader.cli.main import app
from grader.course import Course
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Forbidden, Report


def plays(task: Task, on_record: OnRecord) -> Ended:
    """Every check of `bad` fails; a tester that was told so ends with the first failure."""
    if task.look:
        on_record(Forbidden({}))
    for check in task.checks:
        outcome = "fail" if "bad" in task.student else "pass"
        record = said(report(check, outcome, message="so"))
        on_record(record)
        assert isinstance(record, Report)
        if task.until_failure and record.outcome.failed:
            break
    on_record(said(END))
    return Ended(status=0)


class Bench(FakeBench):
    def run(self, task: Task, on_record: OnRecord) -> Ended:
        self.tasks.append(task)
        return plays(task, on_record)


@pytest.fixture(autouse=True)
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench([[]])
    monkeypatch.setattr(audits, "choose_place", lambda *_, **__: FakePlace(lambda: made))
    return made


def batch_of(course: Course, *names: str, **fields: Any) -> Batch:
    def write(folder: Path) -> None:
        (folder / "client.py").write_text("print(1)\n")
        (folder / "server.py").write_text("print(1)\n")

    known = {"part": "mutants", "kind": "generated", "assignment": course.load("blocking"), "write": write}
    specimens = [Specimen(**{**known, "name": name, **fields}) for name in names]
    return Batch("mutants", "local", Load.quiet, specimens)


def audit_in(course: Course, out: Path) -> Audit:
    return Audit(course, out, Options(lab="local"), print, workers=2)


def watch(events: Iterator[JobEvent], *_: object) -> None:
    for _event in events:
        pass


def test_an_audit_tells_what_was_caught_and_what_was_not(course: Course, tmp_path: Path) -> None:
    audit = audit_in(course, tmp_path)
    audit.grade(batch_of(course, "bad one", "good one"), watch)
    found, _ = audit.written("grader audit")
    assert [(row["name"], row["verdict"]) for row in found["findings"]] == [
        ("bad one", "caught"),
        ("good one", "missed"),
    ]
    kept = json.loads((tmp_path / "audit.json").read_text())
    assert kept["lines"][0]["share"] == {"count": 1, "of": 2}
    assert [(row["id"], row["generated"]) for row in kept["checks"]] == [
        (READS, 1),
        (SECRET, 0),
        (SERVES, 0),
        (ALL[3], 0),
    ]
    page = (tmp_path / "audit.html").read_text()
    assert "good one" in page
    for row in found["findings"]:
        assert (tmp_path / row["report"]).is_file()


def test_the_first_failure_ends_it_all(course: Course, tmp_path: Path, bench: Bench) -> None:
    audit = audit_in(course, tmp_path)
    audit.grade(batch_of(course, "bad one", until_failure=True), watch)
    assert [list(task.checks) for task in bench.tasks] == [[READS, SERVES]]  # one group, and no hidden check
    (finding,) = audit.findings
    assert (finding.failed, finding.undecided, finding.verdict) == ([READS], [], "caught")
    result = json.loads((tmp_path / "mutants-local/bad-one/blocking/result.json").read_text())
    assert result["state"] == "graded"
    assert [row["outcome"] for row in result["checks"]] == ["fail", "skipped", "skipped", "skipped"]


def test_what_was_graded_is_not_graded_again(course: Course, tmp_path: Path, bench: Bench) -> None:
    for _ in range(2):
        audit = audit_in(course, tmp_path)
        audit.grade(batch_of(course, "bad one", "good one", until_failure=True), watch)
        count = len(bench.tasks)
    assert count == 3  # the good one has public and hidden checks, the bad one ends with the public ones
    assert len(audit.findings) == 2


def test_time_that_is_up_leaves_the_rest(course: Course, tmp_path: Path) -> None:
    audit = audit_in(course, tmp_path)
    audit.grade(batch_of(course, *[f"good {n}" for n in range(30)]), watch, until=time.monotonic())
    assert audit.left > 0
    assert audit.left + len(audit.findings) == 30
    found, _ = audit.written("grader audit")
    assert found["left"] == audit.left


def test_what_waited_for_its_second_round_is_left_not_wedged(course: Course, tmp_path: Path, bench: Bench) -> None:
    stopped, first = threading.Event(), {READS, SECRET}

    def undecided(task: Task, on_record: OnRecord) -> Ended:
        if not first.intersection(task.checks):  # the second round
            stopped.wait(10)
            return Ended(status=None, cancelled=True)
        first.difference_update(task.checks)
        on_record(Forbidden({}))
        for check in task.checks:
            on_record(said(report(check, "inconclusive", message="busy")))
        on_record(said(END))
        return Ended(status=0)

    def stops(events: Iterator[JobEvent], *_: object) -> None:
        for event in events:
            if event.kind == "waits":
                break

    bench.run = undecided  # type: ignore[method-assign]
    bench.cancel = stopped.set  # type: ignore[method-assign]
    audit = audit_in(course, tmp_path)
    audit.grade(batch_of(course, "good"), stops)
    assert (audit.findings, audit.left) == ([], 1)


def test_an_interrupt_keeps_what_was_graded(course: Course, tmp_path: Path) -> None:
    def stops(events: Iterator[JobEvent], *_: object) -> None:
        for event in events:
            if event.kind == "ends":
                raise KeyboardInterrupt

    audit = audit_in(course, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        audit.grade(batch_of(course, *[f"good {n}" for n in range(30)]), stops)
    assert audit.findings


def test_each_batch_has_its_share_of_the_time(course: Course) -> None:
    batches = [batch_of(course, str(n)) for n in range(3)]
    assert [until for _, until in shares(batches, None)] == [None] * 3
    ends = [until for _, until in shares(batches, 3.0)]
    now = time.monotonic()
    assert all(end is not None and end <= now + 180 for end in ends)
    assert ends == sorted(ends, key=lambda end: end or 0)


@pytest.mark.parametrize("load", [Load.quiet, Load.spin, Load.memory, Load.disk])
def test_a_load_ends_with_its_block(load: Load) -> None:
    import psutil

    others = set(psutil.Process().children())  # of tests before this one
    with under(load):
        running = set(psutil.Process().children()) - others
        assert bool(running) == (load is not Load.quiet)
    assert not [child for child in running if child.is_running()]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing"], 'no part "nothing"'),
        (["mutants", "--only", "no such name", "--sample", "0"], "Leave --only out"),
        (["--against", "/nowhere"], "is not an audit"),
    ],
)
def test_what_cannot_be_is_said(words: list[str], told: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["audit", "--out", str(tmp_path / "out"), *words])
    assert done.exit_code == 2
    assert told in done.output


def test_outcomes_that_are_the_submissions() -> None:
    assert [one for one in Outcome if one.failed] == [Outcome.FAIL, Outcome.TIMEOUT, Outcome.ERROR]
