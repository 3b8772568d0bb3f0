"""Runs one scenario between two connections in virtual time, and finds everything wrong with the outcome. Pure.

Rule 1: what was read is compared with what the other side sent, and with what the link delivered: whatever reached the
reader without the link does not count.
Rule 2: a fault is a sentence; the first one is reported. A fault of a side that is not the student's is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.actors.story import Broken, difference
from harness.link.model import Link
from harness.link.profile import Profile
from harness.link.simulator import BadEndpoint, Carrier, Endless, Simulation
from harness.link.trace import Direction, Packet
from harness.transport.calls.player import Player
from harness.transport.delivered import delivered
from harness.transport.oracle.judge import Case, Violation, judge
from harness.transport.oracle.judge import broken as broken_rules
from harness.transport.segments import WireFormat
from harness.transport.simulation.applications import Application, Party
from harness.transport.simulation.scenarios import ROLES, Change, Role, Scenario, other
from harness.transport.simulation.tamper import Tamper

#: Most events of a simulation: this many for each segment of data, plus this many.
EVENTS_PER_SEGMENT, EVENTS_BESIDES = 40, 60_000

Kind = Literal["call", "stream", "ending", "late", "covert", "rule"]
#: The order in which faults are reported.
_ORDER: tuple[Kind, ...] = ("call", "covert", "stream", "ending", "rule", "late")
#: Wraps the link that a side sends into: the side, the link itself, the link as wrapped so far.
Around = Callable[[Role, Link, Carrier], Carrier]


@dataclass(frozen=True)
class Fault:
    """One thing that was not as it should be."""

    kind: Kind
    text: str
    expected: str | None = None
    seen: str | None = None
    rule: str = ""  #: the number of the broken rule, if it is one
    role: Role | None = None  #: whose doing it was, where that is certain
    packet: int = 0  #: number of the packet that broke the rule


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A scenario with everything random about it chosen."""

    scenario: Scenario
    seed: int  #: of the links
    data: Mapping[Role, bytes]  #: what each side sends
    isn: Mapping[Role, int]
    wire: WireFormat
    students: tuple[Role, ...]  #: the sides under test; the first of them is "up" in the packets
    model: bool = False  #: whether those have the model-based controller

    @property
    def first(self) -> Role:
        """The side whose packets go up."""
        return self.students[0] if self.students else "client"

    def sender(self, direction: Direction) -> Role:
        """Who sends in that direction."""
        return self.first if direction == "up" else other(self.first)

    def direction(self, role: Role) -> Direction:
        """The direction in which a side sends."""
        return "up" if role == self.first else "down"


@dataclass(frozen=True, kw_only=True)
class SimulationOutcome:
    """The outcome of a run."""

    setting: Setting
    seconds: float  #: of virtual time, when everything was over, or the limit
    received: Mapping[Role, bytes]  #: what each side's application read
    events: Mapping[Role, Sequence[tuple[float, str]]]
    arrivals: Mapping[Role, Sequence[tuple[float, int]]]  #: (when, bytes read by then)
    packets: Sequence[Packet]
    faults: Sequence[Fault] = ()  #: empty if all was well
    broken: Broken | None = None  #: what a call raised, if one did
    steps: int = 0  #: round trips, or calls in this process, of both sides
    violations: Sequence[Violation] = ()  #: what the oracle says of the sides under test
    taken: Mapping[Role, int] = field(default_factory=dict)  #: bytes that each connection took from its application
    ended: Mapping[Role, bool] = field(default_factory=dict)  #: whether each application has ended its stream

    @classmethod
    def unplayed(cls, setting: Setting, fault: Fault, broken: Broken) -> SimulationOutcome:
        """The outcome of a run that could not begin."""
        return cls(
            setting=setting,
            seconds=0.0,
            received=dict.fromkeys(ROLES, b""),
            events={role: [] for role in ROLES},
            arrivals={role: [] for role in ROLES},
            packets=[],
            faults=[fault],
            broken=broken,
        )

    @property
    def well(self) -> bool:
        """Whether nothing was wrong."""
        return not self.faults

    def packets_of(self, role: Role) -> list[Packet]:
        """What a side sent."""
        way = self.setting.direction(role)
        return [packet for packet in self.packets if packet.direction == way]

    def finished(self, role: Role) -> float:
        """When the last byte reached a side, in seconds of virtual time."""
        return self.arrivals[role][-1][0] if self.arrivals[role] else 0.0


class World:
    """One run."""

    def __init__(self, setting: Setting, players: Mapping[Role, Player], *, around: Around | None = None) -> None:
        """`players`: a fresh connection for each side. `around`: wraps the links, outside of exact misfortunes."""
        self.setting = setting
        scenario = setting.scenario
        self.parties = {
            role: Party(role, players[role], Application(scenario.app(role), setting.data[role])) for role in ROLES
        }
        tamper = Tamper(scenario, setting.wire, setting.seed) if _tampers(scenario) else None

        def wrapped(direction: Direction, link: Link) -> Carrier:
            sender = setting.sender(direction)
            carrier: Carrier = link if tamper is None else tamper.around(sender, link)
            return carrier if around is None else around(sender, link, carrier)

        first = setting.first
        segments = (scenario.client.sends + scenario.server.sends) // 1000
        self.simulation = Simulation(
            {role: self.parties[role] for role in (first, other(first))},
            up=scenario.profile(first),
            down=scenario.profile(other(first)),
            seed=setting.seed,
            most_events=EVENTS_BESIDES + EVENTS_PER_SEGMENT * segments,
            around=wrapped,
        )
        for change in scenario.changes:
            self.simulation.at(change.at, self._changer(change))

    def _changer(self, change: Change) -> Callable[[float], None]:
        def profile(role: Role) -> Profile | None:
            return change.to_server if role == "client" else change.to_client

        first = self.setting.first
        return lambda _: self.simulation.set_links(up=profile(first), down=profile(other(first)))

    def run(self) -> SimulationOutcome:
        """Run to the end, or to the limit. Raises what is not the submission's fault: LabError, mistakes of ours."""
        scenario = self.setting.scenario
        faults: list[Fault] = []
        broken = None
        try:
            self.simulation.run_until(self._done, within=scenario.limit)
        except Broken as error:
            broken = error
            faults.append(Fault("call", error.message, error.expected, error.seen, role=self._raised()))
        except (BadEndpoint, Endless) as error:
            faults.append(Fault("call", str(error), role=_named(error)))
        packets = self.simulation.packets
        violations = self._violations(packets) if broken is None else []
        faults += self._faults(packets, violations) if broken is None else []
        return SimulationOutcome(
            setting=self.setting,
            seconds=self.simulation.now,
            received={role: bytes(self._app(role).received) for role in ROLES},
            events={role: self._app(role).events for role in ROLES},
            arrivals={role: self._app(role).arrivals for role in ROLES},
            packets=packets,
            faults=faults,
            broken=broken,
            steps=sum(party.steps for party in self.parties.values()),
            violations=violations,
            taken={role: self._app(role).sent for role in ROLES},
            ended={role: self._app(role).ended for role in ROLES},
        )

    def _app(self, role: Role) -> Application:
        return self.parties[role].application

    def _raised(self) -> Role | None:
        """Whose call it was that was broken."""
        return next((role for role in ROLES if self.parties[role].broken), None)

    # -- when it is over -----------------------------------------------------------------------------------------

    def _done(self) -> bool:
        return all(self._side_done(role) for role in self.setting.scenario.watched)

    def _side_done(self, role: Role) -> bool:
        scenario, app = self.setting.scenario, self._app(role)
        if app.aborted or (app.over and (app.over != "closed" or not scenario.whole)):
            return True
        if scenario.ending not in ("closed", "any"):
            return False
        if len(app.received) < len(self.setting.data[other(role)]):
            return False
        return bool(app.over) if scenario.closes else app.heard and (app.ended or scenario.app(role).ends == "never")

    # -- what was wrong ------------------------------------------------------------------------------------------

    def _violations(self, packets: Sequence[Packet]) -> list[Violation]:
        """What the oracle says of the sides under test; the other side is not judged."""
        setting, scenario = self.setting, self.setting.scenario
        way = {role: setting.direction(role) for role in ROLES}
        judged = [way[role] for role in setting.students]
        case = Case(
            stage=scenario.stage,
            judged=judged,
            isns={way[role]: setting.isn[role] for role in ROLES},
            buffers={way[role]: scenario.buffer(role) for role in ROLES},
            reads={way[role]: self._app(role).arrivals for role in ROLES},
            models=judged if setting.model else (),
            servers=(way["server"],),
        )
        return judge(packets, setting.wire, case)

    def _faults(self, packets: Sequence[Packet], violations: Sequence[Violation]) -> list[Fault]:
        found: list[Fault] = []
        for role in ROLES:
            found += self._stream_faults(role, packets)
        for role in self.setting.scenario.watched:
            found += self._ending_faults(role)
        for violation in broken_rules(violations):
            role = self.setting.sender(violation.direction)
            found.append(Fault("rule", str(violation), rule=violation.rule, role=role, packet=violation.packet))
        return sorted(found, key=lambda fault: _ORDER.index(fault.kind))

    def _stream_faults(self, role: Role, packets: Sequence[Packet]) -> list[Fault]:
        """What a side read, against what was sent and what was delivered."""
        expected, seen = self.setting.data[other(role)], bytes(self._app(role).received)
        way = self.setting.direction(other(role))
        one_way = (packet for packet in packets if packet.direction == way)
        there = delivered(one_way, self.setting.wire, until=self.simulation.now)
        if not expected.startswith(seen):
            text = f"the {role} did not read what the {other(role)} sent: {difference(expected, seen)}"
            whose = role if expected.startswith(there.stream) else other(role)  # who reads it, or who cut it wrongly
            return [Fault("stream", text, f"{len(expected):,} bytes", f"{len(seen):,} bytes", role=whose)]
        reads = self._app(role).arrivals
        for (at, count), most in zip(reads, there.by(at for at, _ in reads), strict=True):
            if count > most:
                text = f"the {role} read bytes that no segment had brought, at {at:.6f} s"
                brought = f"the {most:,} bytes that the link delivered in order"
                return [Fault("covert", text, brought, f"{count:,} bytes", role=role)]
        if not there.stream.startswith(seen):
            text = f"the {role} read other bytes than the segments brought: {difference(bytes(there.stream), seen)}"
            return [Fault("covert", text, role=role)]
        return []

    def _ending_faults(self, role: Role) -> list[Fault]:
        """How a side ended, and whether in time."""
        scenario, app = self.setting.scenario, self._app(role)
        if app.over and not app.aborted and scenario.ending != "any" and app.over != scenario.ending:
            when = next(at for at, word in app.events if word == app.over)
            text = f"the {role}'s connection ended with {app.over!r} at {when:.3f} s"
            return [Fault("ending", text, f"{scenario.ending!r}", f"{app.over!r}")]
        words = [word for _, word in app.events]
        for word in ("connected", "end of stream", "closed"):
            if words.count(word) > 1:
                return [Fault("ending", f"the {role} told {word!r} {words.count(word)} times", "once", role=role)]
        expected = len(self.setting.data[other(role)])
        if app.heard and scenario.whole and len(app.received) < expected:
            missing = expected - len(app.received)
            text = f"the {role}'s stream ended early: {missing:,} of {expected:,} bytes are missing"
            return [Fault("stream", text)]
        return [] if self._side_done(role) else [self._late(role)]

    def _late(self, role: Role) -> Fault:
        """It was not over within the limit: how far it got."""
        scenario, app = self.setting.scenario, self._app(role)
        expected = len(self.setting.data[other(role)])
        last = app.events[-1][1] if app.events else "nothing"
        where = f"it has read {len(app.received):,} of {expected:,} bytes and told {last!r} last"
        sent = max((packet.sent for packet in self.simulation.packets), default=0.0)
        when = f"after {scenario.limit:g} s of virtual time, the last datagram was sent at {sent:.1f} s"
        wanted = f"{scenario.ending!r}" if scenario.closes else "the end of the stream"
        text = f"the {role} is not done ({when}): {where}"
        return Fault("late", text, f"{wanted} within {scenario.limit:g} s of virtual time", where)


def _named(error: BadEndpoint | Endless) -> Role | None:
    """Whose promise was broken, as the simulator names it."""
    return next((role for role in ROLES if isinstance(error, BadEndpoint) and error.name == role), None)


def _tampers(scenario: Scenario) -> bool:
    return bool(scenario.lose or scenario.replay or scenario.garbage)
