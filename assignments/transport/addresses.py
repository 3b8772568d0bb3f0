"""Addresses as the course writes them: `udp:HOST:PORT` and `udp:[V6]:PORT`, hosts in numbers.

You get this file unchanged.
"""

from __future__ import annotations

import argparse
import ipaddress
import socket
from typing import NamedTuple


class BadAddress(argparse.ArgumentTypeError):
    """The text is not an address. argparse prints the message of this kind of error unchanged."""


class Address(NamedTuple):
    """Where a program sends to, or waits. `str()` gives the notation back."""

    host: str  #: numeric
    port: int  #: 0 lets the system choose one

    @property
    def family(self) -> socket.AddressFamily:
        """The first argument of socket.socket()."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def pair(self) -> tuple[str, int]:
        """What bind() and sendto() take, and the first part of what recvfrom() returns."""
        return (self.host, self.port)

    def bound_as(self, sock: socket.socket) -> Address:
        """This address with the port that `sock` was really given."""
        return Address(self.host, sock.getsockname()[1])

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"udp:{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read an address. Raises BadAddress with a sentence for people."""
    host, _, port = text.removeprefix("udp:").rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        ip = ipaddress.ip_address(host[1:-1] if bracketed else host)
        numeric = port.isascii() and port.isdigit() and int(port) <= 65535
        if not text.startswith("udp:") or (ip.version == 6) != bracketed or not numeric:
            raise ValueError
    except ValueError:
        raise BadAddress(f"{text!r} is not an address: udp:HOST:PORT or udp:[V6]:PORT") from None
    return Address(str(ip), int(port))
