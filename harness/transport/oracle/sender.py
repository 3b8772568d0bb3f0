"""The oracle's rules for senders: what may be sent, and above all what may be sent again, and when. Pure.

Rule: a sender breaks a rule only if no correct implementation could have sent that. So what it *may* know (the
eager witness) excuses it, and only what it *must* know (the sure witness) obliges it.
"""

from __future__ import annotations

from typing import Literal

from harness.transport.oracle.ranges import Sendings, SentPiece
from harness.transport.oracle.verdicts import Verdicts, span
from harness.transport.oracle.view import FAR, Sent, View, Witness

#: Rule 3.5, seconds: the least timeout, and the first one; SLACK is how far a clock may be off.
LEAST_TIMEOUT, FIRST_TIMEOUT, LONGEST_TIMEOUT, SLACK = 0.2, 1.0, 60.0, 0.002
#: Rule 6.2.
DUPLICATES = 3
#: Rule 3.7: transmissions, the first one included.
MOST_SYNS, MOST_TIMES = 6, 9
#: A wait that grows by less than this was not doubled (3.6); outside the other two it is not exactly double.
GROWS, DOUBLE = 1.2, (1.8, 2.2)

#: What a sending is: new numbers, just an ACK, a fast retransmission, a timeout, one of these two, or something
#: that follows from the one before.
Kind = Literal["new", "empty", "fast", "timeout", "either", "answer"]


class SenderRules:
    """Checks each sending of one side once, in order."""

    def __init__(self, view: View, verdicts: Verdicts) -> None:
        self._view, self._verdicts = view, verdicts
        self._sendings = Sendings()
        self.high = 0  #: everything below was sent at least once
        self._stream = bytearray()  # bytes as they were first sent, from number 1
        self._fin: int | None = None
        self._blocks = False  # the peer has sent some
        self._answered = -1  # the last sending of which something is acknowledged
        self._chain = _Chain(verdicts)
        self._recover = 0  # recovering from a loss until this is acknowledged
        self._timeout = -1  # the last sending that may have been a timeout's
        self._timeout_high = 0  # what had been sent by then

    def look(self, row: Sent, sure: Witness, eager: Witness) -> Kind:
        """Judge one segment that was sent; returns what kind of sending it is."""
        if row.seg.rst:
            return "empty"
        self._check_numbers(row)
        if row.seg.size == 0:
            return "empty"
        self._answered = max(self._answered, self._sendings.drop_below(sure.una))
        if row.end - self.high > FAR:
            self._verdicts.sent("5.1", f"{span(row.seq, row.end)}, far beyond any window", row)
            return "new"
        self._check_bytes(row)
        probe = self._check_window(row, sure, eager)
        kind: Kind = "new"
        again = self._sendings.over(row.seq, min(row.end, self.high))
        if row.seq < sure.una:
            self._check_known(row, sure)
            kind = "answer"
        if again:
            kind = self._repeated(row, again, probe, sure, eager)
        if row.seq <= eager.una < row.end and sure.una == eager.una:
            self._chain.look(row, eager)
        self._sendings.send(
            max(row.seq, sure.una),
            row.end,
            now=row.at,
            index=row.index,
            probe=probe,
            fast=kind in ("fast", "either", "answer") and not probe,
        )
        self.high = max(self.high, row.end)
        return kind

    # -- what may be sent at all ---------------------------------------------------------------------------------

    def _check_numbers(self, row: Sent) -> None:
        """3.13 and 4.5: nothing beyond the FIN; an ACK alone has a number that was sent, or the next."""
        if row.seg.fin and not row.seg.syn:
            fin = row.end - 1
            if self._fin is None and fin + 1 < self.high:
                text = f"it ends the stream at number {fin}, and numbers up to {self.high - 1} were sent before"
                self._verdicts.sent("3.13", text, row, arrival=False)
            elif self._fin is not None and fin != self._fin:
                text = f"the FIN has number {fin}, before it had {self._fin}"
                self._verdicts.sent("3.13", text, row, arrival=False)
            self._fin = fin if self._fin is None else self._fin
        elif self._fin is not None and row.end > self._fin + (row.seg.size == 0):
            self._verdicts.sent("3.13", f"it goes beyond the FIN, number {self._fin}", row, arrival=False)
        if row.seg.size == 0 and row.seq > self.high:
            text = f"an ACK alone with number {row.seq}, the next to be sent is {self.high}"
            self._verdicts.sent("4.5", text, row, arrival=False)

    def _check_bytes(self, row: Sent) -> None:
        """3.12: a number always stands for the same byte."""
        payload = row.seg.payload
        if row.seg.syn or not payload:
            return
        at = row.seq - 1
        if at < 0:
            self._verdicts.sent("3.1", f"payload at number {row.seq}, the first byte has 1", row, arrival=False)
            return
        known = len(self._stream)
        if at > known:  # there are bytes in between that nobody has seen: they must not be taken for zeros
            self._verdicts.sent(
                "3.1", f"it leaves out {span(known + 1, at + 1)}, never sent", row, should=True, arrival=False
            )
            return
        if self._stream[at : at + len(payload)] != payload[: max(0, known - at)]:
            text = f"other bytes at {span(row.seq, row.seq + len(payload))} than before"
            self._verdicts.sent("3.12", text, row, arrival=False)
        self._stream += payload[max(0, known - at) :]

    def _check_window(self, row: Sent, sure: Witness, eager: Witness) -> bool:
        """5.1: nothing beyond the edge but a probe; returns whether it is one, or may be."""
        if row.seg.syn:
            return False
        if eager.edge is not None and row.end <= eager.edge:
            return row.seg.size == 1 and row.end > min(sure.news, eager.news)
        if eager.edge is None:
            self._verdicts.sent("5.1", f"{span(row.seq, row.end)} before the peer offered a window", row)
            return False
        probe = sure.una <= row.seq <= eager.una
        if probe and row.seg.size == 1:
            return True
        bare = probe and len(row.seg.payload) == 1  # a probe of the last byte, with the FIN
        text = f"{span(row.seq, row.end)}, and the peer has offered room up to {eager.edge - 1}"
        self._verdicts.sent("5.1", text, row, should=bare)
        return bare

    # -- what may be sent again ----------------------------------------------------------------------------------

    def _check_known(self, row: Sent, sure: Witness) -> None:
        """3.11: nothing that an acknowledgement has covered."""
        whole = row.end <= sure.una
        text = f"{span(row.seq, row.end)} again, and the ACK of everything below {sure.una} came at {sure.una_at:.4f} s"
        self._verdicts.sent("3.11", text, row, should=not whole)

    def _repeated(self, row: Sent, again: list[SentPiece], probe: bool, sure: Witness, eager: Witness) -> Kind:
        if row.seg.syn:
            return self._repeated_syn(row, again[0], eager)
        recovering = self._recover > sure.una
        self._blocks = self._blocks or eager.had_blocks
        # Who drops the ACK of an old segment with it (4.4) still counts what came before: that is the sure one.
        told = (sure.most_repeats >= DUPLICATES, sure.had_blocks, eager.most_repeats >= DUPLICATES, eager.had_blocks)
        licensed = recovering or any(told)
        first = sure.una <= again[0].left <= eager.una
        # A timer was running since the segment was sent; a fast retransmission need not have started it again.
        driven = row.at > eager.stirred_at  # nothing came at this instant, so a timer did it
        since = again[0].timed if driven else again[0].last
        late = row.at - since >= LEAST_TIMEOUT - SLACK
        follows = self._follows_timeout(again[0])
        once_more = again[0].times > 1 and row.at - again[0].timed >= LEAST_TIMEOUT - SLACK
        if (late or once_more) and first and not probe:
            self._timeout, self._timeout_high = row.index, self.high
            sure.sacked.clear()  # RFC 2018, section 8
        elif not probe:
            self._check_sacked(row, sure)
        for piece in again:
            answered = piece.probe and eager.edge is not None and row.end <= eager.edge
            if not answered:  # a probe may have been answered with a window, and its byte discarded
                self._check_soon(row, piece, licensed, eager)
        if probe or again[0].probe:
            return "answer"
        if licensed:
            self._recover = self._recover if recovering else self.high
            return "either" if late and first else "fast"
        if not (late and first) or follows:
            return "answer"
        news = min(sure.una_at, eager.una_at)
        if row.at - max(since, news) < LEAST_TIMEOUT - SLACK:
            text = f"{span(row.seq, row.end)} again, {row.at - news:.3f} s after an ACK of something new"
            self._verdicts.sent("3.5", text, row, should=True)
        return "timeout"

    def _repeated_syn(self, row: Sent, piece: SentPiece, eager: Witness) -> Kind:
        """3.5: a SYN again after a second, or in answer to the peer's."""
        answers = eager.syn_at is not None and eager.syn_at >= piece.last - SLACK
        if not answers and row.at - piece.last < FIRST_TIMEOUT - 0.01:
            text = f"the SYN again after {row.at - piece.last:.3f} s; the first timeout is {FIRST_TIMEOUT:g} s"
            self._verdicts.sent("3.5", text, row)
        return "answer" if answers else "timeout"

    def _check_soon(self, row: Sent, piece: SentPiece, licensed: bool, eager: Witness) -> None:
        """3.5 and 6.3: not twice within the least timeout without a reason, and then once per round trip."""
        quiet = row.at - piece.last
        if quiet >= LEAST_TIMEOUT - SLACK or self._follows_timeout(piece):
            return
        what = f"{span(max(row.seq, piece.left), min(row.end, piece.right))} again after {quiet:.3f} s"
        if piece.times > 1 and not (licensed and self._may_be_answered(piece.index, eager)):
            # Once may be a timer that ends at the instant of an arrival, or a recovery that begins where one has ended.
            piece.hasty += 1
            if piece.hasty > 1:
                text = f"{what}, and nothing sent since then has been answered"
                self._verdicts.sent("6.3" if licensed else "3.5", text, row)
        elif not licensed:
            rescue = self._blocks and piece.right == self.high  # RFC 6675, NextSeg() (4), may take what was just sent
            self._verdicts.sent("3.5", f"{what}, without {DUPLICATES} duplicate ACKs", row, should=rescue)

    def _may_be_answered(self, index: int, eager: Witness) -> bool:
        """Whether a sender may believe that something it sent since then was answered (it may be an earlier copy)."""
        if eager.newest >= self._view.reached[index] or self._answered >= index:
            return True
        return any(piece.left < eager.una or eager.sacked.around(piece.left) for piece in self._sendings.since(index))

    def _follows_timeout(self, piece: SentPiece) -> bool:
        """Whether it was sent before the last timeout, and not since: go-back-N sends it again."""
        return self._timeout > piece.index and piece.left < self._timeout_high

    def _check_sacked(self, row: Sent, sure: Witness) -> None:
        if sure.sacked.covers(max(row.seq, sure.una), row.end):
            text = f"{span(row.seq, row.end)} again, which a SACK block had reported"
            self._verdicts.sent("6.5", text, row, should=True)


class _Chain:
    """3.6 and 3.7: transmissions of the first unacknowledged number, with nothing heard in between."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts
        self._key = (-1, -1)
        self._times: list[float] = []

    def look(self, row: Sent, eager: Witness) -> None:
        """It is sent, perhaps again."""
        key = (eager.una, eager.count)
        if key != self._key:
            self._key, self._times = key, []
        if self._times and row.at - self._times[-1] < LEAST_TIMEOUT / 2:
            return  # whatever it is, it is not another timeout
        self._times.append(row.at)
        most = MOST_SYNS if row.seg.syn else MOST_TIMES
        if len(self._times) == most + 1:
            text = f"{span(row.seq, row.end)} for the {most + 1}th time, and no answer at all"
            self._verdicts.sent("3.7", text, row)
        if len(self._times) >= (3 if row.seg.syn else 4):
            self._check_growth(row, self._times[-2] - self._times[-3], self._times[-1] - self._times[-2])

    def _check_growth(self, row: Sent, before: float, now: float) -> None:
        if now > LONGEST_TIMEOUT + 0.1:
            self._verdicts.sent("3.6", f"it waited {now:.3f} s; the longest wait is {LONGEST_TIMEOUT:g} s", row)
        elif now >= LONGEST_TIMEOUT * 0.99:
            return
        elif now < GROWS * before:
            self._verdicts.sent("3.6", f"it waited {now:.3f} s, and {before:.3f} s the time before", row)
        elif not DOUBLE[0] * before <= now <= DOUBLE[1] * before:
            text = f"it waited {now:.3f} s, and {before:.3f} s the time before: that is not double"
            self._verdicts.sent("3.6", text, row, should=True)
