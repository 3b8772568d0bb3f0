"""How a demonstration speaks: lines with a kind, and plain values for whoever goes on computing. Pure.

Rule 1: a demonstration prints nothing itself; every line goes to a sink at once, so that a reader can be made to wait
between two steps. The terminal and the notebooks differ in the sink only.
Rule 2: what was seen is kept as plain values, too (numbers, texts, lists): a notebook compares them with predictions.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.pictures.ladder import NAMES, Rung, ladder_lines
from harness.text.printable import printable

Kind = Literal["title", "text", "ask", "step", "head", "row", "picture", "note", "seen"]
Sink = Callable[["Line"], None]

#: Columns that a page is written for.
WIDTH = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a page, and what it is."""

    text: str
    kind: Kind


@dataclass
class Telling:
    """What a demonstration speaks to: the lines so far went to `sink`, the values are in `values`."""

    sink: Sink
    width: int = WIDTH  #: columns for what is wrapped
    values: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    _empty: bool = True  #: whether the last line was: two in a row are one

    def _line(self, text: str, kind: Kind) -> None:
        if text or not self._empty:
            self.sink(Line(text, kind))
        self._empty = not text

    def says(self, text: str, kind: Kind = "text") -> None:
        """A paragraph, or several with an empty line between them; an indented line is left as it is."""
        for paragraph in textwrap.dedent(text).strip().split("\n\n"):
            if paragraph.startswith("    "):
                self.picture(paragraph.splitlines())
                continue
            for line in textwrap.wrap(" ".join(paragraph.split()), self.width, break_on_hyphens=False):
                self._line(printable(line), kind)
            self._line("", kind)

    def step(self, who: str, what: str, result: object = "") -> None:
        """Somebody called something, and this is what came of it."""
        self.steps += 1
        shown = printable(str(result))
        arrow = f"-> {shown}" if shown else ""
        self._line(f"{self.steps:>3}  {who:<10} {printable(what):<46} {arrow}".rstrip(), "step")

    def note(self, text: str) -> None:
        """A sentence about the step before it."""
        for line in textwrap.wrap(text, self.width - 16, break_on_hyphens=False):
            self._line(f"{'':<16}{printable(line)}", "note")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table: numbers to the right, texts to the left."""
        kept = [list(row) for row in rows]
        numeric = [all(_is_figure(row[at]) for row in kept) for at in range(len(head))]
        texts = [[printable(_text(cell)) for cell in row] for row in kept]
        widths = [max(len(row[at]) for row in [list(head), *texts]) for at in range(len(head))]

        def line(cells: Sequence[str]) -> str:
            pairs = zip(cells, widths, numeric, strict=True)
            return ("     " + "  ".join(f"{c:>{w}}" if right else f"{c:<{w}}" for c, w, right in pairs)).rstrip()

        self._line("", "row")
        self._line(line(head), "head")
        for row in texts:
            self._line(line(row), "row")
        self._line("", "row")

    def picture(self, lines: Iterable[str]) -> None:
        """Lines that stay as they are."""
        for line in lines:
            self._line(printable(line), "picture")
        self._line("", "picture")

    def ladder(self, rungs: Sequence[Rung], names: tuple[str, str] = NAMES) -> None:
        """What went from one end to the other, time going down."""
        self._line("", "picture")
        self.picture(line.text for line in ladder_lines(rungs, names=names))

    def keeps(self, **values: object) -> None:
        """Values of this run: none, numbers, texts, bytes, lists and tuples of them."""
        self.values.update(values)


def _is_figure(cell: object) -> bool:
    """Whether it belongs to the right: a number, or no number where others have one."""
    return isinstance(cell, int | float) or cell in ("", "?")


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.3f}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


@dataclass(frozen=True)
class Page:
    """What is told about one concept."""

    says: str  #: what it is
    asks: str  #: what to predict before the demonstration runs
    run: Callable[[Telling], None]  #: the demonstration
    seen: str  #: what was to be seen, and why


def page(*, asks: str, seen: str) -> Callable[[Callable[[Telling], None]], Page]:
    """Makes a page of a demonstration; its docstring is what the page says first."""

    def made(run: Callable[[Telling], None]) -> Page:
        return Page(run.__doc__ or "", asks, run, seen)

    return made


def tell(title: str, told: Page, sink: Sink, *, width: int = WIDTH) -> dict[str, Any]:
    """Tell a page from beginning to end, and return the demonstration's values. Raises what the demonstration does."""
    telling = Telling(sink, width)
    sink(Line(title, "title"))
    sink(Line("", "title"))
    telling.says(told.says)
    telling.says(f"Predict: {told.asks}", "ask")
    told.run(telling)
    telling.picture([])  # an empty line
    telling.says(f"What you saw: {told.seen}", "seen")
    return telling.values
