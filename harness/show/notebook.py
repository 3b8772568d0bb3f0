"""The demonstrations in a notebook: printed, with the values at hand; and curves, drawn or as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.show import pages
from harness.show.curves import Points, text_plot
from harness.show.index import find
from harness.show.telling import Line


def show(concept: str, *, quiet: bool = False) -> dict[str, Any]:
    """Run a demonstration and print it, but not what a reader would have predicted and what it means: a notebook asks.

    `quiet`: only run it. Returns what was seen.

    Raises UsageError for a word that has no page, SetupError if this machine did not let it run.
    """

    def printed(line: Line) -> None:
        if not quiet and line.kind not in ("ask", "seen"):
            print(line.text)

    return pages.show(find(concept), printed)


def plot(curves: Mapping[str, Points], *, across: str, up: str) -> None:
    """Curves by name: with matplotlib where it is installed, as text where it is not."""
    try:
        from matplotlib import pyplot
    except ImportError:
        for name, points in curves.items():
            print(name)
            print("\n".join(text_plot(points, across=across, up=up)))
        return
    _, axes = pyplot.subplots(figsize=(8.5, 3.6))
    for name, points in curves.items():
        axes.plot([x for x, _ in points], [y for _, y in points], label=name, marker="o" if len(points) < 30 else "")
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    pyplot.show()
