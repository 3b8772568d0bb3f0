"""Stage 1: any amount, any version from TLS 1.2 on, any family; and what must never be on the wire."""

import signal

import pytest

from harness.testing import TLS10, TLS11, TLS12, TLS13, Peer, Scene, Server, TlsPeer, comes_out

ROLES = pytest.mark.parametrize("role", ["client", "server"])

#: How a TLS ClientHello of 512 bytes begins.
HALF_A_HELLO = bytes.fromhex("16 0301 0200 01 0001fc 0303") + b"\x2a" * 100


def exchange(lab: Scene, plain: Peer, tls: TlsPeer, size: int = 300) -> None:
    """Bytes go to and fro."""
    up, down = lab.random_bytes(size), lab.random_bytes(size)
    plain.sends(up)
    tls.reads_exactly(up)
    tls.sends(down)
    plain.reads_exactly(down)


def test_twenty_megabytes(lab: Scene) -> None:
    backend = lab.listens()
    server = lab.pipes.server(backend=backend)
    middle = lab.tls.middle(server)
    client = lab.pipes.client(target=middle.address)
    left = lab.connects(client, name="the client")
    right = backend.accepts()
    up, down = lab.random_bytes(20_000_000), lab.random_bytes(8_000_000)
    left.sends_in_background(up)
    right.sends_in_background(down)
    right.reads_exactly(up, within=20)
    left.reads_exactly(down, within=20)
    markers = [data[at : at + 24] for data in (up, down) for at in (0, 1_000_000, 4_000_000)]
    lab.tls.is_private(middle.tap_up[:6_000_000], *markers)
    lab.tls.is_private(middle.tap_down[:6_000_000], *markers)


@ROLES
def test_who_reads_late(lab: Scene, role: str) -> None:
    ways = lab.pipes.ways(role, receive_buffer=2048, segment=536)
    up, down = lab.random_bytes(600_000), lab.random_bytes(600_000)
    for order in (0, 1):
        way = ways.opens()
        sending = way.plain.sends_in_background(up), way.tls.sends_in_background(down)
        lab.says("nobody reads for a while, and what the kernel does not take has to wait")
        lab.pauses(0.3)
        if order:
            way.tls.reads_exactly(up, within=10)
        way.plain.reads_exactly(down, within=10)
        if not order:
            way.tls.reads_exactly(up, within=10)
        for thread in sending:
            thread.join(5)


@ROLES
def test_byte_by_byte(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role)
    lab.says("even the handshake comes in small pieces")
    if role == "client":
        plain, raw = lab.connects(pipe, name="the plain side"), behind.accepts()
        tls = lab.tls.server(raw, shakes=False)
    else:
        tls = lab.tls.client(lab.connects(pipe), name=None, shakes=False)
    tls.in_pieces(7)
    tls.handshakes(within=8)
    if role == "server":
        plain = behind.accepts()
    tls.in_pieces(1)
    for byte in lab.random_bytes(40):
        plain.sends(bytes([byte]))
        tls.reads_exactly(bytes([byte]))
        tls.sends(bytes([byte ^ 0xFF]))
        plain.reads_exactly(bytes([byte ^ 0xFF]))
    exchange(lab, plain, tls, 3000)


@ROLES
def test_versions(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role)
    for versions, expected in (
        ([TLS12], "TLSv1.2"),
        ([TLS13], "TLSv1.3"),
        ([TLS12, TLS13], "TLSv1.3"),
        ([TLS10, TLS12], "TLSv1.2"),
    ):
        plain, tls = lab.pipes.joins(role, pipe, behind, versions=versions)
        lab.expect_same(tls.version, expected, "the newest one of both", otherwise="another version was agreed on")
        exchange(lab, plain, tls, 40_000)
        tls.ends()
        plain.closes()


@ROLES
def test_nothing_older(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role)
    for version in (TLS11, TLS10):
        lab.says(f"a peer that speaks {version.name} and nothing newer")
        secret = lab.random_bytes(24)
        if role == "client":
            plain = lab.connects(pipe, name="the plain side")
            plain.sends(secret)
            tls = lab.tls.server(behind.accepts(), versions=[version], shakes=False)
            tls.handshake_fails()
            lab.pipes.nothing_comes_out(plain, "the TLS version is too old")
            lab.tls.is_private(tls.raw_in, secret)
        else:
            tls = lab.tls.client(lab.connects(pipe), name=None, versions=[version], shakes=False)
            how = tls.handshake_fails()
            otherwise = "a client whose TLS version is too old got neither a fatal alert nor a reset"
            lab.expect(how in ("alert", "reset"), "it gets an alert or a reset", seen=tls.ending, otherwise=otherwise)
            lab.pipes.meets_nobody(behind, "the TLS version is too old")
    plain, tls = lab.pipes.joins(role, pipe, behind, versions=[TLS12])
    exchange(lab, plain, tls)


@ROLES
def test_one_after_another(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role)
    for number in range(25):
        plain, tls = lab.pipes.joins(role, pipe, behind)
        exchange(lab, plain, tls, 1 + 500 * number)
        plain.closes()
        tls.ends()
    pipe.keeps_running()


@ROLES
def test_ipv6(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role, at="[::]:0", family=6)
    plain, tls = lab.pipes.joins(role, pipe, behind)
    exchange(lab, plain, tls, 20_000)
    lab.says("and from one family to the other")
    pipe, behind = lab.pipes.starts(role, at="[::]:0", family=4)
    exchange(lab, *lab.pipes.joins(role, pipe, behind))
    pipe, behind = lab.pipes.starts(role, family=6)
    exchange(lab, *lab.pipes.joins(role, pipe, behind))


def test_the_handshake_needs_no_bytes(lab: Scene) -> None:
    pipe, server = lab.pipes.starts("client")
    plain = lab.connects(pipe, name="the plain side")
    raw = server.accepts()
    tls = lab.tls.server(raw)
    greeting = lab.random_bytes(5000)
    tls.sends(greeting)
    plain.reads_exactly(greeting)
    tls.ends()
    lab.says("a server that says all it has to say, and a client that never says anything")
    plain.sees_end()
    plain.closes()


def is_a_hello(lab: Scene, raw: bytes) -> None:
    """The first bytes on the wire."""
    otherwise = "the first bytes on the wire were not a ClientHello"
    lab.expect(raw[:2] == b"\x16\x03", "it begins with a ClientHello", seen=raw[:40], otherwise=otherwise)


def test_nothing_waits_in_the_clear(lab: Scene) -> None:
    pipe, server = lab.pipes.starts("client")
    plain = lab.connects(pipe, name="the plain side")
    data = lab.random_bytes(50_000)
    plain.sends_in_background(data)
    raw = server.accepts()
    tls = lab.tls.server(raw, shakes=False)
    lab.says("the server does not answer yet, and the client has sent its data already")
    lab.pauses(0.3)
    tls.handshakes()
    is_a_hello(lab, tls.raw_in)
    tls.reads_exactly(data)
    lab.tls.is_private(tls.raw_in, data[:24], data[1000:1024], data[-24:])


def test_the_backend_comes_last(lab: Scene) -> None:
    pipe, backend = lab.pipes.starts("server")
    silent = lab.connects(pipe, name="a client that says nothing")
    backend.hears_not_a_byte(for_=0.2)
    silent.closes()
    begun = lab.connects(pipe, name="a client that begins a handshake")
    begun.sends(HALF_A_HELLO)
    backend.hears_not_a_byte(for_=0.2)
    begun.closes()
    secret = lab.random_bytes(24)
    for before in (b"GET / HTTP/1.0\r\n\r\n", b"\0" * 40, b"EHLO client.example\r\n"):
        stranger = lab.connects(pipe, name="a client that speaks no TLS")
        stranger.sends(before + secret, may_fail=True)
        stranger.sees_reset_or_end()
    lab.pipes.meets_nobody(backend, "no handshake was done")
    tls = lab.tls.client(lab.connects(pipe), name=None)
    exchange(lab, backend.accepts(), tls)


def test_no_tls_no_connection(lab: Scene) -> None:
    pipe, server = lab.pipes.starts("client")
    secret = lab.random_bytes(24)
    http = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
    for answer in (b"220 mail.example ready\r\n", http, b"", b"\0" * 300):
        plain = lab.connects(pipe, name="the plain side")
        plain.sends(secret)
        raw = server.accepts()
        hello = raw.reads(5)
        is_a_hello(lab, hello)
        if answer:
            lab.says("the server answers, but not in TLS")
            raw.sends(answer)
        else:
            lab.says("the server hangs up")
            raw.ends()
        lab.pipes.nothing_comes_out(plain, "the server speaks no TLS")
        lab.tls.is_private(hello + comes_out(raw), secret)
    server.hears_not_a_byte(for_=0.2)
    exchange(lab, *lab.pipes.joins("client", pipe, server))


def test_over_a_mobile_link(lab: Scene) -> None:
    lab.link("mobile")
    backend = lab.listens()
    server = lab.pipes.server(backend=backend)
    middle = lab.tls.middle(server)
    client = lab.pipes.client(target=middle.address)
    left = lab.connects(client, name="the client")
    right = backend.accepts()
    up, down = lab.random_bytes(100_000), lab.random_bytes(150_000)
    left.sends_in_background(up)
    right.sends_in_background(down)
    right.reads_exactly(up, within=12)
    left.reads_exactly(down, within=12)
    lab.tls.is_private(middle.tap_up, up[:24], down[:24])


def prints_one_line(lab: Scene, pipe: Server) -> None:
    """Where it listens, and nothing else."""
    lines, otherwise = pipe.stdout.splitlines(), "the pipe printed more than the line that says where it listens"
    lab.expect(len(lines) == 1, "it printed where it listens, and nothing else", seen=lines, otherwise=otherwise)


def says_usage(lab: Scene, *words: object, status: int = 2) -> bytes:
    """It ends with that status before anything listens; what it complained."""
    pipe = lab.runs("tls_pipe", *words)
    pipe.exits(status)
    quiet, otherwise = b"listening" not in pipe.stdout, "the pipe could not run and said that it listens"
    lab.expect(quiet, "it ends before anything listens", seen=pipe.stdout, otherwise=otherwise)
    return pipe.stderr


def test_words(lab: Scene) -> None:
    good = lab.tls.zoo.server()
    cert, ca = lab.put_file("cert.pem", good.certificates), lab.put_file("ca.pem", lab.tls.zoo.ca)
    key = lab.put_file("key.pem", good.key, mode=0o600)
    behind = lab.listens()
    own = ("--cert", cert, "--key", key)
    server = ("server", "--listen", "127.0.0.1:0", "--forward", behind.address, *own)
    client = ("client", "--listen", "127.0.0.1:0", "--connect", behind.address)
    asked = ("--ca", ca, "--name", "server.example")
    for wrong in (
        (),
        ("sever", *server[1:]),
        (*server, "--client-name", "client.example"),
        (*server, "--handshake-timeout", "0"),
        (*server, "--handshake-timeout", "soon"),
        ("server", "--listen", "localhost", *server[3:]),
        ("server", "--listen", "127.0.0.1:70000", *server[3:]),
        ("server", "--listen", "127.0.0.1:0", *own),
        (*client, "--name", "server.example"),
        (*client, "--ca", ca),
        (*client, *asked, "--cert", cert),
        (*client, *asked, "--key", key),
        (*client, *asked, "--every", "thing"),
    ):
        says_usage(lab, *wrong)
    lab.says("in any order the right words are right")
    pipe = lab.serves(
        "tls_pipe", *asked, "--connect", behind.address, flags=("client", "--handshake-timeout", "3.5", "--listen")
    )
    exchange(lab, *lab.pipes.joins("client", pipe, behind))


def test_files(lab: Scene) -> None:
    good, other = lab.tls.zoo.server(), lab.tls.zoo.server()
    cert, ca = lab.put_file("cert.pem", good.certificates), lab.put_file("ca.pem", lab.tls.zoo.ca)
    key = lab.put_file("key.pem", good.key, mode=0o600)
    text = lab.put_file("text.pem", b"This is no certificate.\n", mode=0o600)
    others = lab.put_file("others.pem", other.key, mode=0o600)
    locked = lab.put_file("locked.pem", encrypted(good.key), mode=0o600)
    behind = lab.listens()
    server = ("server", "--listen", "127.0.0.1:0", "--forward", behind.address)
    client = ("client", "--listen", "127.0.0.1:0", "--connect", behind.address, "--name", "server.example")
    for wrong, *names in (
        ((*server, "--cert", cert + ".not", "--key", key), b"cert.pem.not"),
        ((*server, "--cert", cert, "--key", key + ".not"), b"key.pem.not"),
        ((*server, "--cert", text, "--key", key), b"text.pem"),
        ((*server, "--cert", cert, "--key", text), b"text.pem"),
        ((*server, "--cert", cert, "--key", others), b"others.pem", b"cert.pem"),
        ((*server, "--cert", cert, "--key", locked), b"locked.pem"),
        ((*server, "--cert", cert, "--key", key, "--client-ca", text), b"text.pem"),
        ((*client, "--ca", ca + ".not"), b"ca.pem.not"),
        ((*client, "--ca", text), b"text.pem"),
        ((*client, "--ca", ca, "--cert", cert, "--key", others), b"others.pem", b"cert.pem"),
    ):
        said = says_usage(lab, *wrong)
        named, otherwise = any(name in said for name in names), "the complaint does not name the file"
        lab.expect(named, "it names the file", expected=names[0], seen=said[-200:], otherwise=otherwise)
    pipe = lab.pipes.server(backend=behind, identity=good)
    exchange(lab, *lab.pipes.joins("server", pipe, behind))


def encrypted(key: bytes) -> bytes:
    """The same key, locked with a password."""
    from cryptography.hazmat.primitives import serialization as form

    loaded = form.load_pem_private_key(key, None)
    locked = form.BestAvailableEncryption(b"nobody knows")
    return loaded.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, locked)


def test_cannot_listen(lab: Scene) -> None:
    pipe, behind = lab.pipes.starts("server")
    identity = lab.tls.zoo.server()
    cert = lab.put_file("cert.pem", identity.certificates)
    key = lab.put_file("key.pem", identity.key, mode=0o600)
    taken = f"0.0.0.0:{pipe.listening.port}"
    says_usage(lab, "server", "--listen", taken, "--forward", behind.address, "--cert", cert, "--key", key, status=3)
    exchange(lab, *lab.pipes.joins("server", pipe, behind))


@ROLES
def test_sigterm(lab: Scene, role: str) -> None:
    lab.says("nobody is connected")
    pipe, behind = lab.pipes.starts(role)
    lab.pauses(0.3)
    pipe.terminates(within=2.2)
    lab.says("somebody was")
    pipe, behind = lab.pipes.starts(role)
    plain, tls = lab.pipes.joins(role, pipe, behind)
    exchange(lab, plain, tls)
    plain.ends()
    tls.ends()
    lab.pauses(0.3)
    pipe.terminates(within=2.2)
    lab.says("some are, and one of them does not read")
    pipe, behind = lab.pipes.starts(role, receive_buffer=2048, segment=536)
    plain, tls = lab.pipes.joins(role, pipe, behind)
    exchange(lab, plain, tls)
    stuck, reader = lab.pipes.joins(role, pipe, behind, buffer=2048, segment=536)
    for end in (stuck, reader):
        end.sends_what_fits(lab.random_bytes(400_000), quiet=0.1)
    waiting = lab.connects(pipe, name="one whose handshake stands still")
    pipe.signal(signal.SIGTERM)
    pipe.exits(0, within=2.2)
    waiting.sees_reset_or_end()
    plain.sees_reset_or_end()
    for end in (tls, reader):
        end.sees_cut(data=True)
    prints_one_line(lab, pipe)


@ROLES
def test_tells_no_secrets(lab: Scene, role: str) -> None:
    identity = lab.tls.zoo.server()
    behind = lab.listens()
    if role == "client":
        pipe = lab.pipes.client(target=behind)
    else:
        pipe = lab.pipes.server(backend=behind, identity=identity)
    up, down = b"password=" + lab.random_bytes(24).hex().encode(), lab.random_bytes(24)
    for count, end in enumerate(("clean", "cut", "reset", "garbage"), 1):
        plain, tls = lab.pipes.joins(role, pipe, behind)
        plain.sends(up)
        tls.reads_exactly(up)
        tls.sends(down)
        plain.reads_exactly(down)
        if end == "clean":
            plain.ends()
            tls.ends()
        elif end == "cut":
            tls.cuts()
        elif end == "reset":
            plain.resets()
        else:
            tls.sends_raw(up, may_fail=True)
        pipe.complains(lambda log, count=count: log.count(b"ended: ") >= count, within=1.5)
        tls.resets()
    if role == "client":
        lab.says("a server that speaks no TLS")
        plain = lab.connects(pipe, name="the plain side")
        plain.sends(up)
        behind.accepts().sends(b"220 " + down)
        plain.sees_reset_or_end()
    else:
        raw = lab.connects(pipe)
        raw.sends(up)
        raw.sees_reset_or_end()
    lab.pauses(0.1)
    lab.pipes.no_secret(pipe, up, down, identity.key)
    prints_one_line(lab, pipe)
