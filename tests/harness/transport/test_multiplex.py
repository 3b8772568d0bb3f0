"""Flows that share an endpoint hear only what is theirs, and take turns."""

from __future__ import annotations

import pytest

from harness.link.profile import Profile
from harness.link.simulator import Simulation
from harness.transport.simulation.multiplex import SharedEndpoint


class Flow:
    """Sends what it was given, and keeps what it hears; wants to be called at its time."""

    def __init__(self, *data: bytes, timer: float | None = None) -> None:
        self.to_send, self.heard, self.timer, self.called = list(data), [], timer, []

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        self.heard.append((now, data))

    def datagrams_to_send(self, *, now: float) -> list[bytes]:  # noqa: ARG002
        sent, self.to_send = self.to_send, []
        return sent

    def next_timer(self) -> float | None:
        return self.timer

    def handle_timer(self, *, now: float) -> None:
        self.called.append(now)
        self.timer = None


def test_each_flow_hears_its_own() -> None:
    senders, receivers = [Flow(b"a", b"b"), Flow(b"c")], [Flow(), Flow()]
    Simulation({"up": SharedEndpoint(senders), "down": SharedEndpoint(receivers)}, up=Profile(delay=0.5)).run()
    assert [flow.heard for flow in receivers] == [[(0.5, b"a"), (0.5, b"b")], [(0.5, b"c")]]


def test_a_flow_of_no_number_is_nobodys() -> None:
    flow = Flow()
    shared = SharedEndpoint([flow])
    for datagram in (b"", b"\x01x", b"\xffx"):
        shared.receive_datagram(datagram, now=1.0)
    assert flow.heard == []
    shared.receive_datagram(b"\x00", now=1.0)
    assert flow.heard == [(1.0, b"")]


def test_timers_are_called_when_they_are_due_and_not_before() -> None:
    early, late, never = Flow(timer=1.0), Flow(timer=2.0), Flow()
    shared = SharedEndpoint([late, early, never])
    assert shared.next_timer() == 1.0
    shared.handle_timer(now=1.5)
    assert (early.called, late.called, never.called) == ([1.5], [], [])
    assert shared.next_timer() == 2.0
    shared.handle_timer(now=2.0)
    assert shared.next_timer() is None


def test_they_take_turns_in_being_first() -> None:
    flows = [Flow(), Flow(), Flow()]
    shared = SharedEndpoint(flows)
    firsts = []
    for _ in range(6):
        for flow in flows:
            flow.to_send = [b"x"]
        firsts.append(next(iter(shared.datagrams_to_send(now=0.0)))[0])
    assert sorted(firsts) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("count", [0, 257])
def test_a_byte_numbers_256_flows(count: int) -> None:
    with pytest.raises(ValueError, match="256"):
        SharedEndpoint([Flow()] * count)
