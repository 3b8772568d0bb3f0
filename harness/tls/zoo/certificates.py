"""Certificates drafted field by field and signed, also those that no authority should sign. No sockets, no files.

Rule 1: an unchanged draft is flawless: RFC 5280 to the letter, as OpenSSL's X509_STRICT asks.
Rule 2: every change is one field of the draft, so that a certificate is wrong in one way only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Literal, NamedTuple

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Lifetime(NamedTuple):
    """From when to when a certificate is valid, as seen from the moment it is made."""

    begins: timedelta
    ends: timedelta


#: An hour of slack each way, since the clocks of two nodes may differ. All have the same length: only a program with a
#: clock can tell them apart.
VALID = Lifetime(timedelta(hours=-1), timedelta(hours=24))
EXPIRED = Lifetime(timedelta(hours=-27), timedelta(hours=-2))
NOT_YET = Lifetime(timedelta(hours=2), timedelta(hours=27))

SERVER_AUTH, CLIENT_AUTH = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH

NO_AUTHORITY = x509.BasicConstraints(ca=False, path_length=None)

#: The bits of keyUsage (RFC 5280, section 4.2.1.3), as x509.KeyUsage calls them.
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class Draft:
    """What a certificate is to contain. None and empty: the extension is left out."""

    subject: x509.Name
    names: tuple[x509.GeneralName, ...] = ()  #: subjectAltName
    lifetime: Lifetime = VALID
    constraints: x509.BasicConstraints | None = NO_AUTHORITY
    usage: tuple[str, ...] = ("digital_signature",)  #: keyUsage
    purposes: tuple[x509.ObjectIdentifier, ...] = ()  #: extendedKeyUsage
    name_constraints: x509.NameConstraints | None = None
    unknown: Literal["", "critical", "not critical"] = ""  #: an extension that nobody knows
    key: Literal["ecdsa", "rsa"] = "ecdsa"
    spoil: Callable[[bytes], bytes] | None = None  #: done to the DER after it has been signed


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key (PKCS #8), not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def issued_by_trustme(authority: trustme.CA) -> Issued:
    """An authority made by trustme, so that it can sign drafts."""
    key = serialization.load_pem_private_key(authority.private_key_pem.bytes(), password=None)
    assert isinstance(key, Key)
    return Issued(x509.load_pem_x509_certificate(authority.cert_pem.bytes()), key)


def subject(unit: str, common_name: str = "") -> x509.Name:
    """A distinguished name; without a common name unless one is given."""
    parts = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "socketlab"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
    ]
    if common_name:
        parts.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(parts)


def as_name(text: str | x509.GeneralName) -> x509.GeneralName:
    """An iPAddress if the text is an IP address, else a dNSName, whatever it holds."""
    if not isinstance(text, str):
        return text
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def sign(draft: Draft, issuer: Issued | None, now: datetime) -> Issued:
    """A certificate as drafted, with a new key, signed by `issuer` (None: by itself), whether it may sign or not."""
    key = _rsa_key() if draft.key == "rsa" else ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(draft.subject)
        .issuer_name(draft.subject if issuer is None else issuer.certificate.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + draft.lifetime.begins)
        .not_valid_after(now + draft.lifetime.ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    if issuer is not None:
        builder = builder.add_extension(_authority_key(issuer.certificate), critical=False)
    for extension, critical in _extensions(draft):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key if issuer is None else issuer.key, hashes.SHA256())
    if draft.spoil is not None:
        der = certificate.public_bytes(serialization.Encoding.DER)
        certificate = x509.load_der_x509_certificate(draft.spoil(der))
    return Issued(certificate, key)


def namesake(of: x509.Certificate, now: datetime, *, same_key_identifier: bool) -> Issued:
    """A self-signed authority with the subject of another one, and another key."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    theirs = of.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateBuilder()
        .subject_name(of.subject)
        .issuer_name(of.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + VALID.begins)
        .not_valid_after(now + VALID.ends)
        .add_extension(theirs if same_key_identifier else own, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(("key_cert_sign", "crl_sign")), critical=True)
    )
    return Issued(builder.sign(key, hashes.SHA256()), key)


@cache
def _rsa_key() -> rsa.RSAPrivateKey:
    """One for all certificates: it takes a hundred times as long to make as an elliptic-curve key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _key_usage(usage: Sequence[str]) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in usage for name in _USAGES})


def _extensions(draft: Draft) -> list[tuple[x509.ExtensionType, bool]]:
    """The extensions that a draft sets, and whether each is critical."""
    found: list[tuple[x509.ExtensionType, bool]] = []
    if draft.constraints is not None:
        found.append((draft.constraints, True))
    if draft.usage:
        found.append((_key_usage(draft.usage), True))
    if draft.purposes:
        found.append((x509.ExtendedKeyUsage(draft.purposes), False))
    if draft.names:
        found.append((x509.SubjectAlternativeName(draft.names), False))
    if draft.name_constraints is not None:
        found.append((draft.name_constraints, True))
    if draft.unknown:
        # below the enterprise number for examples (RFC 5612), so that it will never mean anything
        nobodys = x509.ObjectIdentifier("1.3.6.1.4.1.32473.1")
        found.append((x509.UnrecognizedExtension(nobodys, b"\x05\x00"), draft.unknown == "critical"))
    return found
