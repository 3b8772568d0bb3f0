"""The address plan of a star: which node of the Docker lab has which address. Pure.

Wire n leads from the link node (host 1) to another node (host 2): 10.77.n.0/24 and fd77:n::/64. The link's end is
called `wn`, the other one eth0.
"""

from __future__ import annotations

from typing import Literal

Family = Literal[4, 6]
FAMILIES: tuple[Family, ...] = (4, 6)
#: The wires, by the node at the other end. There is a second student node only where an assignment asks for one.
WIRES = {"tester": 1, "student": 2, "second": 3}
#: The ends of a wire, as host numbers.
LINK, NODE = 1, 2
#: What the addresses of all nodes begin with, as they stand in a packet.
PREFIX: dict[Family, bytes] = {4: bytes((10, 77)), 6: bytes((0xFD, 0x77, 0))}


def prefix(wire: int, family: Family) -> bytes:
    """What the addresses on a wire begin with, as they stand in a packet."""
    return PREFIX[family] + bytes((wire,))


def network(wire: int, family: Family) -> str:
    """The network of a wire.

    >>> network(WIRES["student"], 4), network(WIRES["student"], 6)
    ('10.77.2.0/24', 'fd77:2::/64')
    """
    return f"10.77.{wire}.0/24" if family == 4 else f"fd77:{wire}::/64"


def address(wire: int, family: Family, end: int = NODE) -> str:
    """The address of one end of a wire.

    >>> address(WIRES["tester"], 4), address(WIRES["tester"], 6, LINK)
    ('10.77.1.2', 'fd77:1::1')
    """
    return f"10.77.{wire}.{end}" if family == 4 else f"fd77:{wire}::{end}"


def hardware(wire: int, end: int) -> str:
    """The Ethernet address of one end of a wire."""
    return f"02:77:00:00:{wire:02x}:{end:02x}"
