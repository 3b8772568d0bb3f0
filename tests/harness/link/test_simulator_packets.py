"""What a simulation keeps of every datagram: its bytes, as they were sent and as they arrived."""

from __future__ import annotations

from harness.link.profile import Profile
from harness.link.simulator import Simulation
from tests.harness.link.test_simulator import Quiet


def test_every_packet_is_kept_with_its_bytes() -> None:
    student, tester = Quiet(), Quiet()
    student.queue = [bytes([n]) * 50 for n in range(200)]
    simulation = Simulation(
        {"student": student, "tester": tester}, up=Profile(delay=0.02, loss=0.1, duplicate=0.1, corrupt=0.1), seed=5
    )
    simulation.run()
    packets = simulation.packets
    assert {packet.number for packet in packets} == set(range(1, 201))
    assert [p.data for p in packets] == [bytes([p.number - 1]) * 50 for p in packets]
    arrived = sorted((p for p in packets if p.arrived is not None), key=lambda p: p.arrived or 0.0)
    assert sorted(p.delivered for p in arrived) == sorted(data for _, data in tester.got)
    assert {p.delivered for p in packets if p.arrived is None} == {b""}
    assert any(p.delivered != p.data for p in arrived), "10 % are damaged"
    assert len(packets) > 200, "a copy that the link made is a row of its own"
