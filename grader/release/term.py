"""What changes from term to term: `reference/<name>/term.toml`, and what is made from it: `term.py` and the handout.

Rule: term.toml is the only place where a parameter is written by hand. An assignment without one has nothing to vary.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from harness.course.assignment import Assignment
from harness.errors import SetupError
from harness.text.toml_rows import TomlFile, TomlMistake
from harness.transport.segments import BadWire, load_wire

#: What the handout says about each checksum: the algorithm, so that it can be written from the sentence.
_WORDS = "the data as 16-bit words, most significant byte first, an odd last byte as if a zero byte followed"
_CHECKSUMS = {
    "internet-16": f"It is the Internet checksum (RFC 1071): {_WORDS}; the ones' complement of their ones' "
    "complement sum, in the lower 16 bits of the field. (`45 00 00 1c` gives `0x0000bae3`.)",
    "fletcher-32": f"It is Fletcher's: {_WORDS}; two sums modulo 65,535, both from 0: *a* of the words, and *b* of "
    "the values that *a* has after each word; the field is *b* · 65,536 + *a*. (`01 02 03` gives `0x05040402`.)",
    "crc-32": "It is the CRC-32 of Ethernet and zip: polynomial 0x04C11DB7, bits reflected, begun with ones, "
    "inverted at the end, as `zlib.crc32` computes it. (`01 02 03` gives `0x55bc801d`.)",
}

_MODULE = '''"""What changes from term to term. Made from term.toml by `grader release`: edit that one."""

#: The first byte of every segment.
MAGIC = 0x{magic:02X}
#: Which checksum a segment carries: "internet-16", "fletcher-32" or "crc-32".
CHECKSUM = "{checksum}"
'''


@dataclass(frozen=True)
class Term:
    """The parameters of one term."""

    name: str  #: as the handout names it
    magic: int  #: 1 to 255
    checksum: str  #: one of internet-16, fletcher-32, crc-32


def load_term(path: Path) -> Term:
    """Read a term.toml. Raises SetupError."""
    try:
        row = TomlFile.read(path).row("term")
        name, wire = row.text("name", example='"2026 autumn"'), load_wire(path)
        if not name.isprintable():
            row.wrong("name", '"name" has to be a line of text', 'Write it as: name = "2026 autumn"')
    except (TomlMistake, BadWire) as mistake:
        raise SetupError(str(mistake)) from None
    return Term(name, wire.magic, wire.checksum)


def term_module(term: Term) -> str:
    """The text of term.py."""
    return _MODULE.format(magic=term.magic, checksum=term.checksum)


def render_handout(text: str, assignment: Assignment, term: Term | None) -> str:
    """The handout for a term. Raises SetupError when it asks for something that does not exist.

    It may say {{ term }}, {{ magic }}, {{ checksum }}, {{ checksum_text }}, {{ public(3) }} (points of the public
    checks of stage 3) and {{ points(3) }}.
    """

    def public(stage: int) -> str:
        return f"{sum(check.points for check in assignment.checks_of(stage, 'public')):g}"

    words: dict[str, Any] = {"public": public, "points": lambda stage: f"{assignment.stage(stage).points:g}"}
    if term:
        words |= {"term": term.name, "magic": f"0x{term.magic:02X}", "checksum": term.checksum}
        words["checksum_text"] = _CHECKSUMS[term.checksum]
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    try:
        return environment.from_string(text).render(words)
    except jinja2.TemplateError as error:
        raise SetupError(f"{assignment.name}/{assignment.handout}: {error}") from None
