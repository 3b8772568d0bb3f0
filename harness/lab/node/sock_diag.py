"""Ends TCP connections of a network namespace, as `ss -K` does but in a tenth of a millisecond: sock_diag(7).

Connections outlive their programs (retransmissions, FIN-WAIT); their packets would reach the next test's link.
Message layouts: linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY, SOCK_DESTROY = 20, 21
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
#: Every state but LISTEN (10) and CLOSE (7), as bits.
CONNECTED = 0xFFFF & ~(1 << 10) & ~(1 << 7)

ANSWER_WITHIN = 5.0  #: seconds an answer may take
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_REQUEST = struct.Struct("=BBBBI48s")  # inet_diag_req_v2: family, protocol, extensions, pad, states, sockid
_IDENTITY = slice(4, 52)  # of inet_diag_msg: its sockid


def diagnosis() -> socket.socket:
    """A socket to ask the current network namespace with; it stays with that namespace."""
    asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
    asking.settimeout(ANSWER_WITHIN)
    return asking


def end_connections(asking: socket.socket) -> int:
    """End all TCP connections of the namespace; returns how many. If the kernel cannot, they age. Raises OSError."""
    found = [
        (family, identity)
        for family in (socket.AF_INET, socket.AF_INET6)
        for identity in list(_connections(asking, family))
    ]
    for family, identity in found:
        request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, CONNECTED, identity)
        asking.send(_message(SOCK_DESTROY, NLM_F_REQUEST, request))
        _forget_answers(asking)
    return len(found)


def _forget_answers(asking: socket.socket) -> None:
    """Read away reports on connections that could not be ended: thousands would overflow the buffer."""
    asking.settimeout(0)
    try:
        while True:
            asking.recv(1 << 17)
    except BlockingIOError:
        pass
    finally:
        asking.settimeout(ANSWER_WITHIN)


def _connections(asking: socket.socket, family: int) -> Iterator[bytes]:
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, CONNECTED, bytes(48))
    asking.send(_message(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, request))
    while True:
        data = asking.recv(1 << 17)
        while data:
            length, kind, _, sequence, _ = _HEADER.unpack_from(data)
            if sequence == SOCK_DIAG_BY_FAMILY:  # otherwise it reports an earlier connection that could not be ended
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    return
                yield data[_HEADER.size : length][_IDENTITY]
            data = data[(length + 3) & ~3 :]


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, kind, 0) + body
