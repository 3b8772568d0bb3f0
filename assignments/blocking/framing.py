"""Messages in a stream: each frame is 4 bytes of length, most significant first, and then that many bytes of body.

     0        1        2        3        4
    +--------+--------+--------+--------+--------+----
    |        length of the body         |  body ...
    +--------+--------+--------+--------+--------+----

Nothing here knows what is in a body. One send() on one side is not one recv() on the other: a frame may come byte by
byte, or ten at once.
"""

from __future__ import annotations

import socket
import struct

#: Bytes in a body, at most. Without a limit, four bytes from a stranger would make us reserve 4 GB.
LIMIT = 65536
#: Network byte order, unsigned, 4 bytes, no padding.
PREFIX = struct.Struct("!I")


class BadFrame(Exception):
    """The peer broke the framing: the stream ended inside a frame."""


class TooLong(BadFrame):
    """A frame announces more than LIMIT bytes. It is no longer known where the next one begins."""


def frame(body: bytes) -> bytes:
    """A body with its length in front."""
    raise NotImplementedError("stage 4: the length as 4 bytes in network order, then the body")


def receive_exactly(sock: socket.socket, count: int) -> bytes:
    """`count` bytes; fewer only if the stream ends before. Raises OSError."""
    raise NotImplementedError(
        "stage 4: recv until that many are there, asking for what is missing and not for more"
    )


def receive_frame(sock: socket.socket) -> bytes | None:
    """The next body, None at the end of the stream between two frames. Raises BadFrame, TooLong, OSError."""
    raise NotImplementedError(
        "stage 4: the prefix, the limit, the body; an end inside any of them is an error"
    )


def send_frame(sock: socket.socket, body: bytes) -> None:
    """Send a body as a frame, all of it. Raises OSError.

    send(2): "the call returns the number of bytes sent", which may be fewer than it was given. sendall() is this
    loop, except that it counts a timeout over all pieces together, and here each piece has the whole of it.
    """
    raise NotImplementedError("stage 4: send until nothing is left; look at what send() returns")
