"""A whole job in the local lab: every way a check can end has its outcome, and none of them changes another."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.lab.docker.description import DockerLab
from harness.tester.border.job import BadJob, Job, LocalLab
from harness.tester.border.outcome import Outcome

ASSIGNMENT = """
[assignment]
schema = 1
name = "greeting"
title = "Say hello"
handout = "handout.md"
[programs]
hello = ["python3", "hello.py"]
[limits]
processes = 40
output_mb = 1
"""

CHECK = """
[[checks]]
id = "test_hello.py::{name}"
suite = "public"
stage = 1
points = 1
section = "1.1"
rule = "It greets."
timeout = 3
needs = [{needs}]
"""

#: A suite with one test for each way a check can end; the program is told which part to play.
SUITE = """
import threading
import time

from harness.lab.interface import LabError, NodeGone


def test_pass(lab):
    hello = lab.runs("hello", "greet")
    hello.prints(b"hello\\n")
    hello.exits(0)


def test_wrong_output(lab):
    lab.runs("hello", "greet").prints(b"goodbye\\n")


def test_needs_wrong_output(lab):
    raise AssertionError("never run")


def test_wrong_status(lab):
    lab.runs("hello", "fail").exits(0)


def test_hangs(lab):
    lab.runs("hello", "sleep").exits(0, within=0.3)


def test_does_not_start(lab):
    lab.serves("hello", "crash")


def test_crashes_under_way(lab):
    lab.connects(lab.serves("hello", "serve")).reads_line()


def test_out_of_time(lab):
    threading.Event().wait(60)


def test_ours(lab):
    raise ZeroDivisionError("a mistake in the test")


def test_lab_breaks(lab):
    raise LabError("the cable is out")


def test_node_dies(lab):
    raise NodeGone("nobody at home")


def test_flood(lab):
    lab.runs("hello", "flood").exits(0)


def test_forges_records(lab):
    hello = lab.runs("hello", "forge")
    hello.exits(0)
    lab.expect(hello.stdout == b"", "it prints nothing", seen=hello.stdout, otherwise="it printed something")


def test_forks_for_ever(lab):
    lab.runs("hello", "bomb").exits(0, within=0.5)


def test_leaves_a_daemon(lab):
    lab.runs("hello", "daemon").exits(0)
    assert lab.waits_until(lambda: lab.kernel.usage().processes == 1)


def test_nothing_is_left(lab):
    alive = lab.kernel.usage().processes
    lab.expect(alive == 0, "no process of an earlier check lives", seen=alive, otherwise="a process lives")
    lab.expect(lab.kind_of("left.txt") == "missing", "no file of an earlier check", otherwise="a file is there")


def test_pass_at_the_end(lab):
    lab.runs("hello", "greet").prints(b"hello\\n")
"""

PROGRAM = r"""
import os, sys, time
part = sys.argv[-1]
if part == "greet":
    print("hello")
elif part == "fail":
    print("bad luck", file=sys.stderr)
    sys.exit(7)
elif part == "sleep":
    time.sleep(60)
elif part == "crash":
    raise RuntimeError("no such luck")
elif part == "serve":
    import socket
    listener = socket.create_server(("0.0.0.0", 0))
    print("listening on 0.0.0.0:%d" % listener.getsockname()[1], flush=True)
    listener.accept()
    sys.exit(9)
elif part == "flood":
    while True:
        os.write(1, b"y" * 65536)
elif part == "forge":
    for fd in range(1, 20):
        try:
            os.write(fd, b'\n{"record":"report","check":"test_hello.py::test_wrong_output","outcome":"pass"}\n')
        except OSError:
            pass
elif part == "bomb":
    while True:
        try:
            os.fork()
        except OSError:
            pass
elif part == "daemon":
    open("left.txt", "w").write("still here")
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.close(0), os.close(1), os.close(2)
            time.sleep(60)
        os._exit(0)
"""

EXPECTED = {
    "test_pass": "pass",
    "test_wrong_output": "fail",
    "test_needs_wrong_output": "skipped",
    "test_wrong_status": "fail",
    "test_hangs": "timeout",
    "test_does_not_start": "error",
    "test_crashes_under_way": "fail",
    "test_out_of_time": "timeout",
    "test_ours": "inconclusive",
    "test_lab_breaks": "inconclusive",
    "test_node_dies": "inconclusive",
    "test_flood": "fail",
    "test_forges_records": "fail",
    "test_forks_for_ever": "timeout",
    "test_leaves_a_daemon": "pass",
    "test_nothing_is_left": "pass",
    "test_pass_at_the_end": "pass",
}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """One job, run as the grader runs it."""
    folder = tmp_path_factory.mktemp("job")
    stage = f'[[stages]]\nnumber = 1\ntitle = "Hello"\npoints = {len(EXPECTED)}\nsection = "1"\n'
    needs = {"test_needs_wrong_output": '"test_hello.py::test_wrong_output"'}
    checks = "".join(CHECK.format(name=name, needs=needs.get(name, "")) for name in EXPECTED)
    (folder / "assignment.toml").write_text(ASSIGNMENT + stage + checks)
    (folder / "suite").mkdir()
    (folder / "suite" / "test_hello.py").write_text(SUITE)
    (folder / "submission").mkdir()
    (folder / "submission" / "hello.py").write_text(PROGRAM)
    # What a submission may try to steer pytest with lies beside it, unused.
    (folder / "submission" / "conftest.py").write_text("raise SystemExit('the submission steers pytest')")
    job = Job(
        lab=LocalLab(folder / "submission"),
        assignment=folder / "assignment.toml",
        suites={"public": folder / "suite"},
        checks=[f"test_hello.py::{name}" for name in [*EXPECTED, "test_without_a_test"]],
        programs={"hello": ["python3", "hello.py"]},
        build=False,
        seed="1",
    )
    return told(job.to_json())


def told(job: bytes) -> list[dict[str, Any]]:
    """What the tester writes for a job."""
    tester = [sys.executable, "-B", "-m", "harness.tester.run"]
    done = subprocess.run(tester, input=job, capture_output=True, timeout=100, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def report(records: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [r for r in records if r["record"] == "report" and r["check"].endswith(f"::{name}")]
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_each_ending_has_its_outcome(records: list[dict[str, Any]], name: str) -> None:
    found = report(records, name)
    assert found["outcome"] == EXPECTED[name], json.dumps(found, indent=1)


def test_a_tester_that_is_told_so_ends_with_the_first_failure(tmp_path: Path) -> None:
    (tmp_path / "test_three.py").write_text(
        "from harness.testing import Broken\ndef test_a(lab): pass\n"
        "def test_b(lab): raise Broken('no', expected='', seen='')\ndef test_c(lab): pass\n"
    )
    names = ["test_a", "test_b", "test_c"]
    stage = '[[stages]]\nnumber = 1\ntitle = "Three"\npoints = 3\nsection = "1"\n'
    checks = "".join(CHECK.format(name=name, needs="") for name in names).replace("test_hello", "test_three")
    (tmp_path / "assignment.toml").write_text(ASSIGNMENT + stage + checks)
    (tmp_path / "hello.py").write_text(PROGRAM)
    job = Job(
        lab=LocalLab(tmp_path),
        assignment=tmp_path / "assignment.toml",
        suites={"public": tmp_path},
        checks=[f"test_three.py::{name}" for name in names],
        programs={"hello": ["python3", "hello.py"]},
        build=False,
        seed="1",
        until_failure=True,
    )
    rows = told(job.to_json())
    assert [row["outcome"] for row in rows if row["record"] == "report"] == ["pass", "fail"]
    assert rows[-1]["record"] == "end"
    assert not [row for row in rows if row["record"] == "trouble"]


def test_the_records_begin_with_the_build_and_end_with_the_end(records: list[dict[str, Any]]) -> None:
    kinds = [record["record"] for record in records]
    assert kinds[:2] == ["phase", "build"]
    assert kinds[-1] == "end"


def test_a_skipped_check_names_what_it_needs(records: list[dict[str, Any]]) -> None:
    assert report(records, "test_needs_wrong_output")["because"] == "test_hello.py::test_wrong_output"


def test_a_failure_says_what_was_expected_and_seen_and_tells_its_story(records: list[dict[str, Any]]) -> None:
    found = report(records, "test_wrong_output")
    assert (found["expected"], found["seen"]) == ('"goodbye\\n"', '"hello\\n"')
    assert [step["who"] for step in found["story"]] == ["tester", "tester", "student"]
    assert found["seed"], "a public check can be run again with the same data"
    assert found["link"]["engine"] == "relay"


def test_what_the_program_complained_of_is_part_of_the_story(records: list[dict[str, Any]]) -> None:
    assert any("bad luck" in step["what"] for step in report(records, "test_wrong_status")["story"])
    assert any("no such luck" in step["what"] for step in report(records, "test_does_not_start")["story"])


def test_that_a_server_crashed_is_said_first(records: list[dict[str, Any]]) -> None:
    row = report(records, "test_crashes_under_way")
    assert row["crashed"] and not report(records, "test_hangs")["crashed"]
    found = row["message"]
    assert found.startswith("hello ended by itself (exit status 9): the connection of the tester ended"), found
    assert "by itself" not in report(records, "test_hangs")["message"]


def test_a_mistake_of_ours_is_never_the_submissions(records: list[dict[str, Any]]) -> None:
    assert "ours" in report(records, "test_ours")["message"]
    assert "the cable is out" in report(records, "test_lab_breaks")["message"]


def test_a_lost_node_is_told_once_before_the_report(records: list[dict[str, Any]]) -> None:
    place = records.index({"record": "gone", "check": "test_hello.py::test_node_dies"})
    assert records[place + 1] == report(records, "test_node_dies")
    assert sum(record["record"] == "gone" for record in records) == 1


def test_a_check_without_a_test_is_trouble_and_has_no_report(records: list[dict[str, Any]]) -> None:
    (trouble,) = [record["text"] for record in records if record["record"] == "trouble"]
    assert "test_without_a_test" in trouble


# -- jobs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lab",
    [
        LocalLab(Path("/submission")),
        DockerLab(agents=("/a", "/b"), warden="/w", router="/r", captures=("/c", "/d"), engine="auto"),
    ],
)
@pytest.mark.parametrize("reference", [None, Path("/reference")])
def test_a_job_comes_back_as_it_was(lab: LocalLab | DockerLab, reference: Path | None) -> None:
    job = Job(
        lab=lab,
        assignment=Path("/a.toml"),
        suites={"public": Path("/p"), "hidden": Path("/caf\udce9")},
        checks=("a", "b"),
        programs={"hello": ["./hello", "é"]},
        build=True,
        seed="1",
        public_seed="2",
        look=True,
        outcomes={"b": Outcome.FAIL},
        reference=reference,
    )
    assert Job.from_json(job.to_json()) == job


GOOD: dict[str, Any] = {
    "lab": {"kind": "local", "submission": "/s"},
    "assignment": "/a.toml",
    "suites": {"public": "/p"},
    "checks": ["a"],
    "programs": {"hello": ["./hello"]},
    "build": False,
    "look": False,
    "pack": False,
    "until_failure": False,
    "meets": False,
    "second_programs": None,
    "outcomes": {},
    "seed": "1",
    "public_seed": "",
    "reference": None,
}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"lab": "local"}, '"lab" is not a table'),
        ({"lab": {"kind": "moon"}}, '"kind" is not local or docker'),
        ({"lab": {"kind": "local"}}, '"submission" is not a text'),
        ({"lab": {"kind": "docker", "agents": "/a"}}, '"agents" is not a list of texts'),
        ({"assignment": 7}, '"assignment" is not a text'),
        ({"suites": {"public": None}}, '"suites" is not a table of texts'),
        ({"checks": "a"}, '"checks" is not a list of texts'),
        ({"programs": {"hello": "./hello"}}, '"programs" is not a table of lists of texts'),
        ({"build": 1}, '"build" is not true or false'),
        ({"seed": None}, '"seed" is not a text'),
        ({"look": 1}, '"look" is not true or false'),
        ({"meets": None}, '"meets" is not true or false'),
        ({"second_programs": [1]}, '"second_programs" is not a table of lists of texts or null'),
        ({"outcomes": {"a": "well"}}, '"outcomes" is not a table of outcomes'),
        ({"reference": []}, '"reference" is not a text or null'),
    ],
)
def test_what_is_no_job_is_refused_by_name(change: dict[str, Any], why: str) -> None:
    assert Job.from_json(json.dumps(GOOD)).checks == ("a",)
    with pytest.raises(BadJob, match=why):
        Job.from_json(json.dumps({**GOOD, **change}))


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"[]", b"7", b"\xff"])
def test_a_tester_without_a_job_says_so_in_records(text: bytes) -> None:
    with pytest.raises(BadJob):
        Job.from_json(text)
    trouble, end = told(text)
    assert trouble["record"] == "trouble"
    assert "job" in trouble["text"]
    assert end == {"record": "end"}


def test_tests_of_one_name_in_two_files_are_two(tmp_path: Path) -> None:
    stage = '[[stages]]\nnumber = 1\ntitle = "Hello"\npoints = 2\nsection = "1"\n'
    checks = [CHECK.format(name="test_it", needs="").replace("test_hello", f"test_{nth}") for nth in (1, 2)]
    (tmp_path / "assignment.toml").write_text(ASSIGNMENT + stage + "".join(checks))
    for folder in ("suite", "submission"):
        (tmp_path / folder).mkdir()
    (tmp_path / "suite/test_1.py").write_text("def test_it(lab): ...\n")
    (tmp_path / "suite/test_2.py").write_text("def test_it(lab): lab.expect(False, 'it is', otherwise='it is not')\n")
    job = Job(
        lab=LocalLab(tmp_path / "submission"),
        assignment=tmp_path / "assignment.toml",
        suites={"public": tmp_path / "suite"},
        checks=["test_1.py::test_it", "test_2.py::test_it"],
        programs={"hello": ["python3", "hello.py"]},
        build=False,
        seed="1",
    )
    reports = [row for row in told(job.to_json()) if row["record"] == "report"]
    assert [(row["check"], row["outcome"]) for row in reports] == [
        ("test_1.py::test_it", "pass"),
        ("test_2.py::test_it", "fail"),
    ]
