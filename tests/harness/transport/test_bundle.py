"""Bundles: what goes in comes out, what is wrong is refused with a reason, nothing grows without bound."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.link.trace import Packet
from harness.transport.pictures.bundle import BadBundle, Bundle, Finding, as_data, fitting, from_json, to_json
from harness.transport.segments import Seg, WireFormat, build

WIRE = WireFormat(0x5C, "fletcher-32")
SYN = build(Seg(7, syn=True, window=9), WIRE)
PACKETS = [
    Packet(1, 0.0, 0.02, "up", SYN, SYN, "delivered"),
    Packet(2, 0.02, None, "down", b"\x00\xff", b"", "lost", "drop"),
    Packet(3, 0.5, 0.6, "up", b"sound", b"soond", "corrupted"),
    Packet(3, 0.5, 0.7, "up", b"sound", b"sound", "duplicated"),
    Packet(4, 1.0, 1.1, "down", b"", b"", "delivered"),
]
BUNDLE = Bundle(
    assignment="transport",
    check="test_loss.py::test_first_syn",
    title="The first SYN is lost.",
    remark="profile near, seed 7",
    message="rule 3.4 was broken",
    seed="ab12",
    run={"bytes": 32768, "profile": "near"},
    misfortunes=("the first SYN is lost",),
    wire=WIRE,
    names=("client", "server"),
    packets=tuple(PACKETS),
    findings=(Finding(3, "rule 3.4 (MUST): beyond the window"), Finding(0, "no packet in particular", must=False)),
    left_out=2,
)


def test_what_goes_in_comes_out() -> None:
    assert from_json(to_json(BUNDLE)) == BUNDLE
    assert "\n" not in to_json(BUNDLE)
    assert to_json(BUNDLE).isascii()


packets = st.builds(
    Packet,
    st.integers(1, 2**40),
    st.floats(0, 1e6),
    st.none() | st.floats(0, 1e6),
    st.sampled_from(["up", "down"]),
    st.binary(max_size=40),
    st.binary(max_size=40),
    st.sampled_from(["delivered", "lost", "reordered"]),
    st.text(max_size=20),
)


@given(st.lists(packets, max_size=5), st.text(max_size=20))
def test_any_packets_and_any_text_survive(rows: list[Packet], title: str) -> None:
    bundle = Bundle(assignment="transport", title=title, packets=tuple(rows))
    assert from_json(to_json(bundle)) == bundle


def test_the_pictures_are_made_of_it() -> None:
    recording = BUNDLE.recording()
    text = recording.ladder_text()
    assert "SYN seq=0 win=9" in text
    assert "!!  rule 3.4 (MUST): beyond the window" in text
    assert "#3" in recording.ladder_svg()
    assert recording.pcapng().startswith(b"\x0a\x0d\x0d\x0a")
    assert "2 packets of this long run" in recording.remark


def changed(**what: object) -> str:
    return json.dumps({**as_data(BUNDLE), **what})


def with_row(place: int, value: Any) -> str:
    rows = as_data(BUNDLE)["packets"]
    rows[0][place] = value
    return changed(packets=rows)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a bundle"),
        ("{}", "not a bundle"),
        (changed(schema=2), "another version"),
        (changed(packets={}), '"packets" is not a list'),
        (changed(packets=[[]] * 50_001), "more than 50,000"),
        (changed(packets=[[1, 2, 3]]), "8 parts"),
        (changed(title=7), '"title" is not a text'),
        (changed(names=["one"]), "two texts"),
        (changed(run={"a": []}), "neither a text nor a number"),
        (changed(run={"a": float("nan")}), "neither a text nor a number"),
        (changed(wire={"magic": 900, "checksum": "crc-32"}), "magic"),
        (changed(wire={"magic": 9, "checksum": "md5"}), "checksum"),
        (changed(findings=[[1]]), "number, a text"),
        (changed(left_out=-1), "left_out"),
        (with_row(0, True), "number of things"),
        (with_row(1, float("inf")), "no time"),
        (with_row(1, -1), "no time"),
        (with_row(1, float("nan")), "no time"),
        (with_row(3, "sideways"), "no direction"),
        (with_row(4, "%%%%"), "not base64"),
        (with_row(4, "A" * 100_000), "too many"),
        (with_row(6, "eaten"), "no direction or fate"),
    ],
)
def test_what_is_wrong_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(BadBundle, match=why):
        from_json(text)


def test_one_that_is_too_large_is_not_even_parsed() -> None:
    with pytest.raises(BadBundle, match="too large"):
        from_json(" " * 40_000_001)


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_nothing_else_comes_out_of_garbage(text: str | bytes) -> None:
    with pytest.raises(BadBundle):
        from_json(text)


def long_run() -> list[Packet]:
    return [Packet(n, n / 100, n / 100, "up", bytes(1000), bytes(1000), "delivered") for n in range(1, 1001)]


def test_of_a_long_run_the_ends_and_the_broken_rules_are_kept() -> None:
    kept = fitting(long_run(), [Finding(500, "rule 3.4")], most=200_000)
    numbers = [packet.number for packet in kept]
    assert sum(len(packet.data) for packet in kept) <= 200_000
    assert numbers == sorted(set(numbers))
    assert {1, 2, 499, 500, 501, 999, 1000} <= set(numbers)


def test_a_short_run_is_kept_whole() -> None:
    assert fitting(long_run(), most=1_000_000) == long_run()
    assert len(fitting(long_run(), most=999_999)) < 1000
