"""The ladder as a picture: arrows that slope with the delay, signs for what the link did, notes next to them. Pure.

Rule 1: nothing is shown by colour alone: lost ends in an X, damaged has a bolt, a copy is a double line, what
        overtook has a double chevron.
Rule 2: built as a tree of elements, never as text, so that no label can become markup.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from xml.etree import ElementTree as ET

from harness.pictures.ladder import NAMES, Fold, Mark, Note, Row, Rung
from harness.pictures.ladder_labels import INSET, LEFT, RIGHT
from harness.pictures.ladder_layout import Layout, Placed, lay_out
from harness.text.printable import printable

WIDTH = 1200
_NOTES, _NOTE_CHARACTERS, _NOTE_LINE = 938.0, 40, 14.5
_TOP = 140.0  # where the lanes begin
_LOST_AT = 0.66  # of the way, where a lost packet ends

_LANE, _PAPER = "#3d4450", "#fcfbf8"
_COLOURS: Mapping[Mark, str] = {
    "": "#2f4a6d",
    "lost": "#b3261e",
    "damaged": "#a15c00",
    "copy": "#7a3e9d",
    "overtook": "#00707a",
}
_BROKEN, _BROKEN_PAPER, _NOTE_PAPER = "#b3261e", "#fdeceb", "#f1efe9"
_LEGEND: tuple[tuple[Mark, str], ...] = (
    ("", "arrived"),
    ("lost", "lost by the link"),
    ("damaged", "damaged or cut"),
    ("copy", "copy made by the link"),
    ("overtook", "overtook others"),
)
_STYLE = (
    "text{font-family:system-ui,'Segoe UI','Noto Sans','DejaVu Sans',sans-serif;font-size:12px;fill:#20242b}"
    ".soft{fill:#666b74;font-size:11px}.n{font-variant-numeric:tabular-nums}.b{font-weight:600}"
    ".left-out{fill:#666b74;stroke-width:12px}.on{fill:#fff}"
    "svg{max-width:100%;height:auto}"  # a phone's width; opened by itself it zooms
    ".halo{paint-order:stroke;stroke:#fcfbf8;stroke-width:3.6px;stroke-linejoin:round}"
)


#: Colours for those who prefer a dark screen, by the light ones.
_DARK: Mapping[str, str] = {
    _PAPER: "#17191c",
    _LANE: "#69727f",
    "#2f4a6d": "#9dbbe6",
    "#b3261e": "#f0776d",
    "#a15c00": "#e0a64f",
    "#7a3e9d": "#c99be8",
    "#00707a": "#5cc4cf",
    _BROKEN_PAPER: "#3a201f",
    _NOTE_PAPER: "#262a2f",
    "#b9b4a8": "#6d6a63",
}


def _style() -> str:
    """The style sheet; in the dark, rules win over the colours that elements name themselves."""
    rules = [f'[fill="{old}"]{{fill:{new}}}[stroke="{old}"]{{stroke:{new}}}' for old, new in _DARK.items()]
    words = "text{fill:#e6e4df}.soft,.left-out{fill:#a2a6ad}.on{fill:#fff}.halo{stroke:#17191c}"
    return f"{_STYLE}@media(prefers-color-scheme:dark){{{''.join(rules)}{words}}}"


def ladder_svg(rows: Sequence[Row], *, names: tuple[str, str] = NAMES, title: str = "", remark: str = "") -> str:
    """A standalone SVG of 1,200 pixels' width. `remark` is a line below the title: profile, seed, what to look for."""
    layout = lay_out(rows)
    svg = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", role="img")
    svg.set("aria-label", printable(title or "packets between the two ends"))
    ET.SubElement(svg, "style").text = _style()
    paper = ET.SubElement(svg, "rect", width=str(WIDTH), fill=_PAPER)
    _head(svg, title, remark, names)
    body = ET.SubElement(svg, "g", transform=f"translate(0 {_TOP:g})")
    _lanes(body, layout)
    arrows, words, signs = (ET.SubElement(body, "g") for _ in range(3))  # from the bottom layer to the top
    for place in layout.placed:
        if isinstance(place.row, Fold):
            _fold(words, place.row, place.y_sent)
        else:
            _arrow(arrows, signs, place.row, place)
            _words(words, place.row, place)
    for pause in layout.pauses:
        _text(words, (LEFT + RIGHT) / 2, pause.y + 4, f"{_duration(pause.seconds)} pass", "soft halo", "middle")
    bottom = max(layout.height, _notes(body, layout.placed))
    height = f"{_TOP + bottom + 24:.0f}"
    paper.set("height", height)
    svg.set("viewBox", f"0 0 {WIDTH} {height}")
    svg.set("width", str(WIDTH))
    svg.set("height", height)
    return ET.tostring(svg, encoding="unicode") + "\n"


def _head(svg: ET.Element, title: str, remark: str, names: tuple[str, str]) -> None:
    title = printable(title or "Packets between the two ends")
    size = 19 if len(title) <= 100 else 14
    title = title if len(title) <= 150 else f"{title[:149]}…"
    _text(svg, 24, 34, title, "b").set("style", f"font-size:{size}px")
    if remark:
        _text(svg, 24, 55, remark if len(remark) <= 190 else f"{remark[:189]}…", "soft")
    x = 24.0
    for mark, words in _LEGEND:
        sample = ET.SubElement(svg, "g", transform=f"translate({x:g} 76)")
        _stroke(sample, mark, (0, 0), (46 * (0.8 if mark == "lost" else 1), 0))
        _sign(sample, mark, (46 * 0.8 if mark == "lost" else 24, 0), 0)
        _text(svg, x + 54, 80, words, "soft")
        x += 54 + 7 * len(words) + 26
    for lane, name in ((LEFT, names[0]), (RIGHT, names[1])):
        box = max(90.0, 8.5 * len(name) + 26)
        ET.SubElement(
            svg, "rect", x=f"{lane - box / 2:g}", y=f"{_TOP - 42:g}", width=f"{box:g}", height="24", rx="6", fill=_LANE
        )
        _text(svg, lane, _TOP - 25.5, name, "b on", "middle").set("style", "font-size:13px")


def _lanes(body: ET.Element, layout: Layout) -> None:
    for lane in (LEFT, RIGHT):
        _line(body, (lane, -20), (lane, layout.height), _LANE, "2")
        for pause in layout.pauses:
            top, end = pause.y - pause.height / 2 + 8, pause.y + pause.height / 2 - 8
            _line(body, (lane, top), (lane, end), _PAPER, "4")
            _line(body, (lane, top), (lane, end), _LANE, "2").set("stroke-dasharray", "2 5")


def _ends(rung: Rung, place: Placed) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the arrow begins and where it ends."""
    begin, end = (LEFT, RIGHT) if rung.direction == "up" else (RIGHT, LEFT)
    if rung.mark != "lost" and rung.seen is not None:
        return (begin, place.y_sent), (end, place.y_seen)
    along = _LOST_AT
    return (begin, place.y_sent), (begin + (end - begin) * along, place.y_sent + (place.y_seen - place.y_sent) * along)


def _arrow(parent: ET.Element, signs: ET.Element, rung: Rung, place: Placed) -> None:
    start, end = _ends(rung, place)
    group = ET.SubElement(parent, "g")
    seen = "never arrived" if rung.seen is None else f"arrived {rung.seen:.6f} s"
    ET.SubElement(
        group, "title"
    ).text = f"#{rung.number} {rung.label}; sent {rung.sent:.6f} s, {seen}{'; ' + rung.remark if rung.remark else ''}"
    _stroke(group, rung.mark, start, end)
    angle = math.degrees(math.atan2(end[1] - start[1], end[0] - start[0]))
    share = 1.0 if rung.mark == "lost" else 0.72
    _sign(signs, rung.mark, (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share), angle)


def _stroke(parent: ET.Element, mark: Mark, start: tuple[float, float], end: tuple[float, float]) -> None:
    """The line of an arrow and its head; a copy's line is double, a lost packet's has no head."""
    colour = _COLOURS[mark]
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    if mark == "copy":
        _line(parent, start, end, colour, "4.4")
        _line(parent, start, end, _PAPER, "1.8")
    else:
        _line(parent, start, end, colour, "1.5")
    if mark != "lost":
        wings = [(end[0] - 10 * math.cos(angle + side), end[1] - 10 * math.sin(angle + side)) for side in (0.38, -0.38)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (end, *wings))
        ET.SubElement(parent, "polygon", points=points, fill=colour)


def _sign(parent: ET.Element, mark: Mark, at: tuple[float, float], angle: float) -> None:
    """What the mark looks like, drawn upright or along the arrow."""
    if mark in ("", "copy"):
        return
    turn = f" rotate({angle:.1f})" if mark == "overtook" else ""
    place = f"translate({at[0]:.1f} {at[1]:.1f}){turn}"
    shapes = {
        "lost": "M-6 -6L6 6M-6 6L6 -6",
        "damaged": "M2 -11L-6 2L-1 2L-3 11L6 -3L1 -3L5 -11Z",
        "overtook": "M-7 -6L-1 0L-7 6M0 -6L6 0L0 6",
    }
    sign = ET.SubElement(parent, "path", d=shapes[mark], transform=place, fill="none")
    sign.set("stroke", _COLOURS[mark])
    sign.set("stroke-width", "2.4")
    if mark == "damaged":
        sign.set("fill", "#ffd45e")
        sign.set("stroke-width", "1.2")


def _words(parent: ET.Element, rung: Rung, place: Placed) -> None:
    """The label along the arrow, the number and the times outside the lanes."""
    start, end = _ends(rung, place)
    up = rung.direction == "up"
    flat = (end[1] - start[1]) / abs(end[0] - start[0]) if place.label.tilted else 0.0
    x = LEFT + INSET if up else RIGHT - INSET
    y = start[1] + flat * INSET - 4
    label = _text(parent, x, y, "", "n halo", "start" if up else "end")
    label.set("transform", f"rotate({math.degrees(math.atan(flat)) * (1 if up else -1):.2f} {x:.1f} {y:.1f})")
    ET.SubElement(label, "tspan").text = place.label.text
    if place.label.remark:
        tail = ET.SubElement(label, "tspan", fill=_COLOURS[rung.mark])
        tail.set("class", "b")
        tail.text = f"  {place.label.remark}"
    own, other = (LEFT - 10, RIGHT + 10) if up else (RIGHT + 10, LEFT - 10)
    number = _text(parent, own, place.y_sent + 4, "", "n", "end" if up else "start")
    parts = [(f"{rung.sent:.4f}", "soft"), (f"#{rung.number}", "b")]
    for index, (words, kind) in enumerate(parts if up else parts[::-1]):
        span = ET.SubElement(number, "tspan")
        span.set("class", kind)
        span.text = f"  {words}" if index else words
    number.set("xml:space", "preserve")
    label.set("xml:space", "preserve")
    if rung.seen is not None:
        _text(parent, other, place.y_seen + 4, f"{rung.seen:.4f}", "soft n", "start" if up else "end")
    if any(note.broken for note in rung.notes):
        dot = ET.SubElement(parent, "circle", cx=f"{start[0]:g}", cy=f"{place.y_sent:.1f}", r="7.5", fill=_BROKEN)
        dot.set("stroke", _PAPER)
        _text(parent, start[0], place.y_sent + 4.2, "!", "b on", "middle")


def _fold(parent: ET.Element, fold: Fold, y: float) -> None:
    left, right = LEFT - 8, RIGHT + 8
    wave = " ".join(f"{left + (right - left) * n / 40:.1f},{y + (5 if n % 2 else -5):.1f}" for n in range(41))
    band = ET.SubElement(parent, "polyline", points=wave, fill="none", stroke=_PAPER)
    band.set("stroke-width", "9")
    edge = ET.SubElement(parent, "polyline", points=wave, fill="none", stroke="#b9b4a8")
    edge.set("stroke-width", "1.2")
    _text(parent, (left + right) / 2, y + 4, fold.sentence, "halo n left-out", "middle")


def _notes(body: ET.Element, placed: Iterable[Placed]) -> float:
    """Draw the notes in their column, each as near to its packet as the one before allows; returns where they end.

    A note that several packets have stands once, at the first of them.
    """
    free = -_TOP
    placed = list(placed)
    having: dict[Note, list[int]] = {}
    for place in placed:
        if isinstance(place.row, Rung):
            for note in place.row.notes:
                having.setdefault(note, []).append(place.row.number)
    for place in placed:
        if isinstance(place.row, Fold):
            continue
        for note in place.row.notes:
            numbers = having[note]
            if numbers[0] != place.row.number:
                continue
            text = f"{_numbers(numbers)}  {note.text}"
            lines = textwrap.wrap(text, _NOTE_CHARACTERS - 6 * note.broken)[:7]
            height = _NOTE_LINE * len(lines) + 4
            top = max(place.y_sent - _NOTE_LINE / 2 - 2, free)
            _note(body, note, lines, top, height)
            middle = top + _NOTE_LINE / 2 + 2
            lead = (_NOTES - 26, place.y_sent)
            colour = _BROKEN if note.broken else "#b9b4a8"
            if abs(middle - place.y_sent) > 1:
                _line(body, lead, (_NOTES - 8, middle), colour, "1")
            free = top + height + 1.5
    return free


def _numbers(numbers: Sequence[int]) -> str:
    """Packets by number, not too many.

    >>> _numbers([3]), _numbers([3, 5]), _numbers([1, 2, 3, 4, 5, 6])
    ('#3', '#3, #5', '#1, #2, #3, #4 and 2 more')
    """
    shown, more = numbers[:4], len(numbers) - 4
    return ", ".join(f"#{number}" for number in shown) + (f" and {more} more" if more > 0 else "")


def _note(body: ET.Element, note: Note, lines: Sequence[str], top: float, height: float) -> None:
    box = ET.SubElement(
        body, "rect", x=f"{_NOTES - 8:g}", y=f"{top:.1f}", width=f"{WIDTH - _NOTES - 4:g}", height=f"{height:g}", rx="4"
    )
    box.set("fill", _BROKEN_PAPER if note.broken else _NOTE_PAPER)
    if note.broken:
        ET.SubElement(body, "rect", x=f"{_NOTES - 8:g}", y=f"{top:.1f}", width="4", height=f"{height:g}", fill=_BROKEN)
    for count, line in enumerate(lines):
        _text(body, _NOTES + 4, top + _NOTE_LINE * (count + 1) - 1.5, line, "b" if note.broken and not count else "")


def _duration(seconds: float) -> str:
    """A time for people to read.

    >>> _duration(0.0124), _duration(0.96), _duration(12.0)
    ('12.4 ms', '960 ms', '12.0 s')
    """
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 10 else f"{seconds:.1f} s"


def _text(parent: ET.Element, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> ET.Element:
    element = ET.SubElement(parent, "text", x=f"{x:.1f}", y=f"{y:.1f}")
    if kind:
        element.set("class", kind)
    if anchor != "start":
        element.set("text-anchor", anchor)
    element.text = printable(words) or None
    return element


def _line(
    parent: ET.Element, start: tuple[float, float], end: tuple[float, float], colour: str, width: str
) -> ET.Element:
    line = ET.SubElement(
        parent,
        "line",
        x1=f"{start[0]:.1f}",
        y1=f"{start[1]:.1f}",
        x2=f"{end[0]:.1f}",
        y2=f"{end[1]:.1f}",
        stroke=colour,
    )
    line.set("stroke-width", width)
    return line
