"""Stage 6: records that were tampered with, plain text where TLS should be, floods, and new certificates."""

import signal
import ssl
from collections.abc import Callable
from typing import NamedTuple

import pytest

from harness.lab import NotMeasured
from harness.peers import Peer
from harness.program import Server
from harness.scene import Scene
from harness.steps import Broken
from harness.tls.contexts import BOTH, TLS12, TLS13, Versions
from harness.tls.peer import TlsPeer
from harness.tls.records import HANDSHAKE
from harness.tls.sealer import Sealer
from harness.tls.zoo import Identity

ROLES = pytest.mark.parametrize("role", ["server", "client"])
SPOKEN: tuple[Versions, Versions] = ((TLS12, TLS12), (TLS13, TLS13))

#: What a flood may cost in memory: what a runtime takes for moving data.
MORE_MEMORY = 24 << 20
HALF_A_HELLO = bytes([22, 3, 1, 2, 0, 1, 0, 1])


class Way(NamedTuple):
    """A connection through a pipe: the tester holds both of its ends."""

    pipe: Server
    tls: TlsPeer  #: on the wire
    plain: Peer  #: on the other side


class Ways:
    """A pipe, and connections through it."""

    def __init__(self, lab: Scene, role: str, *options: object) -> None:
        self.lab, self.role = lab, role
        self.listener = lab.listens(receive_buffer=16_384 if role == "client" else None)
        self.pipe = (
            lab.pipe_server(*options, backend=self.listener)
            if role == "server"
            else lab.pipe_client(*options, target=self.listener)
        )

    def opens(self, versions: Versions = BOTH) -> Way:
        """One more connection."""
        near = self.lab.connects(self.pipe)
        if self.role == "server":
            tls = self.lab.tls_client(near, versions=versions)
            return Way(self.pipe, tls, self.listener.accepts())
        return Way(self.pipe, self.lab.tls_server(self.listener.accepts(), versions=versions), near)

    def carries(self, way: Way) -> None:
        """Some bytes go both ways, and soon."""
        data = self.lab.random_bytes(1000)
        way.tls.sends(data)
        way.plain.reads_exactly(data, within=4)
        way.plain.sends(data[::-1])
        way.tls.reads_exactly(data[::-1], within=4)


def comes_out(lab: Scene, plain: Peer) -> bytes:
    """All that comes on the plain side until its connection is over; how it ends is a matter of stage 3."""
    came = bytearray()

    def over() -> bool:
        while (piece := plain.sips(65_536)) is not None:
            came.extend(piece)
            if not piece or len(came) > 10_000_000:
                return True
        return False

    if not lab.waits_until(over):
        raise Broken(
            "the connection on the plain side goes on", verdict="timeout", expected="its end", seen="silence"
        )
    return bytes(came)


# -- tampering -----------------------------------------------------------------------------------------------------


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
)  # fmt: skip


@ROLES
def test_tampered_records(lab: Scene, role: str) -> None:
    ways = Ways(lab, role)
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
        came = comes_out(lab, way.plain)
        most = sum(sizes[: deed.whole])
        lab.expect(
            data[:most].startswith(came), "what came before it may come out, and nothing else",
            expected=f"at most {most:,} bytes", seen=f"{len(came):,} bytes, or other ones",
        )  # fmt: skip
        way.tls.sees_cut()
    ways.carries(ways.opens())


@ROLES
def test_tampered_on_the_way_back(lab: Scene, role: str) -> None:
    listener = lab.listens()
    if role == "server":
        pipe = lab.pipe_server(backend=listener)
        middle = lab.middle(pipe)
        tls = lab.tls_client(middle.connects())
        plain = listener.accepts()
    else:
        middle = lab.middle(listener.address)
        pipe = lab.pipe_client(target=middle)
        plain = lab.connects(pipe)
        tls = lab.tls_server(listener.accepts())
    plain.sends(b"before")
    tls.reads_exactly(b"before")
    rule = middle.flips("down" if role == "server" else "up")
    plain.sends(b"what somebody on the way will change")
    middle.did(rule)
    lab.expect(not hears(tls, b"w"), "the tester's own end of TLS refuses it")
    came = comes_out(lab, plain)
    lab.expect(not came, "the plain side sees the end of it, and nothing else", seen=came)
    pipe.keeps_running()


@ROLES
def test_a_record_cut_in_two(lab: Scene, role: str) -> None:
    ways = Ways(lab, role)
    for versions in SPOKEN:
        way = ways.opens(versions)
        data = lab.random_bytes(9000)
        way.tls.sends(data[:1000])
        way.plain.reads_exactly(data[:1000])
        way.tls.tampers(lambda record: record[:-10])
        way.tls.sends(data[1000:])
        way.plain.hears_nothing(for_=0.1)
        way.tls.cuts()
        came = comes_out(lab, way.plain)
        lab.expect(not came, "nothing of half a record comes out", seen=f"{len(came):,} bytes")
    ways.carries(ways.opens())


# -- plain text ----------------------------------------------------------------------------------------------------


def test_plain_text_to_a_server(lab: Scene) -> None:
    ways = Ways(lab, "server")
    lasting = ways.opens()
    words = (
        b"GET / HTTP/1.1\r\nHost: server.example\r\nConnection: close\r\n\r\n",
        b"EHLO mail.example\r\nSTARTTLS\r\n",
        b"\n",
        lab.random_bytes(3000).replace(b"\x16", b"\x15"),
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
    tls = lab.tls_client(near, shakes=False)
    lab.expect(tls.tries_handshake(), "there is no handshake then", seen="a handshake")
    ways.listener.hears_not_a_byte(for_=0.2)
    lab.says("plain text after the handshake")
    for versions in SPOKEN:
        way = ways.opens(versions)
        way.tls.sends_raw(b"GET / HTTP/1.1\r\nHost: server.example\r\n\r\n")
        came = comes_out(lab, way.plain)
        lab.expect(not came, "none of it comes out", seen=came)
    ways.carries(lasting)


def test_a_server_without_tls(lab: Scene) -> None:
    ways = Ways(lab, "client")
    lasting = ways.opens()
    secret = b"the password is " + lab.random_bytes(16).hex().encode()
    greetings = (b"220 mail.example ESMTP\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 200)
    for greeting in greetings:
        plain = lab.connects(ways.pipe)
        plain.sends(secret)
        wire = ways.listener.accepts()
        wire.sends(greeting)
        came = comes_out(lab, plain)
        lab.expect(not came, "nothing of it comes out of the pipe", seen=came)
    lab.says("plain text after the handshake")
    way = ways.opens()
    way.tls.sends_raw(greetings[0])
    came = comes_out(lab, way.plain)
    lab.expect(not came, "none of it comes out", seen=came)
    ways.carries(lasting)
    lab.no_secret(ways.pipe, secret)


@ROLES
def test_an_end_that_nobody_signed(lab: Scene, role: str) -> None:
    ways = Ways(lab, role)
    for versions in SPOKEN:
        for level, description in ((1, 0), (1, 90), (2, 0)):
            way = ways.opens(versions)
            ways.carries(way)
            lab.says("somebody on the way adds an alert in plain text, such as close_notify")
            way.tls.sends_raw(bytes([21, 3, 3, 0, 2, level, description]))
            came = way.plain.sees_reset()
            lab.expect(not came, "which is no end", seen=came)


# -- the log ------------------------------------------------------------------------------------------------------


@ROLES
def test_the_log_of_a_bad_day(lab: Scene, role: str) -> None:
    ways = Ways(lab, role)
    words = b"nobody may read this in a log: " + lab.random_bytes(20)

    def flips_a_bit(way: Way) -> None:
        way.tls.tampers(lambda record: bent(record, -20))
        way.tls.sends(words, may_fail=True)

    deeds: list[tuple[Callable[[Way], None], tuple[str, ...]]] = [
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
        lab.ends_as(ways.pipe, *expected, count=count)
    if role == "server":
        lab.connects(ways.pipe).sends(words)
    else:
        plain = lab.connects(ways.pipe)
        plain.sends(words)
        ways.listener.accepts().sends(words[::-1])
    lab.ends_as(ways.pipe, "refused", "broken", count=len(deeds) + 1)
    lab.no_secret(ways.pipe, words, words[::-1], words[-20:])


# -- floods --------------------------------------------------------------------------------------------------------


def served_or_broken(lab: Scene, way: Way, sealer: Sealer) -> None:
    """What is sent behind a flood comes out, or the connection is over."""
    data = lab.random_bytes(100)
    sealer.sends(sealer.seals(data), may_fail=True)
    try:
        way.plain.reads_exactly(data, within=6)
    except Broken:
        if way.plain.sips(1) != b"":
            raise
        lab.says("the connection was broken")


@ROLES
def test_floods(lab: Scene, role: str) -> None:
    ways = Ways(lab, role)
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
    with lab.measures(every=0.2) as seen:
        for what, versions, make, count, reads in kinds:
            way = ways.opens(versions)
            sealer = lab.seals(way.tls)
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
        before, used = used, lab.usage().cpu_seconds
        return used - before < 0.04

    try:
        lab.waits_until(rests, within=within, every=0.3)
    except NotMeasured:
        lab.pauses(1)


def test_answers_that_nobody_reads(lab: Scene) -> None:
    ways = Ways(lab, "client")
    bystander = ways.opens()
    ways.carries(bystander)
    way = ways.opens(SPOKEN[0])
    sealer = lab.seals(way.tls)
    lab.says("a HelloRequest has 4 bytes, and whoever wants no new handshake answers it with 31")
    with lab.measures(every=0.2) as seen:
        try:
            many = "records full of HelloRequests, and reads no answer"
            sealer.floods(
                lambda: sealer.seals(bytes(16_384), HANDSHAKE), 320, what=many, within=1.5, reads=False
            )
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
    ways = Ways(lab, role)
    makes: list[tuple[Callable[[Sealer], bytes], Versions]] = [
        (Sealer.oversized, SPOKEN[1]),
        (Sealer.unknown_type, SPOKEN[1]),
        (Sealer.no_type, SPOKEN[1]),
        (Sealer.oversized, SPOKEN[0]),
        (Sealer.unknown_type, SPOKEN[0]),
    ]
    for make, versions in makes:
        way = ways.opens(versions)
        sealer = lab.seals(way.tls)
        sealer.sends(make(sealer), sealer.seals(b"and behind it data"), may_fail=True)
        came = comes_out(lab, way.plain)
        lab.expect(not came, "nothing of it comes out", seen=came)
    ways.carries(ways.opens())


def test_handshakes_without_an_end(lab: Scene) -> None:
    ways = Ways(lab, "server", "--handshake-timeout", 1)
    bystander = ways.opens()
    ways.carries(bystander)
    lab.says("ClientHellos that go on and on")
    header = bytes([22, 3, 1, 64, 0])
    first = header + bytes([1, 255, 255, 255, 3, 3]) + bytes(16_378)
    crumbs = bytes([22, 3, 1, 0, 1, 1]) + bytes([22, 3, 1, 0, 1, 0]) * 10_000
    with lab.measures(every=0.2) as seen:
        for begins, goes_on in ((first, header + bytes(16_384)), (crumbs, crumbs), (first[:5], b"\0" * 9)):
            peer = lab.connects(ways.pipe)
            if peer.pushes(begins, within=1) is not None:
                left = 30_000_000
                while left > 0 and (taken := peer.pushes(goes_on * (64_000 // len(goes_on)), within=0.3)):
                    left -= taken
            ways.carries(bystander)
    seen.memory_stays_within(MORE_MEMORY, what="handshakes have no end")
    lab.says("hundreds of connections that say nothing, and a storm of resets")
    silent = lab.stays_silent(ways.pipe, count=200, says=HALF_A_HELLO)
    lab.clumsy(ways.pipe).storms(150, data=HALF_A_HELLO)
    ways.carries(bystander)
    ways.carries(ways.opens())
    silent.all_end(within=5)
    ways.carries(bystander)


# -- new certificates ----------------------------------------------------------------------------------------------


def shows(tls: TlsPeer, identity: Identity) -> bool:
    """Whether the other side's certificate is this one."""
    shown = ssl.DER_cert_to_PEM_cert(tls.certificates[0])
    return identity.certificates.decode().startswith(shown)


def rereads(lab: Scene, pipe: Server, met: Callable[[], bool] | None, what: str) -> None:
    """Send SIGHUP; before long `met`, or (None) it complains. Raises Broken."""

    def complaints() -> int:
        return sum(not line.startswith(b"ended:") for line in pipe.stderr.splitlines())

    before = complaints()

    def done() -> bool:
        try:
            return met() if met else complaints() > before
        except Broken:
            return False  # it may be about to listen anew

    pipe.signal(signal.SIGHUP)
    lab.expect(lab.waits_until(done, within=4, every=0.1), what)
    pipe.keeps_running()


def hears(tls: TlsPeer, data: bytes) -> bool:
    """Whether these bytes come."""
    try:
        tls.reads_exactly(data)
    except Broken:
        return False
    return True


def knows_sighup(lab: Scene) -> bool:
    """Whether there is such a signal here."""
    if not hasattr(signal, "SIGHUP"):
        lab.says("this system knows no SIGHUP")
        return False
    return True


def test_a_server_renews_its_certificate(lab: Scene) -> None:
    if not knows_sighup(lab):
        return
    first, second, third = (lab.zoo.server() for _ in range(3))
    pipe = lab.pipe_server(backend=lab.echo(), identity=first)
    lasting = lab.tls_client(lab.connects(pipe))

    def now_shows(identity: Identity) -> bool:
        return shows(lab.tls_client(lab.connects(pipe, quietly=True)), identity)

    lab.renews(pipe, identity=second)
    lab.expect(now_shows(first), "without the signal nothing changes")
    rereads(lab, pipe, lambda: now_shows(second), "new connections see the new certificate")
    unusable = {
        "no PEM": Identity(b"this is no certificate\n", second.key),
        "another key": Identity(third.certificates, second.key),
        "no key": Identity(third.certificates, b""),
    }
    for why, identity in unusable.items():
        lab.says(f"files that cannot be used: {why}")
        lab.renews(pipe, identity=identity)
        rereads(lab, pipe, None, "it says on standard error that they cannot be used")
        lab.expect(now_shows(second), "the old certificate stays in use")
    lab.renews(pipe, identity=third)
    rereads(lab, pipe, lambda: now_shows(third), "good files are used again")
    lasting.sends(b"still here")
    lasting.reads_exactly(b"still here")
    lab.no_secret(pipe, first.key, second.key, third.key)


def test_roots_are_renewed(lab: Scene) -> None:
    if not knows_sighup(lab):
        return
    lab.says("the server's --client-ca")
    echo = lab.echo()
    pipe = lab.pipe_server(backend=echo, client_ca=lab.zoo.ca)
    own, stranger = lab.zoo.client(), lab.zoo.stranger("client")

    def lets_in(identity: Identity) -> bool:
        tls = lab.tls_client(lab.connects(pipe, quietly=True), identity=identity, shakes=False)
        if tls.tries_handshake():
            return False
        tls.sends(b"hello", may_fail=True)
        return hears(tls, b"hello")

    lasting = lab.tls_client(lab.connects(pipe), identity=own)
    lab.expect(lets_in(own) and not lets_in(stranger), "only one of two clients gets in")
    lab.renews(pipe, ca=lab.zoo.stranger_ca)
    rereads(lab, pipe, lambda: lets_in(stranger), "the other one gets in when its root is believed")
    lab.expect(not lets_in(own), "and the first one does not any more")
    lasting.sends(b"still here")
    lasting.reads_exactly(b"still here")

    lab.says("the client's --ca")
    target = lab.listens()
    pipe = lab.pipe_client(target=target)
    good, other = lab.zoo.server(), lab.zoo.stranger("server")

    def believes(identity: Identity) -> bool:
        near = lab.connects(pipe, quietly=True)
        tls = lab.tls_server(target.accepts(), identity=identity, shakes=False)
        if tls.tries_handshake():
            return False
        near.sends(b"hello", may_fail=True)
        return hears(tls, b"hello")

    lab.expect(believes(good) and not believes(other), "it believes one of two servers")
    lab.renews(pipe, ca=lab.zoo.stranger_ca)
    rereads(lab, pipe, lambda: believes(other), "it believes the other one when the roots are others")
    lab.expect(not believes(good), "and the first one no more")
    lab.renews(pipe, ca=b"no roots at all\n")
    rereads(lab, pipe, None, "it says on standard error that a file cannot be used")
    lab.expect(believes(other) and not believes(good), "the old roots stay in use")
