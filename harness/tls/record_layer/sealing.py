"""Records under a connection's keys, made by hand: TLS 1.3 (RFC 8446) and TLS 1.2 with AEAD ciphers. Pure.

TLS 1.3, section 5.2, what is encrypted and what goes over the wire:

    inner  = content || type of the content (1 byte) || zeros, as many as one likes
    record = 23, 3.3, length of what follows || AEAD(key, iv xor sequence number, inner, additional data: the header)

Rule: nothing here asks whether a record makes sense; that is the point. The caller counts the records.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from harness.tls.record_layer.hello import read_hello

#: Bytes of plaintext in a record at most (RFC 8446, section 5.1); of an AEAD's tag and nonce.
LONGEST, TAG, NONCE = 2**14, 16, 12
APPLICATION_DATA = 23


class _Aead(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...


class Suite(NamedTuple):
    """A cipher suite, as far as records need it."""

    digest: str  #: of the key schedule
    key: int  #: bytes of the key
    chacha: bool = False

    def aead(self, key: bytes) -> _Aead:
        """The cipher with its key."""
        return ChaCha20Poly1305(key) if self.chacha else AESGCM(key)


#: By OpenSSL's names: those of TLS 1.3 (section B.4); for TLS 1.2, endings of the names.
SUITES = {
    "TLS_AES_128_GCM_SHA256": Suite("sha256", 16),
    "TLS_AES_256_GCM_SHA384": Suite("sha384", 32),
    "TLS_CHACHA20_POLY1305_SHA256": Suite("sha256", 32, True),
}
_SUITES_12 = {
    "AES128-GCM-SHA256": Suite("sha256", 16),
    "AES256-GCM-SHA384": Suite("sha384", 32),
    "CHACHA20-POLY1305": Suite("sha256", 32, True),
}


def suite_of(name: str) -> Suite | None:
    """The suite with that OpenSSL name; None if its records cannot be made here."""
    if name in SUITES:
        return SUITES[name]
    return next((suite for end, suite in _SUITES_12.items() if name.endswith(end)), None)


def hkdf_expand_label(secret: bytes, label: str, length: int, digest: str) -> bytes:
    """RFC 8446, section 7.1, with an empty context; at most one block of the digest."""
    name = b"tls13 " + label.encode("ascii")
    info = struct.pack("!HB", length, len(name)) + name + b"\0"
    return hmac.digest(secret, info + b"\x01", digest)[:length]


def prf(secret: bytes, label: bytes, seed: bytes, length: int, digest: str) -> bytes:
    """RFC 5246, section 5."""
    seed, block, made = label + seed, label + seed, b""
    while len(made) < length:
        block = hmac.digest(secret, block, digest)
        made += hmac.digest(secret, block + seed, digest)
    return made[:length]


def _nonce(iv: bytes, number: int) -> bytes:
    return (int.from_bytes(iv, "big") ^ number).to_bytes(NONCE, "big")


class Keys13:
    """One direction's keys of a TLS 1.3 connection, and the number of its next record."""

    def __init__(self, secret: bytes, suite: Suite) -> None:
        self._suite = suite
        self._take(secret)

    def _take(self, secret: bytes) -> None:
        self._secret = secret
        self._aead = self._suite.aead(hkdf_expand_label(secret, "key", self._suite.key, self._suite.digest))
        self._iv = hkdf_expand_label(secret, "iv", NONCE, self._suite.digest)
        self.number = 0

    def seals(self, content: bytes, kind: int = APPLICATION_DATA, padding: int = 0) -> bytes:
        """The next record."""
        return self.seals_inner(content + bytes([kind]) + bytes(padding))

    def seals_inner(self, inner: bytes) -> bytes:
        """The next record, given its inner plaintext."""
        header = struct.pack("!BHH", APPLICATION_DATA, 0x0303, len(inner) + TAG)
        sealed = self._aead.encrypt(_nonce(self._iv, self.number), inner, header)
        self.number += 1
        return header + sealed

    def opens(self, record: bytes) -> tuple[int, bytes] | None:
        """(type, content) of the next record; None if it is not under these keys, and is not counted then."""
        try:
            inner = self._aead.decrypt(_nonce(self._iv, self.number), record[5:], record[:5])
        except InvalidTag:
            return None
        self.number += 1
        inner = inner.rstrip(b"\0")
        return (inner[-1], inner[:-1]) if inner else (0, b"")

    def updates(self) -> None:
        """The next keys, as after a KeyUpdate (section 7.2)."""
        size = hashlib.new(self._suite.digest).digest_size
        self._take(hkdf_expand_label(self._secret, "traffic upd", size, self._suite.digest))


class Keys12:
    """One direction's keys of a TLS 1.2 connection (RFC 5288 for GCM, RFC 7905 for ChaCha20)."""

    def __init__(self, key: bytes, iv: bytes, suite: Suite) -> None:
        self._aead, self._iv, self._suite = suite.aead(key), iv, suite
        self.number = 0

    def seals(self, content: bytes, kind: int = APPLICATION_DATA) -> bytes:
        """The next record."""
        nonce, explicit = self._nonces()
        sealed = explicit + self._aead.encrypt(nonce, content, self._beside(kind, len(content)))
        self.number += 1
        return struct.pack("!BHH", kind, 0x0303, len(sealed)) + sealed

    def opens(self, record: bytes) -> tuple[int, bytes] | None:
        """(type, content) of the next record; None if it is not under these keys."""
        nonce, explicit = self._nonces()
        body = record[5:]
        if explicit:
            nonce, body = self._iv + body[:8], body[8:]
        try:
            content = self._aead.decrypt(nonce, body, self._beside(record[0], len(body) - TAG))
        except InvalidTag:
            return None
        self.number += 1
        return record[0], content

    def _nonces(self) -> tuple[bytes, bytes]:
        if self._suite.chacha:
            return _nonce(self._iv, self.number), b""
        # GCM: 8 bytes of the sender's choice precede each record, never the same ones twice (RFC 5288,
        # section 3). OpenSSL counts up from a random number, which ours will not hit.
        explicit = (self.number ^ (1 << 63)).to_bytes(8, "big")
        return self._iv + explicit, explicit

    def _beside(self, kind: int, length: int) -> bytes:
        return struct.pack("!QBHH", self.number, kind, 0x0303, length)


def keys12(master: bytes, client_random: bytes, server_random: bytes, suite: Suite) -> list[Keys12]:
    """[the client's direction, the server's] (RFC 5246, section 6.3)."""
    fixed = NONCE if suite.chacha else 4
    block = prf(master, b"key expansion", server_random + client_random, 2 * (suite.key + fixed), suite.digest)
    keys, ivs = block[: 2 * suite.key], block[2 * suite.key :]
    return [
        Keys12(keys[side * suite.key : (side + 1) * suite.key], ivs[side * fixed : (side + 1) * fixed], suite)
        for side in (0, 1)
    ]


# -- messages --------------------------------------------------------------------------------------------------------

ALERT, HANDSHAKE = 21, 22
CLOSE_NOTIFY, USER_CANCELED = 0, 90
#: RFC 5746: the extension, and the cipher suite that stands for an empty one.
_RENEGOTIATION_INFO, _NO_RENEGOTIATION_YET = 0xFF01, 0x00FF


def key_update(*, request: bool) -> bytes:
    """RFC 8446, section 4.6.3; request: the other side is to change its keys too."""
    return bytes([24, 0, 0, 1, int(request)])


def hello_again(hello: bytes, verify_data: bytes) -> bytes:
    """A ClientHello that renegotiates, made of the first one's body and the client's Finished (RFC 5746, section 3.5).

    Raises ValueError.
    """
    first = read_hello(hello)
    kept = [row for row in first.extensions if row[0] != _RENEGOTIATION_INFO]
    info = (_RENEGOTIATION_INFO, bytes([len(verify_data)]) + verify_data)
    suites = tuple(suite for suite in first.suites if suite != _NO_RENEGOTIATION_YET)
    return first._replace(suites=suites, extensions=(*kept, info)).message()
