"""The handout's picture of the states, drawn from the table in the reference's states.py. Pure but for one read.

Rule: an arrow that the table lacks is not drawn, and a state of the table that has no place here is an error: what a
reader sees is what the code does.
"""

from __future__ import annotations

import ast
from pathlib import Path
from xml.etree import ElementTree as ET

from harness.errors import SetupError

#: Where each state stands, in the units of the picture. CLOSED stands twice: where it begins and where it ends.
_PLACES = {
    "CLOSED": (400, 40),
    "LISTEN": (190, 130),
    "SYN-SENT": (610, 130),
    "SYN-RECEIVED": (190, 250),
    "ESTABLISHED": (400, 340),
    "FIN-WAIT-1": (250, 440),
    "CLOSE-WAIT": (610, 440),
    "FIN-WAIT-2": (110, 560),
    "CLOSING": (390, 560),
    "LAST-ACK": (610, 560),
    "TIME-WAIT": (250, 680),
    "CLOSED again": (610, 680),
}
_WIDTH, _HEIGHT = 136, 36
_TIP = {"marker-end": "url(#tip)"}
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1a1a1a; text-anchor: middle; dominant-baseline: central }
  .state rect { fill: #eef3fb; stroke: #33588f; stroke-width: 1.5 }
  .state text { font-weight: 600 }
  line { stroke: #555; stroke-width: 1.3 } path { stroke: #555; stroke-width: 1.3; fill: none }
  .label rect { fill: #fff } .label text { font-size: 12px; fill: #333 }
"""


def transitions(text: str, file: str) -> list[tuple[str, str, str]]:
    """(state, cause, state) of each row that names both, in order. Raises SetupError."""
    tree = ast.parse(text)
    words = {
        f"{node.name}.{target.id}": statement.value.value
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    rows = []
    for table in (node for node in ast.walk(tree) if isinstance(node, ast.Dict)):
        for key, value in zip(table.keys, table.values, strict=True):
            if isinstance(key, ast.Tuple):
                names = [ast.unparse(part) for part in (*key.elts, value)]
                if missing := [name for name in names if name not in words]:
                    raise SetupError(f"{file}: {missing[0]} is no member of a class in it")
                before, cause, after = (str(words[name]) for name in names)
                rows.append((before, cause, after))
    if not rows:
        raise SetupError(f"{file}: it has no table {{(State.X, Cause.Y): State.Z}}")
    return rows


def draw_states(path: Path) -> str:
    """The picture of a states.py, as SVG. Raises SetupError."""
    svg = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "viewBox": "0 0 760 720"})
    svg.attrib |= {"role": "img", "aria-label": "the states"}
    ET.SubElement(svg, "style").text = _STYLE
    tip = {"id": "tip", "viewBox": "0 0 10 10", "refX": "9", "refY": "5", "markerWidth": "8", "markerHeight": "8"}
    marker = ET.SubElement(ET.SubElement(svg, "defs"), "marker", tip, orient="auto")
    ET.SubElement(marker, "path", d="M0 0 10 5 0 10z", style="fill:#555;stroke:none")
    ET.SubElement(svg, "rect", width="760", height="720", fill="#fff")
    labels = []
    for before, cause, after in transitions(path.read_text(encoding="utf-8"), path.name):
        if missing := {before, after} - _PLACES.keys():
            raise SetupError(f"{path.name}: there is no place for {', '.join(sorted(missing))} in the picture")
        end = "CLOSED again" if after == "CLOSED" else after
        labels.append((*(_loop(svg, before) if before == after else _arrow(svg, before, end)), cause))
    for name in _PLACES:
        _box(svg, name)
    for x, y, cause in labels:  # above everything
        _label(svg, x, y, cause)
    ET.indent(svg, "")
    return ET.tostring(svg, encoding="unicode") + "\n"


def _box(svg: ET.Element, name: str) -> None:
    x, y = _PLACES[name]
    group = ET.SubElement(svg, "g", {"class": "state"})
    corner = {"x": f"{x - _WIDTH / 2:g}", "y": f"{y - _HEIGHT / 2:g}"}
    ET.SubElement(group, "rect", corner, width=str(_WIDTH), height=str(_HEIGHT), rx="6")
    ET.SubElement(group, "text", x=str(x), y=str(y)).text = name.removesuffix(" again")


def _arrow(svg: ET.Element, before: str, after: str) -> tuple[float, float]:
    """An arrow between two states; where its label belongs."""
    (x, y), (u, v) = _PLACES[before], _PLACES[after]
    (x1, y1), (x2, y2) = _edge(x, y, u - x, v - y), _edge(u, v, x - u, y - v)
    line = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    ET.SubElement(svg, "line", line | _TIP)
    return (x1 + x2) / 2, (y1 + y2) / 2


def _edge(x: float, y: float, dx: float, dy: float) -> tuple[float, float]:
    """Where the ray from the middle of a box leaves it."""
    share = min(_WIDTH / 2 / abs(dx) if dx else 1e9, _HEIGHT / 2 / abs(dy) if dy else 1e9)
    return x + dx * share, y + dy * share


def _loop(svg: ET.Element, name: str) -> tuple[float, float]:
    """An arrow from a state to itself; where its label belongs."""
    x, y = _PLACES[name]
    left = x - _WIDTH / 2
    curve = f"M{left} {y - 8} C{left - 50} {y - 30} {left - 50} {y + 30} {left} {y + 8}"
    ET.SubElement(svg, "path", {"d": curve} | _TIP)
    return left - 66, y


def _label(svg: ET.Element, x: float, y: float, text: str) -> None:
    group = ET.SubElement(svg, "g", {"class": "label"})
    width = 6.6 * len(text) + 6
    ET.SubElement(group, "rect", x=f"{x - width / 2:.1f}", y=f"{y - 8:.1f}", width=f"{width:.1f}", height="16")
    ET.SubElement(group, "text", x=f"{x:.1f}", y=f"{y:.1f}").text = text
