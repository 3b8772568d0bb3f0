"""Applies a `Mangle` to the bytes of one direction of a connection: says when to write how much. Pure.

Times are integer nanoseconds and come in as `now`; the relay does what `next` says.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from harness.lab.interface import Mangle
from harness.link.model import SECOND

#: Nanoseconds between earlier bytes and a reset that is the relay's own, not a peer's. A reset at once could
#: overtake the reader: on Linux connect() fails if the connection is reset before the program has woken up.
BEFORE_RESET = 20_000_000


class MangleStep(NamedTuple):
    """What to do next."""

    do: Literal["write", "end", "reset", "wait", "idle"]  #: idle: nothing until more is fed
    data: bytes = b""  #: for write
    until: int = 0  #: for wait, nanoseconds


class Mangler:
    """Takes what arrived, says what to do. With the default Mangle everything passes unchanged."""

    def __init__(self, mangle: Mangle) -> None:
        self._mangle = mangle
        self._waiting = bytearray()
        self._ending: Literal["end", "reset"] | None = None
        self._over = False
        self._at = 0  # offset in the stream of the next byte to deliver
        self._turn = 0  # which slice is next
        self._hold = 0  # nothing happens before this time
        self._stalled = mangle.stall_at is None
        self._reset_due = 0  # when to do the reset that the Mangle asks for; 0: not yet known

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def to_be_reset(self) -> bool:
        """The sender has reset the connection, but bytes it sent before are still waiting."""
        return self._ending == "reset"

    def feed(self, data: bytes, *, now: int) -> None:
        """Bytes arrived. What comes after the end that the Mangle made is discarded."""
        if self._over:
            return
        if self._mangle.coalesce and not self._waiting:
            self._hold = max(self._hold, now + round(self._mangle.coalesce * SECOND))
        self._waiting += data

    def end(self, how: Literal["end", "reset"]) -> None:
        """The stream ended after the bytes fed so far."""
        self._ending = how

    def next(self, *, now: int) -> MangleStep:
        """What to do now; ask again until it says wait or idle."""
        mangle = self._mangle
        if self._over:
            # A reset still counts after the end: the other direction may be open.
            return self._finish("reset") if self._ending == "reset" else MangleStep("idle")
        if mangle.reset_at is not None and self._at >= mangle.reset_at:
            return self._reset(now)
        if mangle.end_at is not None and self._at >= mangle.end_at:
            return self._finish("end")
        if not self._waiting and self._ending is None:
            return MangleStep("idle")
        if not self._stalled and mangle.stall_at is not None and self._at >= mangle.stall_at:
            self._stalled = True
            self._hold = max(self._hold, now + round(mangle.stall_for * SECOND))
        if now < self._hold:
            return MangleStep("wait", until=self._hold)
        if not self._waiting:
            assert self._ending is not None
            return self._finish(self._ending)
        return self._write(now)

    def _reset(self, now: int) -> MangleStep:
        if not self._reset_due:
            self._reset_due = now + BEFORE_RESET
        return MangleStep("wait", until=self._reset_due) if now < self._reset_due else self._finish("reset")

    def _finish(self, how: Literal["end", "reset"]) -> MangleStep:
        self._over = True
        self._ending = None
        self._waiting.clear()
        return MangleStep(how)

    def _write(self, now: int) -> MangleStep:
        size = len(self._waiting)
        if self._mangle.slices:
            size = min(size, self._mangle.slices[self._turn % len(self._mangle.slices)])
            self._turn += 1
        stop = None if self._stalled else self._mangle.stall_at
        for edge in (stop, self._mangle.reset_at, self._mangle.end_at):
            if edge is not None:
                size = min(size, edge - self._at)
        data = bytes(self._waiting[:size])
        del self._waiting[:size]
        self._at += size
        if self._mangle.pause:
            self._hold = now + round(self._mangle.pause * SECOND)
        return MangleStep("write", data)
