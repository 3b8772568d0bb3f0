"""How a TCP connection is ended with a reset."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys


def reset_on_close(sock: socket.socket) -> None:
    """Make `close` send a RST in place of a FIN: SO_LINGER with 0 seconds (socket(7)). A Unix socket just closes."""
    form = "hh" if sys.platform == "win32" else "ii"
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))


def reset_and_close(sock: socket.socket) -> None:
    """Close with a reset."""
    reset_on_close(sock)
    sock.close()
