"""The certificates that clients present to a server: a table, good ones first.

A client's name is compared literally: RFC 9525 and its wildcards are about servers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography import x509

from harness.tls.zoo.certificates import SERVER_AUTH, Draft, subject
from harness.tls.zoo.drafts import (
    ALGORITHMS,
    ALT_NAME,
    CLIENT,
    INTERMEDIATE,
    IS_AUTHORITY,
    PATH,
    PURPOSE,
    SpecimenRow,
    an_authority,
    an_end,
    wrong_chains,
)

V4 = "192.0.2.9"


def _end(*names: str | x509.GeneralName, **changes: Any) -> Draft:
    return an_end("client", *(names or (CLIENT,)), **changes)


def _good(name: str, section: str, rule: str, end: Draft | None = None, asked: str = "", **how: Any) -> SpecimenRow:
    return SpecimenRow(f"client-{name}", True, section, rule, end or _end(), asked, **how)


def _bad(name: str, section: str, rule: str, end: Draft | None = None, asked: str = "", **how: Any) -> SpecimenRow:
    return SpecimenRow(f"client-{name}", False, section, rule, end or _end(), asked, **how)


CLIENT_ROWS: Sequence[SpecimenRow] = (
    _good("of-any-name", PATH, "Any name will do if none is asked for."),
    _good("exact-name", ALT_NAME, "The name stands in the certificate.", asked=CLIENT),
    _good("two-intermediates", PATH, "A chain may be long.", above=(INTERMEDIATE, an_authority("second"))),
    _good(
        "same-common-name",
        ALT_NAME,
        "The common name may say the same as the names.",
        _end(subject=subject("client", CLIENT)),
        CLIENT,
    ),
    _good("second-name", ALT_NAME, "Any of several names may be the one.", _end("other.example", CLIENT), CLIENT),
    _good(
        "name-in-other-case",
        "RFC 5280, section 7.2",
        "Names are compared without regard to case.",
        _end("Client.EXAMPLE"),
        CLIENT,
    ),
    _good("ipv4-address", ALT_NAME, "An address is looked up among the iPAddress.", _end(V4), V4),
    _good("ipv6-address", ALT_NAME, "An address is looked up among the iPAddress.", _end("2001:db8::9"), "2001:db8::9"),
    _good("without-names", "RFC 5280, section 4.1.2.6", "No name is needed if none is asked for.", _end(names=())),
    _good(
        "three-intermediates",
        PATH,
        "A chain may be long.",
        above=(INTERMEDIATE, an_authority("second"), an_authority("third")),
    ),
    _good("signed-by-the-root", PATH, "A chain may do without intermediates.", above=()),
    _good("rsa", ALGORITHMS, "The client's key is for RSA.", _end(key="rsa")),
    SpecimenRow("client-without-certificate", False, "RFC 8446, section 4.4.2.4", "No certificate is shown.", None, ""),
    *wrong_chains(_bad, _end),
    _bad(
        "signed-by-a-client",
        IS_AUTHORITY,
        "It is signed by a client, as good as that client's own chain may be.",
        above=(INTERMEDIATE, an_end("client", "other.example")),
    ),
    _bad("for-servers-only", PURPOSE, "It is for servers, not for clients.", _end(purposes=(SERVER_AUTH,))),
    _bad("wrong-name", ALT_NAME, "The name is another one.", _end("other.example"), CLIENT),
    _bad(
        "name-begins-earlier",
        ALT_NAME,
        "The name only ends like the one that was asked for.",
        _end("evilclient.example"),
        CLIENT,
    ),
    _bad(
        "name-goes-on",
        ALT_NAME,
        "The name only begins like the one that was asked for.",
        _end("client.example.evil.example"),
        CLIENT,
    ),
    _bad("name-with-nul", ALT_NAME, "A NUL byte does not end a name.", _end("client.example\0.evil.example"), CLIENT),
    _bad(
        "name-with-comma",
        ALT_NAME,
        "One name is one name, whatever stands in it.",
        _end("evil.example, DNS:client.example"),
        CLIENT,
    ),
    _bad(
        "common-name-only",
        ALT_NAME,
        "The common name does not count.",
        _end(names=(), subject=subject("client", CLIENT)),
        CLIENT,
    ),
    _bad("name-in-mail-address", ALT_NAME, "A mail address is not a dNSName.", _end(x509.RFC822Name(CLIENT)), CLIENT),
    _bad("wildcard", ALT_NAME, "A client's name holds no wildcards.", _end("*.client.example"), "one.client.example"),
    _bad("address-as-name", ALT_NAME, "An address does not stand among the dNSName.", _end(x509.DNSName(V4)), V4),
    _bad("other-address", ALT_NAME, "The address is another one.", _end("192.0.2.10"), V4),
)
