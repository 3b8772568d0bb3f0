"""Stages 3 and 6: rooms in which everyone reads what everyone says, with a loop of one's own and with asyncio."""

import re

import pytest

from harness.testing import Broken, Peer, Scene, Server, show

PROGRAMS = pytest.mark.parametrize("program", ["chat_server", "chat_server_asyncio"])
TEXT = b"y" * 3900
ODD = (b" ", b"  x ", b"\t", b"a\vb\fc\x1cd\re", "a\u2028b\u0085c\u00a0".encode(), b"\0a\0", "\ufeffe\u0301".encode())


def asks(lab: Scene, peer: Peer, request: bytes, answer: bytes = b"ok\n") -> None:
    """One request, one reply; "error" stands for any reason."""
    peer.sends(request + b"\n")
    hears(lab, peer, request, answer)


def hears(lab: Scene, peer: Peer, request: bytes, answer: bytes) -> None:
    """The reply to a request that has been sent."""
    seen = peer.reads_line()
    good = seen.startswith(b"error ") and len(seen) > 7 if answer == b"error" else seen == answer
    otherwise = f"{request[:40]!r} got another answer"
    lab.expect(good, f"{request[:40]!r} is answered", expected=answer, seen=seen, otherwise=otherwise)


def comes_in(
    lab: Scene, server: Server, name: bytes, room: bytes, *, slow: bool = False, quietly: bool = False
) -> Peer:
    """A client with a name, in a room; a slow one has small buffers."""
    buffer = 16384 if slow else None
    peer = lab.connects(server, name=name.decode(), receive_buffer=buffer, quietly=quietly)
    asks(lab, peer, b"nick " + name)
    asks(lab, peer, b"join " + room)
    return peer


def many(lab: Scene) -> list[bytes]:
    """So many numbered lines that no buffer of a kernel hides a slow reader."""
    return [b"%d %s\n" % (number, TEXT) for number in range(3200 if lab.engine == "relay" else 1000)]


def grew_by_at_most(lab: Scene, before: int, megabytes: int, of: str) -> None:
    """What the server holds now, and did not `before` (bytes)."""
    grown = (lab.kernel.usage().memory_bytes - before) / 1e6
    lab.expect(
        grown < megabytes,
        f"little is held {of}",
        expected=f"{megabytes} MB at most",
        seen=f"{grown:.1f} MB more than before",
        otherwise=f"the server held {grown:.0f} MB {of}",
    )


def speaks(peer: Peer, lines: list[bytes]) -> None:
    """Say all that in the room tea, beside the test."""
    peer.sends_in_background(b"".join(b"say tea " + line for line in lines), within=20)


def reads_all(peer: Peer, lines: list[bytes]) -> None:
    """Read what ada said in the room tea, all of it."""
    for line in lines:
        seen = peer.reads_line()
        if seen != b"tea ada " + line:
            raise Broken(
                "a reader that kept up did not read the next line", expected=show(line[:20]), seen=show(seen[:60])
            )


def speaks_to(lab: Scene, ada: Peer, bob: Peer, lines: list[bytes]) -> None:
    """ada says all that in the room tea, never more than bob, who keeps up, has room for."""
    lab.says(f"ada says {len(lines):,} lines, bob keeps up with her")
    for at in range(0, len(lines), 12):
        few = lines[at : at + 12]
        ada.sends(b"".join(b"say tea " + line for line in few))
        reads_all(bob, few)
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
            raise Broken("a slow reader read a line that is cut, twice there or out of order", seen=show(seen[:80]))
        read, last = read + 1, number
    lab.expect(
        read + missed == len(lines),
        "every line was read or counted",
        seen=f"{read} read, {missed} dropped",
        otherwise="lines are missing that were neither read nor counted as dropped",
    )
    return read, missed


@PROGRAMS
def test_names_and_rooms(lab: Scene, program: str) -> None:
    lab.runs(program, "127.0.0.1:0", "--slow", "perhaps").exits(2)
    server = lab.serves(program)
    ada, bob = comes_in(lab, server, b"ada", b"tea"), comes_in(lab, server, b"bob", b"tea")
    words = (b"", b" ", b" " + b"n" * 33, " grüße".encode(), b"  x", b" te/a", b" x ", b" x y")
    wrong_ones = [command + word for command in (b"nick", b"join", b"part") for word in words]
    others = (b"say tea", b"say tea ", b"say  tea x", b"Nick x", b" nick x", b"quit now", b"\x00", b"say\ttea x")
    generous = (b"nick x\r\r", b"nick x\t", b"nick\tx", b"\vnick x", "nick\u00a0x".encode(), b"quit ", b"quit\r\r")
    for wrong in (*wrong_ones, *others, *generous):
        asks(lab, bob, wrong, b"error")
    asks(lab, bob, b"nick Ada")
    asks(lab, bob, b"nick Ada")
    asks(lab, bob, b"nick ada", b"error")
    asks(lab, bob, b"say tea my name has changed")
    ada.reads_exactly(b"tea Ada my name has changed\n")
    asks(lab, ada, b"nick bob")
    asks(lab, bob, b"nick ada")
    for number in range(15):
        asks(lab, bob, b"join room-%d" % number)
    asks(lab, bob, b"join one.too_many", b"error")
    asks(lab, bob, b"part room-3")
    asks(lab, bob, b"join Tea")
    asks(lab, bob, b"say room-3 out", b"error")
    asks(lab, ada, b"join room-5")
    asks(lab, ada, b"say room-5 x  y")
    bob.reads_exactly(b"room-5 bob x  y\n")
    lab.says("TEXT may be white space, begin and end with it, and hold what some call the end of a line")
    for text in ODD:
        asks(lab, ada, b"say room-5 " + text)
        bob.reads_exactly(b"room-5 bob " + text + b"\n")
    asks(lab, bob, b"\xef\xbb\xbfnick marked", b"error")
    bob.resets()
    other = lab.connects(server, name="another client")
    free = lab.waits_until(lambda: _gets(other, b"nick ada\n"), within=3, every=0.1)
    lab.expect(free, "whoever leaves gives the name back", otherwise="a client has left, and its name is still taken")
    asks(lab, other, b"say tea x", b"error")


def _gets(peer: Peer, request: bytes) -> bool:
    peer.sends(request)
    return peer.reads_line() == b"ok\n"


@PROGRAMS
def test_long_lines(lab: Scene, program: str) -> None:
    server = lab.serves(program)
    ada = comes_in(lab, server, b"ada", b"tea")
    bob = comes_in(lab, server, b"bob", b"tea")
    longest = b"z" * (4096 - len(b"say tea "))
    asks(lab, bob, b"say tea " + longest)
    ada.reads_exactly(b"tea bob " + longest + b"\n")
    asks(lab, bob, b"say tea " + longest[1:] + b"\r")
    ada.reads_exactly(b"tea bob " + longest[1:] + b"\n")
    bob.sends(b"say tea before\nsay tea " + longest + b"z")
    bob.reads_exactly(b"ok\n")
    hears(lab, bob, b"a line of 4,097 bytes", b"error")
    ada.reads_exactly(b"tea bob before\n")
    bob.ends()
    bob.sees_end()
    lab.says("a line of 50 MB")
    before = lab.kernel.usage().memory_bytes
    endless, taken = lab.clients.misbehaving(server).endless_line(50_000_000, within=8)
    grew_by_at_most(lab, before, 16, "of a line that never ends")
    lab.expect(taken > 4096, "what is sent is read", otherwise="the server stopped reading a line that is too long")
    endless.sees_reset_or_end(within=3)
    late = lab.connects(server, name="a client with much behind it")
    late.sends(b"q" * 4097 + b"\nnick late\n" + b"r" * 20_000, may_fail=True)
    hears(lab, late, b"a long line", b"error")
    late.ends()
    late.sees_end()
    crowded = comes_in(lab, server, b"crowded", b"tea")
    crowded.sends(b"say tea " + longest + b"\r\n")
    hears(lab, crowded, b"a line of 4,097 bytes, a CR included", b"error")
    asks(lab, ada, b"say tea still here")


@PROGRAMS
def test_invalid_utf8(lab: Scene, program: str) -> None:
    server = lab.serves(program)
    ada = comes_in(lab, server, b"ada", b"tea")
    bad_ones = (b"say tea \xff\xfe", b"\xc0\xaf", b"say tea cut \xe2\x98\nsay tea x", b"say tea \xed\xa0\x80")
    for number, wrong in enumerate(bad_ones):
        name = b"bob-%d" % number
        bob = comes_in(lab, server, name, b"tea")
        bob.sends(b"say tea good\n" + wrong + b"\nsay tea behind it\n")
        bob.reads_exactly(b"ok\n")
        hears(lab, bob, wrong, b"error")
        bob.ends()
        bob.sees_end()
        ada.reads_exactly(b"tea " + name + b" good\n")
        bob.closes()
    asks(lab, ada, "say tea \U0001f40d is fine".encode())
    lab.expect(not ada.sips(100), "nothing of it reached anybody", otherwise="the room was told what is not UTF-8")


@PROGRAMS
def test_one_order_for_all(lab: Scene, program: str) -> None:
    lab.link("campus")
    server = lab.serves(program)
    speakers = {b"s%d" % number: comes_in(lab, server, b"s%d" % number, b"tea") for number in range(4)}
    readers = [comes_in(lab, server, b"r%d" % number, b"tea") for number in range(4)]
    each = 150
    for name, peer in speakers.items():
        text = name * 40
        peer.sends_in_background(b"".join(b"say tea %d %s\n" % (number, text) for number in range(each)))
    seen = [[reader.reads_line() for _ in range(each * len(speakers))] for reader in readers]
    same = all(lines == seen[0] for lines in seen)
    lab.expect(same, "all read the same", otherwise="clients read lines in different orders")
    for name, peer in speakers.items():
        expected = [b"tea %s %d %s\n" % (name, number, name * 40) for number in range(each)]
        own = [line for line in seen[0] if line.startswith(b"tea %s " % name)]
        lab.expect(
            own == expected, "each speaker's lines are whole", seen=own[:3], otherwise="lines came cut or mixed up"
        )
        heard = [peer.reads_line() for _ in range(each * len(speakers))]
        ours = iter(expected)
        merged = [next(ours, b"") if line == b"ok\n" else line for line in heard]
        otherwise = "the speaker's own ok came in another place than its line came for the others"
        lab.expect(merged == seen[0], "the speaker's own ok stands where its line stands", otherwise=otherwise)


@PROGRAMS
def test_pieces_and_bursts(lab: Scene, program: str) -> None:
    server = lab.serves(program)
    ada = comes_in(lab, server, b"ada", b"tea")
    words = "nick bob\r\njoin tea\nsay tea ünï\r\nsay tea two\nnonsense\npart tea\n".encode()
    bob = lab.clients.misbehaving(server).drips(words, apart=0.004)
    bob.reads_exactly(b"ok\n" * 4)
    hears(lab, bob, b"nonsense", b"error")
    bob.reads_exactly(b"ok\n")
    ada.reads_exactly("tea bob ünï\ntea bob two\n".encode())
    lab.says("3,000 requests in one write")
    burst = b"".join(b"join tea\npart tea\nsay tea %d\n" % number for number in range(1000))
    bob.sends(burst)
    for _ in range(1000):
        bob.reads_exactly(b"ok\nok\n")
        hears(lab, bob, b"say tea ...", b"error")


@PROGRAMS
def test_drop_keeps_replies(lab: Scene, program: str) -> None:
    server = lab.serves(program, "--slow", "drop")
    slow = comes_in(lab, server, b"slow", b"tea", slow=True)
    ada, bob = (comes_in(lab, server, name, b"tea", quietly=True) for name in (b"ada", b"bob"))
    lines = many(lab)
    half = len(lines) // 2
    speaks_to(lab, ada, bob, lines[:half])
    lab.says("the slow reader asks for something in the midst of it, and does not read yet")
    slow.sends(b"join coffee\nsay nowhere x\npart coffee\n")
    lab.pauses(0.3)
    speaks_to(lab, ada, bob, lines[half:])
    read = missed = 0
    last = -1
    replies: list[bytes] = []
    while read + missed < len(lines) or len(replies) < 3:
        seen = slow.reads_line()
        if told := re.fullmatch(rb"dropped (\d{1,6})\n", seen):
            missed += int(told[1])
        elif seen == b"ok\n" or seen.startswith(b"error "):
            replies.append(seen[:3])
        else:
            found = re.match(rb"tea ada (\d{1,6}) ", seen)
            number = int(found[1]) if found else -1
            if not last < number < len(lines) or seen != b"tea ada " + lines[number]:
                raise Broken("a slow reader read a line that is cut, twice there or out of order", seen=show(seen[:80]))
            read, last = read + 1, number
    lab.expect(missed, "what did not fit was dropped", otherwise=f"all {read} lines came: nothing was dropped")
    kept = len(lines) - 1
    lab.expect_same(
        last, kept, "the newest line is still there", otherwise="the newest line was dropped, not the oldest"
    )
    lab.expect_same(
        replies, [b"ok\n", b"err", b"ok\n"], "no reply is dropped", otherwise="replies were dropped or moved with lines"
    )
    lab.says("once more, now that it has caught up")
    again = many(lab)[:16]  # fewer bytes than may wait, so that none may be dropped even if the kernel takes none
    speaks_to(lab, ada, bob, again)
    otherwise = "lines were dropped for a reader that had caught up"
    lab.expect(reads_or_misses(lab, slow, again) == (16, 0), "who has caught up misses nothing", otherwise=otherwise)


@PROGRAMS
def test_drop_holds_little(lab: Scene, program: str) -> None:
    server = lab.serves(program)  # drop is what it does if nobody says otherwise (rule 3.6)
    slow = [comes_in(lab, server, b"slow-%d" % number, b"tea", slow=True) for number in range(8)]
    ada, bob = (comes_in(lab, server, name, b"tea", quietly=True) for name in (b"ada", b"bob"))
    lines = many(lab)
    before = lab.kernel.usage().memory_bytes
    speaks_to(lab, ada, bob, lines)
    grew_by_at_most(lab, before, 8, "for 8 slow readers, 256 KiB each")
    for peer in slow[:2]:
        _, missed = reads_or_misses(lab, peer, lines)
        lab.expect(missed, "what did not fit was dropped", otherwise="nothing was dropped for a slow reader")


@PROGRAMS
def test_wait(lab: Scene, program: str) -> None:
    server = lab.serves(program, "--slow", "wait")
    slow = comes_in(lab, server, b"slow", b"tea", slow=True)
    ada, eve = comes_in(lab, server, b"ada", b"tea"), comes_in(lab, server, b"eve", b"coffee")
    dan = comes_in(lab, server, b"dan", b"coffee")
    lines = [b"%d %s\n" % (number, TEXT) for number in range(6000)]
    before = lab.kernel.usage().memory_bytes
    taken = ada.sends_what_fits(b"".join(b"say tea " + line for line in lines), quiet=0.4)
    whole = sum(1 for _ in range(taken // len(b"say tea " + lines[-1])))
    lab.expect(
        taken < 20_000_000,
        "the server stops reading from the speaker",
        seen=f"{taken:,} bytes taken",
        otherwise="the server kept reading from the speaker although a reader was behind",
    )
    grew_by_at_most(lab, before, 4, "for a slow reader, and for a speaker who has to wait")
    asks(lab, eve, b"say coffee undisturbed")
    dan.reads_exactly(b"coffee eve undisturbed\n")
    lab.kernel.finds_idle(server, for_=0.5, at_most=0.1)
    lab.says("the slow reader begins to read")
    reads_all(slow, lines[: whole - 1])
    ada.reads_exactly(b"ok\n" * (whole - 1))
    asks(lab, eve, b"join tea")


@PROGRAMS
def test_wait_until_the_reader_leaves(lab: Scene, program: str) -> None:
    server = lab.serves(program, "--slow", "wait")
    slow = comes_in(lab, server, b"slow", b"tea", slow=True)
    ada, bob = comes_in(lab, server, b"ada", b"tea"), comes_in(lab, server, b"bob", b"tea")
    lines = [b"%d %s\n" % (number, TEXT) for number in range(2500 if lab.engine == "relay" else 800)]
    speaks(ada, lines)
    first = bob.reads_what_comes()
    count = first.count(b"\n")
    lab.expect(
        count < len(lines), "the speaker has to wait", otherwise="a speaker went on although a reader was behind"
    )
    slow.resets()
    expected = b"".join(b"tea ada " + line for line in lines)
    lab.expect(
        expected.startswith(first), "what came first is right", seen=first[:60], otherwise="other lines came first"
    )
    bob.reads_exactly(expected[len(first) :], within=10)
    ada.reads_exactly(b"ok\n" * len(lines))
    lab.says("whoever comes next reads nothing of what was meant for the one that left")
    asks(lab, lab.connects(server, name="the next client"), b"nick slow")


@PROGRAMS
def test_close(lab: Scene, program: str) -> None:
    server = lab.serves(program, "--slow", "close")
    slow = comes_in(lab, server, b"slow", b"tea", slow=True)
    ada, bob = (comes_in(lab, server, name, b"tea", quietly=True) for name in (b"ada", b"bob"))
    lines = many(lab)
    speaks_to(lab, ada, bob, lines)
    other = lab.connects(server, name="another client")
    asks(lab, other, b"nick slow")
    slow.sees_reset_or_end()
    asks(lab, ada, b"say tea bob is still here")
    bob.reads_exactly(b"tea ada bob is still here\n")


@PROGRAMS
def test_replies_that_nobody_reads(lab: Scene, program: str) -> None:
    server = lab.serves(program, "--slow", "drop")
    ada, eve = comes_in(lab, server, b"ada", b"tea"), comes_in(lab, server, b"eve", b"coffee")
    bob = comes_in(lab, server, b"bob", b"tea", slow=True)
    lines = many(lab)
    lab.says("ada fills the way to bob; then he asks and asks, and does not read")
    speaks(ada, lines)
    ada.reads_exactly(b"ok\n" * len(lines), within=10)
    before = lab.kernel.usage().memory_bytes
    taken = bob.sends_what_fits(b"x\n" * 10_000_000, quiet=0.3)
    lab.expect(
        taken < 20_000_000,
        "the server stops reading",
        expected="a full connection",
        seen=f"{taken:,} bytes",
        otherwise="the server kept reading although its output was stuck",
    )
    lab.pauses(0.7)
    grew_by_at_most(lab, before, 6, "of replies that nobody reads")
    begun = lab.now()
    asks(lab, eve, b"say coffee hello")
    lab.expect(
        lab.now() - begun < 1,
        "others are answered at once",
        seen=f"{lab.now() - begun:.1f} s",
        otherwise="others had to wait while one client did not read its replies",
    )
    lab.says("bob begins to read")
    answered = 0
    while answered < 10_000:
        seen = bob.reads_line()
        answered += seen.startswith(b"error ")
        good = seen.startswith((b"error ", b"tea ada ", b"dropped ")) and len(seen) < 4000
        if not good:
            raise Broken("lines and answers were mixed or cut for a client that read late", seen=show(seen[:60]))
