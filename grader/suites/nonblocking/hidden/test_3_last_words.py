"""Stages 3 and 6: what is said last, and what is left of whoever leaves, with a loop of one's own and with asyncio."""

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
    lab.expect(free, "whoever has quit gives the name back", otherwise="a client has quit, and its name is still taken")
    lab.expect(
        not ada.sips(100), "nothing behind a quit is said", otherwise="the room was told what came behind a quit"
    )
    lab.says("the client that quit never ends its side, and sends a byte now and then")
    closed = lab.waits_until(lambda: silent.pushes(b"x", within=0.05) is None, within=3.5, every=0.2)
    seen = f"still open after {lab.now() - ended:.1f} s"
    lab.expect(
        closed,
        "the server closes the connection of a client that has quit",
        expected="closed within 2 s",
        seen=seen,
        otherwise="a client that has quit, and goes on sending, is still connected",
    )
    twelve_floods_end(lab, server, ada)


def twelve_floods_end(lab: Scene, server: Server, ada: Peer) -> None:
    """Clients that have quit are closed although they go on sending, and ada is answered meanwhile."""
    lab.says("12 quit and go on sending, as fast as they are taken")
    floods = lab.clients.misbehaving(server).floods(12, b"quit\n")
    begun = lab.now()
    asks(ada, b"say tea am I heard?")
    took = lab.now() - begun
    lab.expect(
        took < 1,
        "others are answered while 12 clients flood",
        expected="within 1 s",
        seen=f"{took:.1f} s",
        otherwise="others had to wait while 12 clients sent without end",
    )
    floods.are_ended(within=4)


@PROGRAMS
def test_whoever_leaves_gives_the_name_back(lab: Scene, program: str) -> None:
    server = lab.serves(program, "--idle", "2")
    ada = comes_in(lab, server, b"ada")
    other = lab.connects(server, name="another client")

    def leaves(name: bytes, words: bytes) -> Peer:
        peer = comes_in(lab, server, name)
        peer.sends(words)
        return peer

    def is_free(name: bytes) -> bool:
        asks(ada, b"nick ada")  # or she would be sent away, too
        return gets(other, b"nick " + name)

    silent = comes_in(lab, server, b"silent")
    closing, resetting = (leaves(name, b"say te") for name in (b"closing", b"resetting"))
    with server.stands_still():
        closing.closes()
        resetting.resets()
    leaves(b"ending", b"say te").ends()
    leaves(b"quitting", b"quit\n")
    leaves(b"endless", b"x" * 5000)
    leaves(b"invalid", b"say tea \xff\n")
    lab.says("each has left in another way, and some never end their side; one says nothing for 2 s")
    for name in (b"closing", b"resetting", b"ending", b"quitting", b"endless", b"invalid", b"silent"):
        free = lab.waits_until(lambda name=name: is_free(name), within=4.5, every=0.1)
        left = name.decode()
        lab.expect(
            free, f"{left} has given the name back", otherwise=f"{left} has left, and its name was taken for 4.5 s"
        )
    silent.sees_reset_or_end(within=1)
    asks(other, b"join tea")
    asks(other, b"say tea hello")
    ada.reads_exactly(b"tea silent hello\n")


@PROGRAMS
def test_rooms_vanish(lab: Scene, program: str) -> None:
    server = lab.serves(program)
    ada = comes_in(lab, server, b"ada")
    walks_through(ada, 0, 2000)
    lab.pauses(0.2)
    before = lab.kernel.usage().memory_bytes
    lab.says("ada joins and parts 20,000 rooms, one after the other")
    walks_through(ada, 2000, 22_000)
    grown = lab.kernel.usage().memory_bytes - before
    lab.says(f"finds memory grown by {grown / 1e6:.1f} MB")
    collects = {"go", "node", "java"} & set(lab.kernel.usage().runtimes)  # garbage, when it likes
    lab.expect(
        collects or grown < 2.5e6,
        "rooms in which nobody is left are gone",
        expected="at most 2.5 MB more than before",
        seen=f"{grown / 1e6:.1f} MB more",
        otherwise="the memory grows with every room that nobody is in any more",
    )
    asks(ada, b"say tea still here")


def walks_through(peer: Peer, first: int, last: int) -> None:
    """Join and part rooms of which each has another name."""
    for start in range(first, last, 500):
        rooms = [b"%032d" % number for number in range(start, start + 500)]
        peer.sends(b"".join(b"join %s\npart %s\n" % (room, room) for room in rooms))
        peer.reads_exactly(b"ok\n" * 1000, within=10)
