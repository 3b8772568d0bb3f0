"""A peer is told as a story whoever is at the other end."""

from __future__ import annotations

import os
import socket
import struct
import sys
import time

import pytest

from harness.actors.peer import Peer
from harness.actors.story import Broken, Story


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_an_abstract_name_may_be_any_bytes() -> None:
    name = b"\0\xff\xfe" + os.urandom(8)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(b"\0" + os.urandom(8))
        listener.listen()
        client.bind(name)
        client.connect(listener.getsockname())
        peer = Peer(listener.accept()[0], Story(time.monotonic))
        assert peer.remote.path == name.decode("latin-1")
        peer.dismiss()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere accept() leaves out who has gone")
def test_a_connection_that_was_reset_before_it_was_accepted_is_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        peer = Peer(listener.accept()[0], Story(time.monotonic))
        assert peer.sees_reset_or_end() == "reset"
        peer.dismiss()


def over_tcp() -> tuple[Peer, Peer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        return Peer(client, Story(time.monotonic)), Peer(listener.accept()[0], Story(time.monotonic))


def test_a_reset_is_told_from_an_end() -> None:
    one, other = over_tcp()
    other.sends(b"some bytes")
    other.ends()
    with pytest.raises(Broken, match="ended, not reset") as caught:
        one.sees_reset()
    assert caught.value.seen == '"some bytes", then the end of the stream (FIN)'
    other.resets()
    one.dismiss()
    one, other = over_tcp()
    other.sends(b"some bytes")
    other.resets()
    assert one.sees_reset() in (b"some bytes", b"")  # some systems drop what was not read
    one.dismiss()


def test_a_reset_that_a_write_met_is_one_still() -> None:
    one, other = over_tcp()
    other.resets()
    for _ in range(3):
        one.sends(b"x", may_fail=True)
    assert one.sees_reset() == b""
    one.dismiss()


def test_a_reset_is_not_awaited_for_ever() -> None:
    one, other = over_tcp()
    with pytest.raises(Broken) as caught:
        one.sees_reset(within=0.05)
    assert caught.value.verdict == "timeout"
    one.dismiss()
    other.dismiss()
