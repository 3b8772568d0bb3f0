"""Stage 5: the client proves itself, too, and both agree on what they speak."""

import os

import pytest

from harness.testing import Identity, Listener, Scene, Server

PLAIN = b"what nobody may read who was refused"


def is_served(
    lab: Scene, pipe: Server, backend: Listener, identity: Identity | None = None, alpn: tuple[str, ...] = ()
) -> None:
    """A client of tls_pipe server gets through."""
    tls = lab.tls.client(lab.connects(pipe), identity=identity, alpn=alpn)
    plain = backend.accepts(name="the plain side")
    tls.sends(b"hello")
    plain.reads_exactly(b"hello")
    plain.sends(b"welcome")
    tls.reads_exactly(b"welcome")


def is_refused(lab: Scene, pipe: Server, identity: Identity | None = None, alpn: tuple[str, ...] = ()) -> None:
    """A client of tls_pipe server does not. Under TLS 1.3 it hears of that when it has sent its first bytes."""
    tls = lab.tls.client(lab.connects(pipe), identity=identity, alpn=alpn, shakes=False)
    tls.handshake_fails(says=PLAIN)


def heard_nothing(backend: Listener) -> None:
    """Of all connections that came to the backend, if any did, none brought a byte."""
    known = -1
    while known != len(backend.peers) and known < 20:
        known = len(backend.peers)
        backend.hears_not_a_byte(for_=0.2)


def test_clients_prove_themselves(lab: Scene) -> None:
    backend = lab.listens()
    pipe = lab.pipes.server(backend=backend, client_ca=lab.tls.zoo.ca)
    is_served(lab, pipe, backend, lab.tls.zoo.client())
    lab.says("a client without a certificate")
    is_refused(lab, pipe)
    lab.says("one whose root is another")
    is_refused(lab, pipe, lab.tls.zoo.stranger("client"))
    heard_nothing(backend)
    is_served(lab, pipe, backend, lab.tls.zoo.client())


def test_the_clients_name(lab: Scene) -> None:
    backend = lab.listens()
    pipe = lab.pipes.server("--client-name", "ada.example", backend=backend, client_ca=lab.tls.zoo.ca)
    is_served(lab, pipe, backend, lab.tls.zoo.client("ada.example"))
    is_refused(lab, pipe, lab.tls.zoo.client("bob.example"))
    heard_nothing(backend)
    is_served(lab, pipe, backend, lab.tls.zoo.client("ada.example"))


def test_it_shows_its_certificate(lab: Scene) -> None:
    target = lab.listens()
    pipe = lab.pipes.client(target=target, identity=lab.tls.zoo.client())
    plain = lab.connects(pipe, name="the plain side")
    tls = lab.tls.server(target.accepts(), client_ca=lab.tls.zoo.ca)
    plain.sends(b"hello")
    tls.reads_exactly(b"hello")
    shown = len(tls.certificates)
    lab.expect_same(
        shown,
        2,
        "it shows its certificate and the one above",
        otherwise="it did not show its certificate and the one above",
    )
    lab.says("a server that does not ask")
    plain = lab.connects(pipe, name="the plain side")
    tls = lab.tls.server(target.accepts())
    plain.sends(b"hello")
    tls.reads_exactly(b"hello")


@pytest.mark.parametrize("role", ["server", "client"])
def test_protocols(lab: Scene, role: str) -> None:
    listener = lab.listens()
    if role == "server":
        pipe = lab.pipes.server("--alpn", "chat/1", backend=listener)
        is_served(lab, pipe, listener, alpn=("other", "chat/1"))
        is_refused(lab, pipe, alpn=("other",))
        is_refused(lab, pipe)
        heard_nothing(listener)
        is_served(lab, pipe, listener, alpn=("chat/1",))
    else:
        pipe = lab.pipes.client("--alpn", "chat/1", target=listener)
        plain = lab.connects(pipe, name="the plain side")
        tls = lab.tls.server(listener.accepts(), alpn=("other", "chat/1"))
        plain.sends(b"hello")
        tls.reads_exactly(b"hello")
        lab.expect_same(tls.alpn, "chat/1", "they speak chat/1", otherwise="they did not agree on chat/1")
        lab.says("a server that knows nothing of protocols")
        plain = lab.connects(pipe, name="the plain side")
        tls = lab.tls.server(listener.accepts(), shakes=False)
        plain.sends(PLAIN)
        tls.handshake_fails()
        plain.sees_reset_or_end()
        plain = lab.connects(pipe, name="the plain side")
        tls = lab.tls.server(listener.accepts(), alpn=("chat/1",))
        tls.sends(b"welcome")
        plain.reads_exactly(b"welcome")


def test_a_key_that_others_may_read(lab: Scene) -> None:
    good = lab.tls.zoo.server()
    cert = lab.put_file("cert.pem", good.certificates)
    words = ("server", "--listen", "127.0.0.1:0", "--forward", "127.0.0.1:9", "--cert", cert, "--key")
    backend = lab.listens()
    is_served(lab, lab.pipes.server(backend=backend, identity=good), backend)
    if os.name != "posix":
        lab.says("this system has no file modes")
        return
    public = lab.runs("tls_pipe", *words, lab.put_file("public.pem", good.key))
    public.exits(2)
    lab.expect(
        not public.stdout,
        "it never listened",
        expected="nothing",
        seen=public.stdout,
        otherwise="it listened with a key that others may read",
    )
    lab.expect(public.stderr, "it says why on standard error", otherwise="standard error is empty: nobody is told why")
