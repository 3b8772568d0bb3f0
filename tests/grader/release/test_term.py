"""A term's parameters reach everything that is made from them, and mistakes in them are named."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from grader.course import this_course
from grader.release.term import Term, load_term, render_handout, term_module
from harness.errors import SetupError

BLOCKING = this_course().load("blocking")


def written(folder: Path, text: str) -> Path:
    path = folder / "term.toml"
    path.write_text(text)
    return path


def test_a_term_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, '[term]\nname = "2027 spring"\nmagic = 0xA7\nchecksum = "fletcher-32"\n')
    assert load_term(path) == Term("2027 spring", 0xA7, "fletcher-32")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", '"name" is missing in .term.'),
        ("[term", "not TOML"),
        ('[term]\nname = "x"\nmagic = 0\nchecksum = "crc-32"\n', "whole number from 1 on, not 0"),
        ('[term]\nname = "x"\nmagic = 256\nchecksum = "crc-32"\n', "magic is 256"),
        ('[term]\nname = "x"\nmagic = true\nchecksum = "crc-32"\n', "whole number from 1 on, not True"),
        ('[term]\nname = "x"\nmagic = 92\nchecksum = "md5"\n', "internet-16, fletcher-32, crc-32"),
        ('[term]\nname = "x\\ny"\nmagic = 92\nchecksum = "crc-32"\n', "line of text"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SetupError, match=named) as caught:
        load_term(written(tmp_path, text))
    assert "term.toml" in str(caught.value)


def test_the_module_says_what_the_term_says() -> None:
    found: dict[str, object] = {}
    exec(term_module(Term("x", 0x0A, "internet-16")), found)
    assert (found["MAGIC"], found["CHECKSUM"]) == (0x0A, "internet-16")


def test_the_handout_says_it_too() -> None:
    text = "{{ term }} {{ magic }} {{ checksum }} {{ points(1) }} {{ public(1) }}"
    made = render_handout(text, BLOCKING, Term("spring", 7, "crc-32"))
    assert made == "spring 0x07 crc-32 15 6"


def test_a_handout_that_asks_for_what_there_is_not_is_refused() -> None:
    with pytest.raises(SetupError, match=r"blocking/handout\.md"):
        render_handout("{{ magic }}", BLOCKING, None)


def test_the_examples_in_the_sentences_are_right() -> None:
    text = render_handout("{{ checksum_text }}", BLOCKING, Term("x", 1, "crc-32"))
    assert f"0x{zlib.crc32(bytes([1, 2, 3])):08x}" in text
