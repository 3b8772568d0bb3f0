"""Two implementations meet in virtual time: is all well, and if not, whose doing is it?

Rule 1: whose doing it was is a fact, not a sentence: the side, how that is known, the number of the rule, the packet.
Rule 2: what is certain comes first (harness/transport/simulation/blame.py). Where nothing is, each side plays the very
        same run once more with the course's own in the other's place: who fails there as well has failed here.
Rule 3: the course's own is never blamed. A run in which it breaks a rule is ours, and decides nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.actors.story import Broken
from harness.lab.interface import CannotStart, LabError
from harness.link.trace import Packet
from harness.transport.calls.calls import RemoteConnection
from harness.transport.calls.player import Player
from harness.transport.calls.reference import LoadedSolution, load_solution
from harness.transport.checks.series import PAYLOAD_SHARE
from harness.transport.checks.simulation import Transport, budget_of, setting_of, what_is_new
from harness.transport.pictures.bundle import Bundle, findings_of
from harness.transport.segments import WireFormat, near, parse
from harness.transport.simulation import meetings
from harness.transport.simulation.applications import LocalConnection
from harness.transport.simulation.blame import Blame, certain, of_side, owed
from harness.transport.simulation.catalogue import scenario as by_name
from harness.transport.simulation.scenarios import ROLES, Role, other
from harness.transport.simulation.world import Fault, Setting, SimulationOutcome, World

#: Who plays a role: a submission, or (None) the course's own.
Cast = Mapping[Role, Transport | None]


@dataclass
class MeetingCheck:
    """A scenario between two submissions, or one and the course's own."""

    first: Transport
    second: Transport | None  #: None: the course's own
    meeting: meetings.Meeting
    role: Role  #: that the first one plays
    note: Callable[[Mapping[str, Any]], None]  #: is told what was found, as plain data

    def is_well(self) -> None:
        """Both streams arrive, and both sides keep the rules. Raises Broken, LabError."""
        scenario = by_name(self.meeting.scenario)
        cast: Cast = {self.role: self.first, other(self.role): self.second}
        self._say(f"plays {scenario.name!r}: the first is the {self.role}, {self._who()} the {other(self.role)}")
        outcome = self._play(cast, self._setting(0))
        if not outcome.well and scenario.random and not certain(outcome):
            self._say("sees a failure that may be bad luck, and plays it with another seed")
            outcome = self._play(cast, self._setting(1))
        blamed = [] if outcome.well else self._blamed(outcome, cast)
        self.first.keep(_bundle(outcome, f"{scenario.name}: two that meet"))
        self.note({**_figures(outcome), "blamed": [self._fact(blame) for blame in blamed]})
        if outcome.well:
            self._say(f"sees both streams whole after {outcome.seconds:.2f} s, {len(outcome.packets):,} packets")
            return
        fault = outcome.faults[0]
        for blame in blamed:
            self._say(f"finds: {blame.text}" + (f" (rule {blame.rule})" if blame.rule else ""))
        verdict = outcome.broken.verdict if outcome.broken else "fail"
        raise Broken(fault.text, expected=fault.expected, seen=fault.seen, verdict=verdict)

    def _who(self) -> str:
        return "the course's own" if self.second is None else "the second"

    def _say(self, what: str) -> None:
        self.first.story.add("tester", what)

    def _setting(self, number: int) -> Setting:
        return setting_of(self.first, by_name(self.meeting.scenario), number, students=ROLES)

    def _play(self, cast: Cast, setting: Setting) -> SimulationOutcome:
        return play(cast, setting, self.first.reference)

    # -- whose doing -----------------------------------------------------------------------------------------------

    def _blamed(self, outcome: SimulationOutcome, cast: Cast) -> list[Blame]:
        """Each side's part in it; none where each is well with the course's own. Raises LabError."""
        if found := self._not_ours(certain(outcome), cast):
            return found
        if self.second is None:
            return self._side(outcome, outcome, self.role)
        found = []
        for role in ROLES:
            setting = replace(outcome.setting, students=(role,))
            again = self._play({role: cast[role], other(role): None}, setting)
            if not again.well:
                found += self._side(again, outcome, role)
        return found or [blame for role in ROLES if (blame := owed(outcome, role)) is not None]

    def _side(self, again: SimulationOutcome, outcome: SimulationOutcome, role: Role) -> list[Blame]:
        """The part of a side that fails against the course's own: `again` is that run."""
        if found := of_side(certain(again), role):
            return found
        if (silence := owed(outcome, role) or owed(again, role)) is not None:
            return [silence]
        text = f"with the course's own as its peer, too: {again.faults[0].text}"
        return [Blame(role, "instead", self.meeting.rule, text)]

    def _not_ours(self, found: list[Blame], cast: Cast) -> list[Blame]:
        for blame in found:
            if cast[blame.role] is None:
                raise LabError(f"the course's own broke a rule: {blame.text}")
        return found

    def _fact(self, blame: Blame) -> dict[str, Any]:
        side = "first" if blame.role == self.role else "second"
        return {"side": side, "how": blame.how, "rule": blame.rule, "text": blame.text, "packet": blame.packet}


@dataclass
class GoodputCheck:
    """One run on the leaderboard's link: the submission sends, the course's own takes."""

    transport: Transport
    loss: float
    seed: int
    note: Callable[[Mapping[str, Any]], None]
    size: int = meetings.SIZE

    def measures(self) -> None:
        """Note share, repetitions and queueing delay; the stream has to arrive. Raises Broken, LabError."""
        scenario = meetings.bottleneck(self.loss, self.size)
        setting = replace(setting_of(self.transport, scenario, 0, students=("client",)), seed=self.seed)
        outcome = play({"client": self.transport, "server": None}, setting, self.transport.reference)
        if len(outcome.received["server"]) < self.size:
            fault = outcome.faults[0]
            raise Broken(fault.text, expected=fault.expected, seen=fault.seen)
        self.note(goodput(outcome))


def goodput_of_own(
    reference: Path, wire: WireFormat, loss: float, seed: int, size: int = meetings.SIZE
) -> dict[str, float]:
    """The same run with the course's own on both sides, in this process. Raises LabError."""
    scenario = meetings.bottleneck(loss, size)
    data: dict[Role, bytes] = {role: bytes(scenario.app(role).sends) for role in ROLES}
    setting = Setting(scenario=scenario, seed=seed, data=data, isn={"client": 1, "server": 1}, wire=wire, students=())
    return goodput(play({"client": None, "server": None}, setting, lambda: load_solution(reference)))


def goodput(outcome: SimulationOutcome) -> dict[str, float]:
    """What a transfer on the leaderboard's link came to.

    `share`: of the payload that the link can carry; `repeated`: bytes sent again, per byte of the stream; `queued`:
    seconds in the queue, the mean of what arrived.
    """
    sent = outcome.packets_of("client")
    size = len(outcome.setting.data["client"])
    times = [packet.arrived - packet.sent for packet in sent if packet.arrived is not None]
    return {
        "share": 8 * size / outcome.finished("server") / (meetings.RATE * PAYLOAD_SHARE),
        "repeated": _repeated(sent, outcome.setting) / size,
        "queued": sum(times) / len(times) - meetings.DELAY,
    }


def _repeated(sent: Iterable[Packet], setting: Setting) -> int:
    """Bytes of payload that were sent before."""
    first, highest, repeated = setting.isn["client"] + 1, 0, 0
    seen: set[int] = set()
    for packet in sent:
        segment = None if packet.number in seen else parse(packet.data, setting.wire)
        seen.add(packet.number)
        if segment is not None and segment.payload:
            left = near(segment.sequence - first, highest)
            repeated += max(0, min(left + len(segment.payload), highest) - left)
            highest = max(highest, left + len(segment.payload))
    return repeated


# -- one run -----------------------------------------------------------------------------------------------------------


def play(cast: Cast, setting: Setting, own_solution: Callable[[], LoadedSolution]) -> SimulationOutcome:
    """Run a setting with new connections. Raises LabError."""
    own = [
        LocalConnection(own_solution().connection(**what_is_new(setting, role)), time.thread_time)
        for role in ROLES
        if cast[role] is None
    ]
    players: dict[Role, Player] = {}
    local = iter(own)
    for role in ROLES:
        transport = cast[role]
        if transport is None:
            players[role] = next(local)
            continue
        transport.processes.meter.begin(lambda: sum(player.cpu_seconds for player in own), budget_of(setting.scenario))
        try:
            players[role] = transport.connection(**what_is_new(setting, role))
        except CannotStart as error:
            return _unplayed(setting, role, Broken(str(error), verdict="error"))
        except Broken as broken:
            return _unplayed(setting, role, broken)
    outcome = World(setting, players).run()
    for role in ROLES:
        try:
            if (transport := cast[role]) is not None:
                transport.processes.meter.end()
                player = players[role]
                if isinstance(player, RemoteConnection) and outcome.broken is None:
                    player.drop()
        except Broken as broken:
            fault = Fault("call", broken.message, broken.expected, broken.seen, role=role)
            outcome = replace(outcome, faults=[*outcome.faults, fault], broken=outcome.broken or broken)
    return outcome


def _unplayed(setting: Setting, role: Role, broken: Broken) -> SimulationOutcome:
    """The outcome of a run that a side could not begin."""
    fault = Fault("call", broken.message, broken.expected, broken.seen, role=role)
    return SimulationOutcome.unplayed(setting, fault, broken)


def _figures(outcome: SimulationOutcome) -> dict[str, Any]:
    return {"seconds": round(outcome.seconds, 6), "packets": len(outcome.packets)}


def _bundle(outcome: SimulationOutcome, title: str) -> Bundle:
    setting = outcome.setting
    return Bundle(
        assignment="transport",
        title=title,
        wire=setting.wire,
        names=(setting.first, other(setting.first)),
        packets=tuple(outcome.packets),
        findings=findings_of(outcome.violations),
    )
