"""Stage 1: plain bytes in on one side, TLS on the wire, plain bytes out on the other; and the same way back."""

from harness.testing import Scene


def test_the_client_encrypts(lab: Scene) -> None:
    server = lab.listens()
    pipe = lab.pipes.client(target=server)
    plain = lab.connects(pipe, name="the plain side")
    tls = lab.tls.server(server.accepts())
    for size in (40, 1000, 4000):
        question, answer = lab.random_bytes(size), lab.random_bytes(size)
        plain.sends(question)
        tls.reads_exactly(question)
        tls.sends(answer)
        plain.reads_exactly(answer)
        lab.tls.is_private(tls.raw_in, question)


def test_the_server_encrypts(lab: Scene) -> None:
    backend = lab.listens()
    pipe = lab.pipes.server(backend=backend)
    tls = lab.tls.client(lab.connects(pipe), name=None)  # None: whoever it is; that is for stage 2
    plain = backend.accepts(name="the plain side")
    for size in (40, 1000, 4000):
        question, answer = lab.random_bytes(size), lab.random_bytes(size)
        tls.sends(question)
        plain.reads_exactly(question)
        plain.sends(answer)
        tls.reads_exactly(answer)
        lab.tls.is_private(tls.raw_in, answer)


def test_the_server_speaks_first(lab: Scene) -> None:
    server = lab.listens()
    pipe = lab.pipes.client(target=server)
    plain = lab.connects(pipe, name="the plain side")
    lab.says("the client waits to be greeted, as in many protocols")
    tls = lab.tls.server(server.accepts())
    tls.sends(b"220 mail.example ready\r\n")
    plain.reads_exactly(b"220 mail.example ready\r\n")
    for byte in b"EHLO":
        plain.sends(bytes([byte]))
        tls.reads_exactly(bytes([byte]))


def test_two_pipes(lab: Scene) -> None:
    backend = lab.listens()
    server = lab.pipes.server(backend=backend)
    middle = lab.tls.middle(server)
    client = lab.pipes.client(target=middle.address)
    left = lab.connects(client, name="the client")
    right = backend.accepts()
    up, down = lab.random_bytes(300_000), lab.random_bytes(300_000)
    left.sends_in_background(up)
    right.sends_in_background(down)
    right.reads_exactly(up)
    left.reads_exactly(down)
    lab.tls.is_private(middle.tap_up, up[:32], up[-32:], down[:32])
    lab.tls.is_private(middle.tap_down, down[:32], down[-32:], up[:32])


def test_words_and_files(lab: Scene) -> None:
    good, other = lab.tls.zoo.server(), lab.tls.zoo.server()
    cert = lab.put_file("cert.pem", good.certificates)
    key = lab.put_file("key.pem", good.key, mode=0o600)
    others_key = lab.put_file("other.pem", other.key, mode=0o600)
    backend = lab.listens()
    words = ("server", "--listen", "127.0.0.1:0", "--forward", backend.address)
    for wrong in (
        words,
        (*words, "--cert", cert),
        (*words, "--cert", cert, "--key", key + ".missing"),
        (*words, "--cert", cert, "--key", others_key),
        ("client", *words[1:], "--cert", cert, "--key", key),
    ):
        pipe = lab.runs("tls_pipe", *wrong)
        pipe.exits(2)
        lab.expect(
            b"listening" not in pipe.stdout,
            "it ends before anything listens",
            seen=pipe.stdout,
            otherwise="it listened although it was told something that cannot be used",
        )
    lab.says("and with the right words it goes")
    lab.tls.client(lab.connects(lab.pipes.server(backend=backend, identity=good)), name=None)
