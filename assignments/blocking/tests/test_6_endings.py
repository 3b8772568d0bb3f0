"""Stage 6: endings. Half of a connection may end, all of it may break, and nothing may be left behind."""

import struct

from harness.testing import Scene


def frame(body: bytes) -> bytes:
    """A body with its length before it."""
    return struct.pack("!I", len(body)) + body


def test_half_close(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    peer = lab.connects(server)
    peer.sends(frame(b"put n\nx") + frame(b"get n\n") + frame(b"list\n"))
    peer.ends()
    answers = [peer.reads_frame() for _ in range(3)]
    lab.expect_same(
        answers,
        [b"ok\n", b"ok\nx", b"ok\nn\n"],
        "every request is still answered",
        otherwise="requests that were there when the client ended its side got other answers",
    )
    peer.sees_end()


def test_batch(lab: Scene) -> None:
    server = lab.listens()
    client = lab.runs("mailbox_client", server.address, "batch")
    client.stdin_sends(frame(b"put n\nx") + frame(b"list\n"))
    client.stdin_ends()
    peer = server.accepts()
    requests = [peer.reads_frame(), peer.reads_frame()]
    lab.expect_same(
        requests,
        [b"put n\nx", b"list\n"],
        "the requests are sent as they stand",
        otherwise="other requests came than were on standard input",
    )
    peer.sees_end()
    peer.sends_frame(b"ok\n")
    peer.sends_frame(b"ok\nn\n")
    peer.ends()
    client.prints(frame(b"ok\n") + frame(b"ok\nn\n"))
    client.exits(0)


def test_idle_clients_are_sent_away(lab: Scene) -> None:
    server = lab.serves("mailbox_server", "--idle", "0.6")
    peer = lab.connects(server)
    peer.sends_frame(b"list\n")
    lab.expect(
        peer.reads_frame() == b"ok\n",
        "a client that asks is answered",
        otherwise="a client that asked for the list got another answer than ok",
    )
    peer.sees_reset_or_end(within=3)
