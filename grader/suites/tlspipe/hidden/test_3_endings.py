"""Stage 3: the whole table of endings, in both roles, with data under way."""

import pytest

from harness.testing import TLS12, TLS13, Broken, Scene, TlsPeer, exchange

ROLES = pytest.mark.parametrize("role", ["client", "server"])

#: How a TLS ClientHello of 512 bytes, and a ServerHello of 122, begin.
HALF_A_HELLO = {
    "server": bytes.fromhex("16 0301 0200 01 0001fc 0303") + b"\x2a" * 100,
    "client": bytes.fromhex("16 0303 007a 02 000076 0303") + b"\x2a" * 32,
}
#: The beginning of a record of 4,096 bytes, which never comes whole.
HALF_A_RECORD = bytes.fromhex("17 0303 1000") + b"\x2a" * 1000


@ROLES
def test_the_plain_side_ends_first(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role)
    for size in (0, 1, 60_000, 1_000_000):
        plain, tls = lab.pipes.joins(role, pipe, behind)
        data = lab.random_bytes(size)
        if size < 100_000:
            plain.sends(data)
        else:
            sender = plain.sends_in_background(data)
            tls.reads_exactly(data[: size // 2])
            sender.join()
            data = data[size // 2 :]
        plain.ends()
        tls.reads_exactly(data)
        tls.sees_close_notify()
        lab.says("the other direction goes on")
        for piece in (300, 40_000, 1):
            answer = lab.random_bytes(piece)
            tls.sends(answer)
            plain.reads_exactly(answer)
        tls.ends()
        plain.sees_end()
        tls.sees_end()
    lab.pipes.ends_as(pipe, "closed", count=4)


@ROLES
def test_the_wire_ends_first(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role)
    for size in (0, 1, 1_000_000):
        plain, tls = lab.pipes.joins(role, pipe, behind)
        data = lab.random_bytes(size)
        sender = tls.sends_in_background(data, ends=True)
        plain.reads_exactly(data)
        plain.sees_end()
        sender.join()
        lab.says("the other direction goes on")
        for piece in (300, 40_000, 1):
            answer = lab.random_bytes(piece)
            plain.sends(answer)
            tls.reads_exactly(answer)
        plain.ends()
        tls.sees_close_notify()
        tls.cuts()
        tls.sees_end()
    lab.pipes.ends_as(pipe, "closed", count=3)


@ROLES
def test_ends_of_old(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role)
    data = lab.random_bytes(100_000)
    lab.says("under TLS 1.2 one close_notify may end both directions")
    plain, tls = lab.pipes.joins(role, pipe, behind, versions=[TLS12])
    exchange(plain, tls)
    plain.sends(data)
    plain.ends()
    tls.reads_exactly(data)
    tls.sees_close_notify()
    tls.ends()
    plain.sees_end()
    tls.sees_end()
    plain, tls = lab.pipes.joins(role, pipe, behind, versions=[TLS12])
    exchange(plain, tls)
    tls.sends(data)
    tls.ends()
    plain.reads_exactly(data)
    plain.sees_end()
    plain.ends()
    tls.sees_end()
    lab.pipes.ends_as(pipe, "closed", count=2)


def test_tickets(lab: Scene) -> None:
    pipe, server = lab.pipes.starts("client")
    count = 0
    for tickets in (0, 1, 2):
        for talks in (False, True):
            count += 1
            lab.says(f"a server that sends {tickets} session tickets")
            plain = lab.connects(pipe, name="the plain side")
            tls = lab.tls.server(server.accepts(), versions=[TLS13], tickets=tickets)
            if talks:
                exchange(plain, tls)
            plain.ends()
            tls.sees_close_notify()
            tls.ends()
            tls.sees_end()
            plain.sees_end()
            lab.pipes.ends_as(pipe, "closed", count=count)


@ROLES
def test_a_peer_that_closes_late(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role)
    plain, tls = lab.pipes.joins(role, pipe, behind)
    exchange(plain, tls)
    tls.sends_close_notify()
    plain.sees_end()
    plain.ends()
    tls.sees_close_notify()
    lab.pauses(0.3)
    lab.says("only now the peer closes its TCP connection")
    tls.cuts()
    tls.sees_end()
    lab.pipes.ends_as(pipe, "closed")


@ROLES
def test_cuts(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role)
    data = lab.random_bytes(4000)
    plain, tls = lab.pipes.joins(role, pipe, behind)
    lab.says("cut before any data")
    tls.cuts()
    lab.pipes.only_a_reset_comes_out(plain, "it was cut before any data")
    lab.pipes.ends_as(pipe, "truncated", count=1)
    plain, tls = lab.pipes.joins(role, pipe, behind)
    tls.sends(data)
    plain.reads_exactly(data)
    lab.says("cut in the middle of a record")
    tls.sends_raw(HALF_A_RECORD)
    tls.cuts()
    lab.pipes.only_a_reset_comes_out(plain, "the record is not whole")
    lab.pipes.ends_as(pipe, "truncated", count=2)
    plain, tls = lab.pipes.joins(role, pipe, behind)
    lab.says("cut while data is under way")
    tls.sends(data)
    tls.cuts()
    came = plain.sees_reset()
    lab.expect(
        data.startswith(came),
        "what comes out is what was sent, up to some place",
        seen=len(came),
        otherwise="other bytes came out than were sent before the cut",
    )
    lab.pipes.ends_as(pipe, "truncated", count=3)


@ROLES
def test_a_cut_after_the_other_end(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role)
    data = lab.random_bytes(4000)
    plain, tls = lab.pipes.joins(role, pipe, behind)
    plain.sends(data)
    plain.ends()
    tls.reads_exactly(data)
    tls.sees_close_notify()
    tls.sends(data)
    plain.reads_exactly(data)
    lab.says("the answer is cut: the plain side has ended already, and waits for the rest")
    tls.cuts()
    lab.pipes.only_a_reset_comes_out(plain, "no more was sent")
    lab.pipes.ends_as(pipe, "truncated")


@ROLES
def test_ends_in_the_handshake(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role)
    for number, (said, how) in enumerate(
        ((b"", "end"), (HALF_A_HELLO[role], "end"), (b"", "reset"), (HALF_A_HELLO[role], "reset")), 1
    ):
        plain, raw = lab.pipes.reaches(role, pipe, behind)
        if role == "client":
            raw.reads(5)  # it has begun: before that, nobody would have been reached
        if said:
            raw.sends(said)
        if how == "end":
            raw.ends()
            words = ("truncated", "refused", "broken")
        else:
            raw.resets()
            words = ("reset", "refused", "broken")
        if plain:
            lab.pipes.only_a_reset_comes_out(plain, "the handshake was never done")
        lab.pipes.ends_as(pipe, *words, count=number)
    if role == "server":
        lab.pipes.meets_nobody(behind, "no handshake was done")
    exchange(*lab.pipes.joins(role, pipe, behind))


@ROLES
def test_resets(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role)
    lab.says("the plain side is reset")
    plain, tls = lab.pipes.joins(role, pipe, behind)
    exchange(plain, tls)
    plain.resets()
    tls.sees_reset_or_alert()
    lab.pipes.ends_as(pipe, "reset", count=1)
    lab.says("the wire is reset")
    plain, tls = lab.pipes.joins(role, pipe, behind)
    exchange(plain, tls)
    tls.resets()
    lab.pipes.only_a_reset_comes_out(plain, "no data was sent")
    lab.pipes.ends_as(pipe, "reset", count=2)
    lab.says("the wire is reset, when the plain side has ended already")
    plain, tls = lab.pipes.joins(role, pipe, behind)
    exchange(plain, tls)
    plain.ends()
    tls.sees_close_notify()
    tls.resets()
    lab.pipes.only_a_reset_comes_out(plain, "no data was sent")
    lab.pipes.ends_as(pipe, "reset", count=3)


@ROLES
def test_broken(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role)
    secret = lab.random_bytes(24)
    plain, tls = lab.pipes.joins(role, pipe, behind)
    exchange(plain, tls)
    lab.says("what comes now is no TLS")
    tls.sends_raw(b"GET / HTTP/1.1\r\nHost: server.example\r\n\r\n" + secret)
    lab.pipes.only_a_reset_comes_out(plain, "what came was no TLS")
    tls.sees_reset_or_alert()
    lab.pipes.ends_as(pipe, "broken", count=1)
    plain, tls = lab.pipes.joins(role, pipe, behind)
    exchange(plain, tls)
    lab.says("a record is changed on its way")
    tls.tampers(lambda record: record[:-1] + bytes([record[-1] ^ 1]))
    tls.sends(secret)
    lab.pipes.only_a_reset_comes_out(plain, "the record had been changed")
    tls.sees_reset_or_alert()
    lab.pipes.ends_as(pipe, "broken", count=2)
    plain, tls = lab.pipes.joins(role, pipe, behind)
    exchange(plain, tls)
    lab.says("a fatal alert comes")
    sealer = lab.tls.seals(tls)
    sealer.sends(sealer.alert(80), may_fail=True)
    lab.pipes.only_a_reset_comes_out(plain, "no data was sent")
    lab.pipes.ends_as(pipe, "broken", "refused", count=3)


def test_refused_by_the_peer(lab: Scene) -> None:
    pipe, server = lab.pipes.starts("client")
    for number, version in enumerate((TLS12, TLS13), 1):
        lab.says("a server that wants a certificate, which the pipe has not")
        plain = lab.connects(pipe, name="the plain side")
        tls = lab.tls.server(server.accepts(), client_ca=lab.tls.zoo.ca, versions=[version], shakes=False)
        _fails(tls)
        lab.pipes.only_a_reset_comes_out(plain, "the server wanted a certificate")
        lab.pipes.ends_as(pipe, "refused", "broken", count=number)
    exchange(*lab.pipes.joins("client", pipe, server))
    pipe, backend = lab.pipes.starts("server")
    for number, version in enumerate((TLS12, TLS13), 1):
        lab.says("a client that does not believe the pipe's root")
        tls = lab.tls.client(lab.connects(pipe), ca=lab.tls.zoo.stranger_ca, versions=[version], shakes=False)
        _fails(tls)
        lab.pipes.ends_as(pipe, "refused", count=number)
    lab.pipes.meets_nobody(backend, "the client refused")
    exchange(*lab.pipes.joins("server", pipe, backend))


def test_refusals(lab: Scene) -> None:
    pipe, server = lab.pipes.starts("client")
    for number, name in enumerate(("wrong-name", "self-signed"), 1):
        plain = lab.connects(pipe, name="the plain side")
        identity = lab.tls.zoo.specimen(name).identity
        tls = lab.tls.server(server.accepts(), identity=identity, shakes=False)
        _fails(tls)
        how = tls.ending.how if tls.ending else None
        lab.expect(
            how in ("alert", "reset"),
            "the server gets an alert or a reset",
            seen=tls.ending,
            otherwise="a refused server got neither a fatal alert nor a reset",
        )
        lab.pipes.only_a_reset_comes_out(plain, "the server was refused")
        lab.pipes.ends_as(pipe, "refused", count=number)
    lab.says("a server that speaks no TLS")
    plain = lab.connects(pipe, name="the plain side")
    raw = server.accepts()
    raw.sends(b"220 mail.example ready\r\n")
    lab.pipes.only_a_reset_comes_out(plain, "the server speaks no TLS")
    lab.pipes.ends_as(pipe, "refused", "broken", count=3)
    exchange(*lab.pipes.joins("client", pipe, server))


def _fails(tls: TlsPeer) -> None:
    try:
        tls.handshakes()
        tls.is_refused()
    except Broken:
        if tls.ending is None:
            raise


@ROLES
def test_nobody_there(lab: Scene, role: str) -> None:
    nobody = lab.nobody()
    pipe = lab.pipes.client(target=nobody) if role == "client" else lab.pipes.server(backend=nobody)
    for count in (1, 2):
        raw = lab.connects(pipe)
        if role == "client":
            if count == 2:
                raw.sends(b"is anybody there?", may_fail=True)
            lab.pipes.only_a_reset_comes_out(raw, "nobody was there")
        else:
            tls = lab.tls.client(raw, name=None, versions=[TLS12 if count == 1 else TLS13])
            tls.sees_reset_or_alert(data=False)
        lab.pipes.ends_as(pipe, "unreachable", count=count)
    pipe.keeps_running()


@ROLES
def test_a_slow_reader_gets_everything(lab: Scene, role: str) -> None:
    data = lab.random_bytes(6_000_000)
    pipe, behind = lab.pipes.starts(role, receive_buffer=65_536)
    lab.says("the plain side ends, and reads late")
    plain, tls = lab.pipes.joins(role, pipe, behind, buffer=65_536)
    sender = tls.sends_in_background(data, ends=True)
    lab.pauses(0.1)
    plain.sends(b"the last of what I say")
    plain.ends()
    lab.pauses(0.1)
    plain.reads_exactly(data, within=8)
    plain.sees_end()
    sender.join()
    said = tls.reads_to_close_notify()
    lab.expect_same(
        said,
        b"the last of what I say",
        "what the other side said before comes, too",
        otherwise="what the plain side said before its end did not come whole",
    )
    tls.ends()
    tls.sees_end()
    lab.pipes.ends_as(pipe, "closed", count=1)
    lab.says("the wire reads late")
    plain, tls = lab.pipes.joins(role, pipe, behind, buffer=65_536)
    taken = plain.sends_what_fits(data, quiet=0.2)
    plain.ends()
    got = tls.reads_to_close_notify(within=8)
    lab.expect(
        got == data[:taken],
        "all of it comes, and then close_notify",
        expected=taken,
        seen=len(got),
        otherwise="what the plain side sent before its end did not come whole before close_notify",
    )
    tls.ends()
    plain.sees_end()
    lab.pipes.ends_as(pipe, "closed", count=2)
