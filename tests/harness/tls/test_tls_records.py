"""Records split and named, and markers found however they are disguised."""

from __future__ import annotations

import base64
import random
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tls.logs import endings, secret_in
from harness.tls.record_layer.hello import read_hello
from harness.tls.record_layer.records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    Record,
    begins_a_record,
    certificates,
    client_hello,
    describe,
    is_tls,
    messages,
    plaintext_in,
    split,
)

MARKER = random.Random(5).randbytes(32)


def hello(*, name: str | None = "server.example", alpn: list[str] | None = None, **limits: ssl.TLSVersion) -> bytes:
    """What OpenSSL sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    for limit, version in limits.items():
        setattr(context, limit, version)
    if alpn:
        context.set_alpn_protocols(alpn)
    outgoing = ssl.MemoryBIO()
    end = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        end.do_handshake()
    return outgoing.read()


def test_a_stream_is_split() -> None:
    one, two = Record(HANDSHAKE, 0x0301, b"abc"), Record(APPLICATION_DATA, 0x0303, b"")
    stream = one.raw + two.raw
    assert split(stream) == ([one, two], b"")
    assert split(stream + one.raw[:-1]) == ([one, two], one.raw[:-1])
    assert split(stream + b"plain text") == ([one, two], b"plain text")


@pytest.mark.parametrize(
    ("stream", "is_one"),
    [
        (b"", True),
        (b"\x16", True),
        (b"\x16\x03\x01", True),
        (b"\x16\x03\x03\x48\x00", True),
        (b"\x16\x03\x03\x48\x01", False),
        (b"\x16\x02", False),
        (b"\x18\x03", False),
        (b"GET / HTTP/1.1", False),
        (Record(APPLICATION_DATA, 0x0303, bytes(9)).raw + b"GET", False),
    ],
)
def test_what_is_tls(stream: bytes, is_one: bool) -> None:
    assert is_tls(stream) == is_one


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (ALERT, b"\x02\x2a", "alert fatal bad_certificate"),
        (ALERT, b"\x01\x00", "alert warning close_notify"),
        (ALERT, b"\x02\xc8", "alert fatal 200"),
        (ALERT, bytes(26), "alert, encrypted, 26 bytes"),
        (CHANGE_CIPHER_SPEC, b"\x01", "change of cipher"),
        (APPLICATION_DATA, bytes(16_401), "application data, 16,401 bytes"),
        (APPLICATION_DATA, b"x", "application data, 1 byte"),
        (HANDSHAKE, b"\x0e\0\0\0", "handshake ServerHelloDone"),
        (HANDSHAKE, b"\x0b\0\0\x01x\x0e\0\0\0", "handshake Certificate, ServerHelloDone"),
        (HANDSHAKE, b"\x0b\0\x10\0" + bytes(100), "handshake Certificate, the first 104 bytes"),
        (HANDSHAKE, b"\x77\x77\x77\x77" + bytes(36), "handshake, encrypted, 40 bytes"),
    ],
)
def test_a_record_in_words(kind: int, body: bytes, words: str) -> None:
    assert describe(Record(kind, 0x0303, body)) == words


def test_the_first_message_of_a_client() -> None:
    stream = hello(alpn=["h2", "http/1.1"])
    assert [describe(record) for record in split(stream)[0]] == ["handshake ClientHello"]
    found = client_hello(stream)
    assert found is not None
    assert (found.sni, found.alpn) == ("server.example", ("h2", "http/1.1"))
    assert found.versions == (0x0304, 0x0303)
    assert found.legacy_version == 0x0303 and len(found.random) == 32
    assert 0x1301 in found.cipher_suites and {0, 16, 43} <= set(found.extensions)


def test_one_that_says_less() -> None:
    found = client_hello(hello(name=None, maximum_version=ssl.TLSVersion.TLSv1_2))
    assert found is not None
    assert (found.sni, found.alpn, found.supported_versions, found.versions) == (None, (), (), (0x0303,))


def test_what_was_read_is_written_again_byte_by_byte() -> None:
    message = split(hello(alpn=["h2"]))[0][0].body
    assert read_hello(message[4:]).message() == message


def test_one_in_small_records() -> None:
    body = split(hello())[0][0].body
    pieces = [Record(HANDSHAKE, 0x0301, body[at : at + 7]).raw for at in range(0, len(body), 7)]
    assert client_hello(b"".join(pieces)) == client_hello(hello_of(body)) is not None
    assert client_hello(b"".join(pieces[:-1])) is None


def hello_of(body: bytes) -> bytes:
    return Record(HANDSHAKE, 0x0301, body).raw


@given(st.binary(max_size=200))
def test_whatever_comes_nothing_is_raised(data: bytes) -> None:
    records, rest = split(data)
    assert b"".join(record.raw for record in records) + rest == data
    assert is_tls(data) == begins_a_record(rest)
    wrapped = Record(HANDSHAKE, 0x0303, b"\x01" + len(data).to_bytes(3) + data).raw
    client_hello(wrapped)
    assert messages(wrapped) == [(1, data)]
    certificates(Record(HANDSHAKE, 0x0303, b"\x0b" + len(data).to_bytes(3) + data).raw)
    for kind in range(20, 24):
        assert describe(Record(kind, 0x0303, data))


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_hello_that_is_damaged_raises_nothing(at: int, value: int) -> None:
    body = bytearray(split(hello())[0][0].body)
    body[at % len(body)] = value
    client_hello(hello_of(bytes(body)))


def test_certificates_in_the_clear() -> None:
    chain = [b"leaf", b"an intermediate"]
    listed = b"".join(len(each).to_bytes(3) + each for each in chain)
    body = len(listed).to_bytes(3) + listed
    stream = hello_of(b"\x02\0\0\x01x" + b"\x0b" + len(body).to_bytes(3) + body)
    assert certificates(stream) == chain
    assert certificates(hello()) is None


# -- secrets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "how"),
    [
        (MARKER, "as it is"),
        (MARKER.hex().encode(), "in hex"),
        (MARKER.hex().upper().encode(), "in hex"),
        (MARKER[::-1], "backwards"),
        (bytes(byte ^ 0xFF for byte in MARKER), "inverted"),
        (bytes(byte ^ 0x2A for byte in MARKER), "XORed with 0x2a"),
        (bytes(byte ^ 0x2A for byte in reversed(MARKER)), "backwards XORed with 0x2a"),
        (base64.b64encode(MARKER), "in base64"),
        (base64.b64encode(b"x" + MARKER + b"yz"), "in base64"),
        (base64.b64encode(b"xy" + MARKER + b"z"), "in base64"),
        (base64.urlsafe_b64encode(b"x" + MARKER), "in base64"),
        (base64.b64encode(MARKER[::-1]), "backwards in base64"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 4097])
def test_a_marker_is_found(written: bytes, how: str, before: int) -> None:
    noise = random.Random(before)
    stream = noise.randbytes(before) + written + noise.randbytes(777)
    assert plaintext_in(stream, [bytes(range(100, 116)), MARKER]) == (MARKER, how)


def test_nothing_is_found_where_nothing_is() -> None:
    noise = random.Random(1).randbytes(500_000)
    assert plaintext_in(noise, [MARKER]) is None
    assert plaintext_in(MARKER[:-1], [MARKER]) is None
    assert plaintext_in(b"", [MARKER]) is None
    assert plaintext_in(noise, []) is None


def test_a_short_marker_is_no_marker() -> None:
    with pytest.raises(ValueError, match="by chance"):
        plaintext_in(b"", [bytes(15)])


def test_what_a_log_says_of_endings() -> None:
    log = b"ready\nended: closed\r\nnot ended: x\nended: refused (bad certificate)\nended: broken: mac\nended: tru"
    assert endings(log) == ["closed", "refused", "broken"]
    assert endings(b"") == []


def test_a_secret_in_a_log() -> None:
    line = base64.b64encode(MARKER + MARKER)
    key = b"-----BEGIN PRIVATE KEY-----\n" + line + b"\n-----END PRIVATE KEY-----\n"
    assert secret_in(b"nothing here\n", [MARKER, key]) is None
    assert secret_in(b"private: " + line, [key]) == "as it is"
    assert secret_in(b"got " + MARKER, [b"other", MARKER]) == "as it is"
    assert secret_in(b"got " + MARKER.hex().upper().encode(), [MARKER]) == "in hex"
    assert secret_in(b"got " + base64.b64encode(b"it is " + MARKER), [MARKER]) == "in base64"
