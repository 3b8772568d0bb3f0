"""A failing run becomes the fewest misfortunes that still fail, and they are told in words."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.link.profile import Profile
from harness.transport.calls.reference import load_solution
from harness.transport.segments import WireFormat, parse
from harness.transport.simulation import misfortune, shrink
from harness.transport.simulation.applications import LocalConnection
from harness.transport.simulation.catalogue import scenario
from harness.transport.simulation.misfortune import Misfortune
from harness.transport.simulation.scenarios import ROLES, Scenario
from harness.transport.simulation.shrink import Explicit, Recorder, Shrunk
from harness.transport.simulation.world import Around, Setting, SimulationOutcome, World

PLAIN = load_solution(Path(__file__).parent / "plain")
Connection = PLAIN.module("connection").Connection


class Bent(Connection):  # type: ignore[misc]
    """The plain solution with something changed."""

    def __init__(self, *, role: str, isn: int, receive_buffer: int) -> None:
        super().__init__(role, isn=isn, receive_buffer=receive_buffer)


def runner(client: Callable[..., Any], server: Callable[..., Any]) -> Callable[..., SimulationOutcome]:
    def run(setting: Setting, around: Around | None = None) -> SimulationOutcome:
        made = {"client": client, "server": server}
        players = {
            role: LocalConnection(made[role](role=role, isn=setting.isn[role], receive_buffer=65_536)) for role in ROLES
        }
        return World(setting, players, around=around).run()

    return run


def setting(row: Scenario, seed: int = 1) -> Setting:
    dice = random.Random(seed)
    data = {role: dice.randbytes(row.app(role).sends) for role in ROLES}
    return Setting(
        scenario=row,
        seed=seed,
        data=data,
        isn={"client": 5, "server": 9},
        wire=WireFormat(),
        students=("client", "server"),
    )


def found(
    row: Scenario, *, client: Callable[..., Any] = Bent, server: Callable[..., Any] = Bent, **how: Any
) -> Shrunk | None:
    run = runner(client, server)
    for seed in range(1, 20):
        outcome = run(setting(row, seed))
        if outcome.faults:
            return shrink.shrunk(outcome, run, **{"clock": lambda: 0.0, **how})
    raise AssertionError("never failed")


EVERYTHING = Profile(delay=0.03, jitter=0.02, loss=0.1, burst_cap=3, duplicate=0.1, corrupt=0.1, truncate=0.05)
WILD = scenario("32 KiB", to_server=EVERYTHING, to_client=EVERYTHING, limit=600)


# -- the whole way -------------------------------------------------------------------------------------------------


def test_a_lost_acknowledgement_is_found_among_everything():
    class Impatient(Bent):
        """Takes the second transmission of its fifth segment for a new one."""

        def acknowledged(self, segment: Any, now: float) -> None:
            if self.tries == 2 and len(self.outgoing) == 32_768 - 4800:
                self.outgoing[0:0] = b"?"
            super().acknowledged(segment, now)

    shrunk = found(WILD, client=Impatient)
    assert shrunk is not None
    assert len(shrunk.misfortunes) == 1
    assert shrunk.outcome.faults
    assert shrunk.sentence.startswith("it fails when only the f")
    assert " segment of the client is " in shrunk.sentence or " ACK of the server is " in shrunk.sentence


def test_two_losses_that_only_fail_together_are_both_found():
    class GivesUp(Bent):
        def handle_timer(self, *, now: float) -> None:
            super().handle_timer(now=now)
            if self.tries >= 2 and self.current is not None and self.current.payload:
                self.finish(PLAIN.module("connection").Event.TIMED_OUT)

    shrunk = found(scenario("20 % loss on data"), client=GivesUp)
    assert shrunk is not None
    assert len(shrunk.misfortunes) == 2
    first, second = shrunk.clauses
    assert second == first.replace(" is lost", " (sent for the second time) is lost")


def test_damage_that_is_believed_is_found():
    class Believes(Bent):
        def receive_datagram(self, data: bytes, *, now: float) -> None:
            super().receive_datagram(_mended(data), now=now)

    shrunk = found(scenario("20 % damage"), server=Believes)
    assert shrunk is not None
    assert len(shrunk.misfortunes) == 1
    assert "is damaged (bit " in shrunk.sentence


def _mended(data: bytes) -> bytes:
    """The same with a checksum that is right: what a receiver does that does not look at it."""
    checksum = PLAIN.module("checksums").checksum
    return data[:4] + checksum(data[:4] + bytes(4) + data[8:]).to_bytes(4, "big") + data[8:]


def test_an_exact_misfortune_is_found_again():
    class Once(Bent):
        def next_timer(self) -> float | None:
            return None

    shrunk = found(scenario("SYN-ACK lost"), client=Once, server=Once)
    assert shrunk is not None
    assert shrunk.clauses == ("the SYN-ACK of the server is lost",)


def test_what_fails_anyhow_needs_nothing():
    class Never(Bent):
        def end(self) -> None:
            pass

    shrunk = found(WILD, client=Never)
    assert shrunk is not None
    assert shrunk.misfortunes == ()
    assert shrunk.sentence == "it fails even when nothing is lost, late, doubled or damaged"


def test_what_does_not_fail_again_is_not_told():
    count = 0

    class Moody(Bent):
        def end(self) -> None:
            nonlocal count
            count += 1
            if count > 1:
                super().end()

    assert found(scenario("2 % loss on data"), client=Moody, server=Connection_plain) is None


def Connection_plain(**how: Any) -> Any:
    return PLAIN.connection(**how)


def test_the_budget_of_runs_and_seconds_is_kept():
    runs = 0

    class Slow(Bent):
        def __init__(self, **how: Any) -> None:
            nonlocal runs
            runs += 1
            super().__init__(**how)

        def handle_timer(self, *, now: float) -> None:
            super().handle_timer(now=now)
            if self.tries >= 2:
                self.finish(PLAIN.module("connection").Event.TIMED_OUT)

    shrunk = found(scenario("20 % loss on both"), client=Slow, server=Connection_plain, most_runs=4)
    assert shrunk is not None
    assert shrunk.outcome.faults, "even a search that is broken off tells a run that failed"
    assert runs <= 12
    ticks = iter(range(0, 1000, 3))
    assert found(scenario("20 % loss on both"), client=Slow, server=Connection_plain, clock=lambda: float(next(ticks)))


# -- writing down and doing it again -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "20 % loss on both",
        "everything at once",
        "20 % damage",
        "truncated datagrams",
        "jitter that reorders",
        "garbage from the peer",
        "20 % duplicates",
        "a segment replayed 1.5 s late",
        "a segment lost four times",
    ],
)
def test_a_run_that_was_written_down_is_the_same_without_dice(name: str):
    run, chosen = runner(Bent, Bent), setting(scenario(name))
    recorder = Recorder()
    outcome = run(chosen, recorder.around)
    again = run(chosen, Explicit(recorder.misfortunes).around)
    assert recorder.misfortunes
    assert [(p.number, p.sent, p.data) for p in again.packets] == [(p.number, p.sent, p.data) for p in outcome.packets]
    arrived = [[(p.arrived, p.delivered) for p in row.packets] for row in (outcome, again)]
    assert sorted(arrived[1], key=str) == sorted(arrived[0], key=str)


def test_a_recorder_changes_nothing():
    run, chosen = runner(Bent, Bent), setting(WILD)
    assert run(chosen, Recorder().around).packets == run(chosen).packets


def test_no_misfortunes_are_a_steady_link():
    outcome = runner(Bent, Bent)(setting(WILD), Explicit([]).around)
    assert {p.fate for p in outcome.packets} == {"delivered"}
    assert {round((p.arrived or 0) - p.sent, 6) for p in outcome.packets} == {0.03}


# -- words ---------------------------------------------------------------------------------------------------------


def words(*rows: Misfortune) -> Sequence[str]:
    return misfortune.clauses(runner(Bent, Bent)(setting(scenario("32 KiB")), Explicit([]).around), rows)


def test_packets_have_names():
    assert words(
        Misfortune("client", 0, "lost"),
        Misfortune("server", 0, "late", later=250_000_000),
        Misfortune("client", 1, "twice"),
        Misfortune("server", 3, "twice", later=1_500_000_000),
        Misfortune("client", 21, "damaged", place=17),
        Misfortune("client", 1000, "cut", place=4),
        Misfortune("server", 1, "junk", junk=b"abc"),
    ) == (
        "the SYN of the client is lost",
        "the SYN-ACK of the server arrives 0.250 s later",
        "the first data segment of the client arrives twice",
        "the third ACK of the server arrives twice, 1.500 s apart",
        "the 21st data segment of the client is damaged (bit 17)",
        "the 1001st datagram of the client is cut to 4 bytes",
        "the first ACK of the server is followed by 3 bytes that are not a segment",
    )


def test_many_are_counted():
    rows = [f"{misfortune.ordinal(n)} ACK of the server is lost" for n in range(1, 8)]
    text = misfortune.in_words(rows)
    assert text.endswith("the fourth ACK of the server is lost and 3 more things happen")


@pytest.mark.parametrize(
    ("number", "text"), [(1, "the first"), (10, "the tenth"), (11, "the 11th"), (22, "the 22nd"), (113, "the 113th")]
)
def test_ordinals(number: int, text: str):
    assert misfortune.ordinal(number) == text


def test_the_bytes_of_a_damaged_packet_differ_in_one_bit():
    outcome = runner(Bent, Bent)(
        setting(scenario("32 KiB")), Explicit([Misfortune("client", 2, "damaged", place=800)]).around
    )
    (damaged,) = [p for p in outcome.packets if p.fate == "corrupted"]
    assert parse(damaged.delivered, WireFormat()) is None
    assert sum((a ^ b).bit_count() for a, b in zip(damaged.data, damaged.delivered, strict=True)) == 1
