"""echo_server ADDRESS [--idle S]: send everything back (RFC 862), to any number of clients, in one thread.

"Once a connection is established any data received is sent back. This continues until the calling user terminates the
connection."
"""

from __future__ import annotations

import socket
import sys

import program
from addresses import parse_address
from buffers import Output
from connection import Connection
from server import Server, serve


class Echo(Connection):
    """A client that hears itself."""

    __slots__ = ()

    out: Output

    def __init__(self, server: Server, sock: socket.socket) -> None:
        super().__init__(server, sock, Output())

    def take(self, data: memoryview) -> None:
        """Send it back; what the kernel does not take waits, and so does the client."""
        raise NotImplementedError("stage 2: send(); keep what was not taken, and wait for room")


def main(arguments: list[str]) -> None:
    """Run the program until SIGTERM."""
    line = program.CommandLine("Send everything back.")
    line.add_argument("address", type=parse_address)
    line.add_argument("--idle", type=program.seconds, default=300.0, help="seconds of silence until a client is closed")
    options = line.parse_args(arguments)
    if options.address.kind == "udp":
        line.error("echo_server needs a stream: HOST:PORT, [V6]:PORT or unix:PATH")
    serve(options.address, Echo, options.idle)


if __name__ == "__main__":
    main(sys.argv[1:])
