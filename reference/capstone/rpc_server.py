"""rpc_server ADDRESS: answers JSON-RPC calls, one client after the other."""

from __future__ import annotations

import socket
import sys

import program
from addresses import Address, parse_address
from jsonrpc import Lines, Methods, answer


def total(*numbers: float) -> float:
    """sum: of any numbers."""
    ### BEGIN SOLUTION: stage 2: numbers only, or TypeError; True is no number
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        raise TypeError("sum takes numbers")
    return sum(numbers)
    ### END SOLUTION


def backwards(text: str) -> str:
    """reverse: a text, the last character first."""
    ### BEGIN SOLUTION: stage 2: a string only, or TypeError
    if not isinstance(text, str):
        raise TypeError("reverse takes a text")
    return text[::-1]
    ### END SOLUTION


#: What can be called.
METHODS: Methods = {"sum": total, "reverse": backwards}


def serve(sock: socket.socket) -> None:
    """Answer one client until it ends, and then end as well. Raises OSError."""
    ### BEGIN SOLUTION: stage 2: lines in, answers out; its end is not yet ours: answer what has come first
    lines = Lines()
    while data := sock.recv(65536):
        try:
            whole = lines.feed(data)
        except ValueError:
            return
        for line in whole:
            if (said := answer(line, METHODS)) is not None:
                sock.sendall(said)
    sock.shutdown(socket.SHUT_WR)
    ### END SOLUTION


def main(address: Address) -> None:
    """Serve whoever comes. Ends by a signal only."""
    ### BEGIN SOLUTION: stage 2: listen, announce, and serve: a client that breaks off ends nothing but itself
    try:
        listener = socket.create_server((address.host, address.port), family=address.family)
    except OSError as error:
        program.fail(program.CANNOT_CONNECT, f"cannot listen on {address}: {error.strerror}")
    program.announce(address.bound_as(listener))
    while True:
        sock, _ = listener.accept()
        with sock:
            try:
                serve(sock)
            except OSError:
                pass
    ### END SOLUTION


if __name__ == "__main__":
    parser = program.CommandLine("Answers JSON-RPC calls, a message a line.")
    parser.add_argument("address", type=parse_address, help="HOST:PORT or [V6]:PORT")
    try:
        main(parser.parse_args().address)
    except KeyboardInterrupt:
        sys.exit(130)
