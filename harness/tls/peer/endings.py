"""How a TLS connection ends, sent and seen: close_notify, alerts, FIN and reset, each distinguished from the others.

RFC 8446, section 6: a close_notify ends one direction of the data; a FIN without it is a truncation; every other
alert is fatal.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.actors.program import PATIENCE
from harness.actors.story import Broken, show
from harness.tls.peer.openssl import Ending
from harness.tls.record_layer.records import describe, split

if TYPE_CHECKING:
    from harness.actors.peer import Peer
    from harness.tls.peer.openssl import OpenSsl
    from harness.tls.peer.wire import Wire


class Endings:
    """Mixed into `harness.tls.peer.peer.TlsPeer`."""

    # What a TlsPeer has.
    raw: Peer
    name: str
    _openssl: OpenSsl
    _wire: Wire
    _unread: bytearray
    _tell: Callable[[str], None]
    _next: Callable[[float], bytes | Ending]
    _shake: Callable[[float], Ending | None]
    sends: Callable[..., None]

    # -- sending -------------------------------------------------------------------------------------------------

    def sends_close_notify(self, *, within: float = PATIENCE) -> None:
        """Announce that no more data comes; reading goes on, and TCP stays open. Raises Broken."""
        self._tell("sends close_notify")
        deadline = time.monotonic() + within
        self._openssl.close_notify(deadline)
        if self._openssl.unsent and self._wire.broken is None:
            raise Broken(
                f"{self.name} could not send a close_notify: the program stopped reading",
                verdict="timeout",
                expected="what was sent is read",
                seen="a full connection",
            )

    def cuts(self) -> None:
        """End TCP (FIN) right away: a truncation, unless a close_notify was sent before."""
        said = self._openssl.said_close_notify
        self._tell("ends TCP (FIN)" if said else "cuts the connection: FIN without a close_notify")
        self.raw.ends_quietly()

    def ends(self, *, within: float = PATIENCE) -> None:
        """The proper end of this direction: a close_notify and a FIN."""
        if not self._openssl.said_close_notify:
            self.sends_close_notify(within=within)
        self.cuts()

    def resets(self) -> None:
        """Abort TCP: the program sees a reset."""
        self.raw.resets()

    # -- seeing --------------------------------------------------------------------------------------------------

    @property
    def ending(self) -> Ending | None:
        """How it ended, if that was seen: `.how` is close_notify, alert, reset, end or refusal."""
        return self._openssl.ended

    def tries_handshake(self, *, within: float = PATIENCE) -> str:
        """Shake hands; "" if this end's part succeeded, else how it failed, as returned by `handshake_fails`.

        Raises Broken (timeout).
        """
        try:
            ending = self._shake(time.monotonic() + within)
        except TimeoutError:
            raise self._late("the handshake neither succeeded nor failed", "a handshake, or its end", within) from None
        if ending is None:
            self._tell("has completed its own part of the handshake")
            return ""
        self._tell(f"sees the handshake fail: {self._seen(ending)}")
        return ending.how

    def handshake_fails(self, *, within: float = PATIENCE, says: bytes = b"") -> str:
        """The handshake fails; returns how: "alert", "reset", "end", "close_notify", or "refusal", the tester's own.

        Under TLS 1.3 a client hears only after its own handshake that it was refused; says: what it has sent by then.
        Raises Broken.
        """
        if self._openssl.shaken:
            return self.is_refused(within=within)
        if how := self.tries_handshake(within=within):
            return how
        if says:
            self.sends(says, may_fail=True, within=within)
        return self.is_refused(within=within)

    def is_refused(self, *, within: float = PATIENCE) -> str:
        """The other side gives up: a fatal alert, a reset or a bare end, and not one byte of data; returns which.

        Raises Broken, for a close_notify too: that is how a connection ends that was not refused.
        """
        ending = self._ends_without("the program refuses the connection", within)
        if ending.how in ("close_notify", "refusal"):
            raise Broken(
                f"the connection of {self.name} was not refused",
                expected="a fatal alert or the end of the connection",
                seen=self._seen(ending),
            )
        self._tell(f"is refused: sees {self._seen(ending)}")
        return ending.how

    def sees_close_notify(self, *, within: float = PATIENCE) -> None:
        """Next comes a close_notify, with no data before it. Raises Broken."""
        ending = self._ends_without("a close_notify", within)
        if ending.how != "close_notify":
            raise Broken(
                f"the connection of {self.name} ended, but not with a close_notify",
                expected="a close_notify",
                seen=self._seen(ending),
            )
        self._tell("sees a close_notify")

    def sees_end(self, *, within: float = PATIENCE) -> None:
        """After the close_notify TCP ends (FIN), with nothing in between and no reset. Raises Broken."""
        deadline = time.monotonic() + within
        ending = self._ends_without("a close_notify and the end of TCP", within)
        if ending.how != "close_notify":
            raise Broken(
                f"the connection of {self.name} ended, but not with a close_notify",
                expected="a close_notify, then the end of TCP (FIN)",
                seen=self._seen(ending),
            )
        try:
            rest, end = self._openssl.raw_end(deadline)
        except TimeoutError:
            raise self._late("TCP did not end after the close_notify", "a FIN", within) from None
        if rest or end.how != "end":
            raise Broken(
                "TCP did not end as it should after the close_notify",
                expected="a FIN and nothing before it",
                seen=_raw(rest) + ("the end of the stream (FIN)" if end.how == "end" else "a reset"),
            )
        self._tell("sees the end of TCP")

    def sees_reset_or_alert(self, *, within: float = PATIENCE, data: bool = True) -> str:
        """The connection breaks: "reset" or "alert". data: bytes may come before it, and are dropped. Raises Broken."""
        return self._breaks(("reset", "alert"), "a reset or a fatal alert", within, data)

    def sees_reset(self, *, within: float = PATIENCE) -> None:
        """A reset, and no alert and no data before it. Raises Broken."""
        self._breaks(("reset",), "a reset", within, False)

    def sees_cut(self, *, within: float = PATIENCE, data: bool = False) -> str:
        """It ends in any way that is not a proper end: "reset", "alert" or "end" (a bare FIN). Raises Broken."""
        return self._breaks(("reset", "alert", "end"), "an end without a close_notify", within, data)

    def _breaks(self, ways: tuple[str, ...], awaited: str, within: float, data: bool) -> str:
        deadline = time.monotonic() + within
        known = self._openssl.ended
        try:
            while not isinstance(ending := self._next(deadline), Ending):
                if not data:
                    raise Broken(
                        f"bytes came to {self.name} where the connection should end",
                        expected=awaited,
                        seen=show(ending),
                    )
                self._unread.clear()
                if time.monotonic() > deadline:
                    raise TimeoutError  # endless data
            if known is not None and known.how == "close_notify":  # it was seen before: this is about TCP
                rest, end = self._openssl.raw_end(deadline)
                ending = Ending("alert") if rest else end if end.how == "reset" else known
        except TimeoutError:
            raise self._late(f"the connection of {self.name} did not end", awaited, within) from None
        if ending.how not in ways:
            raise Broken(
                f"the connection of {self.name} ended in another way", expected=awaited, seen=self._seen(ending)
            )
        self._tell(f"sees {self._seen(ending)}")
        return ending.how

    def _ends_without(self, awaited: str, within: float) -> Ending:
        """How it ends, when no data may come before that. Raises Broken."""
        try:
            came = self._next(time.monotonic() + within)
        except TimeoutError:
            raise self._late(f"the connection of {self.name} did not end", awaited, within) from None
        if not isinstance(came, Ending):
            raise Broken(f"data came to {self.name} where none should", expected=awaited, seen=show(came))
        return came

    def _late(self, what: str, awaited: str, within: float) -> Broken:
        return Broken(
            f"{what} within {round(within, 2):g} s", verdict="timeout", expected=awaited, seen=self._silence()
        )

    def _silence(self) -> str:
        """What came so far, for a wait in vain."""
        records = split(bytes(self._wire.came.data[:65_536]))[0]
        if not records:
            return "nothing" if not self._wire.came.count else f"{show(bytes(self._wire.came.data))}, then silence"
        return f"{describe(records[-1])}, then silence"

    def _seen(self, ending: Ending) -> str:
        if not ending.is_tls:
            return f"no TLS but {show(bytes(self._wire.came.data))}"
        return str(ending)


def _raw(rest: bytes) -> str:
    records, unfinished = split(rest)
    words = [describe(record) for record in records] + ([show(unfinished)] if unfinished else [])
    return "".join(f"{word}, then " for word in words)
