"""The oracle and tshark agree: on random simulations of correct transports, and on those with one packet made wrong."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.link.trace import Packet
from harness.transport.calls.reference import LoadedSolution, load_solution
from harness.transport.oracle.judge import Case, broken, judge
from harness.transport.segments import Seg, build, parse
from tests.alternates import DESIGNS, write_design
from tests.harness.transport.random_runs import REFERENCE, WIRE, play, random_scenario
from tests.harness.transport.second_reading import read

pytestmark = pytest.mark.tshark

#: Simulations of an audit; AUDIT_READINGS=100 for a quick look. So many share one call of tshark.
SIMULATIONS, TOGETHER = int(os.environ.get("AUDIT_READINGS", "10000")), 20
NAMES = ("reference", *DESIGNS)


@pytest.fixture(scope="module")
def solutions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedSolution]:
    found = {"reference": REFERENCE}
    for name in DESIGNS:
        folder = tmp_path_factory.mktemp("design")
        write_design(name, folder)
        found[name] = load_solution(folder)
    return found


def simulated(seeds: Sequence[int], solutions: dict[str, LoadedSolution]) -> list[list[Packet]]:
    """Random simulations, each of two of the solutions."""
    runs = []
    for seed in seeds:
        dice = random.Random(f"pair {seed}")
        client, server = (solutions[dice.choice(NAMES)] for _ in range(2))
        runs.append(list(play(random_scenario(seed, most=40_000), seed, client=client, server=server).packets))
    return runs


def of_oracle(packets: Sequence[Packet]) -> list[str]:
    """Stage 5 has all rules that the second reading knows, and every design keeps them."""
    return [str(violation) for violation in broken(judge(packets, WIRE, Case(stage=5)))]


def agree(seeds: Sequence[int], solutions: dict[str, LoadedSolution], folder: Path) -> None:
    runs = simulated(seeds, solutions)
    second = read(runs, WIRE, folder)
    for seed, packets, found in zip(seeds, runs, second, strict=True):
        assert (seed, of_oracle(packets), found) == (seed, [], [])


def test_a_few_random_simulations_are_read_alike(solutions: dict[str, LoadedSolution], tmp_path: Path) -> None:
    agree(range(TOGETHER), solutions, tmp_path)


@pytest.mark.audit
def test_thousands_of_random_simulations_are_read_alike(solutions: dict[str, LoadedSolution], tmp_path: Path) -> None:
    for begin in range(0, SIMULATIONS, TOGETHER):
        agree(range(begin, min(begin + TOGETHER, SIMULATIONS)), solutions, tmp_path)


def made_wrong(packets: Sequence[Packet], change: str) -> list[Packet] | None:
    """The same with one packet as nobody correct would have sent it; None where there is no such packet."""
    made = list(packets)
    for place, packet in enumerate(packets):
        seg = parse(packet.data, WIRE)
        copies = sum(one.number == packet.number for one in packets)
        if seg is None or seg.rst or copies > 1 or packet.delivered != packet.data or place < 4:
            continue
        if change == "acknowledges too much" and seg.ack and not seg.syn and not seg.payload:
            data = build(replace(seg, acknowledgement=(seg.acknowledgement + 50_000) % 2**32), WIRE)
        elif change == "sends beyond the window" and seg.payload and not seg.fin:
            data = build(replace(seg, sequence=(seg.sequence + 900_000) % 2**32), WIRE)
        elif (
            change == "sends other bytes again" and seg.payload and _came_before(packets[:place], seg, packet.direction)
        ):
            data = build(replace(seg, payload=bytes(byte ^ 0x55 for byte in seg.payload)), WIRE)
        else:
            continue
        made[place] = replace(packet, data=data, delivered=data)
        return made
    return None


def _came_before(packets: Sequence[Packet], seg: Seg, direction: str) -> bool:
    earlier = (parse(packet.data, WIRE) for packet in packets if packet.direction == direction)
    return any(one is not None and one.payload and one.sequence == seg.sequence for one in earlier)


@pytest.mark.parametrize("change", ["acknowledges too much", "sends beyond the window", "sends other bytes again"])
def test_what_is_wrong_is_told_by_both(change: str, solutions: dict[str, LoadedSolution], tmp_path: Path) -> None:
    wrong = [made for run in simulated(range(100, 120), solutions) if (made := made_wrong(run, change)) is not None]
    assert len(wrong) >= 3
    for packets, found in zip(wrong, read(wrong, WIRE, tmp_path), strict=True):
        assert found
        assert of_oracle(packets)
