"""A transfer as curves over time: numbers sent and acknowledged, bytes in flight and the window, round trips.

The only place that imports matplotlib, which is optional (the extra `plots`). Nothing here needs a display, and
nothing changes matplotlib's global state.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import SetupError
from harness.text.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Width and height in inches: 1,200 by 900 points of CSS, as wide as a ladder.
SIZE = (12.5, 9.375)
_INK, _SOFT, _GRID, _PAPER = "#20242b", "#666b74", "#e4e0d7", "#fcfbf8"
_SENT, _AGAIN, _LOST, _ACKED, _EDGE, _RTT = "#2f4a6d", "#a15c00", "#b3261e", "#1c7547", "#9a948a", "#7a3e9d"


class NoPlots(SetupError):
    """matplotlib is not there; the message says how to get it."""


@dataclass(frozen=True)
class Dots:
    """Points of the sequence diagram: segments, as lines from the first number to the one after the last."""

    at: Sequence[float]  #: seconds
    first: Sequence[int]
    end: Sequence[int]


@dataclass(frozen=True)
class Curves:
    """The curves of one direction. A curve is a list of (seconds, value), a step at each."""

    name: str  #: of the direction: "client to server"
    sent: Dots
    again: Dots
    lost: Dots
    acknowledged: Sequence[tuple[float, int]]
    edge: Sequence[tuple[float, int]]  #: the right edge of the window, as far as the sender knew
    flight: Sequence[tuple[float, int]]  #: bytes sent and not acknowledged
    window: Sequence[tuple[float, int]]  #: bytes that the peer offered
    round_trips: Sequence[tuple[float, float]]  #: seconds, seconds


#: Most marks of one kind in a picture; if there are more, only every second, third, ... is drawn.
_MOST_MARKS = 4000
#: If there are more than this, each is drawn half as large.
_MANY_MARKS = 100
_STYLE: Any = {
    "svg.hashsalt": "socketlab",  # the same curves give the same file
    "svg.fonttype": "none",  # text stays text
    "font.family": "sans-serif",
    "font.size": 10.0,
    "path.simplify": True,
}


def draw(curves: Curves, *, title: str = "", form: Literal["svg", "png"] = "svg") -> bytes:
    """Draw the picture. Raises NoPlots."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise NoPlots(
            "plots need matplotlib, which is not installed here: pip install matplotlib (the extra socketlab[plots])"
        ) from None
    out = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=SIZE, facecolor=_PAPER)
        _fill(figure, curves, title or "A transfer over time")
        if form == "svg":
            figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
            return _plain_svg(out.getvalue())
        figure.savefig(out, format="png", dpi=96, metadata={"Software": None})
    return out.getvalue()


def _fill(figure: Figure, curves: Curves, title: str) -> None:
    figure.subplots_adjust(left=0.093, right=0.985, top=0.915, bottom=0.06)
    top, middle, bottom = figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": [5, 3, 2.2], "hspace": 0.13})
    words: dict[str, Any] = {"ha": "left", "parse_math": False}
    figure.text(0.012, 0.962, printable(title), size=15, weight="bold", color=_INK, **words)
    figure.text(0.012, 0.934, printable(curves.name), color=_SOFT, **words)
    _numbers(top, curves)
    _windows(middle, curves)
    _round_trips(bottom, curves)
    bottom.set_xlabel("seconds", color=_SOFT)
    figure.align_ylabels()


def _numbers(axes: Axes, curves: Curves) -> None:
    """What was sent and acknowledged by when, and how far the window let the sender go."""
    _steps(axes, curves.edge, _EDGE, "window's right edge", linestyle=(0, (4, 3)), linewidth=1.0)
    _steps(axes, curves.acknowledged, _ACKED, "acknowledged", linewidth=1.6)
    _bars(axes, curves.sent, _SENT, "sent", linewidth=2.0)
    _bars(axes, curves.again, _AGAIN, "sent again", linewidth=2.6, marker="^", markersize=6)
    _bars(axes, curves.lost, _LOST, "lost or damaged", linewidth=0.0, marker="x", markersize=7, markeredgewidth=1.8)
    highest = max([*curves.sent.end, *curves.again.end, *(n for _, n in curves.acknowledged)], default=1)
    axes.set_ylim(-0.03 * highest, 1.12 * highest)  # a much higher edge would flatten the rest
    _dress(axes, "sequence numbers")


def _windows(axes: Axes, curves: Curves) -> None:
    _steps(axes, curves.window, _EDGE, "window offered", linestyle=(0, (4, 3)), linewidth=1.0)
    _steps(axes, curves.flight, _SENT, "in flight", linewidth=1.4)
    highest = max((count for _, count in curves.flight), default=0)
    smallest = min((size for _, size in curves.window), default=0)
    axes.set_ylim(-0.04 * max(highest, 1), 1.35 * max(highest, min(smallest, 4 * highest), 1))
    _dress(axes, "bytes")


def _round_trips(axes: Axes, curves: Curves) -> None:
    at, took = [at for at, _ in curves.round_trips], [1000 * took for _, took in curves.round_trips]
    if at:
        axes.plot(at, took, linestyle="none", marker="o", markersize=3.2, color=_RTT, label="round trip")
        axes.set_ylim(0, 1.5 * max(*took, 0.001))
    _dress(axes, "milliseconds")


def _steps(axes: Axes, points: Sequence[tuple[float, int]], colour: str, label: str, **style: Any) -> None:
    if points:
        at, values = zip(*points, strict=True)
        axes.step(at, values, where="post", color=colour, label=label, **style)


def _bars(axes: Axes, dots: Dots, colour: str, label: str, **style: Any) -> None:
    """Upright lines from the first number of each segment to its end, as one path; markers stand in the middle."""
    if not dots.at:
        return
    every = -(-len(dots.at) // _MOST_MARKS)
    rows = list(zip(dots.at, dots.first, dots.end, strict=True))[::every]
    at = [x for when, _, _ in rows for x in (when, when, when, math.nan)]
    values = [y for _, first, end in rows for y in (first, (first + end) / 2, end, math.nan)]
    if len(rows) > _MANY_MARKS and "markersize" in style:
        style["markersize"] /= 2
    axes.plot(at, values, color=colour, label=label, markevery=(1, 4), solid_capstyle="butt", **style)


def _dress(axes: Axes, unit: str) -> None:
    axes.set_facecolor("#ffffff")
    axes.set_ylabel(unit, color=_SOFT)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_SOFT)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#b9b4a8")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", frameon=True, framealpha=0.9, edgecolor=_GRID, ncols=5, fontsize=9)
    else:
        axes.text(0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center", color=_SOFT)


def _plain_svg(data: bytes) -> bytes:
    """The picture without the document type, which names an outside address, and without metadata."""
    start = data.index(b"<svg")
    text = data[start:]
    begin, end = text.find(b"<metadata>"), text.find(b"</metadata>")
    if 0 <= begin < end:
        text = text[:begin] + text[end + len(b"</metadata>") :]
    return text
