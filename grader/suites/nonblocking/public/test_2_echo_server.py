"""Stage 2: echo_server sends everything back, to many clients, whatever they do about it."""

from harness.testing import Scene


def test_echoes(lab: Scene) -> None:
    server = lab.serves("echo_server")
    peer = lab.connects(server)
    for size in (1, 100, 5000):
        data = lab.random_bytes(size)
        peer.sends(data)
        peer.reads_exactly(data)


def test_two_at_once(lab: Scene) -> None:
    server = lab.serves("echo_server")
    lab.connects(server, name="a client that says nothing")
    first, second = lab.connects(server, name="the first"), lab.connects(server, name="the second")
    for number in range(5):
        first.sends(b"one %d" % number)
        second.sends(b"two %d" % number)
        second.reads_exactly(b"two %d" % number)
        first.reads_exactly(b"one %d" % number)


def test_half_close(lab: Scene) -> None:
    server = lab.serves("echo_server")
    peer = lab.connects(server)
    data = lab.random_bytes(20_000)
    peer.sends(data)
    peer.ends()
    peer.reads_exactly(data)
    peer.sees_end()


def test_a_client_that_reads_late(lab: Scene) -> None:
    server = lab.serves("echo_server")
    peer = lab.connects(server, receive_buffer=16384)
    data = lab.random_bytes(16_000_000)
    taken = peer.sends_what_fits(data)
    lab.expect(
        taken < len(data),
        "the server stops reading from a client that does not read",
        seen=f"{taken:,} bytes",
        otherwise="the server kept reading from a client that does not read",
    )
    other = lab.connects(server, name="another client")
    other.sends(b"hello")
    other.reads_exactly(b"hello")
    lab.says("the first client begins to read")
    peer.reads_exactly(data[:taken], within=10)


def test_ends_on_sigterm(lab: Scene) -> None:
    server = lab.serves("echo_server")
    peer = lab.connects(server)
    peer.sends(b"hello")
    peer.reads_exactly(b"hello")
    server.terminates()
    again = lab.serves("echo_server", at=f"0.0.0.0:{server.address.port}")
    other = lab.connects(again)
    other.sends(b"hello again")
    other.reads_exactly(b"hello again")
