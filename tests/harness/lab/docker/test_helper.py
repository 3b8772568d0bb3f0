"""The tester's conversation with a helper of the Docker lab: what is told when nobody answers."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from harness.lab.docker import helper
from harness.lab.docker.helper import Helper
from harness.lab.interface import LabError, NodeGone, NodeMute


def answers_once(listener: socket.socket) -> threading.Thread:
    """Somebody who answers one request, hangs up and is gone."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, listener:
            connection.recv(1000)
            connection.sendall(b'{"ok": true}\n')
            connection.recv(1000)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_one_that_was_there_and_hangs_up_is_gone(tmp_path: Path) -> None:
    path = str(tmp_path / "agent.sock")
    listener = socket.create_server(path, family=socket.AF_UNIX)
    serving = answers_once(listener)
    agent = Helper("agent", path, gone=NodeGone)
    assert agent.ask({"op": "hello"}) == ({}, [])
    with pytest.raises(NodeGone, match="the lab's agent does not answer 'usage': it hung up"):
        agent.ask({"op": "usage"})
    serving.join()
    with pytest.raises(NodeGone, match="does not answer 'trouble'"):  # nobody listens any more
        agent.ask({"op": "trouble"})


def test_one_that_is_silent_or_never_came_is_not_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "agent.sock")
    monkeypatch.setattr(helper, "STARTED_WITHIN", 0.05)
    with pytest.raises(LabError) as never_came:
        Helper("agent", path, gone=NodeGone).ask({"op": "hello"})
    with socket.create_server(path, family=socket.AF_UNIX), pytest.raises(LabError) as silent:
        Helper("agent", path, gone=NodeGone).ask({"op": "hello"}, within=0.05)
    assert {type(never_came.value), type(silent.value)} == {LabError}


def test_another_helper_that_hangs_up_is_a_broken_lab(tmp_path: Path) -> None:
    path = str(tmp_path / "warden.sock")
    listener = socket.create_server(path, family=socket.AF_UNIX)
    serving = answers_once(listener)
    warden = Helper("warden", path)
    warden.ask({"op": "hello"})
    with pytest.raises(LabError) as gone:
        warden.ask({"op": "fresh"})
    serving.join()
    assert type(gone.value) is LabError


def test_one_that_was_there_and_says_nothing_is_mute(tmp_path: Path) -> None:
    path = str(tmp_path / "agent.sock")
    with socket.create_server(path, family=socket.AF_UNIX) as listener:
        agent = Helper("agent", path, gone=NodeGone, mute=NodeMute)
        with pytest.raises(LabError) as never_met:  # it may not have begun
            agent.ask({"op": "hello"}, within=0.05)
        assert not isinstance(never_met.value, NodeMute)
        listener.accept()[0].close()
        kept: list[socket.socket] = []

        def answer() -> None:
            kept.append(listener.accept()[0])
            kept[0].sendall(b'{"ok": true}\n')

        answering = threading.Thread(target=answer)
        answering.start()
        assert agent.ask({"op": "hello"}) == ({}, [])
        answering.join()
        with pytest.raises(NodeMute, match="does not answer 'usage'"):
            agent.ask({"op": "usage"}, within=0.05)
        kept[0].close()
