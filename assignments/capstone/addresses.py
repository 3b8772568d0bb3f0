"""Addresses as the course writes them: `HOST:PORT`, `[V6]:PORT`, `udp:HOST:PORT`, `unix:PATH`.

You get this file unchanged. Hosts are numeric: names would bring DNS in, which is another subject.
"""

from __future__ import annotations

import argparse
import ipaddress
import socket
from dataclasses import dataclass


class BadAddress(argparse.ArgumentTypeError):
    """The text is not an address. argparse prints the message of this kind of error unchanged."""


@dataclass(frozen=True)
class Address:
    """Where a program connects or listens. `str()` gives the notation back."""

    kind: str  #: "tcp", "udp" or "unix"
    host: str = ""  #: numeric, empty for unix
    port: int = 0  #: 0 lets the system choose one; unused for unix
    path: str = ""  #: for unix only

    @property
    def family(self) -> socket.AddressFamily:
        """The first argument of socket.socket()."""
        if self.kind == "unix":
            return socket.AF_UNIX
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def target(self) -> str | tuple[str, int]:
        """What connect() and bind() take."""
        return self.path if self.kind == "unix" else (self.host, self.port)

    def bound_as(self, sock: socket.socket) -> Address:
        """This address with the port that `sock` was really given."""
        return self if self.kind == "unix" else Address(self.kind, self.host, sock.getsockname()[1])

    def __str__(self) -> str:
        if self.kind == "unix":
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return ("udp:" if self.kind == "udp" else "") + f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read an address. Raises BadAddress with a sentence for people."""
    if text.startswith("unix:") and len(text) > len("unix:"):
        return Address("unix", path=text.removeprefix("unix:"))
    kind = "udp" if text.startswith("udp:") else "tcp"
    host, _, port = text.removeprefix("udp:").rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        ip = ipaddress.ip_address(host[1:-1] if bracketed else host)
        if (ip.version == 6) != bracketed or not (port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError
    except ValueError:
        raise BadAddress(f"{text!r} is not an address: HOST:PORT, [V6]:PORT, udp:... or unix:PATH") from None
    return Address(kind, str(ip), int(port))
