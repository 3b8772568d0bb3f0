"""Hostile TLS pipes, graded for real: they gain nothing, and cost the tester neither memory nor its verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grader.bench.docker import DockerPlace
from grader.course import this_course
from harness.tls.record_layer.records import is_tls, messages
from tests.grading import ROOT, grade
from tests.mutants import copy_reference
from tests.redteam.attacks_tlspipe import DEEDS, FILLS, HONEST, NEGATIVE, RESETS, hostile

pytestmark = pytest.mark.slow

#: Grades some checks, and tells how much memory the tester took at most, in MB.
GRADE = """import json, resource, sys
from pathlib import Path
from grader.bench.local import LocalBench
from tests.grading import ROOT, grade
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
bench = LocalBench(ROOT)
graded = grade(bench, Path(sys.argv[1]), "tlspipe", only=sys.argv[2:])
bench.close()
print(json.dumps([graded.reports, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024]))
"""


def graded(folder: Path, checks: list[str]) -> tuple[dict[str, dict[str, object]], int]:
    """(reports by check, the tester's memory in MB)."""
    done = subprocess.run(
        [sys.executable, "-c", GRADE, str(folder), *checks], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    reports, megabytes = json.loads(done.stdout)
    return reports, megabytes


@pytest.mark.parametrize("name", DEEDS)
def test_an_attack_fails_and_costs_little(tmp_path: Path, name: str) -> None:
    attack = DEEDS[name]
    copy_reference("tlspipe", tmp_path)
    (tmp_path / "tls_pipe.py").rename(tmp_path / HONEST)
    (tmp_path / "tls_pipe.py").write_bytes(hostile(attack.payload))
    reports, megabytes = graded(tmp_path, attack.checks)
    assert sorted(reports) == sorted(attack.checks)
    for check, report in reports.items():
        allowed = ("fail", "timeout", "pass") if attack.may_pass else ("fail", "timeout")
        assert report["outcome"] in allowed, (check, report["message"])
        assert len(str(report["seen"])) < 2000
        assert not [step for step in report["story"] if "\x1b" in step["what"]]  # type: ignore[attr-defined]
    assert megabytes < 500


@pytest.mark.docker
def test_who_fills_the_folder_of_his_key_loses_it(tmp_path: Path) -> None:
    copy_reference("tlspipe", tmp_path)
    (tmp_path / "tls_pipe.py").rename(tmp_path / HONEST)
    (tmp_path / "tls_pipe.py").write_bytes(hostile(FILLS))
    tmp_path.chmod(0o755)
    check = "test_5_mutual.py::test_bad_clients[name]"
    place = DockerPlace(this_course(), ["tlspipe"], engine="router", say=lambda _: None)
    bench = place.bench()
    try:
        report = grade(bench, tmp_path, "tlspipe", only=[check]).reports[check]
    finally:
        bench.close()
        place.close()
    assert (report["outcome"], "filled" in report["message"]) == ("error", True), report["message"]


def test_who_resets_everybody_gets_nothing(tmp_path: Path) -> None:
    (tmp_path / "tls_pipe.py").write_text(RESETS)
    reports, _ = graded(tmp_path, NEGATIVE)
    assert {check: report["outcome"] for check, report in reports.items() if report["outcome"] != "fail"} == {}
    assert sorted(reports) == sorted(NEGATIVE)


def test_a_warning_hides_no_hello() -> None:
    warning, hello = bytes([21, 3, 3, 0, 2, 1, 112]), bytes([22, 3, 3, 0, 5, 2, 0, 0, 1, 9])
    assert messages(warning + bytes([22, 3, 3, 0, 0]) + hello) == [(2, bytes([9]))]


@pytest.mark.parametrize(("rest", "whole"), [(b"", True), (b"\x17\x03\x03\x40", True), (b"GET /", False)])
def test_records_and_nothing_else(rest: bytes, whole: bool) -> None:
    assert is_tls(bytes([22, 3, 3, 0, 0]) * 1000 + rest) is whole
