"""rdt_pipe [--listen] ADDRESS: standard input to the peer, what the peer sends to standard output, both at once."""

from __future__ import annotations

import sys

import program
from addresses import Address, parse_address
from conversation import converse


def pipe(address: Address, listen: bool) -> None:
    """Both ways until both have ended; every end but success is a SystemExit with its status."""
    converse(address, listen=listen, source=True, sink=True)


def main(arguments: list[str]) -> None:
    """Run the program."""
    line = program.CommandLine("Standard input to a peer and back, over a connection of our own making.")
    line.add_argument("--listen", action="store_true", help="wait for the peer instead of connecting to it")
    line.add_argument("address", type=parse_address, help="udp:HOST:PORT or udp:[V6]:PORT")
    options = line.parse_args(arguments)
    pipe(options.address, options.listen)


if __name__ == "__main__":
    main(sys.argv[1:])
