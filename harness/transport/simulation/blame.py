"""Whose doing it was that a run between two implementations failed: which side, and which numbered rule it broke. Pure.

    told = certain(outcome)        # calls that failed, other bytes, broken MUSTs: no correct implementation does that
    told = owed(outcome, "client") # a stream that stands still: what this side owed when the run was over

What is certain stands by itself. A connection that merely stands still breaks no MUST, since silence proves nothing
(the oracle's theory); here it is known that the run failed, when it ended, and what the applications wanted. So
somebody owed the next move. `owed` reads from the packets whether that was this side: each answer names the rule by
which it should have moved. Whoever has another side to play the same run with asks that first
(`harness.transport.checks.meeting`), and takes from here only which rule it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.transport.oracle.view import Sent, View, Witness, views
from harness.transport.simulation.scenarios import Role, other
from harness.transport.simulation.world import SimulationOutcome

#: How it is known: a call failed; other bytes were read or sent; the oracle's MUST; it owed the next move; the same run
#: fails as well when the course's own plays the other side.
How = Literal["call", "stream", "rule", "silence", "instead"]
#: Seconds within which everything that is owed at once has come, whatever timers a program has.
_AT_ONCE = 1.0
#: The longest first timeout, and the longest there is (rules 6.1, 3.6; seconds).
_FIRST, _LONGEST = 1.0, 60.0
#: Transmissions of one segment after which a sender may give up, and of a SYN (rule 3.7).
_MOST, _MOST_SYN = 9, 6
#: Seconds (rule 4.9).
_TIME_WAIT = 4.0


@dataclass(frozen=True)
class Blame:
    """One side's part in a failure."""

    role: Role
    how: How
    rule: str  #: number in the handout; "" if none is known
    text: str  #: one sentence, without its full stop
    packet: int = 0  #: number of the packet, 0 for none in particular


def certain(outcome: SimulationOutcome) -> list[Blame]:
    """What only a wrong implementation does, the weightiest first; one for each rule and side."""
    found: dict[tuple[Role, str], Blame] = {}
    for fault in outcome.faults:
        if fault.role is not None:
            how: How = "rule" if fault.rule else "call" if fault.kind == "call" else "stream"
            rule = fault.rule or ("" if how == "call" else "3.8" if fault.kind == "covert" else "0.6")
            found.setdefault((fault.role, rule), Blame(fault.role, how, rule, fault.text, fault.packet))
    return list(found.values())


def owed(outcome: SimulationOutcome, role: Role) -> Blame | None:
    """What a side owed when the run ended and it was not done; None if it owed nothing that can be seen."""
    return _Standing(outcome, role).owed()


class _Standing:
    """How one side stood at the end of a run."""

    def __init__(self, outcome: SimulationOutcome, role: Role) -> None:
        setting = outcome.setting
        way = {each: setting.direction(each) for each in (role, other(role))}
        sides = views(outcome.packets, setting.wire, {way[each]: setting.isn[each] for each in way})
        self.role, self.peer = role, other(role)
        self.outcome, self.now = outcome, outcome.seconds
        self.mine: View = sides[way[role]]
        self.heard = Witness(sure=False)
        self.brought_at = 0.0  # when something last came that has to be acknowledged
        self.brought = 0  # everything below came in order: it is there also for who keeps nothing that comes early
        for heard in self.mine.heard:
            self.heard.hear(heard, sent=self.mine.sent_by(heard.at))
            row = heard.origin
            if row is not None and not row.seg.rst and row.seq <= self.brought < row.end:
                self.brought, self.brought_at = row.end, heard.at
        self.next = self.mine.sent_by(self.now)  # everything below was sent
        self.words = [word for _, word in outcome.events[role]]

    def owed(self) -> Blame | None:
        """Everything that is read counts less than what is owed to the other side."""
        return (
            self._ended_early()
            or self._as_receiver()
            or self._as_sender()
            or self._to_its_application()
            or self._at_the_end()
        )

    def _blame(self, rule: str, text: str, row: Sent | None = None) -> Blame:
        return Blame(self.role, "silence", rule, f"the {self.role} {text}", row.number if row else 0)

    # -- what the other side waits for ---------------------------------------------------------------------------

    def _ended_early(self) -> Blame | None:
        """Its FIN went out though its application had not ended, or it closed before TIME-WAIT was over."""
        fin = next((row for row in self.mine.sent if row.seg.fin), None)
        if fin is None:
            return None
        if not self.outcome.ended.get(self.role, True):
            return self._blame("4.7", "sent a FIN, and its application had not ended", fin)
        closed = next((at for at, word in self.outcome.events[self.role] if word == "closed"), None)
        fins = [each.at for each in self.mine.heard if each.origin is not None and each.origin.seg.fin]
        if closed is None or not fins or fin.at >= fins[0]:
            return None
        since = closed - max(at for at in fins if at <= closed) if fins[0] <= closed else _TIME_WAIT
        if since < _TIME_WAIT - 0.1:
            return self._blame(
                "4.9", f"closed {since:.2f} s after the peer's FIN, and TIME-WAIT lasts {_TIME_WAIT:g} s"
            )
        return None

    def _as_receiver(self) -> Blame | None:
        rows = self.mine.sent
        said = max((row.ack for row in rows if row.seg.ack and not row.seg.rst), default=0)
        room = max((row.edge for row in rows), default=1)
        if said < min(self.brought, room) and self._long_ago(self.brought_at) and "closed" not in self.words:
            last = min(self.brought, room) - 1
            what = f"number {said}" if said == last else f"numbers {said} to {last}"
            if said == 0:
                return self._blame("3.2", f"did not answer the SYN that reached it at {self.brought_at:.3f} s")
            return self._blame("3.4", f"has not acknowledged {what}, there since {self.brought_at:.3f} s")
        last_row = rows[-1] if rows else None
        comes = [each for each in self.mine.heard if each.origin is not None and each.origin.seg.size]
        over = set(self.words) & {"closed", "reset", "timed out"}
        if comes and not over and self._long_ago(comes[-1].at) and (last_row is None or last_row.at < comes[-1].at):
            what = f"number {comes[-1].origin.seq}" if comes[-1].origin is not None else "what"
            return self._blame("3.4", f"sent no ACK of {what}, which came (again) at {comes[-1].at:.3f} s")
        read = len(self.outcome.received[self.role])
        shut = last_row is not None and last_row.seg.ack and last_row.seg.window == 0
        waits = read < len(self.outcome.setting.data[self.peer])
        if shut and waits and read >= self.brought - 1 and self._long_ago(self._read_at()):
            return self._blame("5.4", f"keeps its window shut, though all of {read:,} bytes were read", last_row)
        return None

    def _as_sender(self) -> Blame | None:
        if self.words and self.words[-1] in ("closed", "reset"):
            return None
        unacknowledged = self.heard.una
        if unacknowledged < self.next:
            return self._unrepeated(unacknowledged)
        taken, ended = self.outcome.taken.get(self.role, 0), self.outcome.ended.get(self.role, False)
        last = self.mine.sent[-1] if self.mine.sent else None
        if last is None:
            return self._blame("3.2", "never sent a SYN") if self.role == "client" else None
        fin = ended and self.next == taken + 1
        if not (self.next <= taken or fin) or not self._long_ago(last.at):
            return None
        if (self.heard.edge or 0) > self.next:
            rule, what = ("3.13", "its FIN") if fin else ("5.2", f"{taken + 1 - self.next:,} bytes")
            return self._blame(rule, f"has {what} to send, and room for it, and has been silent since {last.at:.3f} s")
        if self.now - last.at > 2 * _LONGEST + _AT_ONCE or not self._probed():
            return self._blame("5.5", f"does not probe a window that is shut: silent since {last.at:.3f} s", last)
        return None

    def _unrepeated(self, number: int) -> Blame | None:
        """Something is not acknowledged: whether it was sent again as often as it has to be."""
        rows = [row for row in self.mine.sent if row.seq <= number < row.end]
        if not rows:
            return None
        count, last, is_syn = len(rows), rows[-1], number == 0
        gave_up = self.words and self.words[-1] == "timed out"
        enough = _MOST_SYN if is_syn else _MOST
        fin = last.seg.fin and number == last.end - 1
        rule, what = ("3.13", "its FIN") if fin else ("3.5", "its SYN" if is_syn else f"number {number}")
        times = "once" if count == 1 else f"{count} times"
        if gave_up and count < enough:
            return self._blame("3.7", f"gave up after it had sent {what} {times}", last)
        patience = 2 * min(_LONGEST, _FIRST * 2 ** (count - 1)) + _AT_ONCE
        if not gave_up and count < enough and self.now - last.at > patience:
            return self._blame(rule, f"sent {what} {times}, at {last.at:.3f} s last, and nobody acknowledged it", last)
        return None

    def _probed(self) -> bool:
        """Whether it has sent anything since the window was shut, beyond what is acknowledged."""
        return any(row.seq >= self.heard.una and row.seg.size and row.again for row in self.mine.sent[-3:])

    # -- what its own application waits for ----------------------------------------------------------------------

    def _to_its_application(self) -> Blame | None:
        read, brought = len(self.outcome.received[self.role]), self.brought
        ends = self.heard.fin is not None and brought == self.heard.fin + 1
        there = brought - 1 - ends
        if read < there and self._long_ago(max(self.brought_at, self._awake())):
            return self._blame("0.6", f"has handed on {read:,} of the {there:,} bytes that are there in order")
        if ends and "end of stream" not in self.words and self._long_ago(self.brought_at):
            return self._blame("3.13", f"never told the end of the stream, whose FIN came by {self.brought_at:.3f} s")
        return None

    def _at_the_end(self) -> Blame | None:
        """Both streams have ended, everything is acknowledged, and it does not close."""
        ends = self.heard.fin is not None and self.heard.next == self.heard.fin + 1
        mine = self.outcome.ended.get(self.role, False) and self.next == self.outcome.taken.get(self.role, 0) + 2
        if not self.outcome.setting.scenario.closes:
            return None
        if ends and mine and self.heard.una == self.next and not set(self.words) & {"closed", "reset", "timed out"}:
            return self._blame("4.9", "does not close, though both streams have ended and are acknowledged")
        return None

    def _long_ago(self, at: float) -> bool:
        return self.now - at > _AT_ONCE

    def _read_at(self) -> float:
        arrivals = self.outcome.arrivals[self.role]
        return arrivals[-1][0] if arrivals else 0.0

    def _awake(self) -> float:
        """When its application last began to read."""
        sleeps = self.outcome.setting.scenario.app(self.role).sleeps
        return sleeps[1] if sleeps else 0.0


def of_side(told: Sequence[Blame], role: Role) -> list[Blame]:
    """What is told of one side."""
    return [blame for blame in told if blame.role == role]
