"""Sources that are costly to parse cost their author points, and the lab nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.course import look
from harness.course.assignment import Limits
from harness.course.forbidden import StageRule
from harness.lab.interface import LabError
from harness.lab.local.lab import LocalNode

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows bounds no process like this")
RULES = [StageRule(2, ("asyncio",), (("python3", "server.py"),))]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LocalNode]:
    submission = tmp_path / "submission"
    submission.mkdir()
    made = LocalNode(submission, Limits())
    yield made
    made.close()


def looked(node: LocalNode, tmp_path: Path, data: bytes) -> dict[int, str]:
    (tmp_path / "submission/server.py").write_bytes(data)
    assert node.build(None, timeout=5) is None
    return node.look(RULES)


def test_what_is_used_is_named(node: LocalNode, tmp_path: Path) -> None:
    assert looked(node, tmp_path, b"import asyncio\n") == {2: "Stage 2 forbids asyncio (server.py, line 1)."}


def test_what_warns_is_read_all_the_same(node: LocalNode, tmp_path: Path) -> None:
    assert looked(node, tmp_path, b"import socket\nx = '\\d'\n") == {}


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
    node: LocalNode, tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "ENDED_AFTER", 20.0)
    found = looked(node, tmp_path, data)
    assert "asyncio" in found[2] or "cannot be looked through" in found[2]


def test_a_look_that_cannot_begin_is_ours(node: LocalNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "_interpreter", "/nowhere/python3")
    with pytest.raises(LabError, match="cannot be looked through: No such file"):
        looked(node, tmp_path, b"import asyncio\n")


@pytest.mark.parametrize(
    ("status", "output"), [(1, b"Traceback\nKeyError: 'x'\n"), (0, b""), (0, b"no JSON"), (2, b"")]
)
def test_a_look_that_breaks_is_ours(status: int, output: bytes) -> None:
    with pytest.raises(look.CannotLook):
        look.answer(RULES, status, output)


@pytest.mark.parametrize("status", [None, -9, -24, 3])
def test_a_look_that_was_ended_costs_the_stage(status: int | None) -> None:
    assert "cannot be looked through" in look.answer(RULES, status, b"")[2]
