"""Stage 3: ends that come while much is under way.

Both of the tester's ends take small segments and do not read for a while, so the kernel has some 30 KB of it and all
the rest waits in the pipe, or before it.
"""

import pytest

from harness.testing import PipeConnections, Scene

ROLES = pytest.mark.parametrize("role", ["client", "server"])

#: More than the kernel takes for who does not read, and for most of them less than a pipe may hold, in bytes.
SIZES = (60_000, 140_000, 300_000, 700_000)


def ways_of(lab: Scene, role: str) -> PipeConnections:
    """Ways whose ends take little."""
    return lab.pipes.ways(role, receive_buffer=2048, segment=536)


def all_comes(lab: Scene, got: bytes, sent: bytes, end: str) -> None:
    """Raises Broken."""
    lab.expect(
        got == sent,
        f"all of it comes, and then {end}",
        expected=f"{len(sent):,} bytes",
        seen=f"{len(got):,} bytes",
        otherwise=f"{end} came after {len(got):,} of {len(sent):,} bytes" if sent.startswith(got) else "",
    )


@ROLES
def test_an_end_behind_much(lab: Scene, role: str) -> None:
    ways = ways_of(lab, role)
    for count, size in enumerate(SIZES):
        data = lab.random_bytes(size)
        way = ways.opens()
        lab.says("the plain side ends, and the wire reads later")
        taken = way.plain.sends_what_fits(data, quiet=0.1)
        way.plain.ends()
        lab.pauses(0.15)
        got = way.tls.reads_to_close_notify(within=8)
        all_comes(lab, got, data[:taken], "close_notify")
        way.tls.ends()
        way.plain.sees_end()
        way.tls.sees_end()
        lab.pipes.ends_as(way.pipe, "closed", count=2 * count + 1)
        way = ways.opens()
        lab.says("the wire ends, and the plain side reads later")
        sender = way.tls.sends_in_background(data, ends=True)
        lab.pauses(0.15)
        got = way.plain.reads_to_end(within=8)
        all_comes(lab, got, data, "the end")
        sender.join(5)
        way.plain.ends()
        way.tls.sees_close_notify()
        way.tls.cuts()
        way.tls.sees_end()
        lab.pipes.ends_as(way.pipe, "closed", count=2 * count + 2)


@ROLES
def test_once_behind_much(lab: Scene, role: str) -> None:
    way = lab.pipes.opens(role, "--once", receive_buffer=2048, segment=536)
    up, down = lab.random_bytes(400_000), lab.random_bytes(400_000)
    lab.says("a pipe for one connection: both sides end, and read later")
    sender = way.tls.sends_in_background(up, ends=True)
    taken = way.plain.sends_what_fits(down, quiet=0.1)
    way.plain.ends()
    lab.pauses(0.15)
    got = way.plain.reads_to_end(within=8)
    said = way.tls.reads_to_close_notify(within=8)
    sender.join(5)
    all_comes(lab, got, up, "the end")
    all_comes(lab, said, down[:taken], "close_notify")
    way.tls.cuts()
    way.tls.sees_end()
    way.pipe.exits(0)


@ROLES
def test_both_end_behind_much(lab: Scene, role: str) -> None:
    ways = ways_of(lab, role)
    for count, size in enumerate(SIZES, 1):
        up, down = lab.random_bytes(size), lab.random_bytes(size)
        way = ways.opens()
        lab.says("both sides end, and read later")
        sender = way.tls.sends_in_background(up, record=500, ends=True)  # some whole ones wait to be decrypted
        lab.pauses(0.05)
        taken = way.plain.sends_what_fits(down, quiet=0.1)
        way.plain.ends()
        lab.pauses(0.1)
        if count % 2:
            got = way.plain.reads_to_end(within=8)
            said = way.tls.reads_to_close_notify(within=8)
        else:
            said = way.tls.reads_to_close_notify(within=8)
            got = way.plain.reads_to_end(within=8)
        sender.join(5)
        all_comes(lab, got, up, "the end")
        all_comes(lab, said, down[:taken], "close_notify")
        way.tls.cuts()
        way.tls.sees_end()
        lab.pipes.ends_as(way.pipe, "closed", count=count)


@ROLES
def test_broken_off_behind_much(lab: Scene, role: str) -> None:
    ways = ways_of(lab, role)
    data = lab.random_bytes(300_000)
    way = ways.opens()
    lab.says("the plain side is reset, and the wire reads later")
    way.plain.sends_what_fits(data, quiet=0.1)
    way.plain.resets()
    lab.pauses(0.15)
    way.tls.sees_reset_or_alert()
    lab.pipes.ends_as(way.pipe, "reset", count=1)
    way = ways.opens()
    lab.says("the wire is reset, and the plain side reads later")
    way.tls.sends_what_fits(data, quiet=0.1)
    way.tls.resets()
    lab.pauses(0.15)
    came = way.plain.sees_reset()
    lab.expect(
        data.startswith(came),
        "what comes out is what was sent, up to some place",
        seen=len(came),
        otherwise="other bytes came out than were sent before the reset",
    )
    lab.pipes.ends_as(way.pipe, "reset", count=2)
    way = ways.opens()
    lab.says("the wire is cut, and the plain side reads later")
    way.tls.sends_what_fits(data, quiet=0.1)
    way.tls.cuts()
    lab.pauses(0.15)
    came = way.plain.sees_reset()
    lab.expect(
        data.startswith(came),
        "what comes out is what was sent, up to some place",
        seen=len(came),
        otherwise="other bytes came out than were sent before the cut",
    )
    lab.pipes.ends_as(way.pipe, "truncated", count=3)
