"""rdt_send ADDRESS: connect to ADDRESS (udp:HOST:PORT) and send standard input; what the peer sends is discarded."""

from __future__ import annotations

import sys

import program
from addresses import Address, parse_address
from conversation import converse


def send(address: Address) -> None:
    """Send standard input to whoever listens at `address`; every end but success is a SystemExit with its status."""
    converse(address, listen=False, source=True, sink=False)


def main(arguments: list[str]) -> None:
    """Run the program."""
    line = program.CommandLine("Send standard input over a connection of our own making.")
    line.add_argument("address", type=parse_address, help="udp:HOST:PORT or udp:[V6]:PORT")
    send(line.parse_args(arguments).address)


if __name__ == "__main__":
    main(sys.argv[1:])
