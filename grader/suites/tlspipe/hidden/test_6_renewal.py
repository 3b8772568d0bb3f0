"""Stage 6: a new certificate, and new roots, while the pipe runs."""

import os
import signal
import ssl
from collections.abc import Callable

import pytest

from harness.testing import TLS12, TLS13, Broken, Identity, Peer, Regular, Scene, Server, TlsPeer

ROLES = pytest.mark.parametrize("role", ["server", "client"])


def shows(tls: TlsPeer, identity: Identity) -> bool:
    """Whether the other side's certificate is this one."""
    shown = ssl.DER_cert_to_PEM_cert(tls.certificates[0])
    return identity.certificates.decode().startswith(shown)


def rereads(lab: Scene, pipe: Server, met: Callable[[], bool], what: str) -> None:
    """Send SIGHUP; before long `met`, which `what` says in words. Raises Broken."""

    def done() -> bool:
        try:
            return met()
        except Broken:
            return False  # it may be about to listen anew

    pipe.signal(signal.SIGHUP)
    seen = lab.waits_until(done, within=4, every=0.1)
    lab.expect(seen, what, otherwise="the pipe did not take up its new files at SIGHUP")
    pipe.keeps_running()


def refuses_to_reread(lab: Scene, pipe: Server) -> None:
    """Send SIGHUP; before long it complains, and runs on. Raises Broken."""

    def complaints() -> int:
        return sum(not line.startswith(b"ended:") for line in pipe.stderr.splitlines())

    before = complaints()
    pipe.signal(signal.SIGHUP)
    lab.expect(
        lab.waits_until(lambda: complaints() > before, within=4, every=0.1),
        "it says on standard error that a file cannot be used",
        otherwise="the pipe could not use its new files and said nothing of it on standard error",
    )
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
    lab.expect(now_shows(first), "without the signal nothing changes", otherwise="it read its files without the signal")
    early = lab.connects(pipe, name="one that has not begun its handshake")
    rereads(lab, pipe, lambda: now_shows(second), "new connections see the new certificate")
    begun = lab.tls.client(early)
    begun.sends(b"here I am")
    begun.reads_exactly(b"here I am")
    unusable = {
        "no PEM": Identity(b"this is no certificate\n", second.key),
        "another key": Identity(third.certificates, second.key),
        "no key": Identity(third.certificates, b""),
    }
    for why, identity in unusable.items():
        lab.says(f"files that cannot be used: {why}")
        lab.pipes.renews(pipe, identity=identity)
        refuses_to_reread(lab, pipe)
        lab.expect(now_shows(second), "the old one stays in use", otherwise="the old certificate was given up")
    if os.name == "posix":
        lab.says("files that cannot be used: others may read the key")
        lab.pipes.renews(pipe, identity=third, mode=0o644)
        refuses_to_reread(lab, pipe)
        lab.expect(now_shows(second), "the old one stays in use", otherwise="the old certificate was given up")
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

    def lets_in(identity: Identity | None) -> bool:
        tls = lab.tls.client(lab.connects(pipe, quietly=True), identity=identity, shakes=False)
        if tls.tries_handshake():
            return False
        tls.sends(b"hello", may_fail=True)
        return hears(tls, b"hello")

    lasting = lab.tls.client(lab.connects(pipe), identity=own)
    lab.expect(
        lets_in(own) and not lets_in(stranger),
        "only one of two clients gets in",
        otherwise="a client whose root is believed was kept out, or a stranger was let in",
    )
    lab.pipes.renews(pipe, ca=lab.tls.zoo.stranger_ca)
    rereads(lab, pipe, lambda: lets_in(stranger), "the other one gets in when its root is believed")
    lab.expect(
        not lets_in(own),
        "and the first one does not any more",
        otherwise="a client was let in whose root is not believed since SIGHUP",
    )
    lasting.sends(b"still here")
    lasting.reads_exactly(b"still here")
    lab.says("one of two files cannot be used: none of them is taken up")
    lab.pipes.renews(pipe, identity=lab.tls.zoo.server(), ca=b"no roots at all\n")
    refuses_to_reread(lab, pipe)
    near = lab.tls.client(lab.connects(pipe), identity=stranger)
    lab.expect(
        shows(near, lab.tls.good) and lets_in(stranger) and not lets_in(own) and not lets_in(None),
        "the old roots and the old certificate stay in use",
        otherwise="when --client-ca could not be used, the pipe did not go on with the files it had",
    )
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

    lab.expect(
        believes(good) and not believes(other),
        "it believes one of two servers",
        otherwise="a server whose root is believed was refused, or a stranger was believed",
    )
    lab.pipes.renews(pipe, ca=lab.tls.zoo.stranger_ca)
    rereads(lab, pipe, lambda: believes(other), "it believes the other one when the roots are others")
    lab.expect(
        not believes(good),
        "and the first one no more",
        otherwise="a server was believed whose root is not believed since SIGHUP",
    )
    lab.pipes.renews(pipe, ca=b"no roots at all\n")
    refuses_to_reread(lab, pipe)
    lab.expect(
        believes(other) and not believes(good),
        "the old roots stay in use",
        otherwise="the pipe did not go on with its old roots when the new file could not be used",
    )


def test_the_signal_is_the_moment(lab: Scene) -> None:
    if not knows_sighup(lab):
        return
    first, second, third = (lab.tls.zoo.server() for _ in range(3))
    pipe = lab.pipes.server("--handshake-timeout", 1, backend=lab.tls.echo(), identity=first)
    lab.says("nobody is connected when the signal comes, but for one that never says anything, nor for a while")
    lab.pipes.renews(pipe, identity=second)
    silent = lab.connects(pipe, quietly=True)
    lab.pauses(0.2)
    pipe.signal(signal.SIGHUP)
    lab.pauses(1.5)
    silent.sees_reset_or_end(within=1.5)
    lab.pipes.renews(pipe, identity=third)
    for _ in range(2):
        tls = lab.tls.client(lab.connects(pipe))
        wrong = (
            "it shows the first certificate still" if shows(tls, first) else "it shows files that came after the signal"
        )
        lab.expect(shows(tls, second), "the files count as they were when the signal came", otherwise=wrong)
    rereads(
        lab, pipe, lambda: shows(lab.tls.client(lab.connects(pipe, quietly=True)), third), "and are read again then"
    )


@ROLES
def test_what_was_asked_for_still_is(lab: Scene, role: str) -> None:
    if not knows_sighup(lab):
        return
    if role == "server":
        _a_server_still_asks(lab)
    else:
        _a_client_still_asks(lab)


def _a_server_still_asks(lab: Scene) -> None:
    second = lab.tls.zoo.server()
    asked = ("--client-name", "ada.example", "--alpn", "mail/2")
    pipe = lab.pipes.server(*asked, backend=lab.tls.echo(), client_ca=lab.tls.zoo.ca)
    ada, eve = (lab.tls.zoo.client(name) for name in ("ada.example", "eve.example"))
    stranger = lab.tls.zoo.stranger("client", "ada.example")

    def lets_in(identity: Identity | None, *alpn: str, shown: Identity | None = None) -> bool:
        near = lab.connects(pipe, quietly=True)
        tls = lab.tls.client(near, identity=identity, alpn=alpn, shakes=False)
        if tls.tries_handshake() or (shown is not None and not shows(tls, shown)):
            return False
        tls.sends(b"hello", may_fail=True)
        return hears(tls, b"hello")

    lab.expect(
        lets_in(ada, "mail/2"),
        "the client that is asked for gets in",
        otherwise="a client with the right name and protocol was kept out",
    )
    lab.pipes.renews(pipe, identity=second)
    rereads(lab, pipe, lambda: lets_in(ada, "mail/2", shown=second), "it sees the new certificate")
    for identity, alpn, whose in (
        (eve, ["mail/2"], "a client of another name"),
        (ada, [], "a client that offers no protocol"),
        (ada, ["mail/1"], "a client that offers another protocol"),
        (None, ["mail/2"], "a client without a certificate"),
        (stranger, ["mail/2"], "a client whose root is another"),
    ):
        got_in = lets_in(identity, *alpn)
        lab.expect(not got_in, f"{whose} does not get in", otherwise=f"{whose} was let in after SIGHUP")
    lab.expect(lets_in(ada, "mail/2"), "and the right one does", otherwise="a good client was kept out after SIGHUP")


def _a_client_still_asks(lab: Scene) -> None:
    target = lab.listens()
    first, second = lab.tls.zoo.client("ada.example"), lab.tls.zoo.client("ada.example")
    pipe = lab.pipes.client("--alpn", "mail/2", target=target, identity=first)
    shown: list[bytes] = []

    def believes(identity: Identity, *alpn: str) -> bool:
        near = lab.connects(pipe, quietly=True)
        raw = target.accepts(within=2, quietly=True)
        tls = lab.tls.server(raw, identity=identity, client_ca=lab.tls.zoo.ca, alpn=alpn, shakes=False)
        near.sends(b"hello", may_fail=True)
        if tls.tries_handshake():
            return False
        shown[:] = tls.certificates
        return hears(tls, b"hello")

    new, other = lab.tls.zoo.stranger("server"), lab.tls.zoo.stranger("server", "other.example")
    lab.expect(
        believes(lab.tls.zoo.server(), "mail/2"),
        "the server that is asked for is believed",
        otherwise="a server with the right name and protocol was refused",
    )
    lab.pipes.renews(pipe, ca=lab.tls.zoo.stranger_ca, identity=second)
    rereads(lab, pipe, lambda: believes(new, "mail/2"), "it believes other roots")
    own = second.certificates.decode().startswith(ssl.DER_cert_to_PEM_cert(shown[0])) if shown else False
    lab.expect(
        own,
        "it shows its new certificate",
        otherwise="the pipe showed another certificate than its new one after SIGHUP",
    )
    for identity, alpn, whose in (
        (other, ["mail/2"], "a server of another name"),
        (new, [], "a server that knows nothing of protocols"),
        (new, ["mail/1"], "a server that knows another protocol"),
    ):
        believed = believes(identity, *alpn)
        lab.expect(not believed, f"{whose} is not believed", otherwise=f"{whose} was believed after SIGHUP")
    lab.expect(believes(new, "mail/2"), "and the right one is", otherwise="a good server was refused after SIGHUP")


@ROLES
def test_sessions_from_before(lab: Scene, role: str) -> None:
    if not knows_sighup(lab):
        return
    if role == "server":
        _clients_with_sessions(lab)
    else:
        _servers_with_sessions(lab)


def _clients_with_sessions(lab: Scene) -> None:
    pipe = lab.pipes.server(backend=lab.tls.echo(), client_ca=lab.tls.zoo.ca)
    own, stranger = lab.tls.zoo.client(), lab.tls.zoo.stranger("client")
    regulars = [lab.tls.regular_client(identity=own, versions=(version, version)) for version in (TLS12, TLS13)]

    def lets_in(tls: TlsPeer) -> bool:
        if tls.tries_handshake():
            return False
        tls.sends(b"hello", may_fail=True)
        return hears(tls, b"hello")

    for regular in regulars:
        tls = regular.meets(lab.connects(pipe), shakes=False)
        lab.expect(
            lets_in(tls),
            "a client gets in whose root is believed",
            otherwise="a client whose root is believed was kept out",
        )
        regular.remembers(tls)
        lab.expect(
            lets_in(regular.meets(lab.connects(pipe), shakes=False)),
            "and gets in when it comes again",
            otherwise="a client whose root is believed was kept out when it came again",
        )
    lab.pipes.renews(pipe, ca=lab.tls.zoo.stranger_ca)

    def believes_the_other() -> bool:
        return lets_in(lab.tls.client(lab.connects(pipe, quietly=True), identity=stranger, shakes=False))

    rereads(lab, pipe, believes_the_other, "another root is believed")
    for regular in regulars:
        tls = regular.meets(lab.connects(pipe), shakes=False)
        lab.expect(
            not lets_in(tls),
            "a session from before the signal proves nothing any more",
            otherwise="a client got in by a session from before the signal",
        )
    lab.expect(
        believes_the_other(), "others get in", otherwise="a client whose root is believed was kept out after SIGHUP"
    )


def _servers_with_sessions(lab: Scene) -> None:
    target = lab.listens()
    pipe = lab.pipes.client(target=target)
    other = lab.tls.zoo.stranger("server")

    def believes(tls: TlsPeer, near: Peer) -> bool:
        near.sends(b"hello", may_fail=True)
        if tls.tries_handshake() or not hears(tls, b"hello"):
            return False
        near.ends()
        tls.sees_close_notify()
        tls.ends()
        near.sees_end()
        return True

    def meets(regular: Regular) -> bool:
        near = lab.connects(pipe)  # one that it drops, since it is about to listen anew, must not take all the time
        return believes(regular.meets(target.accepts(within=2), shakes=False), near)

    def believes_the_other() -> bool:
        near = lab.connects(pipe, quietly=True)
        return believes(lab.tls.server(target.accepts(within=2), identity=other, shakes=False), near)

    for version in (TLS12, TLS13):
        good = lab.tls.regular_server(versions=(version, version))
        lab.pipes.renews(pipe, ca=lab.tls.zoo.ca)
        rereads(lab, pipe, lambda good=good: meets(good), "it believes a server")  # type: ignore[misc]
        lab.expect(
            meets(good),
            "and believes it when it meets it again",
            otherwise="a server whose root is believed was refused when it was met again",
        )
        lab.pipes.renews(pipe, ca=lab.tls.zoo.stranger_ca)
        rereads(lab, pipe, believes_the_other, "it believes another one when the roots are others")
        lab.expect(
            not meets(good),
            "a session from before the signal proves nothing any more",
            otherwise="a server was believed for a session from before the signal",
        )
