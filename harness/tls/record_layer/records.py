"""TLS records as they are on the wire: split, named, and read where they are not encrypted. Pure.

    0      type: 20 change_cipher_spec, 21 alert, 22 handshake, 23 application_data
    1..2   version: 3.1 to 3.3, of no meaning any more
    3..4   length of the body, most significant byte first
    5..    body; from some record on encrypted: TLS 1.3 (RFC 8446, section 5.1) then calls every record type 23

Rule: nothing the other side sends raises; what cannot be read is None or stays in the rest.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from harness.tls.record_layer.hello import CLIENT_HELLO, read_hello, shorts, vector, vectors
from harness.tls.record_layer.leaks import Leak as Leak
from harness.tls.record_layer.leaks import plaintext_in as plaintext_in

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23

#: Bytes in front of each body.
HEADER = 5
#: The largest body: 2^14 bytes of plain text and 2,048 of expansion (RFC 5246, section 6.2.3).
LARGEST = 16_384 + 2_048

#: RFC 8446, section 4, and RFC 5246, section 7.4.
_MESSAGES = {
    0: "HelloRequest",
    1: "ClientHello",
    2: "ServerHello",
    4: "NewSessionTicket",
    5: "EndOfEarlyData",
    8: "EncryptedExtensions",
    11: "Certificate",
    12: "ServerKeyExchange",
    13: "CertificateRequest",
    14: "ServerHelloDone",
    15: "CertificateVerify",
    16: "ClientKeyExchange",
    20: "Finished",
    22: "CertificateStatus",
    24: "KeyUpdate",
}

#: RFC 8446, section 6, with those of RFC 5246 that it left out.
ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}

_VERSIONS = range(0x0300, 0x0305)  # SSL 3.0 to TLS 1.3


class Record(NamedTuple):
    """One record. `version` is what its header says, 0x0303 for TLS 1.2 and later."""

    type: int
    version: int
    body: bytes

    @property
    def raw(self) -> bytes:
        """As it was on the wire."""
        return struct.pack("!BHH", self.type, self.version, len(self.body)) + self.body


def begins_a_record(head: bytes) -> bool:
    """Whether these bytes, however many, can be the beginning of a record."""
    if not head:
        return True
    if not CHANGE_CIPHER_SPEC <= head[0] <= APPLICATION_DATA or (len(head) > 1 and head[1] != 3):
        return False
    return len(head) < HEADER or int.from_bytes(head[3:5]) <= LARGEST


def split(stream: bytes) -> tuple[list[Record], bytes]:
    """The whole records at the front of a stream, and the rest: an unfinished record, or no record at all."""
    records, at = [], 0
    while at + HEADER <= len(stream) and begins_a_record(stream[at : at + HEADER]):
        kind, version, length = struct.unpack_from("!BHH", stream, at)
        if at + HEADER + length > len(stream):
            break
        records.append(Record(kind, version, stream[at + HEADER : at + HEADER + length]))
        at += HEADER + length
    return records, stream[at:]


def is_tls(stream: bytes) -> bool:
    """Whether a stream is records and nothing else; the last one may be unfinished."""
    at = 0  # not split(): millions of empty records must cost no memory
    while at + HEADER <= len(stream) and begins_a_record(stream[at : at + HEADER]):
        length = int.from_bytes(stream[at + 3 : at + HEADER])
        if at + HEADER + length > len(stream):
            break
        at += HEADER + length
    return begins_a_record(stream[at : at + HEADER])


# -- in words ----------------------------------------------------------------------------------------------------


def describe(record: Record) -> str:
    """A record in plain words, as far as an onlooker can tell.

    >>> describe(Record(21, 0x0303, bytes([2, 42])))
    'alert fatal bad_certificate'
    >>> describe(Record(23, 0x0303, bytes(16_401)))
    'application data, 16,401 bytes'
    """
    size = f"{len(record.body):,} " + ("byte" if len(record.body) == 1 else "bytes")
    if record.type == CHANGE_CIPHER_SPEC:
        return "change of cipher"
    if record.type == APPLICATION_DATA:
        return f"application data, {size}"
    if record.type == ALERT:
        return alert(record.body) or f"alert, encrypted, {size}"
    named = [_MESSAGES.get(kind) for kind, _ in _messages(record.body)]
    if named and None not in named:
        return "handshake " + ", ".join(str(name) for name in named)
    whole = len(record.body) >= 4 and int.from_bytes(record.body[1:4]) < 1 << 18
    if whole and record.body[0] in _MESSAGES and int.from_bytes(record.body[1:4]) + 4 > len(record.body):
        return f"handshake {_MESSAGES[record.body[0]]}, the first {size}"
    return f"handshake, encrypted, {size}"


def alert(body: bytes) -> str | None:
    """The body of an alert in words: None unless it is an unencrypted alert."""
    if len(body) != 2 or body[0] not in (1, 2):
        return None
    level = "fatal" if body[0] == 2 else "warning"
    return f"alert {level} {ALERTS.get(body[1], body[1])}"


# -- what is said in the clear -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClientHello:
    """What a client asks for (RFC 8446, section 4.1.2)."""

    legacy_version: int  #: 0x0303 from TLS 1.2 on
    random: bytes
    session_id: bytes
    cipher_suites: tuple[int, ...]
    extensions: tuple[int, ...]  #: their numbers, in the order sent
    sni: str | None  #: the name in server_name (RFC 6066, section 3), None: there is none
    alpn: tuple[str, ...]  #: protocols offered (RFC 7301), best first
    supported_versions: tuple[int, ...]  #: of the extension, empty if there is none

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions offered, newest first; those without the extension mean all up to theirs."""
        offered = [version for version in self.supported_versions if version in _VERSIONS]
        return tuple(sorted(offered, reverse=True)) or (self.legacy_version,)


def client_hello(stream: bytes) -> ClientHello | None:
    """What the ClientHello at the front of a stream says; None if there is none, or not all of it."""
    for kind, body in messages(stream):
        if kind == CLIENT_HELLO:
            try:
                return _client_hello(body)
            except ValueError:
                return None
        return None
    return None


def messages(stream: bytes) -> list[tuple[int, bytes]]:
    """The unencrypted handshake messages (type, body): those before the first change of cipher.

    Alerts may come between them, as the warning unrecognized_name does.
    """
    spoken = bytearray()
    for record in split(stream)[0]:
        if record.type not in (HANDSHAKE, ALERT):
            break
        if record.type == HANDSHAKE:
            spoken += record.body
    return _messages(bytes(spoken))


def certificates(stream: bytes) -> list[bytes] | None:
    """The chain (DER, leaf first) of a Certificate message in the clear, as up to TLS 1.2; None if there is none."""
    for kind, body in messages(stream):
        if kind == 11:
            try:
                return list(vectors(vector(body, 0, 3)[0], 3))
            except ValueError:
                return None
    return None


def _messages(spoken: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at + 4 <= len(spoken):
        end = at + 4 + int.from_bytes(spoken[at + 1 : at + 4])
        if end > len(spoken):
            break
        found.append((spoken[at], spoken[at + 4 : end]))
        at = end
    return found


def _client_hello(body: bytes) -> ClientHello:
    hello = read_hello(body)
    extensions = dict(hello.extensions)
    return ClientHello(
        legacy_version=hello.version,
        random=hello.random,
        session_id=hello.session_id,
        cipher_suites=hello.suites,
        extensions=tuple(extensions),
        sni=_sni(extensions.get(0)),
        alpn=_alpn(extensions.get(16)),
        supported_versions=shorts(vector(extensions[43], 0, 1)[0]) if 43 in extensions else (),
    )


def _sni(data: bytes | None) -> str | None:
    if data is None:
        return None
    names = vector(data, 0, 2)[0]
    return vector(names, 1, 2)[0].decode("latin-1") if names[:1] == b"\0" else None


def _alpn(data: bytes | None) -> tuple[str, ...]:
    if data is None:
        return ()
    return tuple(name.decode("latin-1") for name in vectors(vector(data, 0, 2)[0], 1))
