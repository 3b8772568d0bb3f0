"""A build in the local lab: where it is at home, and what it is told of tools that are not there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.course.assignment import Limits
from harness.lab.local.lab import LocalNode

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it runs sh")


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalNode]:
    secret = tmp_path / "secret"  # a folder of tools that only the one who grades may enter
    secret.mkdir(mode=0o700)
    (secret / "rustc").write_text("#!/bin/sh\n")
    (secret / "rustc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{secret}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "submission").mkdir()
    made = LocalNode(tmp_path / "submission", Limits())
    yield made
    made.close()


def test_home_is_a_folder_that_can_be_written(node: LocalNode) -> None:
    assert node.build(["sh", "-c", "cd && touch here && test -f here"], timeout=5) is None


@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() != 0, reason="programs run as whoever grades")
def test_a_tool_that_is_missing_is_not_found(node: LocalNode) -> None:
    said = node.build(["sh", "-c", "env rustc"], timeout=5)
    assert said is not None and "No such file or directory" in said and "denied" not in said
