"""CSV, in and out. Pure.

Rule 1: what comes in may begin with a byte order mark, be cut with commas, semicolons or tabs, and have rows that are
        too short; names of columns are compared without case and blanks.
Rule 2: in what goes out every cell is quoted, and none begins a formula: a spreadsheet would run it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import UsageError

#: What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Line:
    """A row of a table: its cells by the names of their columns, folded, and its line in the file, from 1."""

    number: int
    cells: Mapping[str, str]

    def first(self, *columns: str) -> str:
        """The first of these columns that is there and not empty; else an empty text."""
        return next((self.cells[name] for column in columns if self.cells.get(name := folded(column))), "")


def folded(column: str) -> str:
    """A column's name as it is compared.

    >>> folded(" E-Mail  Address ")
    'e-mail address'
    """
    return " ".join(column.casefold().split())


def read_table(data: bytes, name: str) -> tuple[list[str], list[Line]]:
    """The names of the columns, folded, and the rows. Raises UsageError; `name` is what it calls the file."""
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: byte {error.start} is not UTF-8. Save the file as CSV in UTF-8.") from None
    if "\0" in text:
        raise UsageError(f"{name} is not CSV: it holds NUL bytes. Save the file as CSV in UTF-8.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    lines: list[Line] = []
    columns: list[str] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [folded(cell) for cell in cells]
                continue
            lines.append(Line(reader.line_num, {c: v.strip() for c, v in zip(columns, cells, strict=False) if c}))
    except csv.Error as error:
        raise UsageError(f"{name}, line {reader.line_num}: this is not CSV: {error}.") from None
    if not columns:
        raise UsageError(f"{name} is empty. Its first line has to name the columns.")
    return columns, lines


def _delimiter(text: str) -> str:
    """Of comma, semicolon and tab the one that the first line has most of."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=first.count)


def write_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The text of a CSV file.

    >>> write_table(["a", "b"], [["=1+1", 2.5]]).splitlines()
    ['"a","b"', '"\'=1+1","2.5"']
    """
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([harmless(cell) for cell in columns])
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def harmless(cell: object) -> str:
    r"""A cell's text that begins no formula, on one line. Numbers stay numbers.

    >>> harmless(-1.5), harmless("-1.5"), harmless("a\nb")
    ('-1.5', "'-1.5", 'a b')
    """
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return f"{cell:.10g}"
    text = "".join(char if char.isprintable() else " " for char in str(cell))
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA[:4]) else text
