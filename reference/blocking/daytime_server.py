"""daytime_server ADDRESS: tell the date and time to everyone who asks, one client at a time (RFC 867).

Over TCP or a Unix socket (stage 2) the answer is sent as soon as the connection is there, and the connection closed;
over UDP (stage 3) every datagram is answered with one. The format is that of RFC 3339, in UTC, followed by CR LF.
"""

from __future__ import annotations

import socket
import sys
import time

import program
import sockets
from addresses import Address, parse_address


def daytime() -> bytes:
    """This moment as a line, such as b"2025-03-01T12:00:00Z" and CR LF."""
    ### BEGIN SOLUTION: stage 2: the time in UTC, whatever the time zone of this machine
    return time.strftime("%Y-%m-%dT%H:%M:%SZ\r\n", time.gmtime()).encode("ascii")
    ### END SOLUTION


def serve_streams(listener: socket.socket) -> None:
    """Accept one client after the other, for ever. A client that vanishes is not a reason to end."""
    ### BEGIN SOLUTION: stage 2: accept, send the line, close so that the client can read it
    while True:
        try:
            sock, _ = listener.accept()
        except ConnectionAbortedError:
            continue  # reset while it waited in the queue; accept(2) says to try again
        try:
            sock.sendall(daytime())
        except OSError:
            pass  # the client is gone; close_gently() copes with that too
        sockets.close_gently(sock)
    ### END SOLUTION


def serve_datagrams(sock: socket.socket) -> None:
    """Answer every datagram, whatever is in it, to the address it came from. For ever."""
    ### BEGIN SOLUTION: stage 3: recvfrom, sendto
    while True:
        try:
            _, sender = sock.recvfrom(65536)
            sock.sendto(daytime(), sender)
        except OSError:
            continue  # an answer that could not be sent is as good as one that was lost
    ### END SOLUTION


def bind_datagrams(address: Address) -> socket.socket:
    """A UDP socket bound to `address`. Raises OSError."""
    ### BEGIN SOLUTION: stage 3: a datagram socket; there is nothing to listen for and nothing to accept
    sock = socket.socket(address.family, socket.SOCK_DGRAM)
    try:
        sock.bind(address.target)
    except OSError:
        sock.close()
        raise
    return sock
    ### END SOLUTION


def main(arguments: list[str]) -> None:
    """Run the program until SIGTERM."""
    line = program.CommandLine("Tell the date and time to everyone who asks.")
    line.add_argument("address", type=parse_address)
    address = line.parse_args(arguments).address
    program.end_on_sigterm()
    try:
        sock = bind_datagrams(address) if address.kind == "udp" else sockets.listen(address)
    except OSError as error:
        program.fail(program.CANNOT_CONNECT, f"{address}: {error}")
    try:
        program.announce(address.bound_as(sock))
        if address.kind == "udp":
            serve_datagrams(sock)
        else:
            serve_streams(sock)
    finally:
        sockets.stop_listening(sock, address)


if __name__ == "__main__":
    main(sys.argv[1:])
