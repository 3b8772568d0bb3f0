"""The reference with programs that nobody here wrote at the other end of TLS: openssl, stunnel, socat."""

from __future__ import annotations

import random

import pytest

from harness.tls.zoo.zoo import Zoo
from tests.reference.tlspipe.real_peers import FAULTS, World, nobody_comes, served, wrong
from tests.reference.tlspipe.running import SocketSide

pytestmark = pytest.mark.peers

KINDS = ("openssl", "stunnel", "socat")
VERSIONS = ("1.2", "1.3")
#: More than one read takes and one kernel buffer holds; small letters, which are no commands for openssl.
MUCH = bytes(random.Random(6).choices(b"abcdefghijklmnop", k=300_000))


# -- bytes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_client_talks_through_the_server(here: World, zoo: Zoo, kind: str, version: str) -> None:
    backend, _, port = served(here, zoo)
    _, client = here.client(kind, port, zoo.ca, version=version)
    server = here.accepts(backend)
    server.sends(b"who speaks first?")
    client.hears(b"who speaks first?")
    client.sends(MUCH)
    server.sends(MUCH)
    server.hears(MUCH)
    client.hears(MUCH)
    server.sends(b".")
    client.hears(b".")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_client_talks_to_a_server(here: World, zoo: Zoo, kind: str, version: str) -> None:
    _, target, accepts = here.server(kind, zoo.server(), version=version)
    _, port = here.pipe_client(target, zoo.ca)
    client = here.connects(port)
    server = accepts()
    server.sends(b"who speaks first?")
    client.hears(b"who speaks first?")
    client.sends(MUCH)
    server.sends(MUCH)
    client.hears(MUCH)
    server.hears(MUCH)
    client.sends(b".")
    server.hears(b".")


# -- identity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_with_a_wrong_identity_is_refused(here: World, zoo: Zoo, kind: str, fault: str) -> None:
    _, target, _ = here.server(kind, wrong(zoo, fault))
    pipe, port = here.pipe_client(target, zoo.ca)
    here.is_reset(port)
    pipe.says("ended: refused")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_client_refuses_our_wrong_identity(here: World, zoo: Zoo, kind: str, fault: str) -> None:
    backend, pipe, port = served(here, zoo, identity=wrong(zoo, fault))
    _, client = here.client(kind, port, zoo.ca)
    client.sends(b"secret")
    if (kind, fault) == ("socat", "wrong name"):  # it looks at the name when the handshake is done
        server = here.accepts(backend)
        server.hears_end()
        server.ends()
        pipe.says("ended: (closed|reset)")  # our tickets are still unread when it goes
    else:
        pipe.says("ended: (refused|truncated|broken)")
        nobody_comes(backend)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_clients_prove_who_they_are(here: World, zoo: Zoo, kind: str, version: str) -> None:
    roots = here.file(zoo.ca)
    backend, pipe, port = served(here, zoo, "--client-ca", roots, "--client-name", "client.example")
    for fault in (*FAULTS, "none"):
        identity = None if fault == "none" else wrong(zoo, fault, "client")
        _, client = here.client(kind, port, zoo.ca, identity=identity, version=version)
        client.sends(b"secret")
    pipe.says("ended: refused", times=4)
    nobody_comes(backend)
    _, client = here.client(kind, port, zoo.ca, identity=zoo.client(), version=version)
    client.sends(b"good")
    server = here.accepts(backend)
    server.hears(b"good")
    server.sends(b"morning")
    client.hears(b"morning")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_client_proves_who_it_is(here: World, zoo: Zoo, kind: str, version: str) -> None:
    own = here.files(zoo.client())
    _, target, accepts = here.server(kind, zoo.server(), client_ca=zoo.ca, version=version)
    _, port = here.pipe_client(target, zoo.ca, "--cert", own.chain, "--key", own.key)
    client = here.connects(port)
    client.sends(b"good")
    server = accepts()
    server.hears(b"good")
    server.sends(b"morning")
    client.hears(b"morning")


@pytest.mark.parametrize("fault", ["untrusted root", "expired", "none"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_refuses_our_proof(here: World, zoo: Zoo, kind: str, version: str, fault: str) -> None:
    """Under TLS 1.3 our own handshake has ended before the server's alert comes, and a reset may overtake the alert."""
    _, target, _ = here.server(kind, zoo.server(), client_ca=zoo.ca, version=version)
    words: list[object] = []
    if fault != "none":
        own = here.files(wrong(zoo, fault, "client"))
        words = ["--cert", own.chain, "--key", own.key]
    pipe, port = here.pipe_client(target, zoo.ca, *words)
    here.is_reset(port)
    pipe.says("ended: (refused|broken|reset)" if version == "1.3" else "ended: (refused|broken)")


# -- endings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_client_ends(here: World, zoo: Zoo, kind: str, version: str) -> None:
    backend, pipe, port = served(here, zoo)
    _, client = here.client(kind, port, zoo.ca, version=version)
    client.sends(b"bye")
    client.ends()
    server = here.accepts(backend)
    server.hears(b"bye")
    server.hears_end()
    server.ends()
    pipe.says("ended: closed")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_client_is_told_of_the_end(here: World, zoo: Zoo, kind: str, version: str) -> None:
    backend, pipe, port = served(here, zoo)
    program, client = here.client(kind, port, zoo.ca, version=version)
    server = here.accepts(backend)
    server.sends(b"bye")
    server.ends()
    client.hears(b"bye")
    if isinstance(client, SocketSide):
        client.hears_end()
    client.ends()
    server.hears_end()
    pipe.says("ended: closed")
    if kind != "stunnel":
        assert program.status() == 0


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["stunnel", "socat"])
def test_a_server_ends(here: World, zoo: Zoo, kind: str, version: str) -> None:
    _, target, accepts = here.server(kind, zoo.server(), version=version)
    pipe, port = here.pipe_client(target, zoo.ca)
    client = here.connects(port)
    server = accepts()
    server.sends(b"bye")
    client.hears(b"bye")
    server.ends()
    client.hears_end()
    client.ends()
    pipe.says("ended: closed")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_is_told_of_the_end(here: World, zoo: Zoo, kind: str, version: str) -> None:
    _, target, accepts = here.server(kind, zoo.server(), version=version)
    pipe, port = here.pipe_client(target, zoo.ca)
    client = here.connects(port)
    client.sends(b"bye")
    client.ends()
    server = accepts()
    server.hears(b"bye")
    if isinstance(server, SocketSide):
        server.hears_end()
    if kind != "openssl":  # which ends by itself
        server.ends()
    client.hears_end()
    pipe.says("ended: closed")


@pytest.mark.parametrize("kind", ["stunnel", "socat"])
def test_a_client_that_has_ended_can_still_listen(here: World, zoo: Zoo, kind: str) -> None:
    backend, pipe, port = served(here, zoo)
    _, client = here.client(kind, port, zoo.ca, version="1.3")
    client.sends(b"question")
    client.ends()
    server = here.accepts(backend)
    server.hears(b"question")
    server.hears_end()
    server.sends(MUCH)
    server.ends()
    client.hears(MUCH)
    pipe.says("ended: closed")


@pytest.mark.parametrize("kind", ["stunnel", "socat"])
def test_a_server_can_answer_after_our_end(here: World, zoo: Zoo, kind: str) -> None:
    _, target, accepts = here.server(kind, zoo.server(), version="1.3")
    pipe, port = here.pipe_client(target, zoo.ca)
    client = here.connects(port)
    client.sends(b"question")
    client.ends()
    server = accepts()
    server.hears(b"question")
    if isinstance(server, SocketSide):
        server.hears_end()
    server.sends(MUCH)
    server.ends()
    client.hears(MUCH)
    client.hears_end()
    pipe.says("ended: closed")


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_is_cut(here: World, zoo: Zoo, kind: str) -> None:
    backend, pipe, port = served(here, zoo)
    program, client = here.client(kind, port, zoo.ca)
    client.sends(b"half a")
    server = here.accepts(backend)
    server.hears(b"half a")
    program.kill()
    server.hears_reset()
    pipe.says("ended: (truncated|reset)")


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_is_cut(here: World, zoo: Zoo, kind: str) -> None:
    program, target, accepts = here.server(kind, zoo.server())
    pipe, port = here.pipe_client(target, zoo.ca)
    client = here.connects(port)
    server = accepts()
    server.sends(b"half a")
    client.hears(b"half a")
    program.kill()
    client.hears_reset()
    pipe.says("ended: (truncated|reset)")


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_is_told_of_a_reset(here: World, zoo: Zoo, kind: str) -> None:
    """No close_notify comes: openssl and socat say so, and stunnel tells its plain side that all is well."""
    backend, pipe, port = served(here, zoo)
    program, client = here.client(kind, port, zoo.ca)
    server = here.accepts(backend)
    server.sends(b"half a")
    client.hears(b"half a")
    server.resets()
    pipe.says("ended: reset")
    if kind == "stunnel":
        program.says("Connection reset by peer")
    else:
        assert program.status() != 0
