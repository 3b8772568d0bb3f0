"""CSV (RFC 4180), a row for each check.

A cell that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, "CSV Injection").
"""

from __future__ import annotations

import csv
import io

from harness.formats.result import Context, Result
from harness.formats.words import headline, line, points

COLUMNS = (
    "student",
    "assignment",
    "stage",
    "section",
    "suite",
    "check",
    "outcome",
    "points",
    "possible",
    "seconds",
    "rule",
    "message",
)
#: What begins a formula in Excel, LibreOffice and Google Sheets; the wide signs are what East Asian input makes.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def render(result: Result, context: Context) -> str:
    """The rows, with a line of headings; lines end in CRLF."""
    del context
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(COLUMNS)
    for check in result.checks:
        texts = [
            result.student,
            result.assignment,
            str(check.stage),
            check.section,
            check.suite,
            check.id,
            check.outcome.value if check.outcome else "no report",
            points(check.points),
            points(check.possible),
            f"{check.seconds:.3f}",
            check.rule,
            headline(check),
        ]
        rows.writerow([cell(text) for text in texts])
    return out.getvalue()


def cell(text: str) -> str:
    """A text that no spreadsheet calculates with.

    >>> cell("=1+1")
    "'=1+1"
    """
    shown = line(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) or shown.startswith(_FORMULA) else shown
