"""rdt_recv ADDRESS: listen at ADDRESS (udp:HOST:PORT) for one peer and write what it sends to standard output."""

from __future__ import annotations

import sys

import program
from addresses import Address, parse_address
from conversation import converse


def receive(address: Address) -> None:
    """Write what one peer sends to standard output; every end but success is a SystemExit with its status.

    The line `listening on ADDRESS` has the port that was really given (program.announce).
    """
    converse(address, listen=True, source=False, sink=True)


def main(arguments: list[str]) -> None:
    """Run the program."""
    line = program.CommandLine("Write what one peer sends over a connection of our own making.")
    line.add_argument("address", type=parse_address, help="udp:HOST:PORT or udp:[V6]:PORT; port 0 picks one")
    receive(line.parse_args(arguments).address)


if __name__ == "__main__":
    main(sys.argv[1:])
