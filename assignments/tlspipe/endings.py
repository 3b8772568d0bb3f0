"""How a connection of the pipe can end: the word for the log, the exit status of `--once`, and the exception.

You get this file unchanged. The handout's table "Endings" says what each of them looks like from outside.
"""

from __future__ import annotations

import enum


class Ending(enum.Enum):
    """The value is the word in the log. Only close_notify tells an end from a cut (RFC 8446, section 6.1)."""

    CLOSED = "closed"  #: both sides have said all they wanted to say, and said so
    TRUNCATED = "truncated"  #: the TCP connection ended without close_notify: somebody may have cut it
    RESET = "reset"  #: one of the two TCP connections was reset
    REFUSED = "refused"  #: the handshake failed: wrong certificate, wrong name, nothing in common
    BROKEN = "broken"  #: bytes that are not TLS, or were tampered with; or the peer complains of ours
    UNREACHABLE = "unreachable"  #: the address to connect to does not answer
    TIMEOUT = "timeout"  #: the handshake took too long

    @property
    def status(self) -> int:
        """The exit status of a program that was started with --once."""
        return {Ending.CLOSED: 0, Ending.UNREACHABLE: 3, Ending.TIMEOUT: 5}.get(self, 4)


class Over(Exception):
    """A connection has come to its end."""

    def __init__(self, ending: Ending, detail: object) -> None:
        """`detail`: what a person would like to know besides the word; never anything that was sent."""
        super().__init__(f"{ending.value} ({detail})")
        self.ending = ending
