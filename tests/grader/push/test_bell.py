"""The bell: whoever queues a push wakes the daemon, and neither ever waits for the other."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from grader.push import bell
from grader.push.folder import PushFolder

#: Longer than anybody wants to wait for a test that fails.
LONG = 60.0


def test_who_waits_is_woken(tmp_path: Path) -> None:
    with bell.listening(tmp_path / "bell", shared=False) as heard:
        ringer = threading.Thread(target=bell.ring, args=[tmp_path / "bell"])
        ringer.start()
        assert heard.wait(LONG)
        ringer.join()
        assert not heard.wait(0.0)  # once is once


def test_what_was_rung_while_nobody_waited_is_heard(tmp_path: Path) -> None:
    with bell.listening(tmp_path / "bell", shared=False) as heard:
        for _ in range(100_000):  # more than the pipe holds
            bell.ring(tmp_path / "bell")
        assert heard.wait(LONG)
        assert not heard.wait(0.0)


def test_ringing_returns_whatever_is_there(tmp_path: Path) -> None:
    bell.ring(tmp_path / "nothing")
    os.mkfifo(tmp_path / "nobody listens")
    bell.ring(tmp_path / "nobody listens")
    (tmp_path / "file").write_text("mine")
    bell.ring(tmp_path / "file")
    (tmp_path / "link").symlink_to("file")
    bell.ring(tmp_path / "link")
    assert (tmp_path / "file").read_text() == "mine"


def test_one_that_was_killed_is_followed_by_another(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from grader.push import bell\n"
        "with bell.listening(Path(sys.argv[1]), shared=False): os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "bell"], check=False)
    assert done.returncode == -signal.SIGKILL and stat.S_ISFIFO((tmp_path / "bell").stat().st_mode)
    bell.ring(tmp_path / "bell")  # nobody is there
    with bell.listening(tmp_path / "bell", shared=False) as heard:
        bell.ring(tmp_path / "bell")
        assert heard.wait(LONG)


def test_without_a_pipe_the_daemon_looks_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "mkfifo", none)
    with bell.listening(tmp_path / "bell", shared=False) as heard:
        bell.ring(tmp_path / "bell")
        assert not heard.wait(0.001)


@pytest.mark.parametrize(("group", "mode"), [("", 0o600), ("nogroup", 0o620)])
@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="a group can be given by root only")
def test_the_group_that_receives_pushes_may_ring(tmp_path: Path, group: str, mode: int) -> None:
    folder = PushFolder(tmp_path / "push")
    folder.make(group)
    with folder.serving() as heard:
        about = (folder.told / "bell").stat()
        assert stat.S_IMODE(about.st_mode) == mode
        assert not group or about.st_gid == (folder.told).stat().st_gid
        folder.ring()
        assert heard.wait(LONG)
