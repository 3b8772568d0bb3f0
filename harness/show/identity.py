"""Who is at the other end: certificates, chains, names."""

from __future__ import annotations

import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from harness.show.privacy import NAME, Tapped, contexts, reason
from harness.show.sockets import Sockets
from harness.show.telling import Telling, page
from harness.tls.peer.contexts import client_context
from harness.tls.zoo.zoo import Zoo


def chain_of(zoo: Zoo, name: str = NAME) -> list[x509.Certificate]:
    """A server's certificate, the intermediate authority that signed it, and the root, in this order."""
    served = x509.load_pem_x509_certificates(zoo.server(name).certificates)
    return [*served, x509.load_pem_x509_certificate(zoo.ca)]


def called(name: x509.Name) -> str:
    """A distinguished name, short: its organizational unit."""
    return str(name.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value)


def row_of(certificate: x509.Certificate) -> dict[str, Any]:
    """What one certificate says, as plain values."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        alternatives = [str(name.value) for name in names]
    except x509.ExtensionNotFound:
        alternatives = []
    try:
        authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    return {
        "subject": called(certificate.subject),
        "issuer": called(certificate.issuer),
        "names": alternatives,
        "authority": authority,
        "der": len(certificate.public_bytes(Encoding.DER)),
    }


def signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's key made this certificate's signature, and its name stands there."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # InvalidSignature, or ValueError for names that differ: both mean no
        return False
    return True


@page(
    asks="""a server shows two certificates, and you trust a third one that is in a file on your disk. Which of
    the three is signed by whom, and why do you believe the third?""",
    seen="""each certificate is a name and a public key, with a signature by the key of the next one above. The
    last one has signed itself, and that proves nothing: anybody can sign himself. It is believed because its
    file is on your disk. So trust begins with a file and comes down the chain, as long as each one above is an
    authority (CA). A stranger's chain holds just as well in itself; it ends at the wrong root.""",
)
def certificate(tell: Telling) -> None:
    """A certificate says: this public key belongs to that name; and somebody else has signed it. Several of them make a
    chain.
    """
    zoo = Zoo()
    chain = chain_of(zoo)
    rows = [row_of(one) for one in chain]
    tell.table(
        ["", "subject", "issuer", "names (subjectAltName)", "may sign others"],
        [
            [title, row["subject"], row["issuer"], ", ".join(row["names"]) or "-", "yes" if row["authority"] else "no"]
            for title, row in zip(("the server's", "intermediate", "root"), rows, strict=True)
        ],
    )
    pairs = [
        ("server's", 0, "intermediate", 1),
        ("intermediate", 1, "root", 2),
        ("root", 2, "root", 2),
        ("server's", 0, "root", 2),
    ]
    results = []
    for name, below, above_name, above in pairs:
        results.append(signed_by(chain[below], chain[above]))
        tell.step("anybody", f"the {name}, by the {above_name}'s key?", "yes" if results[-1] else "no")
    kinds = "elliptic curves" if isinstance(chain[0].public_key(), ec.EllipticCurvePublicKey) else "another kind"
    tell.note(
        f"The keys are of the kind: {kinds}. None of them is secret in here; the private halves are with their owners."
    )
    tell.keeps(chain=rows, signed=results)


#: What a client meets: title, whose certificate, what it asks for, whether it trusts the right root.
_MEETINGS = (
    ("the right server", NAME, NAME, True),
    ("another server's certificate", "other.example", NAME, True),
    ("*.shop.example, asked for www.shop.example", "*.shop.example", "www.shop.example", True),
    ("*.shop.example, asked for a.b.shop.example", "*.shop.example", "a.b.shop.example", True),
    ("a root that the client does not know", NAME, NAME, False),
)


@page(
    asks="""a client meets five servers. The signatures of all their certificates are right; but one shows another
    name, two have a star in theirs, and one ends at a root that the client does not know. Which are accepted?""",
    seen="""encryption without identity is a private talk with a stranger. A right signature is not enough: the
    chain has to end at a root that this client trusts, and the name it asked for has to stand in the
    certificate (RFC 9525). The star stands for exactly one label. A client that checks the chain and forgets
    the name takes any certificate of the same authority, for any server.""",
)
def identity(tell: Telling) -> None:
    """Who is at the other end? A client asks for a name; the server proves that it holds the private key of a
    certificate for that name; and somebody whom the client trusts has signed it.
    """
    zoo = Zoo()
    results = []
    for title, shown, asked, trusted in _MEETINGS:
        with Sockets() as made:
            tap = Tapped(made, *contexts(zoo.ca if trusted else zoo.stranger_ca, zoo.server(shown)), name=asked)
            well = tap.shake_hands()
            results.append(well)
            tell.step("client", title, "accepted" if well else f"refused: {tap.errors.get('up', '')}")
    tell.keeps(accepted=results)


@page(
    asks="""a server wants a certificate from its client, and this client has none. Whose handshake fails first:
    the client's or the server's? What does the client believe meanwhile?""",
    seen="""under TLS 1.3 the client had finished its handshake, and had sent its first bytes, before the server
    had even looked for a certificate; the refusal came afterwards, as an alert. "Handshake done" on the
    client's side does not mean that the server agrees. So a server must not act on a single byte before its own
    handshake is done, and a client knows that it was taken only when an answer comes.""",
)
def client_certificate(tell: Telling) -> None:
    """Usually only the server proves who it is. With mutual TLS the client does, too."""
    zoo = Zoo()
    with Sockets() as made:
        tap = Tapped(made, *contexts(zoo.ca, zoo.server(NAME), client_ca=zoo.ca))
        for way in ("up", "down"):  # ClientHello; then the server's flight, with its certificate
            tap.tries(way)
            tap.carry(way)
        client_done = tap.tries("up")
        tell.step("client", "do_handshake(), without a certificate", "done" if client_done else "failed")
        tap.client.write(b"my first order")
        sent = len(tap.carry("up"))
        tell.step("client", "write(b'my first order')", f"sent, {sent} bytes in all")
        tap.tries("down")
        tap.carry("down")
        tell.step("server", "do_handshake()", tap.errors.get("down", "done"))
        try:
            tap.client.read(100)
            answer = ""
        except ssl.SSLError as error:
            answer = reason(error)
        tell.step("client", "read() the answer", answer)
    with Sockets() as made:
        client, server = contexts(zoo.ca, zoo.server(NAME), client_ca=zoo.ca)
        client = client_context(ca=zoo.ca, identity=zoo.client())
        tap = Tapped(made, client, server)
        well = tap.shake_hands()
        tell.step("server", "the same with a client's certificate", "done" if well else str(tap.errors))
    tell.keeps(client_done=client_done, server=bool(well), answer=answer)
