"""Stage 5: a zoo of clients, refusals that come late, chains, protocols, and keys that are no secret."""

import os

import pytest

from harness.testing import (
    BOTH,
    TLS12,
    TLS13,
    Broken,
    Identity,
    Listener,
    Regular,
    Scene,
    Server,
    Specimen,
    TlsPeer,
    Versions,
    names_of_specimens,
)

ROLES = pytest.mark.parametrize("role", ["server", "client"])
VERSIONS = pytest.mark.parametrize("version", ["1.2", "1.3"])
SPOKEN = {"1.2": (TLS12, TLS12), "1.3": (TLS13, TLS13)}

#: The clients that have to be refused, by what is wrong with them.
TRUST = (
    "client-without-certificate",
    "client-self-signed",
    "client-untrusted-root",
    "client-untrusted-root-sent-along",
    "client-impostor-of-the-root",
    "client-missing-intermediate",
    "client-damaged-signature",
)
TIME = ("client-expired", "client-not-yet-valid", "client-expired-intermediate")
GROUPS = ["trust", "time", "chain", "name"]


def group_of(specimen: Specimen) -> str:
    """Which of the groups a client belongs to."""
    if specimen.name in TRUST:
        return "trust"
    if specimen.name in TIME:
        return "time"
    return "name" if specimen.asked else "chain"


def is_refused(lab: Scene, tls: TlsPeer, data: bytes) -> None:
    """A client does not get through. Under TLS 1.3 its first bytes come before it can know. Raises Broken."""
    how = tls.handshake_fails(says=data)
    lab.expect(
        how != "refusal",
        "it is the pipe that refuses",
        seen="the tester refused",
        otherwise="the pipe went along, and only the tester's own TLS gave up",
    )


def is_served(
    lab: Scene,
    pipe: Server,
    backend: Listener,
    identity: Identity | None,
    versions: Versions = BOTH,
    alpn: tuple[str, ...] = (),
) -> TlsPeer:
    """A client gets through."""
    tls = lab.tls.client(lab.connects(pipe), identity=identity, versions=versions, alpn=alpn)
    plain = backend.accepts(name="the plain side")
    data = lab.random_bytes(2000)
    tls.sends(data)
    plain.reads_exactly(data)
    plain.sends(data[::-1])
    tls.reads_exactly(data[::-1])
    return tls


def heard_nothing(backend: Listener) -> None:
    """Of all connections that came, if any did, none brought a byte."""
    known = -1
    while known != len(backend.peers):
        known = len(backend.peers)
        if known > 500:
            raise Broken("connections come without end", expected="none", seen=f"{known:,}")
        backend.hears_not_a_byte(for_=0.15)


def test_good_clients(lab: Scene) -> None:
    backend = lab.listens()
    pipes: dict[str, Server] = {}
    names = names_of_specimens("client", accepted=True)
    lab.rng.shuffle(names)
    for name in names:
        specimen = lab.tls.zoo.specimen(name)
        options = ("--client-name", specimen.asked) if specimen.asked else ()
        if specimen.asked not in pipes:
            pipes[specimen.asked] = lab.pipes.server(*options, backend=backend, client_ca=specimen.ca)
        lab.says(f"{specimen.name}: {specimen.rule} ({specimen.section})")
        is_served(lab, pipes[specimen.asked], backend, specimen.identity)
    lab.says("capitals do not matter in what is asked for, either")
    pipe = lab.pipes.server("--client-name", "Ada.EXAMPLE", backend=backend, client_ca=lab.tls.zoo.ca)
    is_served(lab, pipe, backend, lab.tls.zoo.client("ada.example"))


@pytest.mark.parametrize("group", GROUPS)
def test_bad_clients(lab: Scene, group: str) -> None:
    specimens = [lab.tls.zoo.specimen(name) for name in names_of_specimens("client", accepted=False)]
    specimens = [specimen for specimen in specimens if group_of(specimen) == group]
    lab.rng.shuffle(specimens)  # who refuses by number is wrong
    for asked in sorted({specimen.asked for specimen in specimens}):
        backend = lab.listens()
        options = ("--client-name", asked) if asked else ()
        pipe = lab.pipes.server(*options, backend=backend, client_ca=lab.tls.zoo.ca)
        good = lab.tls.zoo.client(asked) if asked else lab.tls.zoo.client()
        is_served(lab, pipe, backend, good)
        for specimen in (specimen for specimen in specimens if specimen.asked == asked):
            if lab.rng.random() < 0.2:  # or who refuses until there is a pause
                heard_nothing(backend)
                is_served(lab, pipe, backend, good)
            for versions in (SPOKEN["1.2"], SPOKEN["1.3"]) if group == "trust" else (BOTH,):
                lab.says(f"{specimen.name}: {specimen.rule} ({specimen.section})")
                near = lab.connects(pipe)
                tls = lab.tls.client(near, identity=specimen.identity, versions=versions, shakes=False)
                is_refused(lab, tls, lab.random_bytes(100))
        heard_nothing(backend)
        is_served(lab, pipe, backend, good)


def test_much_comes_before_the_refusal(lab: Scene) -> None:
    backend = lab.listens()
    pipe = lab.pipes.server("--client-name", "ada.example", backend=backend, client_ca=lab.tls.zoo.ca)
    is_served(lab, pipe, backend, lab.tls.zoo.client("ada.example"), SPOKEN["1.3"])
    for number, identity in enumerate([None, lab.tls.zoo.stranger("client"), lab.tls.zoo.client("eve.example")], 1):
        near = lab.connects(pipe)
        tls = lab.tls.client(near, identity=identity, versions=SPOKEN["1.3"], shakes=False)
        is_refused(lab, tls, lab.random_bytes(200_000))
        lab.pipes.ends_as(pipe, "refused", count=number)
    heard_nothing(backend)
    is_served(lab, pipe, backend, lab.tls.zoo.client("ada.example"), SPOKEN["1.3"])


# -- the client's side ---------------------------------------------------------------------------------------------


@VERSIONS
def test_the_clients_chain(lab: Scene, version: str) -> None:
    target = lab.listens()
    identity = lab.tls.zoo.client("ada.example")
    pipe = lab.pipes.client(target=target, identity=identity)
    for asks in (True, False, True):
        plain = lab.connects(pipe, name="the plain side")
        tls = lab.tls.server(target.accepts(), client_ca=lab.tls.zoo.ca if asks else None, versions=SPOKEN[version])
        data = lab.random_bytes(500)
        plain.sends(data)
        tls.reads_exactly(data)
        shown = len(tls.certificates)
        lab.expect_same(
            shown,
            2 if asks else 0,
            "it shows its chain if it is asked to",
            otherwise="the client's chain was not shown when it was asked for, or shown when it was not",
        )


@VERSIONS
def test_the_server_refuses_the_client(lab: Scene, version: str) -> None:
    target = lab.listens()
    for identity in (None, lab.tls.zoo.stranger("client")):
        pipe = lab.pipes.client(target=target, identity=identity)
        plain = lab.connects(pipe, name="the plain side")
        plain.sends(b"nobody will ever hear this")
        tls = lab.tls.server(target.accepts(), client_ca=lab.tls.zoo.ca, versions=SPOKEN[version], shakes=False)
        lab.expect(
            tls.tries_handshake(),
            "the server refuses the client",
            seen="a handshake",
            otherwise="the handshake was done although the server refuses the client",
        )
        lab.pipes.nothing_comes_out(plain, "the server refused the client")
        lab.says("a server that wants none")
        plain = lab.connects(pipe, name="the plain side")
        tls = lab.tls.server(target.accepts(), versions=SPOKEN[version])
        plain.sends(b"hello")
        tls.reads_exactly(b"hello")


# -- protocols -----------------------------------------------------------------------------------------------------


@VERSIONS
def test_protocols_of_clients(lab: Scene, version: str) -> None:
    backend = lab.listens()
    pipe = lab.pipes.server("--alpn", "mail/2", backend=backend)
    for offered in (("mail/2",), ("mail/1", "mail/2", "h2")):
        tls = is_served(lab, pipe, backend, None, SPOKEN[version], offered)
        lab.expect_same(tls.alpn, "mail/2", "they agree on mail/2", otherwise="another protocol was agreed on")
    for offered in (("mail/1", "h2"), (), ("MAIL/2",), ("mail/22", "mail/")):
        lab.says(f"a client that offers {', '.join(offered) or 'nothing'}")
        tls = lab.tls.client(lab.connects(pipe), alpn=offered, versions=SPOKEN[version], shakes=False)
        is_refused(lab, tls, lab.random_bytes(100))
    heard_nothing(backend)
    is_served(lab, pipe, backend, None, SPOKEN[version], ("mail/2",))
    lab.says("without the option it does not matter")
    pipe = lab.pipes.server(backend=backend)
    is_served(lab, pipe, backend, None, SPOKEN[version], ("mail/1", "h2"))


@VERSIONS
def test_protocols_of_servers(lab: Scene, version: str) -> None:
    target = lab.listens()
    pipe = lab.pipes.client("--alpn", "mail/2", target=target)

    def serves(pipe: Server, known: tuple[str, ...]) -> TlsPeer:
        plain = lab.connects(pipe, name="the plain side")
        tls = lab.tls.server(target.accepts(), alpn=known, versions=SPOKEN[version])
        plain.sends(b"hello")
        tls.reads_exactly(b"hello")
        tls.sends(b"welcome")
        plain.reads_exactly(b"welcome")
        return tls

    tls = serves(pipe, ("mail/3", "mail/2"))
    offered = tls.hello.alpn if tls.hello else None
    lab.expect_same(offered, ("mail/2",), "it offers mail/2 and nothing else", otherwise="it offered other protocols")
    lab.expect_same(tls.alpn, "mail/2", "they agree on mail/2", otherwise="another protocol was agreed on")
    for known in ((), ("mail/3", "h2")):
        lab.says(f"a server that knows {', '.join(known) or 'nothing of protocols'}")
        plain = lab.connects(pipe, name="the plain side")
        plain.sends(lab.random_bytes(100))
        tls = lab.tls.server(target.accepts(), alpn=known, versions=SPOKEN[version], shakes=False)
        tls.handshake_fails(says=b"welcome, whatever you speak")
        lab.pipes.nothing_comes_out(plain, "no protocol was agreed on")
    serves(pipe, ("mail/2",))
    lab.says("without the option it does not matter")
    pipe = lab.pipes.client(target=target)
    tls = serves(pipe, ("mail/3", "h2"))
    nothing = tls.hello is not None and not tls.hello.alpn
    lab.expect(nothing, "it offers nothing", seen=tls.hello, otherwise="a protocol was offered that nobody asked for")


# -- those who come again -------------------------------------------------------------------------------------------


@VERSIONS
def test_a_client_that_comes_again(lab: Scene, version: str) -> None:
    backend = lab.listens()
    pipe = lab.pipes.server(
        "--client-name", "ada.example", "--alpn", "mail/2", backend=backend, client_ca=lab.tls.zoo.ca
    )
    ada = lab.tls.regular_client(identity=lab.tls.zoo.client("ada.example"), versions=SPOKEN[version])
    eve = lab.tls.regular_client(identity=lab.tls.zoo.client("eve.example"), versions=SPOKEN[version])

    def is_let_in() -> TlsPeer:
        tls = ada.meets(lab.connects(pipe), alpn=("mail/2",))
        plain = backend.accepts(name="the plain side")
        tls.sends(b"hello")
        plain.reads_exactly(b"hello")
        plain.sends(b"welcome")
        tls.reads_exactly(b"welcome")
        return tls

    ada.remembers(is_let_in())
    lab.says("whether it resumes a session or not, a good client is served")
    is_let_in()
    for offered in ((), ("mail/1", "h2")):
        lab.says(f"the good client comes again and offers {', '.join(offered) or 'no protocol'}")
        is_refused(lab, ada.meets(lab.connects(pipe), alpn=offered, shakes=False), lab.random_bytes(100))
    lab.says("a client of another name, twice")
    for _ in range(2):
        tls = eve.meets(lab.connects(pipe), alpn=("mail/2",), shakes=False)
        is_refused(lab, tls, lab.random_bytes(100))
        eve.remembers(tls)
    heard_nothing(backend)
    is_let_in()


@VERSIONS
def test_a_server_that_is_met_again(lab: Scene, version: str) -> None:
    target = lab.listens()
    pipe = lab.pipes.client("--alpn", "mail/2", target=target)
    good = lab.tls.regular_server(versions=SPOKEN[version])
    other = lab.tls.regular_server(identity=lab.tls.zoo.server("other.example"), versions=SPOKEN[version])

    def is_believed() -> None:
        plain = lab.connects(pipe, name="the plain side")
        tls = good.meets(target.accepts(), alpn=("mail/3", "mail/2"))
        plain.sends(b"hello")
        tls.reads_exactly(b"hello")
        tls.sends(b"welcome")
        plain.reads_exactly(b"welcome")
        plain.ends()
        tls.sees_close_notify()
        tls.ends()
        plain.sees_end()

    def is_not_believed(server: Regular, known: tuple[str, ...]) -> None:
        plain = lab.connects(pipe, name="the plain side")
        plain.sends(lab.random_bytes(100))
        tls = server.meets(target.accepts(), alpn=known, shakes=False)
        tls.handshake_fails(says=b"welcome, whoever I am")
        lab.pipes.nothing_comes_out(plain, "the server was refused")

    is_believed()
    lab.says("whether it resumes a session or not, a good server is believed")
    is_believed()
    for known in ((), ("mail/3", "h2")):
        lab.says(f"the good server knows {', '.join(known) or 'nothing of protocols'} now")
        is_not_believed(good, known)
    lab.says("a server of another name, twice")
    is_not_believed(other, ("mail/2",))
    is_not_believed(other, ("mail/2",))
    is_believed()


# -- keys ----------------------------------------------------------------------------------------------------------


@ROLES
def test_keys_of_others(lab: Scene, role: str) -> None:
    own = lab.tls.zoo.server() if role == "server" else lab.tls.zoo.client()
    words: tuple[object, ...] = (role, "--listen", "127.0.0.1:0")
    if role == "server":
        words += ("--forward", "127.0.0.1:9")
    else:
        words += ("--connect", "127.0.0.1:9", "--name", "server.example")
        words += ("--ca", lab.put_file("roots.pem", lab.tls.zoo.ca))
    words += ("--cert", lab.put_file("cert.pem", own.certificates), "--key")
    private = lab.runs("tls_pipe", *words, lab.put_file("private.pem", own.key, mode=0o600))
    private.prints_line()
    private.terminates()
    if os.name != "posix":
        lab.says("this system has no file modes")
        return
    for mode in (0o640, 0o604, 0o644):
        public = lab.runs("tls_pipe", *words, lab.put_file(f"{mode:o}.pem", own.key, mode=mode))
        public.exits(2)
        otherwise = f"the pipe began to listen with a key of mode {mode:o}, which others may read"
        lab.expect(not public.stdout, "it never listened", seen=public.stdout, otherwise=otherwise)
        lab.pipes.no_secret(public, own.key)
