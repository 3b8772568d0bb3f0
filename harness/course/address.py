"""Addresses as the course writes them: `HOST:PORT`, `[V6]:PORT`, `udp:HOST:PORT`, `unix:PATH`. Pure.

Hosts are numeric: a name would bring DNS into an assignment that is not about it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal


class BadAddress(ValueError):
    """The text is not an address; the message says which part is wrong."""


@dataclass(frozen=True)
class Address:
    """Where a program listens or connects. `str()` gives the notation back."""

    kind: Literal["tcp", "udp", "unix"]
    host: str = ""  #: numeric IPv4 or IPv6 address; empty for unix
    port: int = 0  #: 0 to 65535, 0 asks the system for one; 0 for unix
    path: str = ""  #: path of a Unix-domain socket; empty for tcp and udp

    @property
    def family(self) -> Literal[4, 6]:
        """The IP version of the host."""
        return 6 if ":" in self.host else 4

    @property
    def pair(self) -> tuple[str, int]:
        """(host, port) as the socket module wants it."""
        return (self.host, self.port)

    def __str__(self) -> str:
        if self.kind == "unix":
            return f"unix:{self.path}"
        host = f"[{self.host}]" if self.family == 6 else self.host
        return f"udp:{host}:{self.port}" if self.kind == "udp" else f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read an address. Raises BadAddress with a sentence that names the wrong part."""
    if text.startswith("unix:"):
        path = text[len("unix:") :]
        if not path:
            raise BadAddress(f"{text!r}: a path has to follow 'unix:'")
        return Address("unix", path=path)
    kind: Literal["tcp", "udp"] = "udp" if text.startswith("udp:") else "tcp"
    host, colon, port = text.removeprefix("udp:").rpartition(":")
    if not colon:
        raise BadAddress(f"{text!r}: no port (write HOST:PORT, [V6]:PORT, udp:HOST:PORT or unix:PATH)")
    if host.startswith("[") and host.endswith("]"):
        host, version = host[1:-1], 6
    else:
        version = 4
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        raise BadAddress(f"{text!r}: {host!r} is not a numeric address") from None
    if ip.version != version:
        raise BadAddress(f"{text!r}: write an IPv6 address in brackets, [::1]:80, an IPv4 address without")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise BadAddress(f"{text!r}: {port!r} is not a port (0 to 65535)")
    return Address(kind, host=host, port=int(port))
