"""Stage 4: mailbox_client speaks in frames: 4 bytes of length, most significant first, and a body."""

import struct

from harness.testing import Mangle, Peer, Program, Scene

LIMIT = 65_536


def asks(lab: Scene, *words: str, mangle: Mangle | None = None) -> tuple[Program, Peer, bytes]:
    """A client that has sent its request: (client, the tester's end, the request)."""
    server = lab.listens(mangle=mangle)
    client = lab.runs("mailbox_client", server.address, *words)
    peer = server.accepts()
    return client, peer, peer.reads_frame()


def test_put_of_every_size(lab: Scene) -> None:
    for size in (0, 1, 252, 65_000, LIMIT - len(b"put n\n")):
        data = lab.random_bytes(size)
        client, peer, request = asks(lab, "put", "n", lab.put_file(f"file{size}", data))
        lab.expect_same(
            request,
            b"put n\n" + data,
            f"a file of {size:,} bytes arrives unchanged",
            otherwise=f"a file of {size:,} bytes arrived changed, or in another request",
        )
        peer.sends_frame(b"ok\n")
        client.exits(0)


def test_a_file_that_does_not_fit(lab: Scene) -> None:
    server = lab.listens()
    fits = lab.put_file("fits", bytes(LIMIT - len(b"put n\n")))
    client = lab.runs("mailbox_client", server.address, "put", "n", fits)
    peer = server.accepts()
    peer.reads_frame()
    peer.sends_frame(b"ok\n")
    client.exits(0)
    large = lab.put_file("large", bytes(LIMIT - len(b"put n\n") + 1))
    client = lab.runs("mailbox_client", server.address, "put", "n", large)
    client.exits(2)
    server.hears_not_a_byte(for_=0.3)
    client.says_why()


def test_get_of_every_size(lab: Scene) -> None:
    speaking = (b"error no such message\n", b"ok\n", b"\n \r\n x \t\r\n\n", b"\0\0\0\3ok\n\0")
    for data in (*map(lab.random_bytes, (0, 1, 255, 256, 4096, LIMIT - 3)), *speaking):
        client, peer, request = asks(lab, "get", "a.B-c_9")
        lab.expect_same(
            request,
            b"get a.B-c_9\n",
            "the request is 'get NAME' LF",
            otherwise="the client sent another request than 'get NAME' LF",
        )
        peer.sends_frame(b"ok\n" + data)
        client.prints(data)
        client.exits(0)


def test_one_byte_at_a_time(lab: Scene) -> None:
    data = lab.random_bytes(60)
    client, peer, _ = asks(lab, "get", "note")
    frame = struct.pack("!I", 3 + len(data)) + b"ok\n" + data
    peer.sends(*(frame[i : i + 1] for i in range(len(frame))), apart=0.004)
    client.prints(data)
    client.exits(0)


def test_a_large_answer_over_a_slow_link(lab: Scene) -> None:
    lab.link("dsl")
    quiet, waiting, _ = asks(lab, "list")
    begun = lab.now()
    data = lab.random_bytes(60_000)
    client, peer, _ = asks(lab, "get", "note")
    peer.sends_frame(b"ok\n" + data)
    client.prints(data, within=8)
    client.exits(0)
    lab.says("there is no limit for how long a reply may take: the client that asked before still waits")
    lab.pauses(max(0, begun + 5.3 - lab.now()))
    waiting.sends_frame(b"ok\n")
    quiet.exits(0)


def test_an_announced_length_beyond_the_limit(lab: Scene) -> None:
    client, peer, _ = asks(lab, "get", "note")
    peer.sends_frame(b"ok\n" + b"x" * (LIMIT - 3))
    client.exits(0)
    for length in (LIMIT + 1, 0x7FFFFFFF, 0xFFFFFFFF):
        client, peer, _ = asks(lab, "get", "note")
        lab.says(f"the answer announces {length:,} bytes, and the connection stays open")
        peer.sends(struct.pack("!I", length) + b"ok\nx")
        client.exits(4, within=2)
        client.fails(4)


def test_every_early_end(lab: Scene) -> None:
    client, peer, _ = asks(lab, "get", "note")
    peer.sends_frame(b"ok\n")
    peer.ends()
    client.prints(b"")
    client.exits(0)
    frame = struct.pack("!I", 8) + b"ok\nabcde"
    for cut in (0, 1, 3, 4, 7, len(frame) - 1):
        client, peer, _ = asks(lab, "get", "note")
        peer.sends(frame[:cut])
        peer.ends()
        client.fails(4)


def test_an_answer_that_is_none(lab: Scene) -> None:
    client, peer, _ = asks(lab, "list")
    peer.sends_frame(b"ok\n")
    client.exits(0)
    nearly = (
        b"ok\r\n",
        b"ok \n",
        b" ok\n",
        b"ok\rx\n",
        b"OK\n",
        b"error no LF",
        b"error\n",
        b"error a\nb\n",
        b"error \x1b[2J\n",
    )
    for body in (b"", b"okay\n", b"yes\n", b"ok", *nearly):
        client, peer, _ = asks(lab, "list")
        peer.sends_frame(body)
        client.fails(4)


def test_a_reset_breaks_the_protocol(lab: Scene) -> None:
    client, peer, _ = asks(lab, "list")
    peer.sends_frame(b"ok\nfine\n")
    client.prints(b"fine\n")
    client, peer, _ = asks(lab, "list")
    peer.sends(b"\x00\x00\x00\x20ok\n")
    peer.resets()
    client.fails(4)


def test_usage_and_bad_names(lab: Scene) -> None:
    for name in ("x" * 64, "-x", "--", "."):
        client, peer, request = asks(lab, "get", name)
        otherwise = f"the client asked for another name than {name[:10]!r}"
        lab.expect_same(request, f"get {name}\n".encode(), "it asks for that name", otherwise=otherwise)
        peer.sends_frame(b"ok\n")
        client.exits(0)
    server = lab.listens()
    file = lab.put_file("f", b"x")
    wrong = [
        ("get", "x" * 65),
        ("get", ""),
        ("get", "a b"),
        ("get", "n\n"),
        ("put", "a/b", file),
        ("put", "ümlaut", file),
        ("get",),
        ("put", "n"),
        ("put", "n", "no-such-file"),
        ("put", "n", "."),
        ("shout",),
        (),
        ("list", "all"),
    ]
    for words in wrong:
        lab.runs("mailbox_client", server.address, *words).fails(2)
    server.hears_not_a_byte(for_=0.1)


def test_over_ipv6_and_unix(lab: Scene) -> None:
    for server in (lab.listens(family=6), lab.listens(kind="unix")):
        client = lab.runs("mailbox_client", server.address, "whoami")
        peer = server.accepts()
        request = peer.reads_frame()
        lab.expect_same(
            request,
            b"whoami\n",
            "the request is 'whoami' LF",
            otherwise="the client sent another request than 'whoami' LF",
        )
        peer.sends_frame(b"ok\nyou\n")
        client.prints(b"you\n")
        client.exits(0)


def test_cannot_connect(lab: Scene) -> None:
    client, peer, _ = asks(lab, "list")
    peer.sends_frame(b"ok\n")
    client.exits(0)
    for address in (lab.nobody(), "unix:there-is-none"):
        lab.runs("mailbox_client", address, "list").fails(3)
