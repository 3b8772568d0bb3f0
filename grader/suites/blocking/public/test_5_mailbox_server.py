"""Stage 5: mailbox_server serves many clients at once, a thread for each, with one state behind a lock."""

from harness.testing import Peer, Scene


def asks(peer: Peer, request: bytes) -> bytes:
    """One request, one answer."""
    peer.sends_frame(request)
    return peer.reads_frame()


def test_put_and_get(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    peer = lab.connects(server)
    data = lab.random_bytes(1000)
    answer = asks(peer, b"put note\n" + data)
    lab.expect_same(answer, b"ok\n", "a put is answered ok", otherwise="a put got another answer than ok")
    peer.closes()
    other = lab.connects(server, name="another client")
    answer = asks(other, b"get note\n")
    lab.expect_same(
        answer,
        b"ok\n" + data,
        "what one put, another gets, unchanged",
        otherwise="another client got something else than had been put",
    )
    answer = asks(other, b"get nothing\n")
    lab.expect(
        answer.startswith(b"error "),
        "what nobody put is an error",
        expected="error ...",
        seen=answer,
        otherwise="a get of what nobody put was not answered with an error",
    )


def test_list(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    peer = lab.connects(server)
    for name in (b"b", b"a", b"C", b"a.1"):
        asks(peer, b"put " + name + b"\nx")
    answer = asks(peer, b"list\n")
    lab.expect_same(
        answer,
        b"ok\nC\na\na.1\nb\n",
        "list tells the names, sorted by their bytes, each ended by LF",
        otherwise="list told other names, in another order, or with other ends of lines",
    )


def test_whoami(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    peer = lab.connects(server)
    answer = asks(peer, b"whoami\n")
    client, here = lab.five_tuple(peer)
    expected = f"ok\ntcp {client.host} {client.port} {here.host} {here.port}\n"
    lab.expect_same(
        answer,
        expected.encode(),
        "whoami is the connection's 5-tuple",
        otherwise="whoami told another 5-tuple than the connection's",
    )


def test_two_at_once(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    lab.connects(server, name="a client that says nothing")
    half = lab.connects(server, name="a client that sends half a frame")
    half.sends(b"\x00\x00\x00\x05li")
    peer = lab.connects(server, name="a third client")
    answer = asks(peer, b"list\n")
    lab.expect_same(
        answer,
        b"ok\n",
        "the third client is answered all the same",
        otherwise="a third client got another answer while two others were waiting",
    )
    half.sends(b"st\n")
    answer = half.reads_frame()
    lab.expect_same(
        answer,
        b"ok\n",
        "the second client is answered once its frame is whole",
        otherwise="a client whose frame came in two pieces got another answer",
    )


def test_many_requests_on_one_connection(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    peer = lab.connects(server)
    lab.says("three requests in one write")
    peer.sends(b"\x00\x00\x00\x07put a\nx" + b"\x00\x00\x00\x06get a\n" + b"\x00\x00\x00\x05list\n")
    answers = [peer.reads_frame() for _ in range(3)]
    lab.expect_same(
        answers,
        [b"ok\n", b"ok\nx", b"ok\na\n"],
        "three requests get three answers, in order",
        otherwise="three requests in one go got other answers, or in another order",
    )
