"""What all of them need: a listening socket, and the line that says where."""

from __future__ import annotations

import socket
import sys

BACKLOG = 1024


def listen() -> socket.socket:
    """The socket that argv asks for, announced."""
    host, _, port = sys.argv[1].rpartition(":")
    listener = socket.create_server((host, int(port)), backlog=BACKLOG)
    print(f"listening on {host}:{listener.getsockname()[1]}", flush=True)
    return listener
