"""What was submitted as one page, with an anchor for each file and line. Pure: files in, page out.

Rule 1: bounded: how many files, how long each, how long a line; what is left out is named.
Rule 2: colours come from Pygments' tokens, and each token's text is escaped like any other text of a stranger.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers.c_cpp import CLexer
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, String, _TokenType

from grader.reports.pages import render
from grader.reports.text import visible
from grader.reports.traces import Shown

#: Bounds of the page: files, bytes of one, bytes of all, lines of one, characters of a line.
MOST_FILES, MOST_BYTES, MOST_TOTAL, MOST_LINES, MOST_CHARACTERS = 80, 200_000, 1_000_000, 6_000, 1_000

_LEXERS: Mapping[str, type[Lexer]] = {".py": PythonLexer, ".c": CLexer, ".h": CLexer}
#: The class of a token on the page; the first that fits.
_CLASSES: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "c"),
    (String, "s"),
    (Number, "m"),
    (Keyword, "k"),
    (Name.Function, "n"),
    (Name.Class, "n"),
)


@dataclass(frozen=True)
class _File:
    name: str
    lines: tuple[str, ...]  #: as text; none if it is not text
    remark: str  #: what is not shown of it


def sources_of(files: Mapping[str, bytes]) -> dict[str, Shown]:
    """Which files and lines `source_page` shows, for links that lead there: what reports take as `sources`."""
    return {file.name: Shown(number, len(file.lines)) for number, file in enumerate(_shown(files))}


def source_page(files: Mapping[str, bytes], *, title: str = "What was submitted") -> str:
    """The files as a page that lies beside report.html. Names are paths with `/`."""
    rows = [
        {"number": number, "name": file.name, "remark": file.remark, "lines": list(_coloured(file))}
        for number, file in enumerate(_shown(files))
    ]
    return render("source.html.j2", title=title, files=rows, left=len(files) - len(rows))


def _shown(files: Mapping[str, bytes]) -> list[_File]:
    shown, total = [], 0
    for name in sorted(files)[:MOST_FILES]:
        room = min(MOST_BYTES, MOST_TOTAL - total)
        shown.append(_file(name, files[name], room))
        total += min(len(files[name]), room)
    return shown


def _file(name: str, data: bytes, room: int) -> _File:
    if b"\0" in data[:MOST_BYTES]:
        return _File(name, (), f"{len(data):,} bytes that are not text")
    text = data[:room].decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    lines = text.split("\n")[: MOST_LINES + 1]
    if lines and not lines[-1]:
        lines.pop()
    remark = "" if len(data) <= room and len(lines) <= MOST_LINES else f"the rest of {len(data):,} bytes is not shown"
    cut = tuple(row if len(row) <= MOST_CHARACTERS else f"{row[:MOST_CHARACTERS]}…" for row in lines[:MOST_LINES])
    return _File(name, cut, remark if lines or len(data) > room else "empty")


def _coloured(file: _File) -> Iterator[Markup]:
    """The lines as markup."""
    lexer = next((lexer for ending, lexer in _LEXERS.items() if file.name.endswith(ending)), None)
    rows = [visible(row, keep="\t") for row in file.lines]  # before the lexer, which takes \r for the end of a line
    if lexer is None or not rows:
        yield from map(escape, rows)
        return
    tokens = lexer(stripnl=False, ensurenl=False).get_tokens("\n".join(rows))
    line: list[str] = []
    for kind, found in groupby(tokens, key=lambda token: _class(token[0])):
        for number, text in enumerate("".join(text for _, text in found).split("\n")):
            if number:
                yield Markup("".join(line))
                line = []
            piece = str(escape(text))
            line.append(f'<i class="{kind}">{piece}</i>' if kind and text.strip() else piece)
    yield Markup("".join(line))


@functools.cache
def _class(kind: _TokenType) -> str:
    return next((name for token, name in _CLASSES if kind in token), "")  # type: ignore[comparison-overlap]
