"""The oracle's way through a run: the witnesses brought up to each sending, and the parties that judge it. Pure.

The theory, and which rule is where, is in the package's own docstring.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.link.trace import Direction, Packet
from harness.transport.oracle.congestion import Envelope
from harness.transport.oracle.receiver import Promptness, ReceiverRules, Silences
from harness.transport.oracle.sender import SenderRules
from harness.transport.oracle.verdicts import Case, Level, Verdicts, Violation
from harness.transport.oracle.view import View, Witness, views
from harness.transport.segments import WireFormat, fault

__all__ = ["Case", "Level", "Violation", "broken", "judge"]


#: The rule that bytes break that are not a segment.
_RULES = {"short": "1.5", "magic": "1.5", "size": "1.3", "payload": "1.3", "checksum": "1.4"}
#: Seconds within which two things happen at the same instant: less than a simulation's nanosecond.
INSTANT = 1e-10


def judge(packets: Sequence[Packet], wire: WireFormat, case: Case | None = None) -> list[Violation]:
    """Every rule that was broken, in the order of time; at most 20 times the same one by the same side."""
    case = case or Case()
    sides = views(packets, wire, case.isns)
    if misnumbered := [found for direction in case.judged for found in _judge_first_number(sides[direction], case)]:
        return misnumbered  # whatever else would be told of its numbers follows from that
    found: list[Violation] = []
    for direction in case.judged:
        found += _judge_side(sides[direction], wire, case)
    return sorted(found, key=lambda violation: (violation.at, violation.packet))


def broken(violations: Sequence[Violation], direction: Direction | None = None) -> list[Violation]:
    """Those that fail a test, of one side or of both."""
    return [v for v in violations if v.level == "MUST" and direction in (None, v.direction)]


def _judge_first_number(view: View, case: Case) -> list[Violation]:
    """3.1: the SYN has the number that the connection was given as `isn`, if that is known."""
    verdicts = Verdicts(case, view.direction)
    first = next((row for row in view.sent if row.seg.syn), None)
    if first is not None and first.seq:
        text = f"its SYN has the number {first.seg.sequence}, and the connection was given isn={view.isn}"
        verdicts.sent("3.1", text, first, arrival=False)
    return verdicts.found


def _judge_side(view: View, wire: WireFormat, case: Case) -> list[Violation]:
    verdicts = Verdicts(case, view.direction)
    for packet in view.unreadable:
        why = fault(packet.data, wire)
        assert why is not None
        verdicts.add(_RULES[why.kind], f"what it sent is no segment: {why}", packet.number, packet.sent, arrival=False)
    _judge_sendings(view, verdicts)
    Promptness(view, verdicts).look(view.heard)
    Silences(view, verdicts).look(view.heard)
    return verdicts.found


def _judge_sendings(view: View, verdicts: Verdicts) -> None:
    """Every sending, with what its sender may have heard by then, and what it must have heard."""
    sender, receiver, envelope = (SenderRules(view, verdicts), ReceiverRules(view, verdicts), Envelope(verdicts))
    sure, eager = Witness(sure=True), Witness(sure=False)
    heard, known, maybe = view.heard, 0, 0
    is_model = view.direction in verdicts.case.models
    for row in view.sent:
        while known < len(heard) and heard[known].at < row.at - INSTANT:
            sure.hear(
                heard[known],
                sent=view.sent_by(heard[known].at),
                offered=receiver.edge,
                acknowledged=receiver.acknowledged,
            )
            known += 1
        while maybe < len(heard) and heard[maybe].at <= row.at + INSTANT:
            eager.hear(heard[maybe], sent=view.sent_by(heard[maybe].at))
            maybe += 1
        receiver.look(row, sure, eager)
        kind = sender.look(row, sure, eager)
        if not is_model:
            envelope.look(row, kind, sure, eager)
