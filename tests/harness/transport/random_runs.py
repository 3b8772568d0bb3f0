"""Random simulations of two transports in this process, and what the oracle says of them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from harness.link.profile import Profile
from harness.link.trace import Direction
from harness.transport.calls.reference import LoadedSolution, load_solution
from harness.transport.oracle.judge import Case, Violation, judge
from harness.transport.segments import WireFormat
from harness.transport.simulation.applications import LocalConnection
from harness.transport.simulation.scenarios import ROLES, App, Garbage, Lose, Replay, Role, Scenario, other
from harness.transport.simulation.world import Setting, SimulationOutcome, World

ROOT = Path(__file__).parents[3]
REFERENCE = load_solution(ROOT / "reference" / "transport")
WIRE = WireFormat()


def random_profile(dice: random.Random) -> Profile:
    """A link that may do anything."""
    delay = dice.choice([0.0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.3, 0.75])
    fields: dict[str, object] = {"delay": delay}
    some = lambda value: value if dice.random() < 0.35 else 0  # noqa: E731
    fields["jitter"] = min(delay, some(dice.choice([0.002, 0.01, 0.05, 0.2])))
    fields["loss"] = some(dice.choice([0.005, 0.02, 0.05, 0.1, 0.2]))
    fields["duplicate"] = some(dice.choice([0.01, 0.2]))
    fields["corrupt"] = some(dice.choice([0.01, 0.05, 0.2]))
    fields["truncate"] = some(dice.choice([0.01, 0.05]))
    if delay:
        fields["reorder"] = some(dice.choice([0.01, 0.1, 0.3]))
    if dice.random() < 0.4:
        fields["rate"] = dice.choice([100_000, 1_000_000, 10_000_000])
        fields["limit"] = dice.choice([3, 10, 64, 1000])
    if dice.random() < 0.1:
        begin = dice.uniform(0, 3)
        fields["blackout"] = ((begin, begin + dice.choice([0.3, 2.0, 5.0])),)
    fields["burst_cap"] = 3
    return Profile(**fields)  # type: ignore[arg-type]


def random_app(dice: random.Random, most: int) -> App:
    """An application that may do anything."""
    sends = dice.choice([0, 1, 1199, 1200, 1201, 5000, dice.randrange(40_000), dice.randrange(most)])
    fields: dict[str, object] = {"sends": sends}
    if dice.random() < 0.3:
        fields |= {"chunk": max(1, sends // dice.choice([3, 10, 40])), "every": dice.choice([0.01, 0.1, 0.3])}
    if dice.random() < 0.2:
        fields["ends"] = "heard"
    if dice.random() < 0.2:
        fields |= {"reads": dice.choice([100, 1000, 5000]), "reads_every": dice.choice([0.01, 0.05, 0.3])}
    elif dice.random() < 0.15:
        begin = dice.uniform(0, 2)
        fields["sleeps"] = (begin, begin + dice.choice([0.5, 3.0, 20.0]))
    if dice.random() < 0.04:
        fields["aborts"] = dice.uniform(0, 4)
    return App(**fields)  # type: ignore[arg-type]


def random_scenario(seed: int, *, most: int = 200_000) -> Scenario:
    """A story of its own for each seed."""
    dice = random.Random(seed)
    client, server = random_app(dice, most), random_app(dice, most)
    if client.ends == "heard" == server.ends:
        server = App(sends=server.sends)
    link = random_profile(dice)
    back = random_profile(dice) if dice.random() < 0.4 else link
    what = ["SYN", "SYN-ACK", "data", "last data", "FIN", "ACK", "last ACK", "window update"]
    lose, replay = [], []
    if dice.random() < 0.3:
        lose = [
            Lose(
                sender=dice.choice(ROLES),
                what=dice.choice(what),
                nth=dice.choice([1, 2, 3, 10]),
                times=dice.choice([1, 1, 2, 4]),
            )
        ]
    if dice.random() < 0.15:
        replay = [Replay(sender=dice.choice(ROLES), what=dice.choice(what), later=dice.choice([0.1, 1.5, 5.0]))]
    garbage = [Garbage(sender=dice.choice(ROLES))] if dice.random() < 0.1 else []
    buffers = {role: dice.choice([1, 600, 1200, 3000, 10_000, 300_000]) for role in ROLES if dice.random() < 0.25}
    if 1 in buffers.values():  # a byte for a round trip: a little of it tells as much
        client, server = replace(client, sends=client.sends % 200), replace(server, sends=server.sends % 200)
    return Scenario(
        name=f"random {seed}",
        why="anything may happen",
        stage=7,
        client=client,
        server=server,
        to_server=link,
        to_client=back,
        lose=tuple(lose),
        replay=tuple(replay),
        garbage=tuple(garbage),
        buffers=buffers,
        near_wrap=dice.random() < 0.3,
        limit=400.0,
        ending="any",
        whole=False,
    )


def play(
    row: Scenario, seed: int, client: LoadedSolution = REFERENCE, server: LoadedSolution = REFERENCE
) -> SimulationOutcome:
    """One run. The client's packets go up."""
    dice = random.Random(seed)
    setting = Setting(
        scenario=row,
        seed=seed,
        data={role: dice.randbytes(row.app(role).sends) for role in ROLES},
        isn={role: 0xFFFF_FF00 if row.near_wrap else dice.getrandbits(32) for role in ROLES},
        wire=WIRE,
        students=("client",),
    )
    made = {"client": client, "server": server}
    return World(
        setting,
        {
            role: LocalConnection(
                made[role].connection(role=role, isn=setting.isn[role], receive_buffer=row.buffer(role))
            )
            for role in ROLES
        },
    ).run()


def verdict(outcome: SimulationOutcome, *, stage: int = 9, roles: tuple[Role, ...] = ROLES) -> list[Violation]:
    """What the oracle says, with all that is known of the run."""
    row = outcome.setting.scenario
    way: dict[Role, Direction] = {outcome.setting.first: "up", other(outcome.setting.first): "down"}
    case = Case(
        stage=stage,
        judged=[way[role] for role in roles],
        isns={way[role]: outcome.setting.isn[role] for role in ROLES},
        buffers={way[role]: row.buffer(role) for role in ROLES},
        reads={way[role]: outcome.arrivals[role] for role in ROLES},
        servers=[way["server"]],
    )
    return judge(outcome.packets, WIRE, case)
