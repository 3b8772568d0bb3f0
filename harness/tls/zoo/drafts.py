"""What the tables of the zoo are written with: drafts of end and authority certificates, and their rows. Pure.

A row says how its certificate is made; nothing is made before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from cryptography import x509

from harness.tls.zoo.certificates import CLIENT_AUTH, EXPIRED, NOT_YET, SERVER_AUTH, Draft, Issued, as_name, subject

#: Sections with the rules of more than one row.
DNS_NAMES = "RFC 9525, section 6.3"
ADDRESSES = "RFC 9525, section 6.4"
COMMON_NAME = "RFC 9525, section 2"
ANY_OF_THEM = "RFC 9525, section 6.1"
OTHER_KINDS = "RFC 9525, section 6.2"
ALT_NAME = "RFC 5280, section 4.2.1.6"
SHOWN = "RFC 8446, section 4.4.2"
PATH = "RFC 5280, section 6.1"
LIFETIME = "RFC 5280, section 6.1.3 (a)(2)"
ANCHOR = "RFC 5280, section 6.1.1 (d)"
SIGNATURE = "RFC 5280, section 6.1.3 (a)(1)"
IS_AUTHORITY = "RFC 5280, section 6.1.4 (k)"
LENGTH = "RFC 5280, section 6.1.4 (l)"
PERMITTED = "RFC 5280, section 6.1.3 (b)"
EXCLUDED = "RFC 5280, section 6.1.3 (c)"
PURPOSE = "RFC 5280, section 4.2.1.12"
ALGORITHMS = "RFC 8446, section 9.1"

#: The default names of ends.
SERVER, CLIENT = "server.example", "client.example"


def an_end(role: Literal["server", "client"], *names: str | x509.GeneralName, **changes: Any) -> Draft:
    """A good certificate of an end with these names; `changes` are other fields of the draft."""
    good = Draft(
        subject=subject(role),
        names=tuple(as_name(name) for name in names),
        purposes=(SERVER_AUTH if role == "server" else CLIENT_AUTH,),
    )
    return replace(good, **changes)


def an_authority(title: str = "intermediate", **changes: Any) -> Draft:
    """A good intermediate authority; `changes` are other fields of the draft."""
    good = Draft(
        subject=subject(title),
        constraints=x509.BasicConstraints(ca=True, path_length=None),
        usage=("digital_signature", "key_cert_sign", "crl_sign"),
    )
    return replace(good, **changes)


INTERMEDIATE = an_authority()


def path_length(most: int) -> x509.BasicConstraints:
    """At most this many authorities may follow below this one."""
    return x509.BasicConstraints(ca=True, path_length=most)


def only(*names: str) -> x509.NameConstraints:
    """Nothing but these names and those below them."""
    return x509.NameConstraints(permitted_subtrees=[x509.DNSName(name) for name in names], excluded_subtrees=None)


def all_but(*names: str | x509.GeneralName) -> x509.NameConstraints:
    """Everything but these names and those below them."""
    subtrees = [x509.DNSName(name) if isinstance(name, str) else name for name in names]
    return x509.NameConstraints(permitted_subtrees=None, excluded_subtrees=subtrees)


def other_signature(der: bytes) -> bytes:
    """Flip the last bit of the signature: it still parses, but no longer verifies."""
    return der[:-1] + bytes([der[-1] ^ 1])


@dataclass(frozen=True)
class Chain:
    """Everything that has been signed for one row."""

    own: Issued
    above: Sequence[Issued]  #: the authorities from the one that signed `own` upwards, without the root
    root: Issued
    stranger: Issued  #: a root that has nothing to do with it


def own_and_above(chain: Chain) -> list[Issued]:
    """What ought to be presented."""
    return [chain.own, *chain.above]


@dataclass(frozen=True)
class SpecimenRow:
    """A row of the tables: a certificate's name, the rule it is for, and how it is made."""

    name: str
    accepted: bool
    section: str
    rule: str
    end: Draft | None
    asked: str
    above: tuple[Draft, ...] = (INTERMEDIATE,)  #: authorities from the one below the root downwards
    root: Literal["trusted", "stranger", "namesake", "impostor", "none"] = "trusted"  #: "none": self-signed
    shows: Callable[[Chain], list[Issued]] = own_and_above


# -- rows of the tables --------------------------------------------------------------------------


def server_end(*names: str | x509.GeneralName, **changes: Any) -> Draft:
    """A good certificate of a server, for SERVER by default."""
    return an_end("server", *(names or (SERVER,)), **changes)


def good_server(
    name: str, section: str, rule: str, end: Draft | None = None, asked: str = SERVER, **how: Any
) -> SpecimenRow:
    """A certificate that has to be accepted."""
    return SpecimenRow(name, True, section, rule, end or server_end(), asked, **how)


def bad_server(
    name: str, section: str, rule: str, end: Draft | None = None, asked: str = SERVER, **how: Any
) -> SpecimenRow:
    """A certificate that has to be refused."""
    return SpecimenRow(name, False, section, rule, end or server_end(), asked, **how)


def wrong_chains(bad: Callable[..., SpecimenRow], end: Callable[..., Draft]) -> tuple[SpecimenRow, ...]:
    """What is wrong whoever presents it, a server or a client; `bad` makes a row, `end` a good certificate."""
    return (
        bad("expired", LIFETIME, "It has expired.", end(lifetime=EXPIRED)),
        bad("not-yet-valid", LIFETIME, "It is not valid yet.", end(lifetime=NOT_YET)),
        bad(
            "expired-intermediate",
            LIFETIME,
            "The authority that signed it has expired.",
            above=(an_authority(lifetime=EXPIRED),),
        ),
        bad("self-signed", PATH, "It is signed by nobody but itself.", root="none", above=()),
        bad("untrusted-root", ANCHOR, "Its root is none of the trusted ones.", root="stranger"),
        bad(
            "untrusted-root-sent-along",
            ANCHOR,
            "A root is not trusted for being sent.",
            root="stranger",
            shows=lambda chain: [chain.own, *chain.above, chain.root],
        ),
        bad(
            "impostor-of-the-root",
            SIGNATURE,
            "Its root has the name and the key identifier of the trusted one, and another key.",
            root="impostor",
        ),
        bad("missing-intermediate", PATH, "Who signed it is not told.", shows=lambda chain: [chain.own]),
        bad("damaged-signature", SIGNATURE, "Its signature is wrong.", end(spoil=other_signature)),
        bad(
            "path-too-long",
            LENGTH,
            "An authority stands below one that may have none below it.",
            above=(an_authority(constraints=path_length(0)), an_authority("second")),
        ),
        bad(
            "unknown-critical-extension",
            "RFC 5280, section 6.1.5 (f)",
            "It holds a critical extension that nobody knows.",
            end(unknown="critical"),
        ),
    )
