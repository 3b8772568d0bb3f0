"""Stage 6: a new certificate, and new roots, while the pipe runs."""

import signal
import ssl
from collections.abc import Callable

from harness.testing import Broken, Identity, Scene, Server, TlsPeer


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
    first, second, third = (lab.tls.zoo.server() for _ in range(3))
    pipe = lab.pipes.server(backend=lab.tls.echo(), identity=first)
    lasting = lab.tls.client(lab.connects(pipe))

    def now_shows(identity: Identity) -> bool:
        return shows(lab.tls.client(lab.connects(pipe, quietly=True)), identity)

    lab.pipes.renews(pipe, identity=second)
    lab.expect(now_shows(first), "without the signal nothing changes")
    rereads(lab, pipe, lambda: now_shows(second), "new connections see the new certificate")
    unusable = {
        "no PEM": Identity(b"this is no certificate\n", second.key),
        "another key": Identity(third.certificates, second.key),
        "no key": Identity(third.certificates, b""),
    }
    for why, identity in unusable.items():
        lab.says(f"files that cannot be used: {why}")
        lab.pipes.renews(pipe, identity=identity)
        rereads(lab, pipe, None, "it says on standard error that they cannot be used")
        lab.expect(now_shows(second), "the old certificate stays in use")
    lab.pipes.renews(pipe, identity=third)
    rereads(lab, pipe, lambda: now_shows(third), "good files are used again")
    lasting.sends(b"still here")
    lasting.reads_exactly(b"still here")
    lab.pipes.no_secret(pipe, first.key, second.key, third.key)


def test_roots_are_renewed(lab: Scene) -> None:
    if not knows_sighup(lab):
        return
    lab.says("the server's --client-ca")
    echo = lab.tls.echo()
    pipe = lab.pipes.server(backend=echo, client_ca=lab.tls.zoo.ca)
    own, stranger = lab.tls.zoo.client(), lab.tls.zoo.stranger("client")

    def lets_in(identity: Identity) -> bool:
        tls = lab.tls.client(lab.connects(pipe, quietly=True), identity=identity, shakes=False)
        if tls.tries_handshake():
            return False
        tls.sends(b"hello", may_fail=True)
        return hears(tls, b"hello")

    lasting = lab.tls.client(lab.connects(pipe), identity=own)
    lab.expect(lets_in(own) and not lets_in(stranger), "only one of two clients gets in")
    lab.pipes.renews(pipe, ca=lab.tls.zoo.stranger_ca)
    rereads(lab, pipe, lambda: lets_in(stranger), "the other one gets in when its root is believed")
    lab.expect(not lets_in(own), "and the first one does not any more")
    lasting.sends(b"still here")
    lasting.reads_exactly(b"still here")
    _a_clients_roots(lab)


def _a_clients_roots(lab: Scene) -> None:
    lab.says("the client's --ca")
    target = lab.listens()
    pipe = lab.pipes.client(target=target)
    good, other = lab.tls.zoo.server(), lab.tls.zoo.stranger("server")

    def believes(identity: Identity) -> bool:
        near = lab.connects(pipe, quietly=True)
        tls = lab.tls.server(target.accepts(within=2), identity=identity, shakes=False)
        if tls.tries_handshake():
            return False
        near.sends(b"hello", may_fail=True)
        return hears(tls, b"hello")

    lab.expect(believes(good) and not believes(other), "it believes one of two servers")
    lab.pipes.renews(pipe, ca=lab.tls.zoo.stranger_ca)
    rereads(lab, pipe, lambda: believes(other), "it believes the other one when the roots are others")
    lab.expect(not believes(good), "and the first one no more")
    lab.pipes.renews(pipe, ca=b"no roots at all\n")
    rereads(lab, pipe, None, "it says on standard error that a file cannot be used")
    lab.expect(believes(other) and not believes(good), "the old roots stay in use")
