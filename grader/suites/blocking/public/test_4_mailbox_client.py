"""Stage 4: mailbox_client speaks in frames: 4 bytes of length, most significant first, and a body."""

import struct

from harness.testing import Scene


def test_put(lab: Scene) -> None:
    data = b"remember the\x00milk\n"
    server = lab.listens()
    client = lab.runs("mailbox_client", server.address, "put", "note", lab.put_file("note.txt", data))
    peer = server.accepts()
    request = peer.reads_frame()
    lab.expect_same(
        request,
        b"put note\n" + data,
        "the request is 'put NAME' LF and the file",
        otherwise="the request is something else than 'put note' LF and the file",
    )
    peer.sends_frame(b"ok\n")
    client.prints(b"")
    client.exits(0)


def test_get(lab: Scene) -> None:
    data = lab.random_bytes(300)
    server = lab.listens()
    client = lab.runs("mailbox_client", server.address, "get", "note")
    peer = server.accepts()
    request = peer.reads_frame()
    lab.expect_same(
        request,
        b"get note\n",
        "the request is 'get NAME' LF",
        otherwise="the request is something else than 'get note' LF",
    )
    peer.sends_frame(b"ok\n" + data)
    client.prints(data)
    client.exits(0)


def test_the_length_is_in_network_order(lab: Scene) -> None:
    server = lab.listens()
    client = lab.runs("mailbox_client", server.address, "list")
    peer = server.accepts()
    peer.reads_exactly(b"\x00\x00\x00\x05list\n")
    peer.sends(b"\x00\x00\x00\x07ok\na\nb\n")
    client.prints(b"a\nb\n")
    client.exits(0)


def test_an_answer_in_pieces(lab: Scene) -> None:
    data = lab.random_bytes(400)
    server = lab.listens()
    client = lab.runs("mailbox_client", server.address, "get", "note")
    peer = server.accepts()
    peer.reads_frame()
    frame = struct.pack("!I", 3 + len(data)) + b"ok\n" + data
    peer.sends(frame[:1], frame[1:3], frame[3:5], frame[5:200], frame[200:], apart=0.03)
    client.prints(data)
    client.exits(0)


def test_the_server_says_error(lab: Scene) -> None:
    server = lab.listens()
    client = lab.runs("mailbox_client", server.address, "get", "nothing")
    peer = server.accepts()
    peer.reads_frame()
    peer.sends_frame(b"error no such message\n")
    client.exits(1)
    lab.expect_same(
        client.stdout, b"", "nothing is on standard output", otherwise="the client wrote to standard output"
    )
    lab.expect(
        b"no such message" in client.stderr,
        "the reason is on standard error",
        seen=client.stderr,
        otherwise="the reason is not on standard error",
    )


def test_an_end_inside_a_frame(lab: Scene) -> None:
    server = lab.listens()
    lab.says("a whole answer first, then one that ends too early")
    whole = lab.runs("mailbox_client", server.address, "get", "note")
    peer = server.accepts()
    peer.reads_frame()
    peer.sends_frame(b"ok\nall of it")
    whole.prints(b"all of it")
    whole.exits(0)
    client = lab.runs("mailbox_client", server.address, "get", "note")
    peer = server.accepts()
    peer.reads_frame()
    peer.sends(struct.pack("!I", 100) + b"ok\nonly the beginning")
    peer.ends()
    client.exits(4)
