"""The tester's listening sockets, told as a story: who connects, who does not, and who ended before connecting.

As in peer.py, bytes are believed, and every wait has a bound.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

from harness.actors.peer import Peer
from harness.actors.program import PATIENCE
from harness.actors.story import Broken, Story, show
from harness.course.address import Address

#: Seconds between two looks at whether the program that is waited for still runs.
_GLANCE = 0.05
#: Seconds that data may still be under way after the program that sent it has ended.
_ON_THE_WAY = 0.6

Got = TypeVar("Got")


def waiting_for(
    attempt: Callable[[float], Got | None], within: float, ended: Callable[[], Broken | None]
) -> Got | None:
    """Try for `within` seconds; give up sooner, saying why, when the program that is waited for has ended."""
    deadline = time.monotonic() + within
    while (left := deadline - time.monotonic()) > 0:
        if (got := attempt(min(left, _GLANCE))) is not None:
            return got
        if (broken := ended()) is not None:
            if (got := attempt(_ON_THE_WAY)) is not None:
                return got
            raise broken
    return None


class Listener:
    """A listening stream socket of the tester. `address` is what a student's program is told."""

    def __init__(
        self, listening: socket.socket, address: Address, story: Story, *, ended: Callable[[], Broken | None]
    ) -> None:
        self._socket = listening
        self._story = story
        self._ended = ended
        self.address = address
        self.peers: list[Peer] = []

    def accepts(self, *, within: float = PATIENCE, name: str = "", quietly: bool = False) -> Peer:
        """The next connection; `name`: of the peer in the story.

        quietly: one of many; neither this step nor the peer's go into the story.
        """
        connection = waiting_for(self._accept_within, within, self._ended)
        if connection is None:
            raise Broken(
                f"no connection came to {self.address} within {within:g} s",
                verdict="timeout",
                expected="the program connects",
                seen="nobody",
            )
        connection.settimeout(PATIENCE)
        peer = Peer(connection, self._story, name=name, quiet=quietly)
        self.peers.append(peer)
        if not quietly:
            self._story.add("tester", "accepts a connection")
        return peer

    def _accept_within(self, seconds: float) -> socket.socket | None:
        self._socket.settimeout(seconds)
        try:
            return self._socket.accept()[0]
        except TimeoutError:
            return None

    def hears_not_a_byte(self, *, for_: float) -> None:
        """Nobody connects for that many seconds, or whoever does ends without having sent a byte."""
        self._socket.settimeout(for_)
        try:
            connection, _ = self._socket.accept()
        except TimeoutError:
            self._story.add("tester", f"sees no connection for {for_:g} s")
            return
        peer = Peer(connection, self._story)
        self.peers.append(peer)
        peer._socket.settimeout(for_)
        try:
            data = peer._socket.recv(65536)
        except OSError:
            data = b""
        if data:
            raise Broken("bytes came where none should", expected="not one byte", seen=show(data))
        self._story.add("tester", "accepts a connection on which not one byte comes")

    def closes(self) -> None:
        """Stop listening; existing connections stay."""
        self._story.add("tester", f"stops listening on {self.address}")
        self._socket.close()

    def dismiss(self) -> None:
        """End of the test."""
        for peer in self.peers:
            peer.dismiss()
        self._socket.close()
