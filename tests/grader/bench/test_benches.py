"""Benches: lines as they come, time from outside, nothing left behind. A small tester stands in for the real one."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path, PurePosixPath

import pytest

from grader.bench.local import Ended, LocalBench, heard
from grader.bench.task import Task
from harness.course.assignment import Assignment
from harness.lab.docker.description import DockerLab
from harness.lab.interface import LabError
from harness.tester.border.records import BadRecord, Record, Trouble


def a_tester(tmp_path: Path, code: str) -> Path:
    """A folder whose `harness.tester.run` is this code."""
    tester = tmp_path / "root/harness/tester"
    tester.mkdir(parents=True)
    for package in (tester.parent, tester):
        (package / "__init__.py").touch()
    (tester / "run.py").write_text(code)
    return tmp_path / "root"


def a_task(assignment: Assignment, seconds: float = 20.0) -> Task:
    return Task(
        student="ann",
        identity="id",
        lab={},
        submission=Path("/submission"),
        assignment=assignment,
        suites={"public": Path("/suites/public")},
        checks=["a", "b"],
        programs={"client": ["./client"]},
        build=True,
        seed="ab",
        seconds=seconds,
    )


#: What every small tester begins with: how it says something.
SAYS = """import json
def say(text):
    print(json.dumps({"record": "trouble", "text": str(text)}), flush=True)
"""


def run(
    tmp_path: Path, assignment: Assignment, code: str, seconds: float = 20.0
) -> tuple[list[Record | BadRecord], Ended]:
    records: list[Record | BadRecord] = []
    return records, LocalBench(a_tester(tmp_path, SAYS + code)).run(a_task(assignment, seconds), records.append)


def text_of(record: Record | BadRecord) -> str:
    assert isinstance(record, Trouble)
    return record.text


def test_the_job_for_a_tester_that_sees_other_files(assignment: Assignment) -> None:
    lab = DockerLab(agents=("/agent/a.sock",), warden="/w", router="/r", captures=("/c",), engine="router")
    job = a_task(assignment).docker_job(lab, PurePosixPath("/code"))
    assert job.lab == lab
    assert job.assignment == Path("/code/blocking/assignment.toml")
    assert job.suites == {"public": Path("/code/blocking/public")}


@pytest.mark.parametrize(("line", "why"), [(None, "too long"), (b"hello", "not JSON"), (b"[1]", "not a JSON object")])
def test_a_line_that_is_no_record_is_handed_on_as_why(line: bytes | None, why: str) -> None:
    bad = heard(line)
    assert isinstance(bad, BadRecord)
    assert str(bad) == why


@pytest.mark.slow
def test_a_tester_gets_its_job_and_its_lines_come_back(tmp_path: Path, assignment: Assignment) -> None:
    code = (
        "import sys\njob = json.load(sys.stdin)\n"
        "say([job['seed'], job['checks']])\nsys.stderr.write('a log')\nsys.exit(3)"
    )
    records, ended = run(tmp_path, assignment, code)
    assert records == [Trouble("['ab', ['a', 'b']]")]
    assert (ended.status, ended.late, ended.log) == (3, False, "a log")


@pytest.mark.slow
def test_a_tester_knows_no_secret_of_the_environment(
    tmp_path: Path, assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCKETLAB_SECRET", "the course's secret")
    (record,), _ = run(tmp_path, assignment, "import os; say(dict(os.environ))")
    assert "SOCKETLAB" not in text_of(record)


@pytest.mark.slow
def test_a_late_tester_is_ended_with_what_it_started(tmp_path: Path, assignment: Assignment) -> None:
    code = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "say(f'{child.pid} {os.getpid()}')\n"
        "time.sleep(60)\n"
    )
    import grader.bench.local as benches

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benches, "GRACE", 0.2)
        (record,), ended = run(tmp_path, assignment, code, seconds=1.0)
    assert ended.late
    assert ended.status is None
    for pid in text_of(record).split():
        assert _ends(int(pid))


@pytest.mark.slow
def test_a_tester_that_stands_still_at_the_deadline_is_known(tmp_path: Path, assignment: Assignment) -> None:
    import grader.bench.local as benches

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benches, "GRACE", 0.2)
        code = "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n"
        _, ended = run(tmp_path, assignment, code, seconds=1.0)
        _, busy = run(tmp_path / "busy", assignment, "while True: pass\n", seconds=1.0)
    assert (ended.late, ended.stopped) == (True, "the tester was stopped by a signal")
    assert (busy.late, busy.stopped) == (True, "")


@pytest.mark.slow
def test_a_tester_that_stands_still_is_not_waited_for_until_its_deadline(
    tmp_path: Path, assignment: Assignment
) -> None:
    import grader.bench.local as benches

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benches, "GRACE", 0.2)
        patch.setattr(benches, "QUIET", 0.2)
        code = "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n"
        _, ended = run(tmp_path, assignment, code, seconds=1e6)
    assert ended.stopped == "the tester was stopped by a signal"


@pytest.mark.slow
def test_a_cancelled_tester_ends_soon(tmp_path: Path, assignment: Assignment) -> None:
    bench = LocalBench(a_tester(tmp_path, "import time\nprint('here', flush=True)\ntime.sleep(60)"))
    ended = bench.run(a_task(assignment, 60), lambda _: bench.cancel())
    assert (ended.cancelled, ended.late) == (True, False)


@pytest.mark.slow
def test_a_flood_on_standard_error_is_cut(tmp_path: Path, assignment: Assignment) -> None:
    _, ended = run(tmp_path, assignment, "import sys\nsys.stderr.write('x' * 1_000_000 + 'end')")
    assert len(ended.log) == 20_000
    assert ended.log.endswith("xend")


def test_a_tester_that_cannot_be_started_is_our_fault(
    tmp_path: Path, assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(LabError, match="cannot be started"):
        run(tmp_path, assignment, "")


def _ends(pid: int) -> bool:
    """Whether a process ends within a few seconds: a SIGKILL takes effect soon, not at once."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 5)[0])
    finally:
        os.close(handle)
