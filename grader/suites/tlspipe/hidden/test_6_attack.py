"""Stage 6: records that were tampered with, plain text where TLS should be, floods, and new certificates."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from harness.testing import (
    HANDSHAKE,
    TLS12,
    TLS13,
    Broken,
    NotMeasured,
    PipeConnection,
    PipeConnections,
    Scene,
    Sealer,
    TlsPeer,
    Versions,
    comes_out,
)

ROLES = pytest.mark.parametrize("role", ["server", "client"])
SPOKEN: tuple[Versions, Versions] = ((TLS12, TLS12), (TLS13, TLS13))

#: What a flood may cost in memory: what a runtime takes for moving data.
MORE_MEMORY = 24 << 20
HALF_A_HELLO = bytes([22, 3, 1, 2, 0, 1, 0, 1])


# -- tampering -----------------------------------------------------------------------------------------------------


def ways_of(lab: Scene, role: str, *options: object) -> PipeConnections:
    """A pipe with a little room behind a client, so that a flood is felt."""
    return lab.pipes.ways(role, *options, behind=16_384 if role == "client" else None)


def hears(tls: TlsPeer, data: bytes) -> bool:
    """Whether these bytes come."""
    try:
        tls.reads_exactly(data)
    except Broken:
        return False
    return True


class Deed(NamedTuple):
    """What is done to five records on their way."""

    what: str
    whole: int  #: so many records may come out
    act: Callable[[list[bytes]], list[bytes]]


def bent(record: bytes, at: int, bit: int = 1) -> bytes:
    """A bit of a byte is another one."""
    changed = bytearray(record)
    changed[at] ^= bit
    return bytes(changed)


DEEDS = (
    Deed("nothing", 5, lambda all_: all_),
    Deed("a bit of the third record is flipped", 2, lambda all_: [*all_[:2], bent(all_[2], 1500), *all_[3:]]),
    Deed("the last bit of the third record is flipped", 2, lambda all_: [*all_[:2], bent(all_[2], -1), *all_[3:]]),
    Deed("the third record is of another type", 2, lambda all_: [*all_[:2], bent(all_[2], 0), *all_[3:]]),
    Deed("the third record is a byte longer", 2, lambda all_: [*all_[:2], bent(all_[2], 4), *all_[3:]]),
    Deed("the third record is left out", 2, lambda all_: [*all_[:2], *all_[3:]]),
    Deed("the third record comes twice", 3, lambda all_: [*all_[:3], all_[2], *all_[3:]]),
    Deed("the third and the fourth change places", 2, lambda all_: [*all_[:2], all_[3], all_[2], all_[4]]),
    Deed("the first one comes again", 3, lambda all_: [*all_[:3], all_[0], *all_[3:]]),
)


@ROLES
def test_tampered_records(lab: Scene, role: str) -> None:
    ways = ways_of(lab, role)
    sizes = (3000, 3000, 3001, 3001, 3000)  # those two are of one length: swapped, they are what they seem
    for number, deed in enumerate(DEEDS):
        way = ways.opens(SPOKEN[number % 2])
        lab.says(f"five records ({way.tls.version}); {deed.what}")
        data, held = lab.random_bytes(sum(sizes)), list[bytes]()

        def holds(record: bytes, held: list[bytes] = held) -> bytes:
            held.append(record)
            return b""

        way.tls.tampers(holds)
        for index, size in enumerate(sizes):
            way.tls.sends(data[sum(sizes[:index]) :][:size])
        way.tls.sends_raw(b"".join(deed.act(held)))
        if deed.whole == len(sizes):
            way.plain.reads_exactly(data)
            continue
        came = comes_out(way.plain)
        most = sum(sizes[: deed.whole])
        lab.expect(
            data[:most].startswith(came),
            "what came before it may come out, and nothing else",
            expected=f"at most {most:,} bytes",
            seen=f"{len(came):,} bytes, or other ones",
            otherwise="bytes came out from behind the place where records were tampered with",
        )
        way.tls.sees_cut()
    ways.carries(ways.opens())


@ROLES
def test_tampered_on_the_way_back(lab: Scene, role: str) -> None:
    listener = lab.listens()
    if role == "server":
        pipe = lab.pipes.server(backend=listener)
        middle = lab.tls.middle(pipe)
        tls = lab.tls.client(middle.connects())
        plain = listener.accepts()
    else:
        middle = lab.tls.middle(listener.address)
        pipe = lab.pipes.client(target=middle)
        plain = lab.connects(pipe, name="the plain side")
        tls = lab.tls.server(listener.accepts())
    plain.sends(b"before")
    tls.reads_exactly(b"before")
    rule = middle.flips("down" if role == "server" else "up")
    plain.sends(b"what somebody on the way will change")
    middle.did(rule)
    lab.expect(
        not hears(tls, b"w"), "the tester's own TLS refuses it", otherwise="the tester's TLS took a changed record"
    )
    lab.pipes.nothing_comes_out(plain, "the connection was broken")
    lab.pipes.ends_as(pipe, "broken", "refused", "reset", "truncated")
    pipe.keeps_running()


@ROLES
def test_a_record_cut_in_two(lab: Scene, role: str) -> None:
    ways = ways_of(lab, role)
    for versions in SPOKEN:
        way = ways.opens(versions)
        data = lab.random_bytes(9000)
        way.tls.sends(data[:1000])
        way.plain.reads_exactly(data[:1000])
        way.tls.tampers(lambda record: record[:-10])
        way.tls.sends(data[1000:])
        way.plain.hears_nothing(for_=0.1)
        way.tls.cuts()
        lab.pipes.nothing_comes_out(way.plain, "a record was cut in two")
    ways.carries(ways.opens())


# -- plain text ----------------------------------------------------------------------------------------------------


def test_plain_text_to_a_server(lab: Scene) -> None:
    ways = ways_of(lab, "server")
    lasting = ways.opens()
    words = (
        b"GET / HTTP/1.1\r\nHost: server.example\r\nConnection: close\r\n\r\n",
        b"EHLO mail.example\r\nSTARTTLS\r\n",
        b"\n",
        b"no TLS: " + lab.random_bytes(3000),  # its first bytes may not be a record's header by chance
        bytes(1000),
    )
    for said in words:
        peer = lab.connects(ways.pipe)
        peer.sends(said)
        if said == b"\n":
            peer.ends()  # too little to be known for what it is
        peer.sees_reset_or_end()
    lab.says("plain text, and then a handshake as it should be")
    near = lab.connects(ways.pipe)
    near.sends(b"this comes before the ClientHello\r\n")
    tls = lab.tls.client(near, shakes=False)
    lab.expect(tls.tries_handshake(), "there is no handshake then", otherwise="a handshake was done behind plain text")
    ways.listener.hears_not_a_byte(for_=0.2)
    lab.says("plain text after the handshake")
    for versions in SPOKEN:
        way = ways.opens(versions)
        way.tls.sends_raw(b"GET / HTTP/1.1\r\nHost: server.example\r\n\r\n")
        lab.pipes.nothing_comes_out(way.plain, "what came was plain text")
    ways.carries(lasting)


def test_a_server_without_tls(lab: Scene) -> None:
    ways = ways_of(lab, "client")
    lasting = ways.opens()
    secret = b"the password is " + lab.random_bytes(16).hex().encode()
    greetings = (b"220 mail.example ESMTP\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 200)
    for greeting in greetings:
        plain = lab.connects(ways.pipe)
        plain.sends(secret)
        wire = ways.listener.accepts()
        wire.sends(greeting)
        lab.pipes.nothing_comes_out(plain, "the server speaks no TLS")
    lab.says("plain text after the handshake")
    way = ways.opens()
    way.tls.sends_raw(greetings[0])
    lab.pipes.nothing_comes_out(way.plain, "what came was plain text")
    ways.carries(lasting)
    lab.pipes.no_secret(ways.pipe, secret)


@ROLES
def test_an_end_that_nobody_signed(lab: Scene, role: str) -> None:
    ways = ways_of(lab, role)
    for versions in SPOKEN:
        for level, description in ((1, 0), (1, 90), (2, 0)):
            way = ways.opens(versions)
            ways.carries(way)
            lab.says("somebody on the way adds an alert in plain text, such as close_notify")
            way.tls.sends_raw(bytes([21, 3, 3, 0, 2, level, description]))
            lab.pipes.only_a_reset_comes_out(way.plain, "nobody signed that alert")


# -- the log ------------------------------------------------------------------------------------------------------


@ROLES
def test_the_log_of_a_bad_day(lab: Scene, role: str) -> None:
    ways = ways_of(lab, role)
    words = b"nobody may read this in a log: " + lab.random_bytes(20)

    def flips_a_bit(way: PipeConnection) -> None:
        way.tls.tampers(lambda record: bent(record, -20))
        way.tls.sends(words, may_fail=True)

    deeds: list[tuple[Callable[[PipeConnection], None], tuple[str, ...]]] = [
        (flips_a_bit, ("broken",)),
        (lambda way: way.tls.sends_raw(b"no record of TLS"), ("broken",)),
        (lambda way: way.tls.cuts(), ("truncated",)),
        (lambda way: way.tls.resets(), ("reset",)),
        (lambda way: way.plain.resets(), ("reset",)),
    ]
    for count, (deed, expected) in enumerate(deeds, 1):
        way = ways.opens(SPOKEN[count % 2])
        way.tls.sends(words)
        way.plain.reads_exactly(words)
        way.plain.sends(words[::-1])
        way.tls.reads_exactly(words[::-1])
        deed(way)
        lab.pipes.ends_as(ways.pipe, *expected, count=count)
    if role == "server":
        lab.connects(ways.pipe).sends(words)
    else:
        plain = lab.connects(ways.pipe)
        plain.sends(words)
        ways.listener.accepts().sends(b"no TLS: " + words[::-1])
    lab.pipes.ends_as(ways.pipe, "refused", "broken", count=len(deeds) + 1)
    lab.pipes.no_secret(ways.pipe, words, words[::-1], words[-20:])


# -- floods --------------------------------------------------------------------------------------------------------


def served_or_broken(lab: Scene, way: PipeConnection, sealer: Sealer) -> None:
    """What is sent behind a flood comes out, or the connection is over."""
    data = lab.random_bytes(100)
    sealer.sends(sealer.seals(data), may_fail=True)
    pieces: list[bytes] = []

    def done() -> bool:
        sealer.hears()  # who waits until its answers are read may go on
        if (piece := way.plain.sips(65_536)) is not None:
            pieces.append(piece)
        return b"" in pieces or sum(map(len, pieces)) >= len(data)

    in_time = lab.waits_until(done, within=6)
    came = b"".join(pieces)
    if b"" in pieces:
        lab.says("the connection was broken")
    elif not in_time:
        raise Broken(
            "the connection is neither served nor broken",
            verdict="timeout",
            expected="what was sent behind the flood",
            seen=f"{len(came):,} of {len(data):,} bytes, then silence",
        )
    else:
        lab.expect_same(
            came, data, "what was sent behind it comes out", otherwise="other bytes came out behind a flood"
        )


@ROLES
def test_floods(lab: Scene, role: str) -> None:
    ways = ways_of(lab, role)
    bystander = ways.opens()
    ways.carries(bystander)
    kinds: list[tuple[str, Versions, Callable[[Sealer], Callable[[], bytes]], int, bool]] = [
        ("key updates", SPOKEN[1], lambda sealer: sealer.key_update, 3000, True),
        ("key updates whose answers are not read", SPOKEN[1], lambda sealer: sealer.key_update, 6000, False),
        ("empty records", SPOKEN[1], lambda sealer: sealer.empty_record, 20_000, True),
        ("empty records", SPOKEN[0], lambda sealer: sealer.empty_record, 20_000, True),
        ("warnings", SPOKEN[1], lambda sealer: sealer.warning_alert, 10_000, True),
        ("warnings", SPOKEN[0], lambda sealer: sealer.warning_alert, 10_000, True),
        ("padded records", SPOKEN[1], lambda sealer: lambda: sealer.padded_record(b""), 500, True),
    ]
    if role == "server":
        kinds.append(("attempts to renegotiate", SPOKEN[0], lambda sealer: sealer.renegotiation, 500, True))
    with lab.kernel.measures(every=0.2) as seen:
        for what, versions, make, count, reads in kinds:
            way = ways.opens(versions)
            sealer = lab.tls.seals(way.tls)
            try:
                sealer.floods(make(sealer), count, what=what, within=6, reads=reads)
            except Broken as broken:
                if reads or broken.verdict != "timeout":
                    raise
                lab.says("it reads no more where its answers are not read")
                way.tls.resets()
            else:
                served_or_broken(lab, way, sealer)
            ways.carries(bystander)
    seen.memory_stays_within(MORE_MEMORY, what="it is flooded")
    seen.one_thread(ways.pipe)


def comes_to_rest(lab: Scene, within: float = 12.0) -> None:
    """Wait until the pipe has nothing more to do, or that time is over."""
    used = -1.0

    def rests() -> bool:
        nonlocal used
        before, used = used, lab.kernel.usage().cpu_seconds
        return used - before < 0.04

    try:
        lab.waits_until(rests, within=within, every=0.3)
    except NotMeasured:
        lab.pauses(1)


def test_answers_that_nobody_reads(lab: Scene) -> None:
    ways = ways_of(lab, "client")
    bystander = ways.opens()
    ways.carries(bystander)
    way = ways.opens(SPOKEN[0])
    sealer = lab.tls.seals(way.tls)
    lab.says("a HelloRequest has 4 bytes, and whoever wants no new handshake answers it with 31")
    with lab.kernel.measures(every=0.2) as seen:
        try:
            many = "records full of HelloRequests, and reads no answer"
            sealer.floods(lambda: sealer.seals(bytes(16_384), HANDSHAKE), 320, what=many, within=1.5, reads=False)
        except Broken as broken:
            if broken.verdict != "timeout":
                raise
            lab.says("it reads no more where its answers are not read")
        comes_to_rest(lab)
        ways.carries(bystander)
    seen.memory_stays_within(MORE_MEMORY, what="its answers are not read")
    ways.carries(ways.opens())


@ROLES
def test_records_that_cannot_be(lab: Scene, role: str) -> None:
    ways = ways_of(lab, role)
    makes: list[tuple[Callable[[Sealer], bytes], Versions]] = [
        (Sealer.oversized, SPOKEN[1]),
        (Sealer.unknown_type, SPOKEN[1]),
        (Sealer.no_type, SPOKEN[1]),
        (Sealer.oversized, SPOKEN[0]),
        (Sealer.unknown_type, SPOKEN[0]),
    ]
    for make, versions in makes:
        way = ways.opens(versions)
        sealer = lab.tls.seals(way.tls)
        sealer.sends(make(sealer), sealer.seals(b"and behind it data"), may_fail=True)
        lab.pipes.nothing_comes_out(way.plain, "the record cannot be")
    ways.carries(ways.opens())


def test_handshakes_without_an_end(lab: Scene) -> None:
    ways = ways_of(lab, "server", "--handshake-timeout", 1)
    bystander = ways.opens()
    ways.carries(bystander)
    lab.says("ClientHellos that go on and on")
    header = bytes([22, 3, 1, 64, 0])
    first = header + bytes([1, 255, 255, 255, 3, 3]) + bytes(16_378)
    crumbs = bytes([22, 3, 1, 0, 1, 1]) + bytes([22, 3, 1, 0, 1, 0]) * 10_000
    with lab.kernel.measures(every=0.2) as seen:
        for begins, goes_on in ((first, header + bytes(16_384)), (crumbs, crumbs), (first[:5], b"\0" * 9)):
            peer = lab.connects(ways.pipe)
            if peer.pushes(begins, within=1) is not None:
                left = 30_000_000
                while left > 0 and (taken := peer.pushes(goes_on * (64_000 // len(goes_on)), within=0.3)):
                    left -= taken
            ways.carries(bystander)
    seen.memory_stays_within(MORE_MEMORY, what="handshakes have no end")
    lab.says("hundreds of connections that say nothing, and a storm of resets")
    silent = lab.tls.stays_silent(ways.pipe, count=200, says=HALF_A_HELLO)
    lab.clients.misbehaving(ways.pipe).storms(150, data=HALF_A_HELLO)
    ways.carries(bystander)
    ways.carries(ways.opens())
    silent.all_end(within=5)
    ways.carries(bystander)
