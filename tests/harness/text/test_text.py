"""Text from outside: what is printed of it, and the lines of a stream."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from harness.text.lines import Lines
from harness.text.printable import SPACES, printable


def test_what_is_printed_steers_no_terminal() -> None:
    assert printable("a\x1b[2J\n") == "a\\x1b[2J\\n"
    assert printable("a\n\tb", keep="\n") == "a\n\\tb"
    assert printable("right\u202eleft\u2028") == "right\\u202eleft\\u2028"
    assert printable("Grüße, 山田 🙂") == "Grüße, 山田 🙂"


def test_bytes_that_are_not_utf8_stay_what_they_are() -> None:
    assert printable(b"caf\xe9") == printable("caf\udce9") == "caf\\xe9"
    assert printable("\ud800") == "\\ud800"


def test_a_space_of_another_kind_is_seen_unless_it_is_kept() -> None:
    assert printable("10\u00a0ms") == "10\\xa0ms"
    assert printable("10\u00a0ms", keep=SPACES) == "10\u00a0ms"
    assert set(SPACES) | {" "} == {chr(n) for n in range(sys.maxunicode) if unicodedata.category(chr(n)) == "Zs"}


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"one\ntwo\nthr", b"ee\n"], [b"one", b"two", b"three"]),
        ([b"\n\n one\n"], [b" one"]),
        ([b"0123456789\n"], [b"0123456789"]),
        ([b"0123456789A\nshort\n"], [None, b"short"]),
        ([b"01234", b"56789A", b"BCDEF", b"GHI\nshort\n"], [None, b"short"]),
    ],
)
def test_bytes_become_lines_of_bounded_length(pieces: list[bytes], lines: list[bytes | None]) -> None:
    reader = Lines(most=10)
    assert [line for piece in pieces for line in reader.feed(piece)] == lines
