"""Stage 2: who is at the other end? Certificates, chains, names."""

from harness.testing import Broken, Identity, Listener, Scene, Server


def is_believed(lab: Scene, pipe: Server, server: Listener, identity: Identity) -> None:
    """Bytes go to and fro between a client and a server that shows this certificate."""
    question, answer = lab.random_bytes(32), lab.random_bytes(32)
    plain = lab.connects(pipe, name="the plain side")
    tls = lab.tls.server(server.accepts(), identity=identity)
    plain.sends(question)
    tls.reads_exactly(question)
    tls.sends(answer)
    plain.reads_exactly(answer)
    tls.ends()
    plain.closes()
    lab.says("so much for a server that is to be believed")


def is_refused(lab: Scene, pipe: Server, server: Listener, identity: Identity) -> None:
    """A server that shows this certificate learns nothing, and nothing it says comes out."""
    question, answer = lab.random_bytes(32), lab.random_bytes(32)
    plain = lab.connects(pipe, name="the plain side")
    plain.sends(question)
    tls = lab.tls.server(server.accepts(), identity=identity, shakes=False)
    try:
        tls.handshakes()
        lab.says("the handshake is done; the server must still get nothing")
        tls.sends(answer, may_fail=True)
        tls.is_refused()
    except Broken:
        if tls.ending is None or tls.ending.how not in ("alert", "reset", "end"):
            raise  # neither believed nor refused, or something was read
    came: list[bytes | None] = []
    lab.waits_until(lambda: came.append(plain.sips(100)) or came[-1] is not None)
    lab.expect_same(
        came[-1],
        b"",
        "on the plain side comes the end, and not one byte",
        otherwise="the plain side did not just end: bytes came out of it, or nothing at all",
    )


def tells_apart(lab: Scene, pipe: Server, server: Listener, good: Identity, bad: Identity) -> None:
    """The good one is believed and the bad one refused, in whichever order they come."""
    order = [good, bad]
    lab.rng.shuffle(order)
    for identity in (*order, good):
        (is_believed if identity is good else is_refused)(lab, pipe, server, identity)


def test_the_right_server(lab: Scene) -> None:
    server = lab.listens()
    pipe = lab.pipes.client(target=server)
    plain = lab.connects(pipe, name="the plain side")
    lab.says("the server sends its own certificate, and that of the authority that signed it")
    tls = lab.tls.server(server.accepts())
    question = lab.random_bytes(100)
    plain.sends(question)
    tls.reads_exactly(question)


def test_the_name_is_told(lab: Scene) -> None:
    for name, expected in (("server.example", "server.example"), ("192.0.2.7", None)):
        server = lab.listens()
        pipe = lab.pipes.client(target=server, name=name)
        lab.connects(pipe)
        tls = lab.tls.server(server.accepts(), identity=lab.tls.zoo.server(name))
        lab.expect_same(
            tls.sni,
            expected,
            "the server is told the name that is wanted (SNI), and no address",
            otherwise="the server was told another name (SNI) than the one that is wanted",
        )


def test_another_name(lab: Scene) -> None:
    server = lab.listens()
    pipe = lab.pipes.client(target=server, name="www.server.example")
    is_believed(lab, pipe, server, lab.tls.zoo.server("www.server.example"))
    tells_apart(lab, pipe, server, lab.tls.zoo.server("*.server.example"), lab.tls.zoo.server("other.example"))
    pipe = lab.pipes.client(target=server, name="a.www.server.example")
    wildcard, exact = lab.tls.zoo.server("*.server.example"), lab.tls.zoo.server("a.www.server.example")
    tells_apart(lab, pipe, server, exact, wildcard)


def test_a_stranger(lab: Scene) -> None:
    server = lab.listens()
    pipe = lab.pipes.client(target=server)
    lab.says("a stranger has the right name, vouched for by a root that is not in --ca")
    tells_apart(lab, pipe, server, lab.tls.zoo.server(), lab.tls.zoo.stranger("server"))
    pipe = lab.pipes.client(target=server, ca=lab.tls.zoo.stranger_ca)
    lab.says("whoever trusts that root believes it")
    is_believed(lab, pipe, server, lab.tls.zoo.stranger("server"))


def test_what_both_see(lab: Scene) -> None:
    server = lab.listens()
    pipe = lab.pipes.client(target=server)
    plain = lab.connects(pipe, name="the plain side")
    tls = lab.tls.server(server.accepts(), identity=lab.tls.zoo.server("other.example"), shakes=False)
    how = tls.handshake_fails()
    lab.expect(
        how in ("alert", "reset"),
        "the server sees a fatal alert or a reset",
        seen=tls.ending,
        otherwise="the server was left without a fatal alert or a reset",
    )
    lab.expect(
        not plain.sees_reset(),
        "the plain side sees a reset, and nothing before it",
        otherwise="bytes came out on the plain side before its reset",
    )
    lab.pipes.ends_as(pipe, "refused")


def test_expired(lab: Scene) -> None:
    server = lab.listens()
    pipe = lab.pipes.client(target=server)
    specimen = lab.tls.zoo.specimen("expired")
    lab.says(f"a certificate with one fault: {specimen.rule}")
    assert specimen.identity is not None
    tells_apart(lab, pipe, server, lab.tls.zoo.server(), specimen.identity)


def test_an_address(lab: Scene) -> None:
    server = lab.listens()
    pipe = lab.pipes.client(target=server, name="192.0.2.7")
    tells_apart(lab, pipe, server, lab.tls.zoo.server("192.0.2.7"), lab.tls.zoo.server("192.0.2.8"))


def test_the_whole_chain_is_sent(lab: Scene) -> None:
    backend = lab.listens()
    identity = lab.tls.zoo.server("server.example")
    pipe = lab.pipes.server(backend=backend, identity=identity)
    lab.says("a client that knows the root and nothing else")
    tls = lab.tls.client(lab.connects(pipe), ca=lab.tls.zoo.ca)
    sent, in_file = len(tls.certificates), identity.certificates.count(b"BEGIN CERTIFICATE")
    lab.expect_same(
        sent, in_file, "all certificates of the file are sent", otherwise="not all certificates of the file were sent"
    )
    data = lab.random_bytes(100)
    tls.sends(data)
    backend.accepts().reads_exactly(data)
