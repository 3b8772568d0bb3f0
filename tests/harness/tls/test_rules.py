"""One direction through a man in the middle: what passes, what is spoiled, and that only rules hold bytes back."""

from __future__ import annotations

import pytest

from harness.tls.record_layer.rules import FilteredStream, Point, Rule, flipped


def record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body


HELLO, ONE, TWO, THREE = record(22, b"hello"), record(23, b"one"), record(23, b"two"), record(23, b"three")
STREAM = HELLO + ONE + TWO + THREE


def way(*rules: Rule) -> FilteredStream:
    made = FilteredStream(lambda _: None)
    for rule in rules:
        made.obeys(rule)
    return made


def through(made: FilteredStream, stream: bytes = STREAM, size: int = 1) -> bytes:
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
    assert made.finished and made.backlog == len(stream)


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
        (Rule("up", "drops", Point(application=2), act=lambda _: b""), HELLO + ONE + THREE),
        (Rule("up", "drops", Point(record=1), act=lambda _: b""), ONE + TWO + THREE),
        (Rule("up", "doubles", Point(application=1), act=lambda w: w + w), HELLO + ONE + ONE + TWO + THREE),
        (Rule("up", "ends", Point(application=2), cuts=True), HELLO + ONE + TWO),
        (Rule("up", "ends", Point(record=1), cuts=True), HELLO),
        (Rule("up", "ends", Point(bytes=12), cuts=True), STREAM[:12]),
        (Rule("up", "ends", Point(bytes=0), cuts=True), b""),
        (Rule("up", "ends", cuts=True), b""),
        (Rule("up", "flips", Point(application=3), act=lambda w: flipped(w)), HELLO + ONE + TWO + flipped(THREE)),
    ],
)
def test_a_rule(rule: Rule, seen: bytes, size: int) -> None:
    rule.done = 0
    made = way(rule)
    assert through(made, size=size) == seen
    assert rule.done == 1
    assert made.finished


def test_a_rule_that_never_applies_is_known() -> None:
    rule = Rule("up", "drops", Point(application=4), act=lambda _: b"")
    assert through(way(rule)) == STREAM
    assert rule.done == 0


def test_a_rule_counts_from_when_it_is_given() -> None:
    made = way()
    made.takes(HELLO + ONE + TWO[:3])
    rule = Rule("up", "drops", Point(application=1), act=lambda _: b"")
    made.obeys(rule)
    made.takes(TWO[3:] + THREE)
    assert made.out == HELLO + ONE + THREE  # a header in pieces had not gone on yet


def test_a_record_that_has_begun_to_pass_passes() -> None:
    made = way()
    made.takes(HELLO + ONE[:7])
    made.obeys(Rule("up", "drops", Point(application=1), act=lambda _: b""))
    made.takes(ONE[7:] + TWO + THREE)
    assert made.out == HELLO + ONE + THREE


def test_several_rules_at_once() -> None:
    rules = [
        Rule("up", "flips", Point(application=1), act=lambda whole: flipped(whole)),
        Rule("up", "doubles", Point(application=1), act=lambda whole: whole + whole),
        Rule("up", "ends", Point(application=2), cuts=True),
    ]
    assert through(way(*rules)) == HELLO + flipped(ONE) * 2 + TWO
    assert [rule.done for rule in rules] == [1, 1, 1]


# -- what becomes of a record ----------------------------------------------------------------------------------------


def test_one_bit_is_changed() -> None:
    for at in (None, 0, 2, -1, 99, -99):
        changed = flipped(THREE, at)
        assert len(changed) == len(THREE) and changed[:5] == THREE[:5]
        assert sum((one ^ other).bit_count() for one, other in zip(changed, THREE, strict=True)) == 1
    assert flipped(THREE, -1)[-1] == THREE[-1] ^ 1
    assert flipped(record(23, b"")) == record(23, b"")
