"""Records of one's own: every one that is well-formed is accepted by Python's ssl, the others are refused by name."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from harness.actors.peer import Peer
from harness.actors.story import Broken, Story
from harness.lab.interface import LabError
from harness.tls.peer.contexts import TLS12, TLS13, client_context, server_context
from harness.tls.peer.peer import TlsPeer
from harness.tls.peer.sealer import Sealer
from harness.tls.record_layer.records import ALERT, HANDSHAKE, split
from harness.tls.record_layer.sealing import Keys13, hkdf_expand_label, prf, suite_of
from harness.tls.zoo.zoo import Zoo

ZOO = Zoo()
SERVER = ZOO.server()
Pair = tuple[TlsPeer, ssl.SSLSocket]


@contextmanager
def pair(
    *,
    version: ssl.TLSVersion = TLS13,
    ciphers: str = "",
    serves: bool = False,
    client_ca: bytes | None = None,
    options: int = 0,
) -> Iterator[Pair]:
    """The tester's end and a plain SSLSocket at the other; `serves`: the tester's is the server."""
    client = client_context(ca=ZOO.ca, versions=(version, version), identity=ZOO.client() if client_ca else None)
    server = server_context(identity=SERVER, versions=(version, version), client_ca=client_ca)
    if ciphers:
        client.set_ciphers(ciphers)
    server.options |= options
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    peer = TlsPeer(
        Peer(ours, Story(time.monotonic)),
        server if serves else client,
        server_side=serves,
        name=None if serves else "server.example",
    )
    thread = threading.Thread(target=peer.handshakes)
    thread.start()
    try:
        with (client if serves else server).wrap_socket(
            theirs,
            server_side=not serves,
            server_hostname="server.example" if serves else None,
            suppress_ragged_eofs=False,
        ) as other:
            thread.join(5)
            yield peer, other
    finally:
        thread.join(5)
        theirs.close()
        peer.raw.dismiss()


def read_all(other: ssl.SSLSocket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += other.recv(count - len(data))
    return data


def echo_works(sealer: Sealer, other: ssl.SSLSocket) -> None:
    """Both directions are in step."""
    sealer.sends(sealer.seals(b"still there?"))
    assert read_all(other, 12) == b"still there?"
    other.sendall(b"yes")
    sealer.peer.reads_exactly(b"yes")


# -- what has to be accepted -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("serves", [False, True])
@pytest.mark.parametrize("before", [0, 3])
def test_well_formed_records_are_accepted(serves: bool, before: int) -> None:
    with pair(serves=serves) as (peer, other):
        for _ in range(before):
            peer.sends(b"before")
            assert read_all(other, 6) == b"before"
        sealer = Sealer(peer)
        sealer.sends(sealer.seals(b"one"), sealer.seals(b"two", padding=7), sealer.empty_record())
        assert read_all(other, 6) == b"onetwo"
        sealer.sends(sealer.padded_record(b"padded"), sealer.seals(bytes(2**14)))
        assert read_all(other, 6 + 2**14) == b"padded" + bytes(2**14)
        echo_works(sealer, other)
        sealer.sends(sealer.close_notify())
        assert other.recv(1) == b""


@pytest.mark.parametrize(
    "cipher", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"]
)
@pytest.mark.parametrize("serves", [False, True])
def test_records_of_tls_12_are_accepted(cipher: str, serves: bool) -> None:
    with pair(version=TLS12, ciphers=cipher, serves=serves) as (peer, other):
        assert other.cipher()[0] == cipher  # type: ignore[index]
        peer.sends(b"before")
        assert read_all(other, 6) == b"before"
        sealer = Sealer(peer)
        sealer.sends(sealer.seals(b"one"), sealer.empty_record())
        assert read_all(other, 3) == b"one"
        echo_works(sealer, other)
        sealer.sends(sealer.close_notify())
        assert other.recv(1) == b""


def test_the_certificate_of_a_client_is_no_data() -> None:
    """Several encrypted records of the handshake come before those that count."""
    with pair(client_ca=ZOO.ca) as (peer, other):
        echo_works(Sealer(peer), other)


@pytest.mark.parametrize("serves", [False, True])
def test_key_updates_are_answered(serves: bool) -> None:
    with pair(serves=serves) as (peer, other):
        sealer = Sealer(peer)
        sealer.sends(sealer.key_update(request=False), sealer.key_update(request=True))
        echo_works(sealer, other)
        sealer.sends(sealer.key_update(request=True), sealer.seals(b"x"))
        assert read_all(other, 1) == b"x"
        other.sendall(b"after the other side's KeyUpdate")
        peer.reads_exactly(b"after the other side's KeyUpdate")
        echo_works(sealer, other)


def test_one_user_canceled_is_no_end() -> None:
    with pair() as (peer, other):
        sealer = Sealer(peer)
        sealer.sends(sealer.warning_alert())
        echo_works(sealer, other)


# -- what has to be refused ------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Callable[[Sealer], bytes], str]] = {
    "oversized": (lambda sealer: sealer.oversized(), "DATA_LENGTH_TOO_LONG"),
    "unknown type": (lambda sealer: sealer.unknown_type(), "BAD_RECORD_TYPE"),
    "no type": (lambda sealer: sealer.no_type(), "BAD_RECORD_TYPE"),
    "fatal alert": (lambda sealer: sealer.alert(80), "TLSV1_ALERT_INTERNAL_ERROR"),
    "bad KeyUpdate": (lambda sealer: sealer.seals(bytes([24, 0, 0, 1, 2]), 22), "BAD_KEY_UPDATE"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_breaks_the_rules_is_refused(name: str) -> None:
    make, reason = REFUSED[name]
    with pair() as (peer, other):
        sealer = Sealer(peer)
        sealer.sends(make(sealer))
        with pytest.raises(ssl.SSLError) as error:
            other.recv(1)
        assert error.value.reason == reason


def test_a_record_under_the_wrong_number_is_refused() -> None:
    with pair() as (peer, other):
        sealer = Sealer(peer)
        sealer.seals(b"lost")
        sealer.sends(sealer.seals(b"found"))
        with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac|decryption.failed"):
            other.recv(1)


#: SSL_OP_ALLOW_CLIENT_RENEGOTIATION of OpenSSL 3, which Python does not name.
_ALLOW_RENEGOTIATION = 1 << 8


@pytest.mark.parametrize(("allowed", "answer"), [(False, ALERT), (True, HANDSHAKE)])
def test_renegotiation_is_a_real_one(allowed: bool, answer: int) -> None:
    """A server that allows it answers with its ServerHello, others with an alert."""
    with pair(version=TLS12, options=_ALLOW_RENEGOTIATION if allowed else 0) as (peer, other):
        sealer = Sealer(peer)
        before = len(peer.raw_in)
        sealer.sends(sealer.renegotiation())
        other.settimeout(0.2)
        with pytest.raises(OSError):  # it waits for more of the handshake, or for data
            other.recv(1)
        with suppress(TimeoutError):
            peer.openssl.read(1, time.monotonic())
        assert split(peer.raw_in[before:])[0][0].type == answer


# -- floods ----------------------------------------------------------------------------------------------------------


def drain(other: ssl.SSLSocket, until: bytes, seen: bytearray) -> None:
    while not seen.endswith(until):
        data = other.recv(65_536)
        if not data:
            return
        seen += data


@pytest.mark.slow
def test_a_flood_of_key_updates_is_fast_and_in_step() -> None:
    with pair() as (peer, other):
        sealer, seen = Sealer(peer), bytearray()
        thread = threading.Thread(target=drain, args=(other, b"end", seen))
        thread.start()
        began = time.monotonic()
        assert sealer.floods(lambda: sealer.key_update(request=False), 20_000, what="KeyUpdates") == 20_000
        assert time.monotonic() - began < 10
        sealer.sends(sealer.seals(b"end"))
        thread.join(10)
        assert seen == b"end"


def test_a_flood_ends_with_the_connection() -> None:
    with pair() as (peer, other):
        sealer = Sealer(peer)
        other.close()
        assert sealer.floods(sealer.empty_record, 100_000, what="empty records") < 100_000


def test_a_flood_that_nobody_reads_is_told() -> None:
    with pair() as (peer, _):
        sealer = Sealer(peer)
        with pytest.raises(Broken) as broken:
            sealer.floods(lambda: sealer.padded_record(b""), 10_000, what="large records", within=0.5)
        assert broken.value.verdict == "timeout"


# -- what cannot be done ---------------------------------------------------------------------------------------------


def test_what_is_not_there_is_ours() -> None:
    with pair(version=TLS12) as (peer, _):
        sealer = Sealer(peer)
        for deed in (sealer.key_update, sealer.no_type, lambda: sealer.seals(b"", padding=1)):
            with pytest.raises(LabError):
                deed()
    with pair() as (peer, _), pytest.raises(LabError, match="renegotiation"):
        Sealer(peer).renegotiation()
    assert suite_of("ECDHE-ECDSA-AES256-SHA384") is None  # which the tester does not speak


def test_openssl_says_nothing_any_more() -> None:
    with pair() as (peer, other):
        sealer = Sealer(peer)
        peer.sends(b"lost")
        echo_works(sealer, other)


# -- the key schedule, by published numbers --------------------------------------------------------------------------


def test_keys_as_in_rfc_8448() -> None:
    """Section 3: the server's application traffic secret, its key and its iv."""
    secret = bytes.fromhex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643")
    assert hkdf_expand_label(secret, "key", 16, "sha256").hex() == "9f02283b6c9c07efc26bb9f2ac92e356"
    assert hkdf_expand_label(secret, "iv", 12, "sha256").hex() == "cf782b88dd83549aadf1e984"


def test_records_of_every_suite_open_again() -> None:
    for name in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
        suite = suite_of(name)
        assert suite is not None
        out, back = Keys13(bytes(48), suite), Keys13(bytes(48), suite)
        for turn in range(3):
            record = out.seals(b"%d" % turn, 22, padding=turn)
            assert back.opens(record[:-1] + bytes([record[-1] ^ 1])) is None
            assert back.opens(record) == (22, b"%d" % turn)
            out.updates()
            assert back.opens(out.seals(b"")) is None
            back.updates()
            out.number = back.number
    assert suite_of("TLS_AES_128_CCM_SHA256") is None
    assert len(prf(b"secret", b"label", b"seed", 100, "sha384")) == 100
