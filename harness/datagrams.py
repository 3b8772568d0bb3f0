"""The tester's UDP sockets, told as a story. The same rules as `peers`: bytes are believed, every wait has a bound."""

from __future__ import annotations

import socket
import time

from harness.address import Address
from harness.program import PATIENCE
from harness.steps import Broken, Story, show


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
    ) -> None:
        self._socket = bound
        self._story = story
        self._target = target
        self._strangers: list[Datagrams] = []
        self.address = address if address is not None else Address("udp", *bound.getsockname()[:2])
        self.name = name

    def receives(self, *, within: float = PATIENCE) -> tuple[bytes, Address]:
        """The next datagram and who sent it."""
        self._socket.settimeout(max(within, 0.001))
        deadline = time.monotonic() + within
        while True:
            try:
                data, sender = self._socket.recvfrom(65536)
                break
            except TimeoutError:
                raise Broken(
                    f"no datagram came to {self.name} within {within:g} s", verdict="timeout",
                    expected="a datagram", seen="silence",
                ) from None  # fmt: skip
            except ConnectionError:  # an ICMP error for an earlier datagram (Windows reports it here)
                self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
        self._story.add("tester", f"{self.name} receives a datagram of {len(data):,} bytes: {show(data)}")
        return data, Address("udp", host=sender[0], port=sender[1])

    def hears_nothing(self, *, for_: float) -> None:
        """No datagram for that many seconds."""
        try:
            data, _ = self.receives(within=for_)
        except Broken:
            self._story.add("tester", f"{self.name} hears nothing for {for_:g} s")
            return
        raise Broken("a datagram came where none should", expected="silence", seen=show(data))

    def answers(self, sender: Address, data: bytes) -> None:
        """Send a datagram to who asked."""
        self._story.add("tester", f"{self.name} answers with a datagram of {len(data):,} bytes: {show(data)}")
        self._socket.sendto(data, sender.pair)

    def sends(self, data: bytes) -> None:
        """Send a datagram to the student's server."""
        assert self._target is not None, "this socket has no target: use answers()"
        self._story.add("tester", f"{self.name} sends a datagram of {len(data):,} bytes: {show(data)}")
        self._socket.sendto(data, self._target.pair)

    def stranger(self) -> Datagrams:
        """Another socket of the tester, from which nobody expects an answer."""
        family = self._socket.family
        other = socket.socket(family, socket.SOCK_DGRAM)
        other.bind((self._socket.getsockname()[0], 0))
        stranger = Datagrams(other, self._story, address=None, target=self._target, name="a stranger")
        self._strangers.append(stranger)
        return stranger

    def dismiss(self) -> None:
        """End of the test."""
        for stranger in self._strangers:
            stranger.dismiss()
        self._socket.close()
