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
        pytest.param(b"f'" + b"{1}" * 300_000 + b"'\nimport asyncio\n", marks=pytest.mark.audit),
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


def after(*runs: tuple[int | None, bytes]) -> dict[int, str]:
    """What is concluded from processes that end so, one after the other."""
    ends = iter(runs)
    return look.look(RULES, "/nowhere", lambda _: next(ends))


@pytest.mark.parametrize("end", [(1, b"KeyError: 'x'\n"), (0, b""), (0, b"no"), (2, b""), (None, b""), (-9, b"")])
def test_a_look_that_breaks_twice_is_ours(end: tuple[int | None, bytes]) -> None:
    with pytest.raises(look.CannotLook):
        after(end, end)
    assert after(end, (0, b"{}")) == {}


@pytest.mark.parametrize("runs", [[(77, b"")], [(-24, b"")], [(-11, b""), (-11, b"")], [(-6, b""), (-7, b"")]])
def test_what_the_sources_do_twice_costs_the_stage(runs: list[tuple[int, bytes]]) -> None:
    assert "cannot be looked through" in after(*runs)[2]
