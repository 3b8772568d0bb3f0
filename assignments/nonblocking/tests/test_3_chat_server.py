"""Stages 3 and 6: rooms in which everyone reads what everyone says, with a loop of one's own and with asyncio."""

import re

import pytest

from harness.testing import Peer, Scene, Server

PROGRAMS = pytest.mark.parametrize("program", ["chat_server", "chat_server_asyncio"])


def asks(lab: Scene, peer: Peer, request: bytes, answer: bytes = b"ok\n") -> None:
    """One request, one reply; "error" stands for any reason."""
    peer.sends(request + b"\n")
    seen = peer.reads_line()
    good = seen.startswith(b"error ") if answer == b"error" else seen == answer
    lab.expect(
        good,
        f"{request[:40]!r} is answered",
        expected=answer,
        seen=seen,
        otherwise=f"{request[:40]!r} got another answer",
    )


def comes_in(
    lab: Scene, server: Server, name: bytes, room: bytes, *, slow: bool = False, quietly: bool = False
) -> Peer:
    """A client with a name, in a room; a slow one has small buffers."""
    buffer = 16384 if slow else None
    peer = lab.connects(server, name=name.decode(), receive_buffer=buffer, quietly=quietly)
    asks(lab, peer, b"nick " + name)
    asks(lab, peer, b"join " + room)
    return peer


def speaks_to(lab: Scene, ada: Peer, bob: Peer, lines: list[bytes]) -> None:
    """ada says all that in the room tea, never more than bob, who keeps up, has room for."""
    for at in range(0, len(lines), 12):
        few = lines[at : at + 12]
        ada.sends(b"".join(b"say tea " + line for line in few))
        for line in few:
            seen = bob.reads_line()
            if seen != b"tea ada " + line:
                lab.expect(
                    False,
                    "a reader that keeps up reads every line",
                    expected=line[:20],
                    seen=seen[:60],
                    otherwise="a reader that keeps up missed a line, or read another",
                )
        ada.reads_exactly(b"ok\n" * len(few))


def reads_or_misses(lab: Scene, peer: Peer, lines: list[bytes]) -> tuple[int, int]:
    """Read what ada said in the room tea, until every line was read or counted as dropped; how many of each."""
    read = missed = 0
    last = -1
    while read + missed < len(lines):
        seen = peer.reads_line()
        if told := re.fullmatch(rb"dropped (\d{1,6})\n", seen):
            missed += int(told[1])
            continue
        found = re.match(rb"tea ada (\d{1,6}) ", seen)
        number = int(found[1]) if found else -1
        if not last < number < len(lines) or seen != b"tea ada " + lines[number]:
            lab.expect(
                False,
                "a slow reader reads whole lines, in their order",
                seen=seen[:80],
                otherwise="a slow reader read a line that is torn, wrong or out of order",
            )
        read, last = read + 1, number
    lab.expect(
        read + missed == len(lines),
        "every line was read or counted",
        seen=f"{read} read, {missed} dropped",
        otherwise="lines are missing that were neither read nor counted as dropped",
    )
    return read, missed


@PROGRAMS
def test_a_conversation(lab: Scene, program: str) -> None:
    server = lab.serves(program)
    ada, bob = comes_in(lab, server, b"ada", b"tea"), comes_in(lab, server, b"bob", b"tea")
    eve = comes_in(lab, server, b"eve", b"coffee")
    asks(lab, ada, b"say tea hello,  bob")
    bob.reads_exactly(b"tea ada hello,  bob\n")
    asks(lab, bob, "say tea grüß dich ☕".encode())
    ada.reads_exactly("tea bob grüß dich ☕\n".encode())
    asks(lab, eve, b"say coffee anyone?")
    asks(lab, bob, b"part tea")
    asks(lab, ada, b"say tea gone?")
    asks(lab, bob, b"quit")
    bob.sees_end()
    asks(lab, eve, b"quit")
    eve.sees_end()


@PROGRAMS
def test_errors(lab: Scene, program: str) -> None:
    server = lab.serves(program)
    ada, bob = comes_in(lab, server, b"ada", b"tea"), lab.connects(server, name="bob")
    for wrong in (b"", b"shout tea x", b"nick", b"nick a b", b"nick b/b", b"join tea", b"say tea hello"):
        asks(lab, bob, wrong, b"error")
    asks(lab, bob, b"nick ada", b"error")
    asks(lab, bob, b"nick bob")
    asks(lab, bob, b"say tea hello", b"error")
    asks(lab, bob, b"join tea")
    asks(lab, bob, b"join tea", b"error")
    asks(lab, bob, b"part coffee", b"error")
    asks(lab, bob, b"say tea now")
    ada.reads_exactly(b"tea bob now\n")


@PROGRAMS
def test_three_read_one_order(lab: Scene, program: str) -> None:
    server = lab.serves(program)
    ada, bob = comes_in(lab, server, b"ada", b"tea"), comes_in(lab, server, b"bob", b"tea")
    readers = [comes_in(lab, server, b"r%d" % number, b"tea") for number in range(3)]
    for peer, name in ((ada, b"ada"), (bob, b"bob")):
        peer.sends(b"".join(b"say tea %s says %d\n" % (name, number) for number in range(50)))
    seen = [[reader.reads_line() for _ in range(100)] for reader in readers]
    lab.expect(
        seen[0] == seen[1] == seen[2],
        "all three read the same lines in the same order",
        otherwise="two readers of one room read different lines, or in another order",
    )
    for name in (b"ada", b"bob"):
        expected = [b"tea %s %s says %d\n" % (name, name, number) for number in range(50)]
        own = [line for line in seen[0] if line.startswith(b"tea " + name)]
        lab.expect(
            own == expected,
            "nothing is missing, and each speaker's lines are in its order",
            seen=own[:3],
            otherwise="lines of a speaker are missing or out of order",
        )


@PROGRAMS
def test_lines_end_in_lf(lab: Scene, program: str) -> None:
    server = lab.serves(program)
    ada, bob = comes_in(lab, server, b"ada", b"tea"), lab.connects(server, name="bob")
    bob.sends(b"ni", b"ck bob\r", b"\njoin tea\r\nsay te", b"a one\nsay tea t\xc3", b"\xbc\r\n", apart=0.05)
    bob.reads_exactly(b"ok\nok\nok\nok\n")
    ada.reads_exactly("tea bob one\ntea bob tü\n".encode())


@PROGRAMS
def test_drop(lab: Scene, program: str) -> None:
    server = lab.serves(program, "--slow", "drop")
    slow = comes_in(lab, server, b"slow", b"tea", slow=True)
    ada, bob = (comes_in(lab, server, name, b"tea", quietly=True) for name in (b"ada", b"bob"))
    lines = [b"%d %s\n" % (number, b"x" * 3900) for number in range(3000 if lab.engine == "relay" else 1000)]
    lab.says(f"ada says {len(lines):,} lines of 3,900 bytes; bob reads them, slow does not")
    speaks_to(lab, ada, bob, lines)
    lab.says("slow begins to read")
    read, missed = reads_or_misses(lab, slow, lines)
    lab.expect(
        missed,
        "lines that did not fit were dropped",
        expected="some",
        seen=f"{read} lines read, none dropped",
        otherwise="no line was dropped although the reader did not read",
    )
