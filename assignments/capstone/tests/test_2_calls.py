"""Stage 2: a call. First each of the two programs by itself, then through all layers."""

import json

from harness.testing import Peer, Profile, Scene

BAD = Profile(delay=0.005, jitter=0.003, loss=0.05, burst_cap=3, corrupt=0.02, reorder=0.05)


def _asks(peer: Peer, **message: object) -> None:
    peer.sends(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


def _hears(lab: Scene, peer: Peer, **expected: object) -> None:
    line = peer.reads_line()
    try:
        seen = json.loads(line)
    except ValueError:
        seen = line
    if isinstance(seen, dict) and isinstance(seen.get("error"), dict):
        seen["error"] = {"code": seen["error"].get("code")}  # the message is whatever its author likes
    wanted = {"jsonrpc": "2.0", **expected}
    lab.expect_same(seen, wanted, "the answer is the right one", otherwise="the answer is another one")


def test_a_call(lab: Scene) -> None:
    peer = lab.connects(lab.serves("rpc_server"))
    _asks(peer, method="sum", params=[1, 2, 39.5], id=1)
    _hears(lab, peer, result=42.5, id=1)
    _asks(peer, method="reverse", params=["stream"], id="a name")
    _hears(lab, peer, result="maerts", id="a name")
    _asks(peer, method="sum", params=[], id=2)
    _hears(lab, peer, result=0, id=2)


def test_what_goes_wrong(lab: Scene) -> None:
    peer = lab.connects(lab.serves("rpc_server"))
    peer.sends(b'{"jsonrpc": "2.0", "method\n')
    _hears(lab, peer, error={"code": -32700}, id=None)
    _asks(peer, params=[1], id=7)
    _hears(lab, peer, error={"code": -32600}, id=7)
    _asks(peer, method="product", params=[2, 3], id=8)
    _hears(lab, peer, error={"code": -32601}, id=8)
    _asks(peer, method="reverse", params=[12], id=9)
    _hears(lab, peer, error={"code": -32602}, id=9)
    lab.says("and the connection is as good as before")
    _asks(peer, method="reverse", params=["ab"], id=10)
    _hears(lab, peer, result="ba", id=10)


def test_the_client(lab: Scene) -> None:
    listener = lab.listens()
    client = lab.runs("rpc_client", listener.address, "sum", "1", "2.5", "-3")
    peer = listener.accepts()
    line = peer.reads_line()
    try:
        asked = json.loads(line)
        right = asked["jsonrpc"] == "2.0" and asked["method"] == "sum" and asked["params"] == [1, 2.5, -3]
        number = asked["id"]
    except (ValueError, LookupError, TypeError):
        right, number = False, None
    lab.expect(right and number is not None, "it asks", seen=line, otherwise="what it sent is no such request")
    _asks(peer, result=0.5, id=number)
    client.prints(b"0.5\n")
    client.exits(0)


def test_a_call_through_all_layers(lab: Scene) -> None:
    lab.link("5 % loss, damage, reordering", up=BAD, down=BAD)
    stack = lab.stack.stands(program="rpc_server")
    client = lab.runs("rpc_client", stack.address, "reverse", '"through three layers and back"')
    client.prints(b'"kcab dna sreyal eerht hguorht"\n', within=30)
    client.exits(0)
    stack.went_over_the_link(b"through three layers and back")
