"""What the tester's own sockets lack is never the server's failure."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.actors.story import Broken
from harness.errors import shortage
from harness.lab.interface import LabError, NotMeasured
from harness.lab.own_address import bind
from harness.tester.scene import Scene
from tests.harness.tester.local_scene import local_scenes


@pytest.fixture(scope="module")
def lab() -> Iterator[Scene]:
    with local_scenes(Path(__file__).parent / "load_submission", {"server": ["python3", "echo.py"]}) as make:
        yield make()


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENOBUFS, errno.ENOMEM])
def test_a_connection_that_the_tester_cannot_make_is_ours(
    lab: Scene, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    server = lab.serves("server")

    def fails(sock: socket.socket, _: object) -> None:
        if sock.type == socket.SOCK_STREAM:  # a datagram's socket takes its ports from elsewhere
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "connect", fails)
    with pytest.raises(LabError, match=re.escape(shortage(OSError(number, "")))):
        lab.connects(server)


def test_an_address_that_the_machine_lacks_is_no_lack_of_ports(lab: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as sock, pytest.raises(LabError, match=r"does not have the address 192\.0\.2\.1: bring it up"):
        bind(sock, "192.0.2.1")
    server = lab.serves("server", at="[::]:0")

    def fails(_: socket.socket, __: object) -> None:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))

    monkeypatch.setattr(socket.socket, "connect", fails)
    with pytest.raises(LabError, match="does not have the address ::1: enable IPv6"):
        lab.connects(server)


def test_a_port_that_is_taken_is_no_lack_of_ports() -> None:
    with socket.socket() as first, socket.socket() as second:
        bind(first, "127.0.0.1")
        with pytest.raises(LabError, match=r"cannot bind to 127\.0\.0\.1 port [0-9]+: Address already in use"):
            bind(second, "127.0.0.1", first.getsockname()[1])


def test_a_connection_that_the_server_refuses_is_its_own(lab: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    server = lab.serves("server")

    def refused(*_: object) -> None:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    monkeypatch.setattr(socket.socket, "connect", refused)
    with pytest.raises(Broken, match="cannot connect"):
        lab.connects(server)


def test_where_no_program_can_catch_a_signal_nothing_is_judged(lab: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    server = lab.serves("server")
    with monkeypatch.context() as windows:
        windows.setattr(sys, "platform", "win32")
        windows.delattr(signal, "SIGCONT")
        with pytest.raises(NotMeasured, match="SIGTERM"):
            server.terminates()
        assert server.runs()
        server.signal(9)
    assert server.status(within=2.0) is not None
