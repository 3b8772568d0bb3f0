"""What the link did to a check's packets, in words and as figures with units. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grader.reports.text import line

#: Later than this (seconds, 99th percentile) is worth a word.
_LATE = 0.005
_HAPPENED = {
    "lost": "lost",
    "overflowed": "over the queue's limit",
    "duplicated": "doubled",
    "reordered": "out of order",
}
#: Names of counters for people; others are shown as they are called.
_FIGURES = {
    "packets": "packets in",
    "overflowed": "over the queue's limit",
    "engine_drops": "lost by the engine itself",
    "data_up": "with data, from the submission",
    "data_down": "with data, from the tester",
    "late_p99": "late at most, of 99 in 100",
}


def link_words(link: Mapping[str, Any]) -> str:
    """One sentence or two; what a counter of another version says is left to the figures.

    >>> link_words({"engine": "relay", "profile": "lossy", "packets": 40, "lost": 2, "engine_drops": 0})
    '2 of 40 packets lost, as the profile lossy asks.'
    >>> link_words({"engine": "relay", "profile": "clean", "packets": 654})
    'All 654 packets delivered, as the profile clean asks.'
    >>> link_words({"packets": 0})
    'No packet came to the link.'
    """
    packets = _count(link, "packets")
    if not packets:
        return "No packet came to the link."
    happened = [f"{count} {words}" for key, words in _HAPPENED.items() if (count := _count(link, key))]
    profile = link.get("profile")
    asked = f", as the profile {line(profile)} asks" if isinstance(profile, str) and profile else ", as asked"
    if happened:
        first, *rest = happened
        number, _, what = first.partition(" ")
        told = ", ".join([f"{number} of {_packets(packets)} {what}", *rest])
    else:
        told = f"All {packets} packets delivered" if packets > 1 else "The one packet was delivered"
    said = f"{told}{asked}."
    if drops := _count(link, "engine_drops"):
        said += f" The link itself lost {drops} more, which nobody asked for."
    late = link.get("late_p99")
    if isinstance(late, int | float) and late > _LATE:
        said += f" It was late: up to {duration(late)}."
    return said


def figures(link: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every counter with its name for people and its unit, those of a nested table after them."""
    rows: list[tuple[str, str]] = []
    for key, value in link.items():
        if isinstance(value, Mapping):
            rows += [(f"{line(str(key))}, {name}", text) for name, text in figures(value)]
            continue
        name = _FIGURES.get(key, line(str(key).replace("_", " ")))
        rows.append((name, duration(value) if key == "late_p99" and isinstance(value, int | float) else _value(value)))
    return rows


def duration(seconds: float) -> str:
    """A short time with a unit in which it has a figure before the point.

    >>> duration(4.0985e-05), duration(0.0034), duration(1.25), duration(0.0)
    ('0.04 ms', '3.4 ms', '1.25 s', '0 ms')
    """
    if seconds >= 1:
        return f"{seconds:.2f} s"
    text = f"{1000 * seconds:.1f}" if seconds >= 0.001 else f"{1000 * seconds:.2f}"
    return f"{text.rstrip('0').rstrip('.')} ms"


def _value(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else line(str(value))


def _count(link: Mapping[str, Any], key: str) -> int:
    value = link.get(key)
    return value if isinstance(value, int) else 0


def _packets(count: int) -> str:
    return f"{count} packets" if count != 1 else "1 packet"
