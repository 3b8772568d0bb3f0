"""The certificates that servers present, first table: whose certificate is it? Good ones first."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from cryptography import x509

from harness.tls.zoo.certificates import subject
from harness.tls.zoo.drafts import (
    ADDRESSES,
    ALT_NAME,
    ANY_OF_THEM,
    COMMON_NAME,
    DNS_NAMES,
    OTHER_KINDS,
    SERVER,
    SpecimenRow,
)
from harness.tls.zoo.drafts import bad_server as _bad
from harness.tls.zoo.drafts import good_server as _good
from harness.tls.zoo.drafts import server_end as _end

V4, V6 = "192.0.2.7", "2001:db8::7"
#: "bücher.example", as it stands in certificates and in the DNS
A_LABEL = "xn--bcher-kva.example"


NAME_ROWS: Sequence[SpecimenRow] = (
    _good("exact-name", DNS_NAMES, "The name stands in the certificate.", _end(SERVER)),
    _good("second-name", ANY_OF_THEM, "Any of several names may be the one.", _end("other.example", SERVER)),
    _good("name-in-other-case", DNS_NAMES, "Names are compared without regard to case.", _end("Server.EXAMPLE")),
    _good("asked-in-other-case", DNS_NAMES, "Names are compared without regard to case.", _end(), "SERVER.Example"),
    _good(
        "wildcard",
        DNS_NAMES,
        "A wildcard stands for one whole leftmost label.",
        _end("*.server.example"),
        "www.server.example",
    ),
    _good(
        "wildcard-for-an-a-label",
        DNS_NAMES,
        "A wildcard stands for one whole leftmost label, an A-label too.",
        _end("*.server.example"),
        "xn--bcher-kva.server.example",
    ),
    _good("a-label", DNS_NAMES, "An internationalised name stands in it as A-labels.", _end(A_LABEL), A_LABEL),
    _good("ipv4-address", ADDRESSES, "An IPv4 address is looked up among the iPAddress.", _end(V4), V4),
    _good("ipv6-address", ADDRESSES, "An IPv6 address is looked up among the iPAddress.", _end(V6), V6),
    _good(
        "ipv6-address-written-out",
        ADDRESSES,
        "Addresses are compared as octets, not as they are written.",
        _end(V6),
        "2001:DB8:0:0:0:0:0:7",
    ),
    _good("name-and-address", ANY_OF_THEM, "Names and addresses may stand side by side.", _end(V4, SERVER, V6), V4),
    _good(
        "other-common-name",
        COMMON_NAME,
        "The common name says nothing.",
        _end(subject=subject("server", "other.example")),
    ),
    _good(
        "same-common-name",
        COMMON_NAME,
        "The common name may say the same as the names.",
        _end(subject=subject("server", SERVER)),
    ),
    _bad("wrong-name", DNS_NAMES, "The name is another one.", _end("other.example")),
    _bad(
        "name-goes-on",
        DNS_NAMES,
        "The name only begins like the one that was asked for.",
        _end("server.example.evil.example"),
    ),
    _bad(
        "name-begins-earlier",
        DNS_NAMES,
        "The name only ends like the one that was asked for.",
        _end("evilserver.example"),
    ),
    _bad(
        "parent-name",
        DNS_NAMES,
        "A domain's name is not that of the hosts below it.",
        _end(SERVER),
        "www.server.example",
    ),
    _bad("child-name", DNS_NAMES, "A host's name is not that of the domain above it.", _end("www.server.example")),
    _bad(
        "dot-is-a-dot",
        DNS_NAMES,
        "A dot in a name stands for itself only.",
        _end("www.server.example"),
        "wwwxserver.example",
    ),
    _bad(
        "wildcard-for-two-labels",
        DNS_NAMES,
        "A wildcard stands for one label, not two.",
        _end("*.server.example"),
        "a.b.server.example",
    ),
    _bad("wildcard-for-no-label", DNS_NAMES, "A wildcard stands for one label, not none.", _end("*.server.example")),
    _bad(
        "wildcard-at-the-end-of-a-label",
        DNS_NAMES,
        "A wildcard is a whole label.",
        _end("s*.server.example"),
        "some.server.example",
    ),
    _bad(
        "wildcard-at-the-beginning-of-a-label",
        DNS_NAMES,
        "A wildcard is a whole label.",
        _end("*e.server.example"),
        "some.server.example",
    ),
    _bad(
        "wildcard-in-the-middle",
        DNS_NAMES,
        "A wildcard is the leftmost label.",
        _end("www.*.server.example"),
        "www.some.server.example",
    ),
    _bad(
        "two-wildcards", DNS_NAMES, "There is one wildcard at most.", _end("*.*.server.example"), "a.b.server.example"
    ),
    _bad("wildcard-alone", DNS_NAMES, "A wildcard does not stand for a whole name.", _end("*")),
    _bad("name-with-nul", ALT_NAME, "A NUL byte does not end a name.", _end("server.example\0.evil.example")),
    _bad(
        "name-with-comma",
        ALT_NAME,
        "One name is one name, whatever stands in it.",
        _end("evil.example, DNS:server.example"),
    ),
    _bad("address-as-name", ADDRESSES, "An address does not stand among the dNSName.", _end(x509.DNSName(V4)), V4),
    _bad(
        "wildcard-for-an-address",
        ADDRESSES,
        "No wildcard stands for a part of an address.",
        _end(x509.DNSName("*.0.2.7")),
        V4,
    ),
    _bad(
        "address-as-common-name",
        COMMON_NAME,
        "An address does not stand in the common name.",
        _end("other.example", subject=subject("server", V4)),
        V4,
    ),
    _bad("other-address", ADDRESSES, "The address is another one.", _end("192.0.2.8"), V4),
    _bad(
        "mapped-address",
        ADDRESSES,
        "An address mapped into IPv6 has sixteen octets, not four.",
        _end(x509.IPAddress(ip_address("::ffff:192.0.2.7"))),
        V4,
    ),
    _bad(
        "common-name-only",
        COMMON_NAME,
        "The common name does not count if there are no names.",
        _end(names=(), subject=subject("server", SERVER)),
    ),
    _bad(
        "common-name-beside-mail",
        COMMON_NAME,
        "The common name does not count if there are names of other kinds only.",
        _end(x509.RFC822Name("postmaster@other.example"), subject=subject("server", SERVER)),
    ),
    _bad(
        "common-name-beside-other",
        COMMON_NAME,
        "The common name does not count beside other names.",
        _end("other.example", subject=subject("server", SERVER)),
    ),
    _bad(
        "name-in-mail-address",
        OTHER_KINDS,
        "The domain of a mail address is not a server's name.",
        _end(x509.RFC822Name("postmaster@server.example")),
    ),
    _bad(
        "name-in-uri",
        OTHER_KINDS,
        "The host of a URI is not a dNSName.",
        _end(x509.UniformResourceIdentifier("https://server.example/")),
    ),
    _bad(
        "name-in-directory-name",
        OTHER_KINDS,
        "A directory name is not a dNSName.",
        _end(x509.DirectoryName(subject("server", SERVER))),
    ),
)
