"""Scenarios between two connections in this process: one that waits passes, and every fault has its sentence."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harness.link.profile import Profile
from harness.transport.calls.player import StepResult
from harness.transport.calls.reference import load_solution
from harness.transport.segments import WireFormat, parse
from harness.transport.simulation.applications import LocalConnection
from harness.transport.simulation.catalogue import CATALOGUE, scenario
from harness.transport.simulation.scenarios import ROLES, App, Role, Scenario, other
from harness.transport.simulation.world import Setting, SimulationOutcome, World

PLAIN = load_solution(Path(__file__).parent / "plain")
WIRE = WireFormat()
Made = Callable[..., Any]


def setting(row: Scenario, seed: int = 1, students: tuple[Role, ...] = ("client",)) -> Setting:
    dice = random.Random(seed)
    isn = {role: 0xFFFF_FF00 if row.near_wrap else dice.getrandbits(32) for role in ROLES}
    data = {role: dice.randbytes(row.app(role).sends) for role in ROLES}
    return Setting(scenario=row, seed=seed, data=data, isn=isn, wire=WIRE, students=students)


def run(
    row: Scenario, *, client: Made = PLAIN.connection, server: Made = PLAIN.connection, **how: Any
) -> SimulationOutcome:
    chosen = setting(row, **how)
    made = {"client": client, "server": server}
    return World(
        chosen,
        {
            role: LocalConnection(made[role](role=role, isn=chosen.isn[role], receive_buffer=row.buffer(role)))
            for role in ROLES
        },
    ).run()


#: What a sender of one segment at a time is too slow for.
TOO_FAST = {name for name, row in CATALOGUE.items() if row.stage >= 5 and row.client.sends > 100_000} | {"8 MB"}


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in TOO_FAST])
def test_the_simplest_solution_that_works_passes(name: str):
    outcome = run(CATALOGUE[name])
    assert not outcome.faults
    assert outcome.packets


@pytest.mark.parametrize("name", ["a window's worth under way", "750 ms links"])
def test_one_segment_at_a_time_is_too_slow_for_a_window(name: str):
    (fault, *_) = run(CATALOGUE[name]).faults
    assert fault.kind == "late"


@pytest.mark.parametrize("name", ["half-close", "10 % loss on data", "a reader that sleeps", "SYN-ACK lost"])
def test_a_scenario_the_other_way_round(name: str):
    row = CATALOGUE[name].reversed()
    outcome = run(row)
    assert not outcome.faults
    assert row.reversed().client == CATALOGUE[name].client
    assert len(outcome.received["client"]) == row.server.sends > 0


def test_the_same_seed_is_the_same_story():
    one, again, third = (run(scenario("10 % loss on both"), seed=seed) for seed in (5, 5, 6))
    assert one.packets == again.packets
    assert one.packets != third.packets


def test_the_student_is_up():
    outcome = run(scenario("32 KiB"), students=("server",))
    assert [p.direction for p in outcome.packets[:2]] == ["down", "up"], "the client's SYN, the server's answer"


# -- exact misfortunes ---------------------------------------------------------------------------------------------


def lost(outcome: SimulationOutcome) -> list[str]:
    return [describe(outcome, p.data) for p in outcome.packets if p.fate == "lost"]


def describe(outcome: SimulationOutcome, data: bytes) -> str:
    seg = parse(data, WIRE)
    assert seg is not None
    flags = "".join(name[0] for name in ("syn", "ack", "fin", "rst") if getattr(seg, name))
    start = outcome.setting.isn["client"]
    at = (seg.sequence - start - 1) % 2**32
    return f"{flags} {at}+{len(seg.payload)}" if seg.payload else flags


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("first SYN lost", ["s"]),
        ("SYN-ACK lost", ["sa"]),
        ("first data segment lost", ["a 0+1200"]),
        ("last data segment lost", ["a 32400+368"]),
        ("FIN lost", ["af"]),
        ("first ACK lost", ["a"]),
        ("a segment lost four times", ["a 4800+1200"] * 4),
        ("two holes in a window", ["a 13200+1200", "a 15600+1200"]),
        ("window update lost", ["a"]),
        ("last ACK lost", ["a"]),
    ],
)
def test_exactly_that_segment_is_lost(name: str, expected: list[str]):
    outcome = run(scenario(name))
    assert lost(outcome) == expected
    assert not outcome.faults


def test_the_last_ack_is_that_of_the_fin():
    outcome = run(scenario("last ACK lost"))
    (gone,) = [p for p in outcome.packets if p.fate == "lost"]
    fins = [p for p in outcome.packets if (seg := parse(p.data, WIRE)) and seg.fin and p.direction == "down"]
    assert len(fins) == 2, "the server's FIN is sent again, since its acknowledgement was lost"
    assert fins[0].number < gone.number < fins[1].number


def test_a_replayed_segment_arrives_again_much_later():
    outcome = run(scenario("a segment replayed 1.5 s late"))
    (copy,) = [p for p in outcome.packets if p.fate == "duplicated"]
    assert copy.arrived == pytest.approx(copy.sent + 0.01 + 1.5)
    assert not outcome.faults


def test_garbage_arrives_and_is_never_a_segment():
    outcome = run(scenario("garbage from the peer"))
    junk = [p.delivered for p in outcome.packets if p.fate == "corrupted"]
    assert len(junk) >= 15
    assert all(parse(data, WIRE) is None for data in junk)


# -- applications --------------------------------------------------------------------------------------------------


def test_one_byte_at_a_time_is_one_byte_every_100_ms():
    outcome = run(scenario("one byte every 100 ms"))
    times = [at for at, _ in outcome.arrivals["server"]]
    assert len(times) == 30
    assert times[9] - times[4] == pytest.approx(0.5, abs=0.01)


def test_ping_pong_waits_for_every_answer():
    outcome = run(scenario("ping-pong"))
    order = sorted((at, role) for role in ROLES for at, _ in outcome.arrivals[role])
    assert [role for _, role in order] == ["server", "client"] * 20


def test_a_half_close_is_answered_after_the_end():
    outcome = run(scenario("half-close"))
    heard = next(at for at, word in outcome.events["server"] if word == "end of stream")
    assert outcome.arrivals["client"][0][0] > heard


def test_a_sleeping_reader_reads_nothing():
    outcome = run(scenario("a reader that sleeps"))
    assert not [at for at, _ in outcome.arrivals["server"] if 0.05 < at < 5.0]


def test_a_slow_reader_reads_by_the_clock():
    outcome = run(scenario("a slow reader"))
    sizes = [0, *(size for _, size in outcome.arrivals["server"])]
    assert max(b - a for a, b in pairwise(sizes)) == 700


@pytest.mark.parametrize("sleeps", [(0.0, 0.7), (0.21, 0.9), (0.3, 2.0), (0.5, 0.52)])
def test_a_slow_reader_may_sleep(sleeps: tuple[float, float]):
    row = scenario("a slow reader")
    outcome = run(replace(row, server=replace(row.server, sleeps=sleeps)))
    assert not outcome.faults
    read_at = [at for at, _ in outcome.arrivals["server"]]
    assert not [at for at in read_at if sleeps[0] <= at < sleeps[1]]
    after = next(at for at in read_at if at >= sleeps[1])
    assert after == pytest.approx(sleeps[1], abs=0.05)


# -- faults --------------------------------------------------------------------------------------------------------


class Bent(PLAIN.module("connection").Connection):  # type: ignore[misc]
    """The plain solution with something changed."""

    def __init__(self, *, role: str, isn: int, receive_buffer: int) -> None:
        super().__init__(role, isn=isn, receive_buffer=receive_buffer)


def fault_of(bent: type[Bent], row: Scenario, role: Role = "server") -> tuple[str, str]:
    outcome = run(row, **{role: bent})
    assert outcome.faults
    return outcome.faults[0].kind, outcome.faults[0].text


def test_a_changed_byte_is_told_with_its_place():
    class Changes(Bent):
        def read(self, limit: int) -> bytes:
            data = bytearray(super().read(limit))
            data[5:6] = bytes([data[5] ^ 1]) if len(data) > 5 else b""
            return bytes(data)

    kind, text = fault_of(Changes, scenario("2400 bytes"))
    assert kind == "stream"
    assert text == "the server did not read what the client sent: they differ from byte 5 on"


def test_bytes_that_are_never_read_are_missing():
    class Forgets(Bent):
        def read(self, limit: int) -> bytes:
            return b"" if len(self.incoming) < 1000 else super().read(limit)

    kind, text = fault_of(Forgets, scenario("1 byte"))
    assert kind == "stream"
    assert "1 of 1 bytes are missing" in text


def test_bytes_that_no_segment_brought_count_as_nothing():
    known = setting(scenario("2400 bytes")).data["client"]

    class Knows(Bent):
        def __init__(self, **how: Any) -> None:
            super().__init__(**how)
            self.told = False

        def read(self, limit: int) -> bytes:
            super().read(limit)
            self.told, before = True, self.told
            return b"" if before else known

    kind, text = fault_of(Knows, scenario("2400 bytes"))
    assert kind == "covert"
    assert "no segment had brought" in text


def test_an_end_without_the_bytes_is_a_short_stream():
    class Ends(Bent):
        def next_event(self) -> Any:
            event = super().next_event()
            if event is not None and event.value == "connected":
                self.events += [type(event).END_OF_STREAM, type(event).CLOSED]
                self.over = True
            return event

    kind, text = fault_of(Ends, scenario("2400 bytes", stage=4))
    assert (kind, "of 2,400 bytes are missing" in text) == ("stream", True)


def test_a_wrong_ending_is_told():
    class Resets(Bent):
        def handle_timer(self, *, now: float) -> None:  # noqa: ARG002
            self.finish(PLAIN.module("connection").Event.RESET)

    kind, text = fault_of(Resets, scenario("first data segment lost"), "client")
    assert kind == "ending"
    assert text.startswith("the client's connection ended with 'reset' at ")


def test_an_event_told_twice():
    class Twice(Bent):
        def next_event(self) -> Any:
            event = super().next_event()
            if event is not None and event.value == "connected" and not hasattr(self, "again"):
                self.again = True
                self.events.append(event)
            return event

    assert fault_of(Twice, scenario("1 byte")) == ("ending", "the server told 'connected' 2 times")


def test_no_timer_means_all_is_quiet():
    class Waits(Bent):
        def next_timer(self) -> float | None:
            return None

    kind, text = fault_of(Waits, scenario("first SYN lost"), "client")
    assert kind == "late"
    assert "the last datagram was sent at 0.0 s" in text


def test_time_that_stands_still_is_a_broken_call():
    class Stands(Bent):
        def next_timer(self) -> float | None:
            return 0.5

    kind, text = fault_of(Stands, scenario("32 KiB"))
    assert kind == "call"
    assert "time would stand still" in text


def test_a_connection_that_is_never_done_is_ended():
    class Busy(Bent):
        def datagrams_to_send(self, *, now: float) -> list[bytes]:
            return [*super().datagrams_to_send(now=now), b"?"]

    outcome = run(scenario("a reader that sleeps a minute"), client=Busy, server=Busy)
    assert outcome.faults[0].kind == "call"
    assert "events and no end" in outcome.faults[0].text


def test_an_application_that_is_not_heard_is_a_wrong_scenario():
    with pytest.raises(KeyError, match='Did you mean "half-close"'):
        scenario("half close")


def test_plans_say_how_much_is_sent():
    row = Scenario(name="x", why="y", stage=3, client=App(sends=5))
    assert row.app("client").sends == 5
    assert replace(row, to_server=Profile(loss=0.1)).random
    assert not row.random
    assert other("client") == "server"


class Flooding:
    """Beside a connection: what it does at one instant is done for ever."""

    def __init__(self, turn: StepResult) -> None:
        self.turn = turn

    def step(self, *, send: bytes = b"", read: int = 0, **_: Any) -> StepResult:
        """Take a byte, so that there is another turn."""
        return replace(self.turn, accepted=min(1, len(send)), read=self.turn.read[:read])


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        (StepResult(read=bytes(65_536), datagrams=[bytes(60_000)] * 50), "sends 33,000,000 bytes in one instant"),
        (StepResult(read=bytes(65_536)), "reads bytes for ever"),
    ],
)
def test_what_one_instant_brings_is_bounded(turn: StepResult, told: str):
    row = CATALOGUE["both directions"]
    chosen = setting(row)
    server = PLAIN.connection(role="server", isn=chosen.isn["server"], receive_buffer=row.buffer("server"))
    outcome = World(chosen, {"client": Flooding(turn), "server": LocalConnection(server)}).run()
    assert not outcome.well
    assert told in next(fault.text for fault in outcome.faults if fault.kind == "call")
