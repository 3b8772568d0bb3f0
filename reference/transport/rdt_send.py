"""rdt_send ADDRESS: connect to ADDRESS (udp:HOST:PORT) and send standard input; what the peer sends is discarded."""

from __future__ import annotations

import secrets
import socket
import sys

import program
from addresses import Address, parse_address
from connection import Connection
from conversation import OnePeer, complaint, exit_status
from streams import Input
from udp import Driver


def send(address: Address) -> None:
    """Send standard input to whoever listens at `address`; every end but success is a SystemExit with its status."""
    ### BEGIN SOLUTION: stage 8: run a client with a random initial number (rule 8.9) on a UDP socket
    with socket.socket(address.family, socket.SOCK_DGRAM) as sock:
        driver = Driver(Connection("client", isn=secrets.randbits(32)), sock, OnePeer(address.pair), source=Input())
        driver.run()
    if status := exit_status(driver.connected, driver.over):
        program.fail(status, f"{address}: {complaint(driver.connected, driver.over)}")
    ### END SOLUTION


def main(arguments: list[str]) -> None:
    """Run the program."""
    line = program.CommandLine("Send standard input over a connection of our own making.")
    line.add_argument("address", type=parse_address, help="udp:HOST:PORT or udp:[V6]:PORT")
    send(line.parse_args(arguments).address)


if __name__ == "__main__":
    main(sys.argv[1:])
