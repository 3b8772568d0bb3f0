"""One direction through a man in the middle: what passes, what is spoiled, and that only rules hold bytes back."""

from __future__ import annotations

import ssl

import pytest

from harness.tls.peer.contexts import TLS13, server_context
from harness.tls.record_layer.rules import Point, Rule, Way, flipped, without_tls13
from harness.tls.zoo.zoo import Zoo


def record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body


HELLO, ONE, TWO, THREE = record(22, b"hello"), record(23, b"one"), record(23, b"two"), record(23, b"three")
STREAM = HELLO + ONE + TWO + THREE


def way(*rules: Rule) -> Way:
    made = Way(lambda _: None)
    for rule in rules:
        made.obeys(rule)
    return made


def through(made: Way, stream: bytes = STREAM, size: int = 1) -> bytes:
    """Bytes that come in pieces of every size are treated the same."""
    for at in range(0, len(stream), size):
        made.takes(stream[at : at + size])
    made.ends()
    return bytes(made.out)


SIZES = [1, 3, 4, 5, 6, 7, 1000]
sizes = pytest.mark.parametrize("size", SIZES)


# -- without a rule --------------------------------------------------------------------------------------------------


@sizes
@pytest.mark.parametrize(
    "stream", [STREAM, b"GET / HTTP/1.0\r\n\r\n", STREAM + b"plain", STREAM[:-2], b"\x17\x03", b""]
)
def test_all_passes(stream: bytes, size: int) -> None:
    made = way()
    assert through(made, stream, size) == stream
    assert made.fate == "end" and made.backlog == len(stream)


def test_bytes_of_a_begun_record_are_not_held_back() -> None:
    made = way()
    made.takes(ONE[:6])
    assert made.out == ONE[:6]
    made.takes(b"plain, and no record begins here")
    assert made.out.endswith(b"here")


def test_records_are_counted() -> None:
    made = way()
    through(made)
    assert (made.records, made.applications) == (4, 3)


# -- records ---------------------------------------------------------------------------------------------------------


@sizes
@pytest.mark.parametrize(
    ("rule", "seen"),
    [
        (Rule("up", "drops", Point(application=2), act=lambda _: []), HELLO + ONE + THREE),
        (Rule("up", "drops", Point(record=1), act=lambda _: []), ONE + TWO + THREE),
        (Rule("up", "doubles", Point(application=1), act=lambda w: [w, w]), HELLO + ONE + ONE + TWO + THREE),
        (Rule("up", "swaps", Point(application=1), swap=True), HELLO + TWO + ONE + THREE),
        (Rule("up", "swaps", Point(application=3), swap=True), STREAM),
        (Rule("up", "puts in", Point(application=2), inject=b"!"), HELLO + ONE + b"!" + TWO + THREE),
        (Rule("up", "puts in", inject=b"!"), b"!" + STREAM),
        (Rule("up", "changes", change=lambda n, _: b"" if n == 3 else None), HELLO + ONE + THREE),
        (Rule("up", "ends", Point(application=2), fate="end"), HELLO + ONE + TWO),
        (Rule("up", "ends", Point(record=1), fate="end"), HELLO),
        (Rule("up", "ends", Point(bytes=12), fate="end"), STREAM[:12]),
        (Rule("up", "ends", Point(bytes=0), fate="end"), b""),
        (Rule("up", "ends", fate="end"), b""),
        (Rule("up", "resets", Point(bytes=7), fate="reset"), STREAM[:7]),
        (Rule("up", "stalls", Point(bytes=7), fate="stall"), STREAM[:7]),
        (Rule("up", "stalls", Point(application=1), fate="stall"), HELLO + ONE),
        (Rule("up", "flips", Point(application=3), act=lambda w: [flipped(w)]), HELLO + ONE + TWO + flipped(THREE)),
    ],
)
def test_a_rule(rule: Rule, seen: bytes, size: int) -> None:
    rule.done = 0
    made = way(rule)
    assert through(made, size=size) == seen
    assert rule.done == 1
    assert made.fate == (None if rule.fate == "stall" else rule.fate or "end")


def test_a_rule_that_never_applies_is_known() -> None:
    rule = Rule("up", "drops", Point(application=4), act=lambda _: [])
    assert through(way(rule)) == STREAM
    assert rule.done == 0


def test_a_rule_counts_from_when_it_is_given() -> None:
    made = way()
    made.takes(HELLO + ONE + TWO[:3])
    rule = Rule("up", "drops", Point(application=1), act=lambda _: [])
    made.obeys(rule)
    made.takes(TWO[3:] + THREE)
    assert made.out == HELLO + ONE + THREE  # a header in pieces had not gone on yet


def test_a_record_that_has_begun_to_pass_passes() -> None:
    made = way()
    made.takes(HELLO + ONE[:7])
    made.obeys(Rule("up", "drops", Point(application=1), act=lambda _: []))
    made.takes(ONE[7:] + TWO + THREE)
    assert made.out == HELLO + ONE + THREE


def test_what_is_put_in_waits_for_the_end_of_a_record() -> None:
    made = way()
    made.takes(HELLO[:7])
    made.obeys(Rule("up", "puts in", inject=b"!"))
    assert made.out == HELLO[:7]
    made.takes(HELLO[7:] + ONE)
    assert made.out == HELLO + b"!" + ONE


def test_several_rules_at_once() -> None:
    rules = [
        Rule("up", "flips", Point(application=1), act=lambda whole: [flipped(whole)]),
        Rule("up", "doubles", Point(application=1), act=lambda whole: [whole, whole]),
        Rule("up", "puts in", Point(application=2), inject=b"!"),
        Rule("up", "ends", Point(application=2), fate="end"),
    ]
    assert through(way(*rules)) == HELLO + flipped(ONE) * 2 + b"!" + TWO
    assert [rule.done for rule in rules] == [1, 1, 1, 1]


# -- stalls ----------------------------------------------------------------------------------------------------------


@sizes
@pytest.mark.parametrize("point", [Point(bytes=0), Point(bytes=12), Point(bytes=17), Point(application=2), Point()])
def test_what_was_held_back_goes_on_in_order(point: Point, size: int) -> None:
    made = way(Rule("up", "stalls", point, fate="stall"))
    through(made, size=size)
    assert made.stalled and made.fate is None
    made.forgets()
    assert made.out == STREAM
    assert made.fate == "end"


def test_after_a_stall_new_rules_count_on() -> None:
    made = way(Rule("up", "stalls", Point(bytes=12), fate="stall"))
    made.takes(STREAM)
    made.forgets()
    made.takes(STREAM)
    assert made.out == STREAM * 2
    assert made.applications == 6


def test_who_waits_for_its_successor_is_not_lost() -> None:
    made = way(Rule("up", "swaps", Point(application=1), swap=True))
    made.takes(HELLO + ONE)
    assert made.out == HELLO
    made.forgets()
    assert made.out == HELLO + ONE


# -- what becomes of a record ----------------------------------------------------------------------------------------


def test_one_bit_is_changed() -> None:
    for at in (None, 0, 2, -1, 99, -99):
        changed = flipped(THREE, at)
        assert len(changed) == len(THREE) and changed[:5] == THREE[:5]
        assert sum((one ^ other).bit_count() for one, other in zip(changed, THREE, strict=True)) == 1
    assert flipped(THREE, -1)[-1] == THREE[-1] ^ 1
    assert flipped(record(23, b"")) == record(23, b"")


def client_hello(minimum: ssl.TLSVersion) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = minimum
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="server.example").do_handshake()
    return out.read()


def refusal(hello: bytes) -> str:
    """Why a server with TLS 1.3 only refuses it, "" if it does not: it can read it in both cases."""
    server = server_context(identity=Zoo().server(), versions=(TLS13, TLS13))
    incoming = ssl.MemoryBIO()
    incoming.write(hello)
    try:
        server.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()
    except ssl.SSLWantReadError:
        return ""
    except ssl.SSLError as error:
        return str(error.reason)
    raise AssertionError("a handshake of one message")


def test_a_client_hello_without_tls_13() -> None:
    hello = client_hello(ssl.TLSVersion.TLSv1_2)
    changed = without_tls13(hello)
    assert changed is not None and len(changed) == len(hello) - 2
    assert int.from_bytes(changed[3:5], "big") == len(changed) - 5
    assert int.from_bytes(changed[6:9], "big") == len(changed) - 9
    assert without_tls13(changed) is None  # nothing to take out any more
    assert (refusal(hello), refusal(changed)) == ("", "UNSUPPORTED_PROTOCOL")


def test_nothing_else_is_changed() -> None:
    hello = client_hello(ssl.TLSVersion.TLSv1_3)
    for other in (THREE, HELLO, b"", hello[:60], record(22, b"\x01" + bytes(60)), record(22, b"\x02" + hello[6:])):
        assert without_tls13(other) is None
    changed = without_tls13(hello)  # it offered nothing else
    assert changed is not None and b"\x03\x04" not in changed[100:]
