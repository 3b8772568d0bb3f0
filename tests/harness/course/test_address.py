"""An address is written one way and read back the same; what is not one is refused with the part that is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.course.address import Address, BadAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:13", Address("tcp", host="127.0.0.1", port=13)),
        ("[::1]:0", Address("tcp", host="::1", port=0)),
        ("udp:[fd77:2::2]:65535", Address("udp", host="fd77:2::2", port=65535)),
        ("udp:0.0.0.0:13", Address("udp", host="0.0.0.0", port=13)),
        ("unix:run/day time.sock", Address("unix", path="run/day time.sock")),
    ],
)
def test_each_notation_is_read_and_written_back(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("localhost:13", "numeric"),
        ("127.0.0.1", "no port"),
        ("::1:13", "brackets"),
        ("[127.0.0.1]:13", "brackets"),
        ("127.0.0.1:65536", "0 to 65535"),
        ("127.0.0.1:-1", "0 to 65535"),
        ("127.0.0.1:1³", "0 to 65535"),
        ("unix:", "path"),
        ("", "no port"),
    ],
)
def test_what_is_no_address_is_refused_with_the_wrong_part(text: str, names: str) -> None:
    with pytest.raises(BadAddress, match=names):
        parse_address(text)


@given(st.ip_addresses(), st.integers(0, 65535), st.sampled_from(["tcp", "udp"]))
def test_every_numeric_address_survives_the_round_trip(ip: object, port: int, kind: str) -> None:
    address = Address(kind, host=str(ip), port=port)  # type: ignore[arg-type]
    assert parse_address(str(address)) == address


@given(st.text())
def test_no_text_at_all_breaks_the_reader(text: str) -> None:
    try:
        address = parse_address(text)
    except BadAddress:
        return
    assert parse_address(str(address)) == address
