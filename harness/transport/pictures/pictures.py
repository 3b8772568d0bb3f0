"""Everything there is to see of a recorded run: ladder as text and picture, capture, plot. Pure but for the plot.

One `Recording` in, the same packet numbers in every output.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Literal

from harness.link.trace import Packet
from harness.pictures.capture import to_pcapng
from harness.pictures.ladder import MOST_ROWS, Line, Note, Row, folded, ladder_lines, rungs_of
from harness.pictures.ladder_svg import ladder_svg
from harness.pictures.plots import Curves, Dots, draw
from harness.text.printable import printable
from harness.transport.pictures.reading import Flow, Reading, Sending, read
from harness.transport.segments import WireFormat


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A recorded run."""

    packets: Sequence[Packet]
    wire: WireFormat
    names: tuple[str, str] = ("client", "server")  #: of the end that sends up, and of the other
    title: str = ""
    remark: str = ""  #: profile, seed
    findings: Mapping[int, Sequence[Note]] = field(default_factory=dict)  #: what the oracle says, by packet number

    @cached_property
    def reading(self) -> Reading:
        """What the trace says."""
        return read(self.packets, self.wire)

    @cached_property
    def notes(self) -> dict[int, list[Note]]:
        """What the oracle says, then what the packets are."""
        notes = {number: list(found) for number, found in self.findings.items()}
        for number, remarks in self.reading.remarks.items():
            notes.setdefault(number, []).extend(remarks)
        return notes

    def ladder(self, most: int = MOST_ROWS) -> list[Line]:
        """The ladder as lines of text."""
        return ladder_lines(self._rows(most), names=self.names)

    def ladder_text(self, most: int = MOST_ROWS) -> str:
        """The ladder as one text."""
        return "\n".join(line.text for line in self.ladder(most))

    def ladder_svg(self, most: int = MOST_ROWS) -> str:
        """The ladder as a picture."""
        return ladder_svg(self._rows(most), names=self.names, title=self.title, remark=self.remark)

    def pcapng(self) -> bytes:
        """The packets for Wireshark."""
        remark = f"{self.title} {self.remark}".strip()
        return to_pcapng(self.packets, names=self.names, notes=self.findings, remark=remark)

    def plot(self, form: Literal["svg", "png"] = "svg") -> bytes:
        """The direction with more data over time. Raises harness.pictures.plots.NoPlots."""
        flows = self.reading.flows
        way = max(flows, key=lambda way: sum(row.end - row.first for row in flows[way].sent))
        begin, end = self.names if way == "up" else self.names[::-1]
        name = f"{begin} to {end}" + (f"; {self.remark}" if self.remark else "")
        return draw(curves_of(flows[way], name), title=self.title, form=form)

    def summary(self) -> list[str]:
        """How it went: a line for both directions together and one for each."""
        end = max((packet.arrived or packet.sent for packet in self.packets), default=0.0)
        count = len({packet.number for packet in self.packets})
        lost = len({packet.number for packet in self.packets if packet.arrived is None})
        lines = [f"{count:,} packets in {end:.3f} s, {lost:,} of them lost by the link"]
        for way, flow in self.reading.flows.items():
            begin, to = self.names if way == "up" else self.names[::-1]
            lines.append(f"{begin} to {to}: {_in_words(flow)}")
        return [printable(line) for line in lines]

    def _rows(self, most: int) -> list[Row]:
        return folded(rungs_of(self.packets, describe=self.reading.label, notes=self.notes), most)


def _in_words(flow: Flow) -> str:
    """One direction in words: what the curves show."""
    segments = [row for row in flow.sent if row.end - row.first > 1]
    words = [f"{flow.delivered:,} bytes acknowledged", f"{len(segments):,} segments with data"]
    again, missing = sum(row.again for row in segments), sum(row.lost for row in segments)
    words += [f"{again:,} sent again"] if again else []
    words += [f"{missing:,} lost or damaged"] if missing else []
    if flow.round_trips:
        middle = 1000 * median(took for _, took in flow.round_trips)
        words.append(f"round trip {middle:.1f} ms (median of {len(flow.round_trips):,})")
    return ", ".join(words)


def curves_of(flow: Flow, name: str) -> Curves:
    """One direction as curves."""
    return Curves(
        name=name,
        sent=_dots(row for row in flow.sent if not row.again),
        again=_dots(row for row in flow.sent if row.again),
        lost=_dots(row for row in flow.sent if row.lost),
        acknowledged=flow.acknowledged,
        edge=flow.edge,
        flight=flow.flight,
        window=flow.window,
        round_trips=flow.round_trips,
    )


def _dots(rows: Iterable[Sending]) -> Dots:
    kept = list(rows)
    return Dots([row.at for row in kept], [row.first for row in kept], [row.end for row in kept])
