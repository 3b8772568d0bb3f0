"""Sources that are costly to parse cost their author points, and the grader nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from grader import sources
from grader.course import Course
from grader.sources import look_for_forbidden
from harness.course.assignment import Assignment
from harness.lab.interface import LabError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows bounds no process like this")
PROGRAMS = {"client": ["python3", "client.py"], "server": ["python3", "server.py"]}


@pytest.fixture
def assignment(course: Course) -> Assignment:
    return course.load("blocking")


def looked(assignment: Assignment, folder: Path, data: bytes) -> dict[int, str]:
    (folder / "server.py").write_bytes(data)
    return look_for_forbidden(assignment, folder, PROGRAMS)


def test_what_is_used_is_named(assignment: Assignment, tmp_path: Path) -> None:
    assert looked(assignment, tmp_path, b"import asyncio\n") == {2: "Stage 2 forbids asyncio (server.py, line 1)."}
    assert looked(assignment, tmp_path, b"import socket\n") == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        b"import " + b".".join([b"a"] * 30_000) + b"\nimport asyncio\n",
        b"f'" + b"{1}" * 300_000 + b"'\nimport asyncio\n",
        b"a;" * 450_000 + b"\nimport asyncio\n",
        b"# coding: punycode\n" + b"a" * 900_000 + b"-\n",
        b"x = " + b"-" * 100_000 + b"1\nimport asyncio\n",
    ],
    ids=["dots", "f-string", "statements", "coding", "deep"],
)
def test_costly_sources_are_bounded_and_gain_nothing(
    assignment: Assignment, tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "ENDED_AFTER", 20.0)
    found = looked(assignment, tmp_path, data)
    if b"coding" not in data:  # that one cannot run either
        assert "asyncio" in found[2] or "cannot be looked through" in found[2]


def test_a_scan_that_breaks_is_ours(assignment: Assignment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    with pytest.raises(LabError, match="cannot be looked through: No such file"):
        looked(assignment, tmp_path, b"import asyncio\n")
