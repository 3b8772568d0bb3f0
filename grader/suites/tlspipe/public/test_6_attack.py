"""Stage 6: what strangers on the way do, and a new certificate while it runs."""

import signal
import ssl

import pytest

from harness.testing import Broken, Identity, Scene, TlsPeer, comes_out

ROLES = pytest.mark.parametrize("role", ["server", "client"])


def flips(record: bytes) -> bytes:
    """One bit of a record, in its middle, is another one."""
    middle = len(record) // 2
    return record[:middle] + bytes([record[middle] ^ 4]) + record[middle + 1 :]


@ROLES
def test_a_tampered_record(lab: Scene, role: str) -> None:
    way = lab.pipes.opens(role)
    way.tls.sends(b"pay Ada 100 euros")
    way.plain.reads_exactly(b"pay Ada 100 euros")
    way.tls.tampers(flips)
    way.tls.sends(b"pay Bob 200 euros", may_fail=True)
    way.tls.tampers(None)
    way.tls.sends(b"pay Eve 300 euros", may_fail=True)
    came = comes_out(way.plain)
    lab.expect(
        not came,
        "nothing of it or behind it comes out",
        expected="nothing",
        seen=came,
        otherwise="a record that was changed on the way, or what came behind it, came out",
    )
    way.tls.sees_cut()
    way.pipe.keeps_running()
    lab.pipes.no_secret(way.pipe, b"pay Ada 100 euros", b"pay Bob 200 euros", b"pay Eve 300 euros")


def test_plain_text_to_a_tls_port(lab: Scene) -> None:
    backend = lab.listens()
    pipe = lab.pipes.server(backend=backend)
    lab.tls.client(lab.connects(pipe))
    backend.accepts()
    request = lab.connects(pipe, name="somebody who speaks no TLS")
    request.sends(b"GET / HTTP/1.1\r\nHost: server.example\r\n\r\n")
    request.sees_reset_or_end()
    backend.hears_not_a_byte(for_=0.2)


def shows(tls: TlsPeer, identity: Identity) -> bool:
    """Whether the other side's certificate is this one."""
    shown = ssl.DER_cert_to_PEM_cert(tls.certificates[0])
    return identity.certificates.decode().startswith(shown)


def test_a_new_certificate(lab: Scene) -> None:
    if not hasattr(signal, "SIGHUP"):
        lab.says("this system knows no SIGHUP")
        return
    pipe = lab.pipes.server(backend=lab.tls.echo())
    old = lab.tls.client(lab.connects(pipe))
    old.sends(b"hello")
    old.reads_exactly(b"hello")
    new = lab.tls.zoo.server()

    def is_there() -> bool:
        try:
            return shows(lab.tls.client(lab.connects(pipe, quietly=True)), new)
        except Broken:
            return False  # it may be about to listen anew

    lab.expect(
        not is_there(), "the certificate is the old one", otherwise="the new certificate was shown before SIGHUP"
    )
    lab.pipes.renews(pipe, identity=new)
    pipe.signal(signal.SIGHUP)
    lab.expect(
        lab.waits_until(is_there, within=3, every=0.1),
        "new connections see the new certificate",
        otherwise="3 s after SIGHUP new connections still saw the old certificate",
    )
    old.sends(b"still here")
    old.reads_exactly(b"still here")
    pipe.keeps_running()
