"""Stage 2: the zoo. Each group shows good certificates and bad ones to the same pipe; each bad one has one fault."""

import ssl

import pytest

from harness.testing import (
    TLS12,
    TLS13,
    Broken,
    Identity,
    Listener,
    Scene,
    Server,
    Specimen,
    TlsPeer,
    is_tls,
    plaintext_in,
)


class Gate:
    """A pipe that is told one name to look for, and shown one certificate after the other."""

    def __init__(self, lab: Scene, name: str, *, ca: bytes | None = None) -> None:
        self.lab, self.name = lab, name
        self.server: Listener = lab.listens()
        self.pipe: Server = lab.pipes.client(target=self.server, name=name, ca=ca)

    def believes(self, identity: Identity | None, **how: object) -> None:
        """Bytes go to and fro between a client and a server that shows this."""
        lab = self.lab
        question, answer = lab.random_bytes(40), lab.random_bytes(40)
        plain = lab.connects(self.pipe)
        tls = lab.tls.server(self.server.accepts(), identity=identity, **how)  # type: ignore[arg-type]
        plain.sends(question)
        tls.reads_exactly(question)
        tls.sends(answer)
        plain.reads_exactly(answer)
        tls.ends()
        plain.closes()

    def refuses(
        self, identity: Identity | None, *, size: int = 40, early: bool = True, strictly: bool = False, **how: object
    ) -> None:
        """A server that shows this learns nothing, and nothing of what it says comes out.

        strictly: and both sides see that it was refused.
        """
        lab = self.lab
        question, answer = lab.random_bytes(size), lab.random_bytes(40)
        plain = lab.connects(self.pipe)
        if early:
            plain.sends_in_background(question)
        tls = lab.tls.server(self.server.accepts(), identity=identity, shakes=False, **how)  # type: ignore[arg-type]
        gives_up(lab, tls, answer)
        if strictly:
            broken = tls.ending is not None and tls.ending.how in ("alert", "reset")
            lab.expect(
                broken,
                "the server gets an alert or a reset",
                seen=tls.ending,
                otherwise="a refused server got neither a fatal alert nor a reset",
            )
            came: bytes | None = plain.sees_reset()
        else:
            sips: list[bytes | None] = []
            lab.waits_until(lambda: sips.append(plain.sips(100)) or sips[-1] is not None)
            came = sips[-1]
            lab.expect(
                came is not None, "the connection to the plain side ends", otherwise="the plain side was left open"
            )
        otherwise = "bytes came out on the plain side although the server was refused"
        lab.expect(not came, "not one byte comes out", seen=came, otherwise=otherwise)
        lab.expect(
            is_tls(tls.raw_in),
            "on the wire is TLS and nothing else",
            seen=tls.raw_in[:60],
            otherwise="something else was on the wire",
        )
        markers = (question[:40], question[-40:])
        lab.expect(
            plaintext_in(tls.raw_in, markers) is None,
            "nothing on the wire is plain text",
            otherwise="plain text was on the wire",
        )


def gives_up(lab: Scene, tls: TlsPeer, answer: bytes) -> None:
    """The pipe ends the connection, and not one byte of data comes before."""
    try:
        tls.handshakes()
        lab.says("the handshake is done, and still the server must get nothing and give nothing")
        tls.sends(answer, may_fail=True)
        tls.is_refused()
    except Broken:
        if tls.ending is None or tls.ending.how not in ("alert", "reset", "end"):
            raise  # neither believed nor refused, or something was read


def shows(lab: Scene, *names: str, **how: object) -> None:
    """Show specimens of the zoo, each to a pipe that is told the name it is about, in an order that nobody can know.

    To each pipe that is to refuse some, good ones come before and behind them: who refuses by number is wrong.
    """
    gates: dict[str, Gate] = {}
    specimens = [lab.tls.zoo.specimen(name) for name in names]
    lab.rng.shuffle(specimens)
    for specimen in specimens:
        introduces(lab, specimen)
        if specimen.asked not in gates:
            gates[specimen.asked] = gate = Gate(lab, specimen.asked)
            if not specimen.accepted:
                lab.says(f"but first a good certificate for {specimen.asked}")
                gate.believes(lab.tls.zoo.server(specimen.asked), **how)
                introduces(lab, specimen)
        if specimen.accepted:
            gates[specimen.asked].believes(specimen.identity, **how)
        else:
            gates[specimen.asked].refuses(specimen.identity, **how)  # type: ignore[arg-type]
    for asked in {specimen.asked: None for specimen in specimens if not specimen.accepted}:
        lab.says(f"and again a good certificate for {asked}")
        gates[asked].believes(lab.tls.zoo.server(asked), **how)


def introduces(lab: Scene, specimen: Specimen) -> None:
    """Its name, its fault or its virtue, and where the rule stands."""
    verdict = "is to be believed" if specimen.accepted else "is to be refused"
    lab.says(f"a server shows {specimen.name}, which {verdict}. {specimen.rule} ({specimen.section})")


def test_names(lab: Scene) -> None:
    shows(
        lab,
        "exact-name",
        "second-name",
        "name-in-other-case",
        "asked-in-other-case",
        "a-label",
        "wrong-name",
        "name-goes-on",
        "name-begins-earlier",
        "parent-name",
        "child-name",
        "dot-is-a-dot",
    )


def test_names_of_other_kinds(lab: Scene) -> None:
    shows(
        lab,
        "name-and-address",
        "exact-name",
        "name-in-mail-address",
        "name-in-uri",
        "name-in-directory-name",
        "name-with-nul",
        "name-with-comma",
    )


def test_wildcards(lab: Scene) -> None:
    shows(
        lab,
        "wildcard",
        "wildcard-for-an-a-label",
        "wildcard-for-two-labels",
        "wildcard-for-no-label",
        "wildcard-at-the-end-of-a-label",
        "wildcard-at-the-beginning-of-a-label",
        "wildcard-in-the-middle",
        "two-wildcards",
        "wildcard-alone",
    )


def test_addresses(lab: Scene) -> None:
    shows(
        lab,
        "ipv4-address",
        "ipv6-address",
        "ipv6-address-written-out",
        "name-and-address",
        "address-as-name",
        "wildcard-for-an-address",
        "address-as-common-name",
        "other-address",
    )


def test_common_names(lab: Scene) -> None:
    shows(
        lab,
        "other-common-name",
        "same-common-name",
        "common-name-only",
        "common-name-beside-mail",
        "common-name-beside-other",
    )


def test_dates(lab: Scene) -> None:
    shows(lab, "exact-name", "expired", "not-yet-valid", "expired-intermediate", "intermediate-not-yet-valid")


def test_strangers(lab: Scene) -> None:
    shows(
        lab,
        "exact-name",
        "untrusted-root",
        "untrusted-root-sent-along",
        "self-signed",
        "namesake-of-the-root",
        "impostor-of-the-root",
    )


def test_signatures(lab: Scene) -> None:
    shows(lab, "exact-name", "damaged-signature", "changed-after-signing", "damaged-signature-of-the-intermediate")


def test_chains(lab: Scene) -> None:
    shows(
        lab,
        "intermediates-reversed",
        "extra-certificate",
        "root-sent-along",
        "signed-by-the-root",
        "three-intermediates",
        "missing-intermediate",
        "missing-second-intermediate",
    )


def test_authorities(lab: Scene) -> None:
    shows(
        lab,
        "path-length-just-kept",
        "rsa-authority",
        "intermediate-is-no-authority",
        "intermediate-does-not-say",
        "signed-by-a-server",
        "intermediate-must-not-sign",
        "path-too-long",
    )


def test_constraints(lab: Scene) -> None:
    shows(
        lab,
        "name-constraints-kept",
        "name-not-excluded",
        "name-not-permitted",
        "name-excluded",
        "other-name-not-permitted",
        "address-excluded",
    )


def test_purposes(lab: Scene) -> None:
    shows(
        lab,
        "rsa",
        "both-purposes",
        "unknown-extension",
        "non-ascii-subject",
        "for-clients-only",
        "intermediate-for-clients-only",
        "key-for-other-uses",
        "unknown-critical-extension",
        "intermediate-with-unknown-critical-extension",
    )


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["old", "new"])
def test_in_each_version(lab: Scene, version: ssl.TLSVersion) -> None:
    shows(lab, "exact-name", "expired", "wrong-name", "untrusted-root", "common-name-only", versions=[version])


def test_the_systems_roots(lab: Scene) -> None:
    roots = lab.put_file("roots.pem", lab.tls.zoo.stranger_ca)
    ca = lab.put_file("ca.pem", lab.tls.zoo.ca)
    lab.says("the system believes a root that is not in --ca")
    gate = Gate(lab, "server.example")
    gate.pipe = lab.serves(
        "tls_pipe",
        "--connect",
        gate.server.address,
        "--ca",
        ca,
        "--name",
        "server.example",
        flags=("client", "--listen"),
        env={"SSL_CERT_FILE": roots, "SSL_CERT_DIR": roots + ".d"},
    )
    gate.believes(lab.tls.zoo.server())
    gate.refuses(lab.tls.zoo.stranger("server"))
    gate.believes(lab.tls.zoo.server())


def test_other_roots(lab: Scene) -> None:
    gate = Gate(lab, "server.example", ca=lab.tls.zoo.stranger_ca)
    gate.believes(lab.tls.zoo.stranger("server"))
    gate.refuses(lab.tls.zoo.server())
    gate.believes(lab.tls.zoo.stranger("server"))
    lab.says("a file may hold more than one root")
    gate = Gate(lab, "server.example", ca=lab.tls.zoo.stranger_ca + lab.tls.zoo.ca)
    gate.believes(lab.tls.zoo.stranger("server"))
    gate.believes(lab.tls.zoo.server())
    gate.refuses(lab.tls.zoo.specimen("self-signed").identity)
    gate.believes(lab.tls.zoo.server())


def test_the_wanted_name_is_told(lab: Scene) -> None:
    for name in ("server.example", "xn--bcher-kva.example", "a.b.c.server.example", "192.0.2.7", "2001:db8::7"):
        server = lab.listens()
        pipe = lab.pipes.client(target=server, name=name)
        plain = lab.connects(pipe, name="the plain side")
        tls = lab.tls.server(server.accepts(), identity=lab.tls.zoo.server(name))
        expected = None if name[-1] == "7" else name
        lab.expect_same(
            tls.sni,
            expected,
            "a name is sent (SNI), an address is not",
            otherwise="another name was sent (SNI), or none",
        )
        plain.sends(b"hello")
        tls.reads_exactly(b"hello")


def test_a_refused_server_gets_nothing(lab: Scene) -> None:
    gate = Gate(lab, "server.example")
    lab.says("the client has a lot to say, and says it before it is known who is there")
    for count, name in enumerate(("wrong-name", "untrusted-root"), 1):
        gate.refuses(lab.tls.zoo.specimen(name).identity, size=300_000, strictly=True)
        lab.pipes.ends_as(gate.pipe, "refused", count=count)
    lab.says("and one that has nothing to say")
    gate.refuses(lab.tls.zoo.specimen("expired").identity, early=False, strictly=True)
    lab.pipes.ends_as(gate.pipe, "refused", count=3)
    gate.believes(lab.tls.zoo.server())


def test_the_servers_chain(lab: Scene) -> None:
    for name in ("three-intermediates", "signed-by-the-root", "rsa"):
        identity = lab.tls.zoo.specimen(name).identity
        assert identity is not None
        backend = lab.listens()
        pipe = lab.pipes.server(backend=backend, identity=identity)
        for version in (TLS12, TLS13):
            tls = lab.tls.client(lab.connects(pipe), ca=lab.tls.zoo.ca, versions=[version])
            sent, in_file = len(tls.certificates), identity.certificates.count(b"BEGIN CERTIFICATE")
            lab.expect_same(
                sent,
                in_file,
                "all certificates of the file are sent",
                otherwise="not all certificates of the file were sent",
            )
            plain = backend.accepts(name="the plain side")
            tls.sends(b"hello")
            plain.reads_exactly(b"hello")
            tls.ends()
            plain.closes()
