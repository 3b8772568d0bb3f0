"""rpc_server ADDRESS: answers JSON-RPC calls, one client after the other."""

from __future__ import annotations

import socket
import sys

import program
from addresses import Address, parse_address
from jsonrpc import Lines, Methods, answer


def total(*numbers: float) -> float:
    """sum: of any numbers."""
    raise NotImplementedError("stage 2: numbers only, or TypeError; True is no number")


def backwards(text: str) -> str:
    """reverse: a text, the last character first."""
    raise NotImplementedError("stage 2: a string only, or TypeError")


#: What can be called.
METHODS: Methods = {"sum": total, "reverse": backwards}


def serve(sock: socket.socket) -> None:
    """Answer one client until it ends, and then end as well. Raises OSError."""
    raise NotImplementedError(
        "stage 2: lines in, answers out; its end is not yet ours: answer what has come first"
    )


def main(address: Address) -> None:
    """Serve whoever comes. Ends by a signal only."""
    raise NotImplementedError(
        "stage 2: listen, announce, and serve: a client that breaks off ends nothing but itself"
    )


if __name__ == "__main__":
    parser = program.CommandLine("Answers JSON-RPC calls, a message a line.")
    parser.add_argument("address", type=parse_address, help="HOST:PORT or [V6]:PORT")
    try:
        main(parser.parse_args().address)
    except KeyboardInterrupt:
        sys.exit(130)
