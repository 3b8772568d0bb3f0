"""Whatever ends a tester or a grader, no folder with hidden tests stays in the temporary folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grader.bench.folder import folder_of_a_tester, sweep
from grader.bench.local import LocalBench, LocalPlace
from harness.course.assignment import Assignment
from harness.lab.interface import LabError
from tests.grader.bench.test_benches import SAYS, a_task, a_tester
from tests.grading import ROOT

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals and modes")


@pytest.fixture
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of this test."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@posix
@pytest.mark.slow
def test_a_killed_tester_leaves_nothing(tmp: Path, tmp_path: Path, assignment: Assignment) -> None:
    code = (
        "import os, signal, sys, tempfile\n"
        "folder = tempfile.mkdtemp(prefix='suites-')\n"
        "open(folder + '/test_hidden.py', 'w').close()\n"
        "say(folder)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    said: list[object] = []
    ended = LocalBench(a_tester(tmp_path, SAYS + code)).run(a_task(assignment), said.append)
    assert ended.status == -signal.SIGKILL
    assert str(tmp) in str(said)
    assert list(tmp.iterdir()) == []


@posix
@pytest.mark.slow
def test_what_a_killed_grader_left_goes_and_what_a_living_one_needs_stays(tmp: Path) -> None:
    with a_grader(tmp) as (first, left), a_grader(tmp) as (_, used):
        (left / "suites-x").mkdir()
        (left / "suites-x/test_hidden.py").touch()
        first.kill()
        first.wait()
        LocalPlace(ROOT)  # as each run makes one
        assert not left.exists()
        assert used.exists()


def test_what_is_not_known_to_be_a_dead_graders_stays(tmp: Path) -> None:
    folders = [tmp / f"sl-{name}" for name in ("nobodys", "from-before-the-machine-started", "broken", "odd")]
    for folder in folders:
        folder.mkdir()
    (folders[1] / "owner.json").write_text(json.dumps({"socketlab.machine": "", "socketlab.pid": "1"}))
    (folders[2] / "owner.json").write_text("{")
    (folders[3] / "owner.json").write_text("[1]")
    (tmp / "sl-a-link").symlink_to(folders[0])
    with folder_of_a_tester() as mine:
        (mine / "work").mkdir()
        sweep()
        assert mine.exists()
        assert not folders[1].exists()
        assert all(folder.exists() for folder in (folders[0], *folders[2:]))


def test_no_room_for_it_is_ours_and_says_what_to_do(tmp: Path) -> None:
    tmp.rmdir()
    with pytest.raises(LabError, match="or set TMPDIR"), folder_of_a_tester():
        pass
    assert sweep() == 0


@posix
def test_an_ordinary_user_may_go_through_it_and_not_look_around(tmp: Path) -> None:  # noqa: ARG001
    with folder_of_a_tester() as folder:
        assert folder.stat().st_mode & 0o777 == 0o711


@contextmanager
def a_grader(tmp: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process with the folder of a tester of its own; it waits to be ended."""
    code = (
        "import sys\nfrom grader.bench.folder import folder_of_a_tester\n"
        "with folder_of_a_tester() as folder:\n    print(folder, flush=True)\n    sys.stdin.read()\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdin and process.stdout
    try:
        yield process, Path(process.stdout.readline().strip())
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
