"""A bridge hands on bytes, ends and resets, and holds up who sends while nobody reads."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from harness.lab.linger import reset_and_close
from harness.stack.bridge import Bridge
from harness.stack.pieces import Here

#: More than two connections' kernel buffers and a piece.
MUCH = 64_000_000


class Way:
    """A bridge, and both of its ends."""

    def __init__(self) -> None:
        here = Here()
        listening, port = here.listen_tcp(4)
        behind, target = here.listen_tcp(4)
        self.seen: list[tuple[bool, bytes]] = []
        self.bridge = Bridge(
            listening, lambda: here.connect_tcp(target, 4, 5.0), lambda onward, data: self.seen.append((onward, data))
        )
        self.near = socket.create_connection(("127.0.0.1", port), 5.0)
        behind.settimeout(5.0)
        self.far, _ = behind.accept()
        self.far.settimeout(5.0)
        behind.close()


@pytest.fixture
def way() -> Iterator[Way]:
    made = Way()
    yield made
    made.bridge.dismiss()
    made.near.close()
    made.far.close()


def test_each_direction_ends_by_itself(way: Way) -> None:
    way.near.sendall(b"a question")
    way.near.shutdown(socket.SHUT_WR)
    assert way.far.makefile("rb").read() == b"a question"
    way.far.sendall(b"an answer")
    way.far.close()
    assert way.near.makefile("rb").read() == b"an answer"
    assert way.seen == [(True, b"a question"), (False, b"an answer")]


@pytest.mark.parametrize("side", ["near", "far"])
def test_a_reset_is_a_reset_at_the_other_end(way: Way, side: str) -> None:
    one, other = (way.near, way.far) if side == "near" else (way.far, way.near)
    one.sendall(b"x")
    assert other.recv(1) == b"x"
    reset_and_close(one)
    with pytest.raises(ConnectionResetError):
        other.recv(1)


def test_nothing_is_kept_for_who_does_not_read(way: Way) -> None:
    way.near.settimeout(0.5)
    taken = 0
    with pytest.raises(TimeoutError):
        while taken < MUCH:
            taken += way.near.send(bytes(1 << 20))


def test_who_comes_to_nobody_is_reset() -> None:
    here = Here()
    listening, port = here.listen_tcp(4)
    gone, target = here.listen_tcp(4)
    gone.close()
    bridge = Bridge(listening, lambda: here.connect_tcp(target, 4, 5.0))
    with socket.create_connection(("127.0.0.1", port), 5.0) as near, pytest.raises(ConnectionResetError):
        near.recv(1)
    bridge.dismiss()
