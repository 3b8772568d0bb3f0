"""The addresses of this machine: binding to one, and what it means that the kernel refuses."""

from __future__ import annotations

import errno
import socket

from harness.errors import cause_of, shortage
from harness.lab.interface import LabError


def bind(sock: socket.socket, host: str, port: int = 0, *, whose: str = "the tester") -> None:
    """Bind to an address of this machine, by default to any free port of it. Raises LabError.

    bind(2) says EADDRNOTAVAIL of an address that is not there, and EADDRINUSE where port 0 finds no free one.
    """
    try:
        sock.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            why = _missing(host)
        elif error.errno == errno.EADDRINUSE and not port:
            why = shortage(OSError(errno.EADDRNOTAVAIL, ""))
        else:
            why = cause_of(error)
        where = f"{host} port {port}" if port else host
        raise LabError(f"{whose} cannot bind to {where}: {why}") from None


def why_unconnected(error: OSError, host: str) -> str:
    """Why connect() failed for want of something of ours.

    It says EADDRNOTAVAIL both of an address that is not there and where no port is free; a datagram's socket, which
    sends nothing by this, says it of the former only.
    """
    if error.errno == errno.EADDRNOTAVAIL:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((host, 9))
            except OSError as another:
                if another.errno == errno.EADDRNOTAVAIL:
                    return _missing(host)
    return cause_of(error)


def _missing(host: str) -> str:
    remedy = "enable IPv6: sysctl -w net.ipv6.conf.all.disable_ipv6=0" if ":" in host else "bring it up: ip address add"
    return f"this machine does not have the address {host}: {remedy}"
