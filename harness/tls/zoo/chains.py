"""The certificates that servers present, second table: is the certificate to be trusted? Good ones first."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

from cryptography import x509
from cryptography.x509.oid import NameOID

from harness.tls.zoo.certificates import CLIENT_AUTH, NO_AUTHORITY, NOT_YET, Issued
from harness.tls.zoo.drafts import (
    ALGORITHMS,
    EXCLUDED,
    INTERMEDIATE,
    IS_AUTHORITY,
    LIFETIME,
    PATH,
    PERMITTED,
    PURPOSE,
    SERVER,
    SHOWN,
    SIGNATURE,
    Chain,
    SpecimenRow,
    all_but,
    an_authority,
    an_end,
    only,
    other_signature,
    path_length,
    wrong_chains,
)
from harness.tls.zoo.drafts import bad_server as _bad
from harness.tls.zoo.drafts import good_server as _good
from harness.tls.zoo.drafts import server_end as _end

V4 = "192.0.2.7"


def _upside_down(chain: Chain) -> list[Issued]:
    return [chain.own, *reversed(chain.above)]


CHAIN_ROWS: Sequence[SpecimenRow] = (
    _good(
        "intermediates-reversed",
        SHOWN,
        "The order of the intermediates does not matter.",
        above=(INTERMEDIATE, an_authority("second")),
        shows=_upside_down,
    ),
    _good(
        "extra-certificate",
        SHOWN,
        "A certificate that is no part of the chain does no harm.",
        shows=lambda chain: [chain.own, chain.stranger, *chain.above],
    ),
    _good(
        "root-sent-along",
        SHOWN,
        "The root may be sent or left out.",
        shows=lambda chain: [chain.own, *chain.above, chain.root],
    ),
    _good("signed-by-the-root", PATH, "A chain may do without intermediates.", above=()),
    _good(
        "three-intermediates",
        PATH,
        "A chain may be long.",
        above=(INTERMEDIATE, an_authority("second"), an_authority("third")),
    ),
    _good(
        "path-length-just-kept",
        "RFC 5280, section 4.2.1.9",
        "As many authorities as the path length says may follow.",
        above=(an_authority(constraints=path_length(1)), an_authority("second", constraints=path_length(0))),
    ),
    _good(
        "name-constraints-kept",
        "RFC 5280, section 4.2.1.10",
        "The name is one that the authority may give.",
        _end("www.server.example"),
        "www.server.example",
        above=(an_authority(name_constraints=only(SERVER)),),
    ),
    _good(
        "name-not-excluded",
        "RFC 5280, section 4.2.1.10",
        "The name is none of those that the authority may not give.",
        above=(an_authority(name_constraints=all_but("other.example")),),
    ),
    _good(
        "rsa",
        ALGORITHMS,
        "The server's key is for RSA.",
        _end(key="rsa", usage=("digital_signature", "key_encipherment")),
    ),
    _good("rsa-authority", ALGORITHMS, "An authority signs by RSA.", above=(an_authority(key="rsa"),)),
    _good(
        "unknown-extension",
        "RFC 5280, section 4.2",
        "An unknown extension that is not critical is passed over.",
        _end(unknown="not critical"),
    ),
    _good(
        "both-purposes",
        PURPOSE,
        "A certificate may be for clients, too.",
        _end(purposes=(CLIENT_AUTH, *_end().purposes)),
    ),
    _good(
        "non-ascii-subject",
        "RFC 5280, section 4.1.2.4",
        "A subject may be written in any script.",
        _end(subject=x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bücher und 図書")])),
    ),
    *wrong_chains(_bad, _end),
    _bad(
        "intermediate-not-yet-valid",
        LIFETIME,
        "The authority that signed it is not valid yet.",
        above=(an_authority(lifetime=NOT_YET),),
    ),
    _bad(
        "namesake-of-the-root", SIGNATURE, "Its root has the name of the trusted one, and another key.", root="namesake"
    ),
    _bad(
        "missing-second-intermediate",
        PATH,
        "Who signed the authority that signed it is not told.",
        above=(INTERMEDIATE, an_authority("second")),
        shows=lambda chain: [chain.own, chain.above[0]],
    ),
    _bad(
        "changed-after-signing",
        SIGNATURE,
        "Its name is not the one that was signed.",
        _end("banana.example", spoil=lambda der: der.replace(b"banana", b"server")),
    ),
    _bad(
        "damaged-signature-of-the-intermediate",
        SIGNATURE,
        "The signature of the authority that signed it is wrong.",
        above=(an_authority(spoil=other_signature),),
    ),
    _bad(
        "intermediate-is-no-authority",
        IS_AUTHORITY,
        "It is signed by one that is no authority (cA is false).",
        above=(an_authority(constraints=NO_AUTHORITY, usage=()),),
    ),
    _bad(
        "intermediate-does-not-say",
        IS_AUTHORITY,
        "It is signed by one that does not say that it is an authority.",
        above=(an_authority(constraints=None, usage=()),),
    ),
    _bad(
        "signed-by-a-server",
        IS_AUTHORITY,
        "It is signed by a server, as good as that server's own chain may be.",
        above=(INTERMEDIATE, an_end("server", "other.example")),
    ),
    _bad(
        "intermediate-must-not-sign",
        "RFC 5280, section 6.1.4 (n)",
        "It is signed by a key that may not sign certificates.",
        above=(an_authority(usage=("digital_signature", "crl_sign")),),
    ),
    _bad(
        "name-not-permitted",
        PERMITTED,
        "The authority may not give that name.",
        above=(an_authority(name_constraints=only("other.example")),),
    ),
    _bad(
        "name-excluded",
        EXCLUDED,
        "The authority may give any name but that.",
        _end("www.server.example"),
        "www.server.example",
        above=(an_authority(name_constraints=all_but(SERVER)),),
    ),
    _bad(
        "other-name-not-permitted",
        PERMITTED,
        "The authority may not give one of the other names in it.",
        _end(SERVER, "bank.example"),
        above=(an_authority(name_constraints=only(SERVER)),),
    ),
    _bad(
        "address-excluded",
        EXCLUDED,
        "The authority may give any address but those.",
        _end(V4),
        V4,
        above=(an_authority(name_constraints=all_but(x509.IPAddress(ip_network("192.0.2.0/24")))),),
    ),
    _bad(
        "intermediate-with-unknown-critical-extension",
        "RFC 5280, section 6.1.4 (o)",
        "Its authority's holds a critical extension that nobody knows.",
        above=(an_authority(unknown="critical"),),
    ),
    _bad("for-clients-only", PURPOSE, "It is for clients, not for servers.", _end(purposes=(CLIENT_AUTH,))),
    _bad(
        "intermediate-for-clients-only",
        PURPOSE,
        "Its authority is for clients' certificates only.",
        above=(an_authority(purposes=(CLIENT_AUTH,)),),
    ),
    _bad(
        "key-for-other-uses",
        "RFC 5280, section 4.2.1.3",
        "Its key may sign documents, and no handshake.",
        _end(key="rsa", usage=("content_commitment",)),
    ),
)
