"""Stage 6: batch, which sends and reads at the same time, and passes on what it is given."""

import struct

from harness.testing import Listener, Scene


def frame(body: bytes) -> bytes:
    """A body with its length before it."""
    return struct.pack("!I", len(body)) + body


def test_batch_reads_while_it_sends(lab: Scene) -> None:
    count, size = 170, 60_000
    server, slow = lab.listens(), lab.listens()
    lab.says("beside all that, another client gets no reply until the end")
    patient = lab.runs("mailbox_client", slow.address, "batch")
    patient.stdin_sends(frame(b"list\n"))
    patient.stdin_ends()
    waiting = slow.accepts()
    begun = lab.now()
    client = lab.runs("mailbox_client", server.address, "batch")
    requests = b"".join(frame(b"put n%d\n" % number + lab.random_bytes(size)) for number in range(count))
    feeding = client.stdin_sends_in_background(requests)
    peer = server.accepts()
    answers = []
    lab.says(f"{count} requests of {size:,} bytes, each answered by as many bytes before the next is read")
    for number in range(count):
        body = peer.reads_frame()
        if not body.startswith(b"put n%d\n" % number):
            lab.expect(
                False,
                f"request {number} arrives as it was given",
                seen=body,
                otherwise=f"request {number} arrived changed, or in another place",
            )
        answers.append(frame(b"ok\n" + body[-size:]))
        peer.sends(answers[-1])
    peer.sees_end()
    feeding.join(5)
    peer.ends()
    client.prints(b"".join(answers), within=8)
    client.exits(0)
    lab.pauses(max(0, begun + 5.3 - lab.now()))
    waiting.sends(frame(b"ok\n"))
    waiting.ends()
    patient.prints(frame(b"ok\n"))
    patient.exits(0)


def test_batch_tells_a_broken_end(lab: Scene) -> None:
    server = lab.listens()
    whole = frame(b"error no such message\n") + frame(b"ok\n")
    for tail, status in ((b"", 0), (frame(b"ok\nlost")[:-2], 4)):
        client = lab.runs("mailbox_client", server.address, "batch")
        client.stdin_sends(frame(b"list\n"))
        client.stdin_ends()
        peer = server.accepts()
        peer.reads_frame()
        peer.sends(whole + tail)
        peer.ends()
        client.prints(whole)
        client.exits(status)
    lab.says("a reply announces more than a frame may hold, and the connection stays open")
    client = lab.runs("mailbox_client", server.address, "batch")
    server.accepts().sends(frame(b"ok\n") + struct.pack("!I", 65_537) + bytes(1000))
    client.prints(frame(b"ok\n"))
    client.exits(4)
    lab.says("the server ends while the client's input is still open: that is an end like any other")
    client = lab.runs("mailbox_client", server.address, "batch")
    half = frame(b"list\n")[:6]
    client.stdin_sends(half)
    peer = server.accepts()
    peer.reads_exactly(half)  # as they come, whole frames or not
    peer.sends(frame(b"ok\n"))
    lab.says("a reply that is complete is printed, whatever may follow")
    client.has_printed(frame(b"ok\n"), within=2)
    peer.sends(frame(b"ok\nand more"))
    peer.ends()
    client.prints(frame(b"ok\n") + frame(b"ok\nand more"))
    client.exits(0)
    _a_reset_is_no_end(lab, server)


def _a_reset_is_no_end(lab: Scene, server: Listener) -> None:
    lab.says("a reset between two frames is no end")
    client = lab.runs("mailbox_client", server.address, "batch")
    client.stdin_sends(frame(b"list\n"))
    peer = server.accepts()
    peer.reads_frame()
    peer.sends(frame(b"ok\n"))
    client.has_printed(frame(b"ok\n"), within=2)
    peer.resets()
    client.exits(4)
    client.says_why()
