"""A zoo of certificates: one for each rule by which a TLS pipe has to judge the other end.

Each one that has to be refused is wrong in exactly one way; each that has to be accepted only looks wrong.
They are made anew for each run; making all of them takes a fraction of a second, listing their names nothing.

Left out, since a correct pipe may judge either way:
- expired trust anchors: RFC 5280, section 6.1.1 (d), asks an anchor only for its name and key;
- revocation: it needs a list or a responder, and Python asks for neither unless it is told to;
- keys and hashes too weak to be used (RSA of 1024 bits, SHA-1, MD5): each system sets the limit by its own policy,
  and a system that refuses them also refuses to present them;
- an ECDSA certificate without digitalSignature: OpenSSL looks at it under TLS 1.2, and not under TLS 1.3;
- anyExtendedKeyUsage, CA:TRUE in an end's certificate, Ed25519, wildcards over a top-level domain: libraries differ;
- certificates of version 1 and 2, which have no extensions;
- a certificate with another's key: one cannot shake hands with it. (A pipe has to refuse such a pair of files.)
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import trustme

from harness.tls.zoo.certificates import VALID, Draft, Issued, Lifetime, issued_by_trustme, namesake, sign
from harness.tls.zoo.chains import CHAIN_ROWS
from harness.tls.zoo.clients import CLIENT_ROWS
from harness.tls.zoo.drafts import CLIENT, INTERMEDIATE, SERVER, Chain, SpecimenRow, an_end
from harness.tls.zoo.names import NAME_ROWS

Role = Literal["server", "client"]

_ROWS: dict[Role, Sequence[SpecimenRow]] = {"server": (*NAME_ROWS, *CHAIN_ROWS), "client": CLIENT_ROWS}


@dataclass(frozen=True)
class Identity:
    """What one end presents, as the two files a program is given."""

    certificates: bytes  #: PEM, the end's own first, then intermediates
    key: bytes  #: PEM, not encrypted


@dataclass(frozen=True)
class Specimen:
    """One certificate, or none, that is presented to a pipe."""

    name: str
    role: Role  #: who presents it
    rule: str  #: what a pipe has to notice in it, a sentence
    section: str  #: where to find the rule, such as "RFC 9525, section 6.3"
    identity: Identity | None  #: None: no certificate is presented
    asked: str  #: what the pipe is given: --name for servers, --client-name for clients ("": not given)
    accepted: bool  #: whether a correct pipe accepts it
    ca: bytes  #: PEM of the roots that the pipe is told to trust


def names_of_specimens(role: Role, *, accepted: bool | None = None) -> list[str]:
    """The names of the certificates, all or those with that verdict, without making any."""
    return [row.name for row in _ROWS[role] if accepted in (None, row.accepted)]


class Zoo:
    """Two unrelated authorities, and what the first of them signs."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)
        # Names that say nothing, so that nobody can tell from them whom to trust.
        self._root = issued_by_trustme(_authority(f"root {secrets.token_hex(4)}"))
        self._stranger = issued_by_trustme(_authority(f"root {secrets.token_hex(4)}"))
        self._made: dict[str, Specimen] = {}
        self.ca = self._root.pem  #: PEM of the trusted root
        self.stranger_ca = self._stranger.pem  #: PEM of a root that signed nothing but strangers

    def server(self, *names: str, lifetime: Lifetime = VALID) -> Identity:
        """A good server with these names (IP addresses become iPAddress), signed by an intermediate authority."""
        return self._good(an_end("server", *(names or (SERVER,)), lifetime=lifetime))

    def client(self, *names: str, lifetime: Lifetime = VALID) -> Identity:
        """A good client with these names, signed by an intermediate authority."""
        return self._good(an_end("client", *(names or (CLIENT,)), lifetime=lifetime))

    def stranger(self, role: Role, *names: str) -> Identity:
        """It would be good if its root (`stranger_ca`) were trusted."""
        default = SERVER if role == "server" else CLIENT
        return self._good(an_end(role, *(names or (default,))), self._stranger)

    def specimens(self, role: Role) -> list[Specimen]:
        """All certificates that servers, or clients, present."""
        return [self.specimen(row.name) for row in _ROWS[role]]

    def specimen(self, name: str) -> Specimen:
        """The certificate of that name, always the same one. Raises KeyError."""
        if name not in self._made:
            role, row = _find(name)
            self._made[name] = Specimen(
                name=name,
                role=role,
                rule=row.rule,
                section=row.section,
                identity=None if row.end is None else self._make(row, row.end),
                asked=row.asked,
                accepted=row.accepted,
                ca=self.ca,
            )
        return self._made[name]

    def _good(self, end: Draft, root: Issued | None = None) -> Identity:
        intermediate = sign(INTERMEDIATE, root or self._root, self._now)
        own = sign(end, intermediate, self._now)
        return Identity(own.pem + intermediate.pem, own.key_pem)

    def _make(self, row: SpecimenRow, end: Draft) -> Identity:
        signers = [] if row.root == "none" else [self._root_of(row.root)]
        for draft in (*row.above, end):
            signers.append(sign(draft, signers[-1] if signers else None, self._now))
        own, *above = reversed(signers)
        root = above.pop() if above else own
        shown = row.shows(Chain(own, above, root, self._stranger))
        return Identity(b"".join(issued.pem for issued in shown), own.key_pem)

    def _root_of(self, which: Literal["trusted", "stranger", "namesake", "impostor"]) -> Issued:
        if which == "trusted":
            return self._root
        if which == "stranger":
            return self._stranger
        return namesake(self._root.certificate, self._now, same_key_identifier=which == "impostor")


def _authority(title: str) -> trustme.CA:
    return trustme.CA(organization_name="socketlab", organization_unit_name=title)


def _find(name: str) -> tuple[Role, SpecimenRow]:
    for role, cages in _ROWS.items():
        for row in cages:
            if row.name == name:
                return role, row
    raise KeyError(name)
