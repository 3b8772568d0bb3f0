"""Messages in a stream: each is a line of UTF-8 that ends in LF; a CR before it is dropped.

The mailbox could ask for "exactly so many bytes" and wait for them. Here bytes come when they come: feed() takes them,
next() gives the lines that are whole by now, and the beginning of the next one stays inside until its rest is there.

Nothing here knows what is in a line. Pure: bytes in, text out.
"""

from __future__ import annotations

#: Bytes before the LF, at most. Without a limit, a client that never sends an LF would fill the memory.
LIMIT = 4096


class BadFrame(Exception):
    """The peer broke the framing. It is no longer known where the next line begins."""


class TooLong(BadFrame):
    """More than LIMIT bytes without an LF."""


class NotText(BadFrame):
    """A line is not UTF-8."""


def frame(text: str) -> bytes:
    """A text as a line."""
    raise NotImplementedError("stage 3: its bytes, then LF")


class Lines:
    """Takes pieces of a stream, gives lines."""

    __slots__ = ("_data", "_searched")

    def __init__(self) -> None:
        self._data = bytearray()  # what came and has not been given
        self._searched = 0  # the first bytes, known to hold no LF: a line that comes byte by byte is searched once

    def feed(self, data: bytes | memoryview) -> None:
        """Bytes have come."""
        raise NotImplementedError("stage 3: keep them")

    def next(self) -> str | None:
        """The next whole line, None if there is none yet. Raises TooLong (as soon as it is certain), NotText."""
        raise NotImplementedError(
            "stage 3: look for the LF after what was searched; the limit; a CR before it; UTF-8"
        )
