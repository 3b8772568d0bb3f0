"""A man in the middle of a TCP connection: he sees every byte of both directions and changes what a test tells him to.

Rule 1: what he is not told to change passes as it is: bytes, half-closes, resets. Rule 2: every wait and every buffer
has a bound. Rule 3: the story says what he is told to do, and when he has done it.
Up is from the side that connected to him, down is back. What happens to the bytes: harness/tls/record_layer/rules.py.
"""

from __future__ import annotations

import socket

from harness.actors.peer import Peer
from harness.actors.program import PATIENCE
from harness.actors.story import Broken, Story, show
from harness.course.address import Address
from harness.tls.middle.proxy import Proxy
from harness.tls.record_layer.rules import Direction, Point, Rule, flipped


class Middle:
    """Made by `lab.tls.middle`. `address` is what a student's program is told; each rule is for every connection.

    A rule counts from when it is given, in each connection separately, records from 1. What is encrypted of a TLS 1.3
    handshake counts as application records: give a rule after the handshake to have them out of the count.
    """

    def __init__(
        self, listening: socket.socket, address: Address, place: tuple[str, int], family: int, story: Story
    ) -> None:
        self.address = address
        self._bound = listening.getsockname()[:2]
        self._story = story
        self._peers: list[Peer] = []
        self._proxy = Proxy(listening, place, family, story)

    # -- what he sees ----------------------------------------------------------------------------------------------

    @property
    def tap_up(self) -> bytes:
        """What came from those who connected, one connection after the other, as they sent it; 16 MiB of each."""
        return b"".join(self._proxy.taps("up"))

    @property
    def tap_down(self) -> bytes:
        """What came from the target, likewise."""
        return b"".join(self._proxy.taps("down"))

    @property
    def connections(self) -> int:
        """Connections that were made to him so far."""
        return len(self._proxy.taps("up"))

    def tap(self, direction: Direction, connection: int = -1) -> bytes:
        """What came in a direction of one connection, by its number from 0; default: of the last one."""
        taps = self._proxy.taps(direction)
        return taps[connection] if taps else b""

    def did(self, rule: Rule, *, within: float = PATIENCE) -> None:
        """Wait until a rule has been applied. Raises Broken."""
        if not self._proxy.waits(lambda: rule.done > 0, within):
            raise Broken(
                f"the man in the middle had no occasion within {within:g} s: {rule.what}",
                verdict="timeout",
                expected=f"{rule.at} {_way(rule.direction)}",
                seen=show(self.tap(rule.direction)),
            )

    def connects(self, *, name: str = "") -> Peer:
        """A connection of the tester's own to him; reset when the target does not take it."""
        connection = socket.socket(socket.AF_INET6 if ":" in self._bound[0] else socket.AF_INET)
        connection.settimeout(PATIENCE)
        was_reset = False
        try:
            connection.connect(self._bound)
        except ConnectionResetError:
            was_reset = True
        self._story.add("tester", f"{name} connects to the man in the middle".strip())
        peer = Peer(connection, self._story, name=name, was_reset=was_reset)
        self._peers.append(peer)
        return peer

    # -- what he does to a record ----------------------------------------------------------------------------------

    def flips(
        self, direction: Direction, *, application: int | None = None, record: int | None = None, at: int | None = None
    ) -> Rule:
        """Change one bit of the n-th record's body: of byte `at` (default: in the middle). Default: application=1."""
        point = Point(application=1 if application is record is None else application, record=record)
        what = _what("flips a bit", direction)
        return self._rules(Rule(direction, what, point, act=lambda whole: flipped(whole, at)))

    # -- what he does to the connection ----------------------------------------------------------------------------

    def cuts(
        self,
        direction: Direction,
        *,
        bytes: int | None = None,
        record: int | None = None,
        application: int | None = None,
    ) -> Rule:
        """A bare FIN towards the receiver after n bytes or records (default: now); what follows is discarded.

        The other direction goes on, and so does the connection with the sender.
        """
        at = Point(record=record, application=application, bytes=bytes)
        return self._rules(Rule(direction, _what("ends the stream", direction), at, cuts=True))

    def _rules(self, rule: Rule) -> Rule:
        self._story.add("tester", f"tells the man in the middle: {rule.what}, {rule.at}")
        self._proxy.obeys(rule)
        return rule

    def dismiss(self) -> None:
        """End of the test."""
        for peer in self._peers:
            peer.dismiss()
        self._proxy.dismiss()


def _way(direction: Direction) -> str:
    return "from the one who connected" if direction == "up" else "from the target"


def _what(deed: str, direction: Direction) -> str:
    return f"{deed} {_way(direction)}"
