"""Stage 4: peers that are not polite: they trickle, go on after the end, and end in every way, again and again."""

from collections.abc import Callable

import pytest

from harness.testing import TLS11, TLS12, TLS13, Broken, NotMeasured, Peer, PipeConnections, Scene

ROLES = pytest.mark.parametrize("role", ["server", "client"])

#: How many trickle at a time.
TWELVE = 12
#: How a ClientHello of 512 bytes, and a ServerHello of 122, begin: no record of them ever comes whole.
HELLOS = {
    "server": bytes.fromhex("16 0301 0200 01 0001fc 0303") + b"\x2a" * 400,
    "client": bytes.fromhex("16 0303 007a 02 000076 0303") + b"\x2a" * 100,
}
#: Descriptors of a pipe that are soon used up, and more connections than they suffice for.
FILES, MANY = 96, 50


def is_over(raw: Peer) -> bool:
    """Whether the connection has ended, by whatever end."""
    while piece := raw.sips(65_536):
        pass
    return piece == b""


@ROLES
def test_twelve_that_trickle(lab: Scene, role: str) -> None:
    ways = lab.pipes.ways(role, "--handshake-timeout", 0.7)
    way = ways.opens()
    ways.carries(way)
    begun = lab.now()
    wires = [lab.pipes.reaches(role, ways.pipe, ways.listener, quietly=True)[1] for _ in range(TWELVE)]
    lab.says(f"{TWELVE} handshakes that come a byte at a time, each of them after 0.2 s")
    turn = 0

    def all_over() -> bool:
        nonlocal turn
        said, who = divmod(turn, TWELVE)
        wires[who].pushes(HELLOS[role][said : said + 1], within=0)
        turn += 1
        return who == 0 and all(is_over(raw) for raw in wires)

    over = lab.waits_until(all_over, within=3, every=0.016)
    took = lab.now() - begun
    lab.expect(
        over,
        "all of them are given up, though bytes come",
        expected="0.7 s, and 1 s more",
        seen=f"{took:.1f} s",
        otherwise="handshakes that come a byte at a time were not given up",
    )
    lab.expect(
        took > 0.6,
        "they get their time",
        expected="0.7 s at least",
        seen=f"{took:.2f} s",
        otherwise="handshakes were given up before their time was over",
    )
    lab.pipes.ends_as(ways.pipe, "timeout", count=TWELVE)
    ways.carries(way)
    ways.carries(ways.opens())


@ROLES
def test_who_goes_on_after_the_end(lab: Scene, role: str) -> None:
    ways = lab.pipes.ways(role)
    lasting = ways.opens()
    ways.carries(lasting)
    lab.pauses(0.2)
    before = lab.kernel.usage()
    wires = []
    for _ in range(TWELVE):
        way = ways.opens(quietly=True)
        way.tls.sends_close_notify()
        way.plain.sees_end()
        way.plain.ends()
        way.tls.sees_close_notify()
        wires.append(way.tls.raw)
    lab.says(f"{TWELVE} connections have ended on both sides, and the wire's peers do not close theirs yet")
    lab.kernel.finds_idle(ways.pipe, for_=0.4, at_most=0.1)
    lab.says("now they go on sending, a byte now and then")

    def all_back() -> bool:
        for raw in wires:
            raw.pushes(b"\x17", within=0)
        return lab.kernel.usage().open_files <= before.open_files

    try:
        back = lab.waits_until(all_back, within=9, every=0.1)
    except NotMeasured as why:
        lab.says(f"descriptors are not counted here: {why}")
    else:
        lab.expect(
            back,
            "their descriptors are back within 8 s, whatever they send",
            otherwise="descriptors of connections that are over were not back after 9 s",
        )
    ways.carries(lasting)
    ways.carries(ways.opens())


# -- places --------------------------------------------------------------------------------------------------------


def refused_by_the_peer(lab: Scene, ways: PipeConnections) -> None:
    """A fatal alert in the handshake: the peer does not believe the pipe's certificate, or wants one."""
    near = lab.connects(ways.pipe, quietly=True)
    if ways.role == "server":
        lab.tls.client(near, ca=lab.tls.zoo.stranger_ca, shakes=False).tries_handshake()
    else:
        wire = ways.listener.accepts(quietly=True)
        lab.tls.server(wire, versions=(TLS11, TLS11), shakes=False).tries_handshake()


def reset_in_the_handshake(lab: Scene, ways: PipeConnections) -> None:
    """It has begun, and is reset."""
    near, wire = lab.pipes.reaches(ways.role, ways.pipe, ways.listener, quietly=True)
    if near is not None:
        wire.reads(5)
    wire.pushes(HELLOS[ways.role][:50], within=1)
    wire.resets()


def left_in_the_handshake(lab: Scene, ways: PipeConnections) -> None:
    """Who has connected leaves at once."""
    near, raw = lab.pipes.reaches(ways.role, ways.pipe, ways.listener, quietly=True)
    (near or raw).resets()


def is_silent(lab: Scene, ways: PipeConnections) -> None:
    """No handshake comes."""
    lab.pipes.reaches(ways.role, ways.pipe, ways.listener, quietly=True)


def reset_while_stuck(_lab: Scene, ways: PipeConnections) -> None:
    """Much is under way to a plain side that does not read, which is reset."""
    way = ways.opens(quietly=True)
    way.tls.sends_what_fits(bytes(60_000), quiet=0.02)
    way.plain.resets()


def cut_and_garbled(_lab: Scene, ways: PipeConnections) -> None:
    """A record that never comes whole, and the end of TCP; what is no record."""
    way = ways.opens(quietly=True)
    way.tls.sends_raw(bytes.fromhex("17 0303 1000") + bytes(100), may_fail=True)
    way.tls.cuts()
    way = ways.opens(quietly=True)
    way.tls.sends_raw(b"these are no records of TLS", may_fail=True)


def ended(_lab: Scene, ways: PipeConnections) -> None:
    """Both sides end."""
    way = ways.opens(quietly=True)
    way.plain.ends()
    way.tls.ends()


KINDS: tuple[Callable[[Scene, PipeConnections], None], ...] = (
    refused_by_the_peer,
    reset_in_the_handshake,
    left_in_the_handshake,
    reset_while_stuck,
    cut_and_garbled,
    ended,
    is_silent,
)


def nobody_waits(ways: PipeConnections) -> None:
    """Drop the connections of the pipe for which no test waits any more."""
    try:
        while True:
            ways.listener.accepts(within=0.01, quietly=True).resets()
    except Broken:
        pass


@ROLES
def test_places_come_back(lab: Scene, role: str) -> None:
    ways = lab.pipes.ways(
        role, "--handshake-timeout", 0.5, files=FILES, receive_buffer=2048, segment=536, versions=(TLS12, TLS13)
    )

    def is_served() -> bool:
        nobody_waits(ways)
        try:
            ways.carries(ways.opens(quietly=True))
        except Broken:
            return False  # reset, while there was no second descriptor for it
        return True

    def others_are_served(after: int) -> None:
        served = lab.waits_until(is_served, within=8, every=0.2)
        rule = f"after {after} that ended so, others are served"
        lab.expect(served, rule, otherwise=f"nobody is served after {after} connections that ended alike")

    for happens in KINDS:
        lab.says(f"{MANY} times: {(happens.__doc__ or '').rstrip('.')}")
        for number in range(MANY):
            try:
                happens(lab, ways)
            except Broken:
                others_are_served(number)  # there may have been no room just then
        others_are_served(MANY)
    lab.says(f"{MANY} for whom there is nobody at the other end")
    nobody = lab.nobody()
    if role == "server":
        pipe = lab.pipes.server(backend=nobody, files=FILES)
    else:
        pipe = lab.pipes.client(target=nobody, files=FILES)
    for _ in range(MANY):
        near = lab.connects(pipe, quietly=True)
        if role == "server":
            lab.tls.client(near, shakes=False).tries_handshake()
        near.sees_reset_or_end()
    pipe.keeps_running()
