"""Stage 2: what a stream does to messages, and what a client has to believe."""

import json

from harness.testing import Peer, Profile, Scene

BAD = Profile(delay=0.005, jitter=0.003, loss=0.05, burst_cap=3, corrupt=0.02, reorder=0.05)


def _request(number: int, method: str, *params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": number}).encode() + b"\n"


def _results(peer: Peer, count: int) -> list[object]:
    """What the next answers hold, by id."""
    found: list[object] = []
    for _ in range(count):
        line = peer.reads_line(within=10, most=1 << 20)
        try:
            message = json.loads(line)
            found.append((message["id"], message.get("result")))
        except (ValueError, LookupError, TypeError):
            found.append(line)
    return found


def _id(line: bytes) -> object:
    """The id of a call; another one if it has none, which no client takes for its own."""
    try:
        return json.loads(line)["id"]
    except (ValueError, LookupError, TypeError):
        return "there was none"


def _answers(peer: Peer, **message: object) -> None:
    """The answer to the call that comes next, in pieces."""
    said = json.dumps({"jsonrpc": "2.0", "id": _id(peer.reads_line()), **message}).encode() + b"\n"
    peer.sends(said[:9], said[9:-1], said[-1:], apart=0.03)


def test_messages_in_pieces(lab: Scene) -> None:
    peer = lab.connects(lab.serves("rpc_server"))
    asked = _request(1, "sum", 20, 22)
    peer.sends(*[asked[at : at + 7] for at in range(0, len(asked), 7)], apart=0.01)
    lab.expect_same(_results(peer, 1), [(1, 42)], "a call in pieces", otherwise="a call in pieces was not answered")
    peer.sends(_request(2, "sum", 1) + _request(3, "reverse", "xyz") + asked[:10])
    seen = _results(peer, 2)
    lab.expect_same(seen, [(2, 1), (3, "zyx")], "two calls in one piece", otherwise="two calls in one piece went wrong")
    peer.sends(asked[10:])
    seen = _results(peer, 1)
    lab.expect_same(seen, [(1, 42)], "and half of a third", otherwise="half a call, and the rest of it, went wrong")
    text = "ä" * 150_000 + "."
    peer.sends(_request(4, "reverse", text))
    same = _results(peer, 1) == [(4, text[::-1])]
    lab.expect(same, "a call of a megabyte", otherwise="a call of a megabyte did not come back right")
    whole = _request(7, "reverse", "")
    peer.sends(_request(7, "reverse", "x" * ((1 << 20) - len(whole))))
    same = _results(peer, 1) == [(7, "x" * ((1 << 20) - len(whole)))]
    lab.expect(same, "a line of 1,048,576 bytes", otherwise="a line of 1,048,576 bytes was not answered, or wrongly")
    peer.sends(_request(5, "sum", 4) + _request(6, "sum", 5))
    peer.ends()
    seen, unanswered = _results(peer, 2), "after the end of its client, the server did not answer what came before"
    lab.expect_same(seen, [(5, 4), (6, 5)], "all is answered", otherwise=unanswered)
    peer.sees_end()


def test_who_wants_no_answer(lab: Scene) -> None:
    server = lab.serves("rpc_server")
    peer = lab.connects(server)
    peer.sends(b'{"jsonrpc": "2.0", "method": "sum", "params": [1]}\n')
    peer.sends(b'{"jsonrpc": "2.0", "method": "nothing of this name"}\n')
    peer.sends(_request(1, "sum", 1))
    seen = _results(peer, 1)
    lab.expect_same(seen, [(1, 1)], "a notification is not answered", otherwise="a notification was answered")
    peer.sends(b'{"jsonrpc": "2.0", "method": "su')
    lab.pauses(0.1)
    peer.resets()
    lab.says("and the next client is served, whatever the last one did")
    peer = lab.connects(server)
    peer.sends(_request(2, "sum", 2))
    lab.expect_same(_results(peer, 1), [(2, 2)], "the next client", otherwise="the next client was not answered")


def test_what_is_no_answer(lab: Scene) -> None:
    listener = lab.listens()
    client = lab.runs("rpc_client", listener.address, "reverse", '"x"')
    peer = listener.accepts()
    number = _id(peer.reads_line())
    peer.sends(
        json.dumps({"jsonrpc": "2.0", "error": {"code": -32601, "message": "no"}, "id": number}).encode() + b"\n"
    )
    client.fails(4)
    for said in (b"", b"this is not JSON\n", b'{"jsonrpc": "2.0", "result": "x", "id": "of somebody else"}\n'):
        client = lab.runs("rpc_client", listener.address, "reverse", '"x"')
        peer = listener.accepts()
        peer.reads_line()
        peer.sends(said)
        peer.ends()
        client.fails(5)
    lab.runs("rpc_client", lab.nobody(), "reverse", '"x"').fails(3)
    lab.runs("rpc_client", listener.address, "reverse", "x").fails(2)


def test_what_looks_like_nothing(lab: Scene) -> None:
    server = lab.serves("rpc_server", at="[::]:0")
    peer = lab.connects(server)
    lab.says("an id that is false or empty is an id")
    for number in (0, ""):
        peer.sends(_request(number, "sum"))
        lab.expect_same(_results(peer, 1), [(number, 0)], "it is answered", otherwise=f"the id {number!r} was no id")
    lab.says("what is no request, no JSON, and what fits no method: each is an error, and ends nothing")
    calls = (("sum", "a", "b"), ("sum", [1]), ("sum", None), ("reverse",), ("reverse", "a", "b"), ("reverse", None))
    wrong = [(_request(9, *call), -32602) for call in calls]
    wrong += [(b"42\n", -32600), (b'"sum"\n', -32600), (b"null\n", -32600), (b'{"id": 0}\n', -32600)]
    wrong += [(b"\xff\xfe{}\n", -32700), (b"[" * 50_000 + b"\n", -32700), (b"sum 1 2\n", -32700)]
    for said, code in wrong:
        peer.sends(said)
        line = peer.reads_line()
        try:
            seen = json.loads(line)["error"]["code"]
        except (ValueError, LookupError, TypeError):
            seen = line
        lab.expect_same(seen, code, f"{said[:40]!r} is {code}", otherwise=f"{said[:60]!r} was answered otherwise")
    lab.runs("rpc_server", f"[::]:{server.address.port}").fails(3)
    lab.says("a result that is null, 0, false or empty is a result, in whatever pieces it comes")
    listener = lab.listens(family=6)
    for result, printed in ((None, b"null\n"), (0, b"0\n"), (False, b"false\n"), ("", b'""\n')):
        client = lab.runs("rpc_client", listener.address, "reverse", '"x"')
        _answers(listener.accepts(), result=result)
        client.prints(printed)
        client.exits(0)


def test_a_call_over_the_reference(lab: Scene) -> None:
    lab.link("5 % loss, damage, reordering", up=BAD, down=BAD)
    stack = lab.stack.stands(program="rpc_server", tls="the reference's", transport="the reference's")
    client = lab.runs("rpc_client", stack.address, "sum", "40", "2")
    client.prints(b"42\n", within=30)
    client.exits(0)
