"""Stages 3 and 6: what is said last, with a loop of one's own and with asyncio."""

import pytest

from harness.testing import Peer, Scene, Server

PROGRAMS = pytest.mark.parametrize("program", ["chat_server", "chat_server_asyncio"])


def asks(peer: Peer, request: bytes) -> None:
    """One request that has to go well."""
    peer.sends(request + b"\n")
    peer.reads_exactly(b"ok\n")


def gets(peer: Peer, request: bytes) -> bool:
    """Whether one request goes well."""
    peer.sends(request + b"\n")
    return peer.reads_line() == b"ok\n"


def comes_in(lab: Scene, server: Server, name: bytes) -> Peer:
    """A client with a name, in the room tea."""
    peer = lab.connects(server, name=name.decode())
    asks(peer, b"nick " + name)
    asks(peer, b"join tea")
    return peer


@PROGRAMS
def test_last_words(lab: Scene, program: str) -> None:
    lab.link("campus")
    server = lab.serves(program)
    ada = comes_in(lab, server, b"ada")
    bob = comes_in(lab, server, b"bob")
    bob.sends(b"say tea one\nsay tea two\nsay tea no line end")
    bob.ends()
    bob.reads_exactly(b"ok\nok\n")
    bob.sees_end()
    ada.reads_exactly(b"tea bob one\ntea bob two\n")
    asks(ada, b"say tea nobody is here")
    lab.says("quit, with much behind it that nobody will read")
    for number in range(3):
        eve = comes_in(lab, server, b"eve-%d" % number)
        eve.sends(b"quit\n" + b"say tea ignored\n" * 2000, may_fail=True)
        eve.reads_exactly(b"ok\n")
        eve.ends()
        eve.sees_end()
        eve.closes()
    silent = comes_in(lab, server, b"silent")
    silent.sends(b"quit\n")
    silent.reads_exactly(b"ok\n")
    silent.sees_end()
    ended = lab.now()
    free = lab.waits_until(lambda: gets(ada, b"nick silent"), within=3, every=0.1)
    lab.expect(free, "whoever has quit gives the name back")
    lab.expect(not ada.sips(100), "nothing behind a quit is said")
    lab.says("the client that quit never ends its side, and sends a byte now and then")
    closed = lab.waits_until(lambda: silent.pushes(b"x", within=0.05) is None, within=3.5, every=0.2)
    seen = f"still open after {lab.now() - ended:.1f} s"
    lab.expect(closed, "the server does not wait for its end for ever", expected="closed within 2 s", seen=seen)
