"""daytime_client ADDRESS [--timeout S] [--tries N]: print the date and time that a server tells (RFC 867).

Over TCP or a Unix socket (stage 1): "a connection oriented application [...] once a connection is established the
current date and time is sent out the connection as a ascii character string (and any data received is thrown away).
The service closes the connection after sending the quote."
Over UDP (stage 3): "when a datagram is received, an answering datagram is sent".
"""

from __future__ import annotations

import socket
import sys
import time

import program
import sockets
from addresses import Address, parse_address

#: Larger than any datagram: a UDP payload has 65,507 bytes at most over IPv4. What does not fit would be cut off.
LARGEST_DATAGRAM = 65536


def copy_stream(sock: socket.socket) -> None:
    """Write what the peer sends to standard output as it comes, until the end of the stream. Raises OSError.

    A stream has no message boundaries: one recv() may return half a line or many. b"" alone means the end.
    """
    raise NotImplementedError(
        'stage 1: recv until it returns b"", and write each piece with program.write_out'
    )


def ask(address: Address, timeout: float, tries: int) -> bytes | None:
    """Ask over UDP, up to `tries` times, `timeout` seconds each; the answer, None if none came. Raises OSError.

    connect() sends nothing on a datagram socket: it tells the kernel to drop what other addresses send, and to
    report ICMP errors ("port unreachable") at the next call.
    """
    raise NotImplementedError(
        "stage 3: send an empty datagram, wait for the answer until a deadline, and try again"
    )


def send_question(sock: socket.socket) -> None:
    """Send an empty datagram on a connected socket."""
    raise NotImplementedError('stage 3: send b""; an error may belong to the datagram before')


def receive_before(sock: socket.socket, deadline: float) -> bytes | None:
    """The next datagram if it comes before `deadline` (time.monotonic()), else None. An ICMP error ends nothing."""
    raise NotImplementedError("stage 3: recv with what is left until the deadline as timeout")


def main(arguments: list[str]) -> None:
    """Run the program; every end but success is a SystemExit with its status."""
    line = program.CommandLine("Print the date and time that a server tells.")
    line.add_argument("address", type=parse_address)
    line.add_argument("--timeout", type=program.seconds, default=1.0, help="UDP: seconds to wait for each try")
    line.add_argument("--tries", type=program.count, default=3, help="UDP: how often to ask")
    options = line.parse_args(arguments)
    if options.address.kind == "udp":
        try:
            answer = ask(options.address, options.timeout, options.tries)
        except OSError as error:
            program.fail(program.CANNOT_CONNECT, f"{options.address}: {error}")
        if answer is None:
            program.fail(program.GAVE_UP, f"{options.address}: no answer to {options.tries} datagrams")
        program.write_out(answer)
        return
    try:
        sock = sockets.connect(options.address)
    except OSError as error:
        program.fail(program.CANNOT_CONNECT, f"{options.address}: {error}")
    with sock:
        try:
            copy_stream(sock)
        except OSError as error:
            program.fail(program.BROKEN_PROTOCOL, f"{options.address}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
