"""TCP connections through the relay, with real sockets on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from harness.course.address import Address
from harness.lab.interface import LabError, Mangle
from harness.lab.linger import reset_on_close
from harness.lab.relay.loop import RelayLoop
from harness.link.profile import Profile


class Lab:
    """A relay in front of one listening socket; `pair` connects through it."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.relay = RelayLoop()
        self.server = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.server.settimeout(5)
        self.open: list[socket.socket] = [self.server]

    def via(self, **how: Mangle) -> Address:
        host, port = self.server.getsockname()[:2]
        return self.relay.add_tcp(to=Address("tcp", host=host, port=port), towards="student", **how)

    def pair(self, via: Address | None = None) -> tuple[socket.socket, socket.socket]:
        """(client's end, server's end)"""
        client = socket.create_connection((via or self.via()).pair, 5)
        server, _ = self.server.accept()
        server.settimeout(5)
        self.open += [client, server]
        return client, server

    def close(self) -> None:
        self.relay.close()
        for sock in self.open:
            sock.close()


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    yield made
    made.close()


def read_all(sock: socket.socket) -> bytes:
    found = bytearray()
    while data := sock.recv(65_536):
        found += data
    return bytes(found)


def reset(sock: socket.socket) -> None:
    reset_on_close(sock)
    sock.close()


def eventually(error: type[Exception], action: Callable[[], object]) -> None:
    """The action fails so within 5 seconds."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            action()
        except error:
            return
        time.sleep(0.005)
    raise AssertionError(f"no {error.__name__}")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_bytes_pass_both_ways_and_the_address_seen_is_known(host):
    lab = Lab(host)
    via = lab.via()
    client, server = lab.pair(via)
    own = client.getsockname()[:2]
    seen = lab.relay.seen_by_target(Address("tcp", host=own[0], port=own[1]), via)
    assert server.getpeername()[:2] == seen.pair
    client.sendall(b"there")
    assert server.recv(100) == b"there"
    server.sendall(b"back")
    assert client.recv(100) == b"back"
    lab.close()


def test_a_half_close_closes_half(lab):
    client, server = lab.pair()
    client.sendall(b"the end")
    client.shutdown(socket.SHUT_WR)
    assert read_all(server) == b"the end"
    server.sendall(b"still open")
    assert client.recv(100) == b"still open"
    server.close()
    assert client.recv(100) == b""


def test_many_bytes_arrive_as_they_were(lab):
    client, server = lab.pair()
    payload = bytes(range(256)) * 20_000
    writer = threading.Thread(target=lambda: (client.sendall(payload), client.shutdown(socket.SHUT_WR)))
    writer.start()
    assert read_all(server) == payload
    writer.join()


@pytest.mark.parametrize("side", [0, 1])
def test_a_reset_arrives_as_one_behind_the_bytes_before_it(lab, side):
    ends = lab.pair()
    here, there = ends[side], ends[1 - side]
    here.sendall(b"last words")
    assert there.recv(100) == b"last words"
    reset(here)
    with pytest.raises(ConnectionResetError):
        there.recv(100)


def test_a_reset_after_a_half_close_is_passed_on_too(lab):
    client, server = lab.pair()
    client.shutdown(socket.SHUT_WR)
    assert server.recv(10) == b""
    reset(client)
    eventually(BrokenPipeError, lambda: server.send(b"x"))


def test_an_answer_before_the_reset_of_unread_bytes_is_not_lost(lab):
    """A server that closes with bytes unread resets; its client has the answer first."""
    client, server = lab.pair()
    client.sendall(b"never read")
    assert server.recv(1, socket.MSG_PEEK)
    server.sendall(b"goodbye")
    server.close()
    assert client.recv(7, socket.MSG_WAITALL) == b"goodbye"
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_a_refused_connection_is_reset(lab):
    via = lab.via()
    lab.server.close()
    client = socket.create_connection(via.pair, 5)
    lab.open.append(client)
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_a_reader_that_does_not_read_is_felt_by_the_sender(lab):
    client, server = lab.pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(0.2)
    taken = 0
    with pytest.raises(TimeoutError):
        while taken < 50_000_000:
            taken += client.send(bytes(65_536))
    assert taken < 5_000_000
    assert len(server.recv(65_536)) > 0


def test_a_sender_blocked_by_the_reader_learns_of_its_reset(lab):
    client, server = lab.pair()
    client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        while True:
            client.send(bytes(65_536))
    reset(server)
    eventually(ConnectionError, lambda: client.send(b"x"))


def test_the_delay_is_that_of_each_direction(lab):
    via = lab.via()
    lab.relay.shape(up=Profile(delay=0.03), down=Profile(delay=0.01), seed=1)
    start = time.monotonic()
    client, server = lab.pair(via)
    server.sendall(b"x")
    client.recv(1)
    assert 0.04 <= time.monotonic() - start < 0.5
    start = time.monotonic()
    client.sendall(b"x")
    server.recv(1)
    assert 0.01 <= time.monotonic() - start < 0.5


def test_a_rate_is_kept(lab):
    client, server = lab.pair()
    lab.relay.shape(up=Profile(), down=Profile(rate=8_000_000), seed=1)
    start = time.monotonic()
    client.sendall(bytes(100_000))
    client.shutdown(socket.SHUT_WR)
    assert len(read_all(server)) == 100_000
    assert 0.1 <= time.monotonic() - start < 0.6


def test_lost_pieces_come_late_but_in_order(lab):
    client, server = lab.pair()
    lab.relay.shape(up=Profile(), down=Profile(drop=(0, 2)), seed=1)
    start = time.monotonic()
    for number in range(4):
        client.sendall(bytes([number]) * 1000)
    assert server.recv(4000, socket.MSG_WAITALL) == b"".join(bytes([number]) * 1000 for number in range(4))
    assert time.monotonic() - start >= 0.2
    assert lab.relay.counters().lost >= 1


def test_no_connection_gets_through_a_dead_link(lab):
    via = lab.via()
    lab.relay.shape(up=Profile(), down=Profile(loss=1), seed=1)
    client = socket.create_connection(via.pair, 5)
    lab.open.append(client)
    lab.server.settimeout(0.05)
    with pytest.raises(TimeoutError):
        lab.server.accept()


def test_slices_are_seen_one_by_one(lab):
    """The mangle is for what the student reads: here the server, since the relay leads towards the student."""
    client, server = lab.pair(lab.via(mangle=Mangle(slices=(2, 3), pause=0.02)))
    client.sendall(b"abcdefg")
    assert [server.recv(100) for _ in range(3)] == [b"ab", b"cde", b"fg"]
    server.sendall(b"abcdefg")
    assert client.recv(100) == b"abcdefg"


def test_mangle_up_is_for_what_the_student_writes(lab):
    client, server = lab.pair(lab.via(mangle_up=Mangle(slices=(4,), pause=0.02)))
    server.sendall(b"abcdefg")
    assert [client.recv(100) for _ in range(2)] == [b"abcd", b"efg"]


def test_a_stream_cut_by_the_link_ends_there(lab):
    client, server = lab.pair(lab.via(mangle=Mangle(end_at=3)))
    client.sendall(b"abcdef")
    assert read_all(server) == b"abc"
    server.sendall(b"answer")
    server.close()
    assert read_all(client) == b"answer"


def test_a_stream_reset_by_the_link_resets_both_sides(lab):
    client, server = lab.pair(lab.via(mangle=Mangle(reset_at=3)))
    client.sendall(b"abcdef")
    assert server.recv(3, socket.MSG_WAITALL) == b"abc"
    for end in (client, server):
        with pytest.raises(ConnectionResetError):
            end.recv(1)


def test_hundreds_of_connections(lab):
    via = lab.via()
    pairs = [lab.pair(via) for _ in range(200)]
    for number, (client, _) in enumerate(pairs):
        client.sendall(number.to_bytes(2))
    assert [int.from_bytes(server.recv(2)) for _, server in pairs] == list(range(200))


def test_clearing_resets_what_is_open(lab):
    client, _ = lab.pair()
    lab.relay.clear()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_the_source_of_a_connection_that_never_comes_is_an_error(lab, monkeypatch):
    monkeypatch.setattr("harness.lab.relay.loop._CONNECTED_WITHIN", 0.01)
    with pytest.raises(LabError, match="no connection of"):
        lab.relay.seen_by_target(Address("tcp", host="127.0.0.1", port=9), lab.via())
