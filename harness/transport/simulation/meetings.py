"""What two implementations play when they meet: six scenarios in both roles, and the leaderboard's link. Pure data.

`grader interop` lets every submission meet others and the course's own. The scenarios are public: `lab sim transport
--scenario NAME` plays each of them on a laptop. None needs more than stage 5, so that whoever repeats everything after
a loss, or has no congestion control yet, is a peer like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.course.assignment import Assignment, Check, Stage
from harness.link.profile import Profile
from harness.transport.simulation.scenarios import ROLES, App, Change, Role, Scenario

#: The file of the tests that play them, and the suite they count as: what decides is kept from students.
FILE = "test_meetings.py"


@dataclass(frozen=True)
class Meeting:
    """One scenario of a meeting."""

    letter: str  #: in a cell of the matrix
    scenario: str  #: its name in the catalogue
    rule: str  #: of the handout, that it is about
    about: str  #: what it shows, for people


MEETINGS = (
    Meeting("D", "both directions", "3.4", "data and acknowledgements both ways"),
    Meeting("H", "half-close", "4.7", "one side ends, the other goes on"),
    Meeting("F", "FIN lost", "3.13", "the end of a stream is lost once"),
    Meeting("L", "10 % loss on both", "3.5", "losses both ways"),
    Meeting("W", "a reader that sleeps", "5.5", "a window that shuts and opens again"),
    Meeting("C", "5 % damage", "1.4", "segments that are damaged on their way"),
)

#: The bottleneck of the leaderboard, as bench/transport_goodput.py has it: bits per second, seconds each way, bytes,
#: packets under way and in the queue; when losses begin (seconds).
RATE, DELAY, SIZE, LIMIT, LOSSES_FROM = 10_000_000, 0.02, 10_000_000, 60, 0.1
#: Its random losses, and with which seeds each is run: what is told is the mean. Without losses nothing is random.
GOODPUT_RUNS = {0.0: (1,), 0.01: (1, 2, 3)}


def bottleneck(loss: float, size: int = SIZE) -> Scenario:
    """The client sends `size` bytes as fast as the link lets it."""
    link = Profile(delay=DELAY, rate=RATE, limit=LIMIT)
    return Scenario(
        name=f"the leaderboard's link, {loss:.0%} loss",
        why="the queue is kept full, or the link empty",
        stage=7,
        to_server=link,
        client=App(sends=size),
        server=App(ends="heard"),
        to_client=Profile(delay=DELAY),
        changes=(Change(at=LOSSES_FROM, to_server=replace(link, loss=loss)),) if loss else (),
        buffers={"server": 1 << 20},
        limit=900.0,
    )


def meeting_id(scenario: str, role: Role) -> str:
    """The check in which the first of two plays that role."""
    return f"{FILE}::test_they_meet[{_slug(scenario)}-{role}]"


def goodput_id(loss: float, seed: int) -> str:
    """The check that measures one run on the leaderboard's link."""
    return f"{FILE}::test_the_link_is_filled[{loss}-{seed}]"


def _slug(scenario: str) -> str:
    return next(meeting.letter for meeting in MEETINGS if meeting.scenario == scenario)


def as_assignment(assignment: Assignment, *, two: bool) -> Assignment:
    """The assignment with nothing in it but the checks of a meeting. `two`: of two submissions, on a node each."""
    met = [(meeting_id(one.scenario, role), one.rule, one.about) for one in MEETINGS for role in ROLES]
    filled = [
        (goodput_id(loss, seed), "7.5", "as much as fits") for loss, seeds in GOODPUT_RUNS.items() for seed in seeds
    ]
    checks = [
        Check(id=name, suite="hidden", stage=1, points=0, section=section, rule=about, feedback="-", timeout=60)
        for name, section, about in (*met, *filled)
    ]
    return replace(
        assignment,
        stages=(Stage(number=1, title="Meetings", points=0, section=""),),
        checks=tuple(checks),
        limits=replace(assignment.limits, nodes=2 if two else 1),
    )
