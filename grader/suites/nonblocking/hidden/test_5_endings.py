"""Stages 5 and 6: endings and timers, a storm, and no descriptors left."""

import itertools
import json
import re
import signal
import threading
from typing import Any

import pytest

from harness.testing import Broken, NotMeasured, Peer, Scene, Server, show

CHATS = pytest.mark.parametrize("program", ["chat_server", "chat_server_asyncio"])
ALL = pytest.mark.parametrize("program", ["echo_server", "chat_server", "chat_server_asyncio"])

#: A Python program that finds this in its path meets a wall clock that jumps ahead by an hour soon after its start.
JUMPING_CLOCK = b"""\
import time

_time, _time_ns, _begun = time.time, time.time_ns, time.monotonic()


def jumped() -> int:
    return 3600 if time.monotonic() - _begun > 0.7 else 0


time.time = lambda: _time() + jumped()
time.time_ns = lambda: _time_ns() + jumped() * 10**9
"""


TEXT = b"x" * 3900


def rooms(lab: Scene, server: Server) -> tuple[Peer, Peer, Peer]:
    """ada and bob, who read, and a slow one, all in the room tea."""
    peers = []
    for name in (b"ada", b"bob", b"slow"):
        buffer = 16384 if name == b"slow" else None
        peer = lab.connects(server, name=name.decode(), receive_buffer=buffer, quietly=name != b"slow")
        peer.sends(b"nick " + name + b"\njoin tea\n")
        peer.reads_exactly(b"ok\nok\n")
        peers.append(peer)
    return peers[0], peers[1], peers[2]


def says(program: str, number: int = 0) -> tuple[bytes, bytes]:
    """Something to say to a server, and what it answers."""
    return (b"ping\n", b"ping\n") if program == "echo_server" else (b"nick n%d\n" % number, b"ok\n")


def is_served(lab: Scene, server: Server, program: str, number: int = 0) -> Peer:
    """A new client, answered."""
    peer = lab.connects(server, name="a new client")
    words, answer = says(program, number)
    peer.sends(words)
    peer.reads_exactly(answer, within=3)
    return peer


def test_half_close_over_a_slow_way(lab: Scene) -> None:
    server = lab.serves("echo_server")
    peer = lab.connects(server, segment=536, receive_buffer=2048, name="a client that reads slowly")
    data = lab.random_bytes(120_000)
    sending = peer.sends_in_background(data)
    lab.says("ends its side as soon as all is sent, and reads 40 KB a second: the rest takes longer than 2 s")
    came, begun, ended = b"", lab.now(), False
    while len(came) < len(data):
        lab.waits_until(lambda: False, within=0.005, every=0.01)
        if not ended and not sending.is_alive():
            peer.ends()
            ended = True
        if len(came) < (lab.now() - begun) * 40_000:
            piece = peer.sips(536)
            came += piece or b""
            if piece == b"":
                break
    lab.expect(
        came == data,
        "every byte comes back, however slowly",
        seen=f"{len(came):,} bytes",
        otherwise="after a half-close, bytes that a client reads slowly did not all come",
    )
    sending.join(5)
    peer.sees_end()


@CHATS
def test_half_close_with_lines_pending(lab: Scene, program: str) -> None:
    server = lab.serves(program, "--slow", "drop")
    ada, bob, slow = rooms(lab, server)
    leaving = lab.connects(server, name="one who will quit", receive_buffer=16384)
    leaving.sends(b"nick leaving\njoin tea\n")
    leaving.reads_exactly(b"ok\nok\n")
    count = 3200 if lab.engine == "relay" else 1000
    lab.says(f"ada says {count:,} lines, bob keeps up with her, two do not read")
    for first in range(0, count, 10):
        lines = [b"%d %s\n" % (number, TEXT) for number in range(first, first + 10)]
        ada.sends(b"".join(b"say tea " + line for line in lines))
        bob.reads_exactly(b"".join(b"tea ada " + line for line in lines))
        ada.reads_exactly(b"ok\n" * 10)
    leaving.sends(b"quit\n")
    slow.sends(b"join coffee\n")
    slow.ends()
    lab.pauses(0.3)
    for peer in (slow, leaving):
        reads_lines_or_their_count(lab, peer, count)


def reads_lines_or_their_count(lab: Scene, peer: Peer, count: int) -> None:
    """So many lines of ada's, or how many were dropped, and one ok; then the end of the stream."""
    rows = peer.reads_to_end(within=8).split(b"\n")
    lab.expect_same(rows.pop(), b"", "the last line is whole", otherwise="the last line came cut")
    said = [int(line[1]) for row in rows if (line := re.fullmatch(rb"tea ada (\d{1,6}) " + TEXT, row))]
    told = [int(notice[1]) for row in rows if (notice := re.fullmatch(rb"dropped (\d{1,6})", row))]
    seen = f"{len(said)} lines, {sum(told)} dropped in {len(told)} notices, {[row[:20] for row in rows[-2:]]} last"
    whole = len(said) + len(told) + 1 == len(rows) and rows.count(b"ok") == 1
    otherwise = f"something else came to {peer.name}, or not just one ok"
    lab.expect(whole, "whole lines, one ok and dropped N", seen=seen, otherwise=otherwise)
    in_order = all(early < late for early, late in itertools.pairwise(said))
    lab.expect(in_order, "the lines come in their order", seen=seen, otherwise="lines came twice or out of order")
    lab.expect(told, "what did not fit was dropped, and it is told", seen=seen, otherwise="it was not told of any drop")
    lab.expect(
        len(said) + sum(told) == count,
        "every line was read or counted",
        expected=count,
        seen=seen,
        otherwise="lines are missing that were neither read nor counted as dropped",
    )


@ALL
def test_idle_is_silence_not_slowness(lab: Scene, program: str) -> None:
    longer = lab.serves(program, "--idle", "2.8")
    patient = lab.connects(longer, name="a silent client of a server that waits for 2.8 s")
    since = lab.now()
    server = lab.serves(program, "--idle", "0.8")
    begun = lab.now()
    silent = lab.connects(server, name="a silent client")
    half = lab.connects(server, name="a client that stops in the midst of a line")
    half.sends(b"ni")
    moving = lab.connects(server, name="a client that sends a byte now and then")
    moving.sends(*(bytes([byte]) for byte in b"nick slow\n"), apart=0.12)
    moving.reads_exactly(b"nick slow\n" if program == "echo_server" else b"ok\n")
    last = lab.now()
    lab.expect(
        last - begun > 0.9, "that took longer than the limit", otherwise="the line was there before the limit was over"
    )
    for peer in (silent, half):
        peer.sees_reset_or_end(within=2)
    moving.sees_reset_or_end(within=3)
    lab.expect(
        lab.now() - last > 0.6,
        "nobody is sent away too soon",
        seen=f"{lab.now() - last:.1f} s",
        otherwise="a client that had sent something was sent away too soon",
    )
    patient.sees_reset_or_end(within=max(0.1, since + 2.8 + 2.3 - lab.now()))
    lab.expect(
        lab.now() - since > 2.5,
        "nobody is sent away before the limit",
        seen=f"{lab.now() - since:.1f} s",
        otherwise="a silent client was sent away before the limit",
    )


def test_idle_while_reading_slowly(lab: Scene) -> None:
    longer = lab.serves("echo_server", "--idle", "2.8")
    silent = lab.connects(longer, name="a silent client of a server that waits for 2.8 s")
    begun = lab.now()
    server = lab.serves("chat_server", "--slow", "wait", "--idle", "1.5")
    ada, bob, slow = rooms(lab, server)
    bob.closes()
    lines = [b"%d %s\n" % (number, TEXT) for number in range(3000)]
    ada.sends_in_background(b"".join(b"say tea " + line for line in lines))
    lab.says("the slow reader takes 60 lines now and then, and says nothing")
    for first in range(0, len(lines), 60):
        slow.reads_exactly(b"".join(b"tea ada " + line for line in lines[first : first + 60]))
        lab.waits_until(lambda: False, within=0.05)
    silent.sees_reset_or_end(within=max(0.1, begun + 2.8 + 2.3 - lab.now()))


@CHATS
def test_idle_speakers_that_wait(lab: Scene, program: str) -> None:
    server = lab.serves(program, "--slow", "wait", "--idle", "1.6")
    ada, bob, slow = rooms(lab, server)
    bob.closes()
    lab.says("slow does not read, and says something all the time: it is not silent itself")
    drip: dict[str, Any] = {
        "target": slow.sends,
        "args": [b"nothing\n"] * 80,
        "kwargs": {"apart": 0.25, "may_fail": True},
    }
    threading.Thread(**drip, daemon=True).start()
    ada.sends_what_fits(b"".join(b"say tea %d %s\n" % (number, TEXT) for number in range(3000)), quiet=0.2)
    before = ada.reads_what_comes(quiet=0.3).count(b"ok\n")
    lab.says("ada waits longer than the limit; then slow begins to read")
    lab.pauses(2.4)
    while not (seen := slow.reads_line()).startswith(b"tea ada %d " % (before + 5)):
        if not seen.startswith((b"tea ada ", b"error ")):
            raise Broken("a slow reader read neither a line of the speaker nor a reply", seen=show(seen[:60]))
    lab.says("ada has gone on")
    ada.reads_exactly(b"ok\n" * 5)


@ALL
def test_a_storm_of_resets(lab: Scene, program: str) -> None:
    server = lab.serves(program)
    patient = is_served(lab, server, program)
    lab.pauses(0.2)
    before = lab.kernel.usage()
    storm = lab.clients.misbehaving(server)
    words, _ = says(program, 7)
    for part in (b"", words, words[:3], words * 300):
        storm.storms(150, data=part)
    with server.stands_still():
        storm.storms(400)
    try:
        lab.kernel.finds_all_given_back(before, within=5)
    except NotMeasured as why:
        lab.says(f"descriptors are not counted here: {why}")
    words, answer = says(program, 9)
    patient.sends(words)
    patient.reads_exactly(answer)
    peer = is_served(lab, server, program, 8)
    if program != "echo_server":
        free = lab.waits_until(lambda: _gets(peer, b"nick n7\n"), within=3, every=0.1)
        lab.expect(
            free, "whoever is gone gives the name back", otherwise="a client has left, and its name is still taken"
        )
    lab.kernel.finds_idle(server, for_=0.5, at_most=0.1)


def _gets(peer: Peer, request: bytes) -> bool:
    peer.sends(request)
    return peer.reads_line() == b"ok\n"


@ALL
def test_descriptors_run_out(lab: Scene, program: str) -> None:
    server = lab.serves(program, files=64)
    inside = [is_served(lab, server, program, number) for number in range(20)]
    lab.says("90 more connect: there are not so many descriptors")
    crowd = [lab.connects(server, quietly=True) for _ in range(90)]
    lab.pauses(0.3)
    words, answer = says(program, 0)
    inside[0].sends(words)
    inside[0].reads_exactly(answer)
    lab.kernel.finds_idle(server, for_=0.8, at_most=0.2)
    for peer in crowd[:70]:
        peer.closes()
    words, answer = says(program, 90)
    crowd[-1].sends(words)
    crowd[-1].reads_exactly(answer, within=2.7)
    for peer in crowd[70:]:
        peer.closes()
    is_served(lab, server, program, 91)


@ALL
def test_drains_on_sigterm(lab: Scene, program: str) -> None:
    server = lab.serves(program, *([] if program == "echo_server" else ["--slow", "wait"]))
    if program == "echo_server":
        data = lab.random_bytes(16_000_000)
        peer, taken = lab.clients.misbehaving(server, receive_buffer=16384).never_reads(data, quiet=0.2)
        server.signal(signal.SIGTERM)
        got = peer.reads_to_end()
        right = got and data[:taken].startswith(got)
        lab.expect(
            right,
            "what was taken in comes back, and then the end",
            seen=got[:40],
            otherwise="after SIGTERM other bytes came than were sent, or none",
        )
    else:
        ada, bob, slow = rooms(lab, server)
        bob.closes()
        ada.sends_what_fits(b"".join(b"say tea %d %s\n" % (number, TEXT) for number in range(3000)), quiet=0.2)
        answered = ada.reads_what_comes()
        server.signal(signal.SIGTERM)
        data = slow.reads_to_end()
        answered += ada.reads_to_end()
        count = answered.count(b"ok\n")
        answered_all = count > 10 and answered == b"ok\n" * count
        lab.expect(answered_all, "ada was answered", seen=f"{count} times", otherwise="ada was not answered at SIGTERM")
        due = b"".join(b"tea ada %d %s\n" % (number, TEXT) for number in range(count))
        seen = f"{len(data):,} bytes" + ("" if due.startswith(data) else ", and other ones")
        lab.expect(
            data == due,
            "slow gets every line that was answered",
            expected=f"{len(due):,} bytes",
            seen=seen,
            otherwise="lines that had been answered did not reach the slow reader before the end",
        )
    server.exits(0, within=2.5)


@ALL
def test_ends_with_clients_that_do_not_read(lab: Scene, program: str) -> None:
    server = lab.serves(program)
    is_served(lab, server, program)
    words, _ = says(program)
    stuck = lab.connects(server, receive_buffer=2048, segment=536, name="a client that does not read")
    for _ in range(5):
        if not stuck.sends_what_fits(words * 2_000_000, quiet=0.4):
            break
    begun = lab.now()
    server.signal(signal.SIGTERM)
    lab.pauses(0.2)
    try:
        late = lab.connects(server, name="a late client", within=0.5)
        late.sends(b"nick late\n", may_fail=True)
        late.sees_reset_or_end(within=2.5)
    except Broken as refused:
        lab.says(f"a late client is not accepted: {refused.message}")
    server.exits(0, within=2.5)
    lab.expect(
        lab.now() - begun < 2.6,
        "the server ends within 2 s of SIGTERM",
        seen=f"{lab.now() - begun:.1f} s",
        otherwise="the server did not end within 2 s of SIGTERM",
    )
    stuck.sees_reset_or_end()
    again = lab.serves(program, at=f"0.0.0.0:{server.address.port}")
    is_served(lab, again, program).closes()
    ends_at_once(lab, again, "nobody is connected")
    ends_at_once(lab, lab.serves(program), "nobody has ever been there")


def ends_at_once(lab: Scene, server: Server, why: str) -> None:
    """SIGTERM ends a server for which there is nothing to be done."""
    lab.pauses(0.3)
    begun = lab.now()
    server.terminates(within=2, status=0)
    took = lab.now() - begun
    lab.expect(
        took < 1, f"it ends at once if {why}", seen=f"{took:.1f} s", otherwise=f"it did not end at once although {why}"
    )


def test_a_clock_that_jumps(lab: Scene) -> None:
    folder = lab.put_file("sitecustomize.py", JUMPING_CLOCK).rpartition("/")[0]
    env = {"PYTHONPATH": folder}
    listener = lab.listens()
    client = lab.runs("fetch_all", listener.address, "--deadline", "15", env=env)
    late = listener.accepts()
    programs = ("echo_server", "chat_server")
    servers = [lab.serves(program, "--idle", "20", env=env) for program in programs]
    peers = [is_served(lab, server, program) for server, program in zip(servers, programs, strict=True)]
    lab.says("the clock on the wall jumps by an hour")
    for _ in range(2):
        lab.pauses(0.8)
        for peer, program in zip(peers, programs, strict=True):
            words, answer = says(program)
            peer.sends(words)
            peer.reads_exactly(answer)
    late.sends(b"late")
    late.closes()
    client.exits(0)


def test_fetch_all_when_many_fail(lab: Scene) -> None:
    listener, nobody = lab.listens(), lab.nobody()
    client = lab.runs("fetch_all", *([nobody] * 40), *([listener.address] * 40), "--deadline", "4")
    for number in range(40):
        peer = listener.accepts()
        (peer.resets if number % 2 else peer.closes)()
    client.exits(1, within=4)
    told = [result_of(line) for line in client.stdout.splitlines()]
    words = [told.count(word) for word in ("refused", "reset", "ok")]
    lab.expect_same(
        words, [40, 20, 20], "every failure is one line", otherwise="not every failure was told in one line"
    )


def result_of(line: bytes) -> object:
    """What a line of fetch_all says came of an address."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row.get("result") if isinstance(row, dict) else None
