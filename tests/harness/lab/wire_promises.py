"""What every engine on the wires of a star of namespaces has to keep, be it the router or the kernel's netem."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from harness.link.profile import Profile
from tests.harness.lab.namespaces import OWN, Star

families = pytest.mark.parametrize("family", [4, 6])


def each_direction_takes_its_delay(star: Star, family: int) -> dict[str, Any]:
    """A datagram each way; the counters afterwards."""
    star.shape(up=Profile(delay=0.03), down=Profile(delay=0.01))
    tester, student = star.bound(family, socket.SOCK_DGRAM)
    for sender, receiver, delay in ((student, tester, 0.03), (tester, student, 0.01)):
        start = time.monotonic()
        sender.sendto(b"hello", receiver.getsockname()[:2])
        data, source = receiver.recvfrom(100)
        assert delay <= time.monotonic() - start < delay + 0.2
        assert (data, source) == (b"hello", sender.getsockname())
    return star.ask(op="counters")


def a_connection_passes_and_loss_is_repaired(star: Star, family: int) -> None:
    """A hundred kilobytes over TCP, from the address that connected."""
    star.shape(up=Profile(loss=0.05), down=Profile(loss=0.05, delay=0.001))
    tester, student = star.bound(family, socket.SOCK_STREAM)
    student.listen()
    tester.connect(student.getsockname()[:2])
    server, peer = student.accept()
    assert peer == tester.getsockname()
    payload = bytes(range(256)) * 400
    for end in (server, tester):
        end.settimeout(10)
    server.sendall(payload)
    server.close()
    found = b""
    while data := tester.recv(65_536):
        found += data
    assert found == payload
    assert star.ask(op="counters")["lost"] > 0


def nobody_talks_to_the_link_itself(star: Star, family: int) -> None:
    """Neither end is answered by the link's own addresses."""
    for end in "ST":
        for host in OWN[family]:
            sock = star.socket(end, family, socket.SOCK_STREAM)
            sock.settimeout(0.05)
            with pytest.raises(TimeoutError):  # not even refused
                sock.connect((host, 22))
            sock.close()
