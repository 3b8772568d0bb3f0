"""What the systems print, read: also those of which no machine is at hand."""

from __future__ import annotations

import socket
import sys

import pytest

from harness.show import kernel
from harness.show.kernel import Row, Untold, netstat_rows, proc_rows

PROC = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 12345 1
   1: 0100007F:1F90 0100007F:C350 08 00000010:00000000 01:00000014 00000000  1000        0 0 1
   2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0 0 0 0 1
"""
#: As macOS prints it (netstat(1)); the numbers are made up.
NETSTAT = """\
Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)
tcp4       0      0  127.0.0.1.8080         127.0.0.1.50000        ESTABLISHED
tcp4       0    512  127.0.0.1.50000        127.0.0.1.8080         FIN_WAIT_2
tcp46      0      0  *.8080                 *.*                    LISTEN
tcp6       0      0  ::1.8080               ::1.50001              TIME_WAIT
"""


@pytest.mark.skipif(sys.byteorder == "big", reason="the sample is of a little-endian machine")
def test_linux_table() -> None:
    assert proc_rows(PROC) == [
        Row(("127.0.0.1", 8080), ("*", 0), "LISTEN", 3, 0),
        Row(("127.0.0.1", 8080), ("127.0.0.1", 50000), "CLOSE-WAIT", 0, 16),
        Row(("::1", 80), ("*", 0), "LISTEN", 0, 0),
    ]


def test_macos_table() -> None:
    assert netstat_rows(NETSTAT) == [
        Row(("127.0.0.1", 8080), ("127.0.0.1", 50000), "ESTABLISHED", 0, 0),
        Row(("127.0.0.1", 50000), ("127.0.0.1", 8080), "FIN-WAIT-2", 0, 512),
        Row(("*", 8080), ("*", 0), "LISTEN", 0, 0),
        Row(("::1", 8080), ("::1", 50001), "TIME-WAIT", 0, 0),
    ]


def test_windows_way_agrees_with_linux() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        here = listening.getsockname()
        (row,) = [row for row in kernel._psutil_rows() if row.local == here and row.state == "LISTEN"]
        (told,) = [row for row in kernel.tcp_table([here[1]]) if row.local == here and row.state == "LISTEN"]
    assert row.remote == told.remote == ("*", 0)


def test_a_system_that_says_nothing_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("PATH", "/nowhere")
    for ask in (lambda: kernel.tcp_table([1]), kernel.ephemeral_ports):
        with pytest.raises(Untold, match="gave no answer here"):
            ask()
    with socket.socket() as sock, pytest.raises(Untold, match="only Linux"):
        kernel.tcp_info(sock)


def test_macos_ports_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(kernel, "_output", lambda *_: "49152\n65535\n")
    assert kernel.ephemeral_ports() == (49152, 65535)


def test_windows_ports_are_a_start_and_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    said = "Protocol tcp Dynamic Port Range\n---\nStart Port      : 49152\nNumber of Ports : 16384\n"
    monkeypatch.setattr(kernel, "_output", lambda *_: said)
    assert kernel.ephemeral_ports() == (49152, 65535)
