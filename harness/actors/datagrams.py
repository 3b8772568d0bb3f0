"""The tester's UDP sockets, told as a story. As in peer.py, bytes are believed, and every wait has a bound."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from harness.actors.listener import waiting_for
from harness.actors.program import PATIENCE
from harness.actors.story import Broken, Story, show
from harness.course.address import Address
from harness.lab.own_address import bind


class Datagrams:
    """A UDP socket of the tester; `address` is what a student's program is told, `target` where `sends` goes."""

    def __init__(
        self,
        bound: socket.socket,
        story: Story,
        *,
        address: Address | None,
        target: Address | None,
        name: str,
        ended: Callable[[], Broken | None],
    ) -> None:
        self._socket = bound
        self._story = story
        self._target = target
        self._ended = ended
        self._strangers: list[Datagrams] = []
        self.address = address if address is not None else Address("udp", *bound.getsockname()[:2])
        self.name = name or "the tester"
        self._named = f"{name} " if name else ""

    def receives(self, *, within: float = PATIENCE) -> tuple[bytes, Address]:
        """The next datagram and who sent it."""
        got = waiting_for(self._receive_within, within, self._ended)
        if got is None:
            raise Broken(
                f"no datagram came to {self.name} within {within:g} s",
                verdict="timeout",
                expected="a datagram",
                seen="silence",
            )
        data, sender = got
        self._story.add("tester", f"{self._named}receives a datagram of {len(data):,} bytes: {show(data)}")
        return data, Address("udp", host=sender[0], port=sender[1])

    def _receive_within(self, seconds: float) -> tuple[bytes, tuple[str, int]] | None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                data, sender = self._socket.recvfrom(65536)
                return data, (sender[0], sender[1])
            except TimeoutError:
                return None
            except ConnectionError:  # an ICMP error for an earlier datagram (Windows reports it here)
                continue
        return None

    def hears_nothing(self, *, for_: float) -> None:
        """No datagram for that many seconds."""
        if (got := self._receive_within(for_)) is not None:
            raise Broken("a datagram came where none should", expected="silence", seen=show(got[0]))
        self._story.add("tester", f"{self._named}hears nothing for {for_:g} s")

    def answers(self, sender: Address, data: bytes) -> None:
        """Send a datagram back to whoever asked."""
        self._story.add("tester", f"{self._named}answers with a datagram of {len(data):,} bytes: {show(data)}")
        self._socket.sendto(data, sender.pair)

    @property
    def target(self) -> Address | None:
        """The student's server, if there is one: where its answers should come from."""
        return self._target

    def sends(self, data: bytes) -> None:
        """Send a datagram to the student's server."""
        assert self._target is not None, "this socket has no target: use answers()"
        self._story.add("tester", f"{self._named}sends a datagram of {len(data):,} bytes: {show(data)}")
        self._socket.sendto(data, self._target.pair)

    # -- not in the story: for callers that tell it better --------------------------------------------------------

    def catches(self, *, within: float) -> tuple[bytes, Address] | None:
        """The next datagram and who sent it, None if none comes in time. Raises Broken if its sender has ended."""
        got = waiting_for(self._receive_within, within, self._ended)
        return None if got is None else (got[0], Address("udp", host=got[1][0], port=got[1][1]))

    def throws(self, data: bytes, to: Address | None) -> None:
        """Send a datagram to an address, or to the target."""
        where = self._target if to is None else to
        assert where is not None, "this socket has no target, and nothing has come to answer"
        self._socket.sendto(data, where.pair)

    def stranger(self) -> Datagrams:
        """Another socket of the tester, from which nobody expects an answer."""
        family = self._socket.family
        other = socket.socket(family, socket.SOCK_DGRAM)
        bind(other, self._socket.getsockname()[0])
        stranger = Datagrams(
            other, self._story, address=None, target=self._target, name="a stranger", ended=self._ended
        )
        self._strangers.append(stranger)
        return stranger

    def dismiss(self) -> None:
        """End of the test."""
        for stranger in self._strangers:
            stranger.dismiss()
        self._socket.close()
