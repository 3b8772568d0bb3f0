"""Stage 5: frames of every size and in every piece, up to the limit and beyond it."""

import struct

from harness.testing import Peer, Scene

LIMIT = 65_536


def frame(body: bytes) -> bytes:
    """A body with its length before it."""
    return struct.pack("!I", len(body)) + body


def asks(peer: Peer, request: bytes) -> bytes:
    """One request, one answer."""
    peer.sends_frame(request)
    return peer.reads_frame()


def more_names_than_fit(lab: Scene, peer: Peer) -> None:
    """A list may be as long as a frame, or too long for one; "big" and "empty" are there already."""
    lab.says("names of which a list fills a frame to the last byte, and then one more")
    names = [b"%064d" % number for number in range(1008)] + [b"zz"]
    peer.sends(b"".join(frame(b"put " + name + b"\nx") for name in names))
    for _ in names:
        peer.reads_frame()
    answer = asks(peer, b"list\n")
    lab.expect_same(
        answer,
        b"ok\n" + b"".join(name + b"\n" for name in sorted([b"big", b"empty", *names])),
        "a list of exactly 65,536 bytes is told",
        otherwise="a list that just fits into a frame was answered wrongly",
    )
    asks(peer, b"put -\nx")
    answer = asks(peer, b"list\n")
    lab.expect_same(
        answer, b"error too long\n", "that is told", otherwise="a list that does not fit was answered wrongly"
    )


def test_largest_frames(lab: Scene) -> None:
    lab.link("campus")
    server = lab.serves("mailbox_server")
    peer = lab.connects(server)
    data = lab.random_bytes(LIMIT - len(b"put big\n"))
    answer = asks(peer, b"put big\n" + data)
    lab.expect_same(
        answer,
        b"ok\n",
        "a frame of exactly 65,536 bytes is taken",
        otherwise="the server refused a frame of exactly 65,536 bytes, which is allowed",
    )
    answer = asks(peer, b"get big\n")
    lab.expect_same(
        answer,
        b"ok\n" + data,
        "a message of the largest size comes back unchanged",
        otherwise="a message of the largest size came back changed",
    )
    asks(peer, b"put empty\n")
    answer = asks(peer, b"get empty\n")
    lab.expect_same(
        answer,
        b"ok\n",
        "an empty message is a message",
        otherwise="an empty message was put, and get did not give an empty message",
    )
    more_names_than_fit(lab, peer)
    peer.closes()
    lab.says("a client of whose replies the system keeps little: send() does not take all of a frame at once")
    small = lab.connects(server, receive_buffer=2048, segment=536, name="a client with small buffers")
    small.sends(frame(b"get big\n") * 3)
    lab.pauses(0.3)
    for _ in range(3):
        answer = small.reads_frame()
        lab.expect_same(
            answer,
            b"ok\n" + data,
            "a reply that send() takes in parts is complete",
            otherwise="a part of a large reply was lost: send() had not taken all of it",
        )


def test_frames_in_pieces(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    peer = lab.connects(server)
    data = lab.random_bytes(300)
    whole = frame(b"put n\n" + data) + frame(b"get n\n")
    peer.sends(whole[:2], whole[2:4], whole[4:9], whole[9:150], whole[150:311], whole[311:315], whole[315:], apart=0.03)
    answers = [peer.reads_frame(), peer.reads_frame()]
    lab.expect_same(
        answers,
        [b"ok\n", b"ok\n" + data],
        "a frame is a frame in whatever pieces it comes",
        otherwise="frames that came in pieces were answered wrongly",
    )


def test_a_length_beyond_the_limit(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    for length in (LIMIT + 1, 0xFFFFFFFF):
        peer = lab.connects(server)
        asks(peer, b"list\n")
        peer.sends(struct.pack("!I", length))
        answer = peer.reads_frame()
        lab.expect_same(
            answer,
            b"error too long\n",
            "a frame that is too long is answered 'error too long'",
            otherwise="a frame that is too long was answered something else, or its connection just ended",
        )
        peer.ends()
        peer.sees_end()
    lab.expect(
        asks(lab.connects(server), b"list\n") == b"ok\n",
        "the server goes on and serves a new client",
        otherwise="a new client was not served after others had sent frames that are too long",
    )
