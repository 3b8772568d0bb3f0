"""rdt_pipe [--listen] ADDRESS: standard input to the peer, what the peer sends to standard output, both at once."""

from __future__ import annotations

import secrets
import socket
import sys

import program
from addresses import Address, parse_address
from connection import Connection
from conversation import OnePeer, complaint, exit_status
from streams import Input, Output
from udp import Driver


def pipe(address: Address, listen: bool) -> None:
    """Both ways until both have ended; every end but success is a SystemExit with its status."""
    ### BEGIN SOLUTION: stage 8: as in rdt_recv if `listen`, else as in rdt_send, with a source and a sink
    with socket.socket(address.family, socket.SOCK_DGRAM) as sock:
        if listen:
            try:
                sock.bind(address.pair)
            except OSError as error:
                program.fail(program.CANNOT_CONNECT, f"{address}: {error.strerror}")
            program.announce(address.bound_as(sock))
        connection = Connection("server" if listen else "client", isn=secrets.randbits(32))
        peer = OnePeer(None if listen else address.pair)
        driver = Driver(connection, sock, peer, source=Input(), sink=Output())
        try:
            driver.run()
        except BrokenPipeError:
            program.fail(program.BROKEN_OUTPUT, "nobody reads the output any more")
    if status := exit_status(driver.connected, driver.over):
        program.fail(status, f"{address}: {complaint(driver.connected, driver.over)}")
    ### END SOLUTION


def main(arguments: list[str]) -> None:
    """Run the program."""
    line = program.CommandLine("Standard input to a peer and back, over a connection of our own making.")
    line.add_argument("--listen", action="store_true", help="wait for the peer instead of connecting to it")
    line.add_argument("address", type=parse_address, help="udp:HOST:PORT or udp:[V6]:PORT")
    options = line.parse_args(arguments)
    pipe(options.address, options.listen)


if __name__ == "__main__":
    main(sys.argv[1:])
