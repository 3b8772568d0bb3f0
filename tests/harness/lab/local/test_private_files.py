"""Files that the local lab gives to a program: for all to read, or for its user only."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.course.assignment import Limits
from harness.lab.interface import LabError
from harness.lab.local.lab import LocalNode

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LocalNode]:
    made = LocalNode(tmp_path, Limits())
    made.build(None, timeout=1)
    made.fresh()
    yield made
    made.close()


def mode(path: str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


def test_a_file_is_for_all_unless_it_is_private(node: LocalNode) -> None:
    assert mode(node.put_file("a", b"1")) == 0o644
    assert mode(node.put_file("b", b"2", mode=0o600)) == 0o600


def test_a_file_put_again_has_the_rights_asked_for_last(node: LocalNode) -> None:
    node.put_file("a", b"1")
    assert mode(path := node.put_file("a", b"2", mode=0o600)) == 0o600
    assert mode(node.put_file("a", b"3")) == 0o644
    assert Path(path).read_bytes() == b"3"


def test_a_program_can_read_its_private_file(node: LocalNode) -> None:
    path = node.put_file("a", b"1", mode=0o600)
    process = node.start(["python3", "-c", f"open({path!r}).read()"])
    assert process.wait(10) == 0


def test_a_full_disk_is_ours_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise shutil.Error([("client.py", "built/client.py", f"[Errno 28] {os.strerror(errno.ENOSPC)}")])

    made = LocalNode(tmp_path, Limits())
    (tmp_path / "client.py").touch()
    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(LabError, match=r"cannot be copied to .*No space left on device.* set TMPDIR"):
        made.build(None, timeout=1)
    made.close()
