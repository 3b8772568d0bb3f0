"""Stages 3 and 6: where the chat listens, how much may wait for a reader, and who is in nobody's way any more."""

import re

import pytest

from harness.testing import Broken, Peer, Scene, Server, show

PROGRAMS = pytest.mark.parametrize("program", ["chat_server", "chat_server_asyncio"])
TEXT = b"y" * 3900
#: Lines that take up less than 65,536 bytes together, whoever has taken some of them.
FEW = 16
#: Bytes that wait in a server at most, and what the kernel holds of them for a reader with small buffers, with room.
MOST = 65_536 + 300_000


def comes_in(lab: Scene, server: Server, name: bytes, room: bytes = b"tea", *, small: bool = False) -> Peer:
    """A client with a name, in a room; of what waits for a small one the kernel keeps little."""
    sizes = {"receive_buffer": 2048, "segment": 536} if small else {}
    peer = lab.connects(server, name=name.decode(), **sizes)
    peer.sends(b"nick %s\njoin %s\n" % (name, room))
    peer.reads_exactly(b"ok\nok\n")
    return peer


def numbered(first: int, last: int) -> list[bytes]:
    """Lines of 3,900 bytes."""
    return [b"%d %s\n" % (number, TEXT) for number in range(first, last)]


def says(ada: Peer, lines: list[bytes]) -> None:
    """Say all that in the room tea, and be answered."""
    ada.sends(b"".join(b"say tea " + line for line in lines))
    ada.reads_exactly(b"ok\n" * len(lines))


@PROGRAMS
def test_where_it_listens(lab: Scene, program: str) -> None:
    six = lab.serves(program, at="[::]:0")
    comes_in(lab, six, b"ada").closes()
    server = lab.serves(program, at="unix:chat.sock")
    ada = comes_in(lab, server, b"ada")
    lab.says("others, at its socket, at a port that is taken, and with words that make no sense")
    wrong = ((("127.0.0.1:0", "--idle", "0"), 2), (("udp:127.0.0.1:0",), 2), ((f"[::]:{six.address.port}",), 3))
    for words, status in (*wrong, (("unix:chat.sock",), 3)):
        lab.runs(program, *words).fails(status)
    bob = comes_in(lab, server, b"bob")
    says(ada, [b"the first one goes on\n"])
    bob.reads_exactly(b"tea ada the first one goes on\n")
    server.terminates(within=2.2)
    gone = lab.kind_of("chat.sock") == "missing"
    lab.expect(gone, "its file is gone", otherwise="the file of the Unix socket was left behind at SIGTERM")
    server.prints(b"listening on unix:chat.sock\n")
    killed = lab.serves(program, at="unix:chat.sock")
    killed.signal(9)
    killed.exits(-9)
    comes_in(lab, lab.serves(program, at="unix:chat.sock"), b"ada")


@PROGRAMS
def test_what_may_be_dropped(lab: Scene, program: str) -> None:
    server = lab.serves(program, "--slow", "drop")
    ada, slow = comes_in(lab, server, b"ada"), comes_in(lab, server, b"slow", small=True)
    lines = numbered(0, 1000)
    for first, last in ((0, 150), (150, 1000)):
        lab.says(f"{last - first} lines, and the reader does not read meanwhile; then it reads all that there is")
        for at in range(first, last, 10):
            says(ada, lines[at : min(at + 10, last)])
        kept = reads_what_was_kept(slow, lines, first, last)
        size = len(b"tea ada " + lines[last - 1])
        lab.expect(
            65_536 - 3 * size < kept * size < 2 * 65_536,
            "what is kept is what may wait",
            expected=f"about 65,536 bytes ({65_536 // size} lines)",
            seen=f"{kept * size:,} bytes ({kept} lines)",
            otherwise="more lines were dropped than necessary, or fewer than had to be",
        )


def reads_what_was_kept(peer: Peer, lines: list[bytes], first: int, last: int) -> int:
    """Read these lines, or the count of those that are missing; how many came behind the last that is missing."""
    read, missed, run, expected = 0, 0, 0, first
    while read + missed < last - first:
        seen = peer.reads_line()
        if told := re.fullmatch(rb"dropped (\d{1,6})\n", seen):
            missed += int(told[1])
            continue
        found = re.match(rb"tea ada (\d{1,6}) ", seen)
        number = int(found[1]) if found else -1
        if not expected <= number < last or seen != b"tea ada " + lines[number]:
            raise Broken("a slow reader read a line that is cut, twice there or out of order", seen=show(seen[:80]))
        run = run + 1 if number == expected else 1
        read, expected = read + 1, number + 1
    if read + missed != last - first or not missed:
        raise Broken(
            "the lines that came and the count of those that were dropped are not all",
            expected=f"{last - first} lines, some of them dropped",
            seen=f"{read} read, {missed} dropped",
        )
    return run


@PROGRAMS
def test_who_is_behind(lab: Scene, program: str) -> None:
    for slow_means in ("wait", "close"):
        server = lab.serves(program, "--slow", slow_means)
        ada, slow = comes_in(lab, server, b"ada"), comes_in(lab, server, b"slow", small=True)
        lab.says(f"{FEW} lines, which may all wait: the reader is not behind")
        says(ada, numbered(0, FEW))
        lab.pauses(0.1)
        eve = comes_in(lab, server, b"eve", b"coffee")
        eve.sends(b"nick slow\n")
        here = eve.reads_line() != b"ok\n"
        lab.expect(here, "it is still there", otherwise="a reader was closed for whom fewer than 65,536 bytes waited")
        lab.says("far more than may wait, and the reader does not read")
        ada.sends_in_background(b"".join(b"say tea " + line for line in numbered(FEW, 300)))
        answered = ada.reads_what_comes().count(b"ok\n")
        if slow_means == "close":
            lab.expect(
                answered == 300 - FEW, "nobody waits", otherwise="a speaker had to wait although --slow is close"
            )
            lab.expect(closed_soon(lab, server), "it was closed", otherwise="a reader that fell behind was not closed")
            continue
        lab.expect(
            answered * len(TEXT) < MOST,
            "the speaker has to wait as soon as 65,536 bytes wait for a reader",
            expected=f"less than {MOST:,} bytes, with all that the kernel holds",
            seen=f"{answered * len(TEXT):,} bytes",
            otherwise="a speaker had to wait far too late, or not at all",
        )
        lab.says("the reader leaves the room, and reads no more than before: it is in nobody's way any more")
        slow.sends(b"part tea\n")
        ada.reads_exactly(b"ok\n" * (300 - FEW - answered), within=3)


def closed_soon(lab: Scene, server: Server) -> bool:
    """Whether the name of the reader that fell behind is free, and then that 400 KB are enough for it."""
    other = comes_in(lab, server, b"other")
    other.sends(b"nick slow\n")
    if other.reads_line() != b"ok\n":
        return False
    lab.says("once more, with 400 KB and not a megabyte")
    other.sends(b"nick other\n")
    other.reads_exactly(b"ok\n")
    comes_in(lab, server, b"slow", small=True)
    for number in range(10):
        says(other, numbered(number * 10, number * 10 + 10))
    other.sends(b"nick slow\n")
    return other.reads_line() == b"ok\n"
