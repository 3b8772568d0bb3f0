"""User ids of the local lab: no two labs of a machine share one, whatever folder for temporary files each was given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.lab.interface import LabError
from harness.lab.local import ordinary

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root changes user")
ROOT = Path(__file__).parents[4]


def test_two_graders_with_folders_of_their_own_do_not_share_a_user(tmp_path: Path) -> None:
    source = "from harness.lab.local.ordinary import OrdinaryUser\nprint(OrdinaryUser().uid, flush=True)\ninput()\n"
    graders = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        environment = {**os.environ, "TMPDIR": str(tmp_path / name), "PYTHONPATH": str(ROOT)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        graders.append(subprocess.Popen([sys.executable, "-c", source], env=environment, **pipes))
    try:
        users = [grader.stdout.readline() for grader in graders]
    finally:
        for grader in graders:
            grader.communicate(b"\n")
    assert len(set(users)) == 2


def test_an_id_is_free_again_after_its_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordinary, "LOCKS", tmp_path / "locks")
    first = ordinary.OrdinaryUser()
    second = ordinary.OrdinaryUser()
    assert second.uid == first.uid + 1
    first.release()
    third = ordinary.OrdinaryUser()
    assert third.uid == first.uid
    second.release()
    third.release()


def test_containers_of_one_host_do_not_share_their_users() -> None:
    """Each has locks of its own. Namespaces are numbered as they are made, about six for each container."""
    ids = [list(ordinary._in_order(0xF0000000 + 6 * container)) for container in range(12)]
    first = [uid for each in ids for uid in each[: ordinary.BLOCK]]
    assert len(set(first)) == len(first)
    assert {tuple(sorted(each)) for each in ids} == {tuple(range(60592, 61184))}  # and each may take all of them


def test_a_place_that_cannot_be_had_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(ordinary, "LOCKS", tmp_path / "file/locks")
    with pytest.raises(LabError, match="where user ids are locked, cannot be made: Not a directory"):
        ordinary.OrdinaryUser()
