"""What the operating system says about sockets, without privilege: its table, its counters, its ports.

Linux is asked through /proc/net (proc(5), include/net/tcp_states.h) and TCP_INFO (include/uapi/linux/tcp.h),
macOS through `netstat`, Windows through psutil. What a system does not tell raises Untold, with the reason.
"""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

#: The states of RFC 9293, section 3.3.2, by the number that Linux gives them.
STATES = {
    1: "ESTABLISHED",
    2: "SYN-SENT",
    3: "SYN-RECEIVED",
    4: "FIN-WAIT-1",
    5: "FIN-WAIT-2",
    6: "TIME-WAIT",
    7: "CLOSED",
    8: "CLOSE-WAIT",
    9: "LAST-ACK",
    10: "LISTEN",
    11: "CLOSING",
    12: "SYN-RECEIVED",
}
#: The same as netstat and psutil write them.
_SPELT = {
    "SYN_RCVD": "SYN-RECEIVED",
    "SYN_RECEIVED": "SYN-RECEIVED",
    "SYN_RECV": "SYN-RECEIVED",
    "FIN_WAIT1": "FIN-WAIT-1",
    "FIN_WAIT_1": "FIN-WAIT-1",
    "FIN_WAIT2": "FIN-WAIT-2",
    "FIN_WAIT_2": "FIN-WAIT-2",
    "CLOSE": "CLOSED",
}
Place = tuple[str, int]  #: host and port; ("*", 0) is everybody


class Untold(Exception):
    """This system does not say it; the message says what it was asked for and how."""


@dataclass(frozen=True, slots=True)
class Row:
    """One socket in the kernel's table of TCP sockets."""

    local: Place
    remote: Place
    state: str
    unread: int | None  #: bytes that came and were not read; of a listening socket the connections not yet accepted
    unsent: int | None  #: bytes that were sent and not acknowledged. None: this system does not say


def tcp_table(ports: Iterable[int]) -> list[Row]:
    """The TCP sockets that have one of these ports at either end. Raises Untold."""
    wanted = set(ports)
    rows = [row for row in _whole_table() if row.local[1] in wanted or row.remote[1] in wanted]
    return sorted(rows, key=lambda row: (row.state != "LISTEN", row.local[1], row.remote[1]))


def _whole_table() -> list[Row]:
    if sys.platform == "linux":
        rows = []
        for name in ("tcp", "tcp6"):
            try:
                rows += proc_rows(Path("/proc/net", name).read_text())
            except OSError:
                continue  # a kernel without IPv6
        return rows
    if sys.platform == "darwin":
        return netstat_rows(_output("netstat", "-an", "-p", "tcp"))
    return _psutil_rows()


def proc_rows(text: str) -> list[Row]:
    """The lines of /proc/net/tcp or tcp6."""
    rows = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        unsent, unread = (int(number, 16) for number in fields[4].split(":"))
        state = STATES.get(int(fields[3], 16), fields[3])
        rows.append(Row(_proc_place(fields[1]), _proc_place(fields[2]), state, unread, unsent))
    return rows


def _proc_place(text: str) -> Place:
    """Words of four bytes in the machine's order, then the port."""
    host, port = text.split(":")
    raw = bytes.fromhex(host)
    if sys.byteorder == "little":
        raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6
    number = int(port, 16)
    return ("*", 0) if number == 0 else (socket.inet_ntop(family, raw), number)


def netstat_rows(text: str) -> list[Row]:
    """What `netstat -an -p tcp` prints on macOS and the BSDs: the port comes after the last dot."""
    rows = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 6 and fields[0].startswith("tcp") and fields[1].isdigit() and fields[2].isdigit():
            state = _SPELT.get(fields[5], fields[5].replace("_", "-"))
            places = [_dotted(fields[3]), _dotted(fields[4])]
            rows.append(Row(places[0], places[1], state, int(fields[1]), int(fields[2])))
    return rows


def _dotted(text: str) -> Place:
    host, _, port = text.rpartition(".")
    return (host, int(port)) if port.isdigit() else ("*", 0)


def _psutil_rows() -> list[Row]:
    import psutil  # Linux and macOS do without it

    try:
        found = psutil.net_connections(kind="tcp")
    except psutil.Error as error:
        raise Untold(f"this system does not show its table of sockets to everybody ({error})") from None
    rows = []
    for one in found:
        local, remote = ((place[0], place[1]) if place else ("*", 0) for place in (one.laddr, one.raddr))
        rows.append(Row(local, remote, _SPELT.get(one.status, one.status.replace("_", "-")), None, None))
    return rows


# -- one connection ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """What the kernel keeps about one connection (struct tcp_info)."""

    retransmission_timeout: float  #: seconds
    round_trip: float  #: seconds, smoothed: SRTT of RFC 6298
    variation: float  #: seconds: RTTVAR
    congestion_window: int  #: segments
    segments_sent: int  #: data or not
    segments_received: int


def tcp_info(sock: socket.socket) -> TcpInfo:
    """Ask about a connected socket. Raises Untold anywhere but on Linux."""
    if sys.platform != "linux":
        raise Untold("only Linux answers getsockopt(TCP_INFO) in this form")
    try:
        data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 144)
    except OSError as error:
        raise Untold(f"this system does not answer getsockopt(TCP_INFO): {error.strerror}") from None
    if len(data) < 144:
        raise Untold("this kernel's TCP_INFO does not count segments")
    words = struct.unpack_from("=34I", data, 8)  # tcpi_rto is the first of them
    (window,), (out, came) = struct.unpack_from("=I", data, 80), struct.unpack_from("=II", data, 136)
    rtt, variation = struct.unpack_from("=II", data, 68)
    return TcpInfo(words[0] / 1e6, rtt / 1e6, variation / 1e6, window, out, came)


# -- ports ---------------------------------------------------------------------------------------------------------


def ephemeral_ports() -> tuple[int, int]:
    """The first and the last port that the system hands out by itself. Raises Untold."""
    if sys.platform == "linux":
        try:
            text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
        except OSError as error:
            raise Untold(f"/proc/sys/net/ipv4/ip_local_port_range cannot be read: {error.strerror}") from None
    elif sys.platform == "darwin":
        text = _output("sysctl", "-n", "net.inet.ip.portrange.first", "net.inet.ip.portrange.last")
    else:
        text = _output("netsh", "int", "ipv4", "show", "dynamicport", "tcp")
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    if len(numbers) < 2:
        raise Untold("this system did not name its range of ephemeral ports")
    first, second = numbers[-2:]
    return (first, second) if sys.platform != "win32" else (first, first + second - 1)


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise Untold(f"`{' '.join(command)}` gave no answer here: {error}") from None


def wait_until(condition: Callable[[], bool], within: float = 2.0) -> bool:
    """Ask until it holds or the time is over; the kernel's tables cannot be waited for in any other way."""
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True
