"""One instant of one connection as plain data: how connections are driven, here or behind a guest. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one instant of a connection brought."""

    accepted: int = 0  #: bytes that `send` took
    read: bytes = b""
    events: Sequence[str] = ()  #: the words of events: "connected", "end of stream", ...
    datagrams: Sequence[bytes] = ()
    timer: float | None = None  #: when it wants to be called: seconds, None for never


class Player(Protocol):
    """A connection, wherever it runs, one instant a call, in the order of `harness.transport.calls.guest.take_step`."""

    def step(
        self,
        *,
        now: float,
        receive: Sequence[bytes] = (),
        timer: bool = False,
        abort: bool = False,
        send: bytes = b"",
        end: bool = False,
        read: int = 0,
    ) -> StepResult:
        """Take a step. Raises Broken if it is a submission's."""
