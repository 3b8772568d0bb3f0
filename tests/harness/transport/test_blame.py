"""Whose doing a failed run was: bugs are blamed on their side, correct solutions on none."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.transport.simulation.blame import certain, of_side, owed
from harness.transport.simulation.meetings import MEETINGS, as_assignment, meeting_id
from harness.transport.simulation.scenarios import Role, other
from tests.harness.transport.pairs import COURSE, REFERENCE, alternate, mutant, played

#: A bug, the scenario and role in which it fails, and the rule that is named.
BUGS: list[tuple[str, str, Role, str]] = [
    ("lost FIN never repeated", "FIN lost", "client", "3.13"),
    ("half-close ends both directions", "half-close", "server", "4.7"),
    ("acknowledges what was not received", "10 % loss on both", "server", "3.1"),
    ("checksum leaves out the last byte", "both directions", "server", "3.2"),
    ("window ignored", "a reader that sleeps", "client", "5.1"),
    ("window shrinks", "a reader that sleeps", "server", "5.3"),
    ("out-of-order delivered as it comes", "10 % loss on both", "server", "0.6"),
    ("no time-wait", "half-close", "client", "4.9"),
]


@pytest.mark.parametrize(("bug", "scenario", "role", "rule"), BUGS, ids=[row[0] for row in BUGS])
def test_a_bug_is_blamed_on_its_side_by_the_rule_it_breaks(
    tmp_path: Path, bug: str, scenario: str, role: Role, rule: str
) -> None:
    outcome = played(scenario, {role: mutant(bug, tmp_path), other(role): REFERENCE})
    assert not outcome.well
    sure = certain(outcome)
    assert of_side(sure, other(role)) == [], "nothing certain is told of the other side"
    silence = owed(outcome, role)
    told = {blame.rule for blame in sure} or {silence.rule if silence else None}
    assert rule in told


def test_correct_solutions_understand_each_other_in_every_scenario(tmp_path: Path) -> None:
    solutions = [REFERENCE, alternate("go back n", tmp_path), alternate("step by step", tmp_path)]
    solutions += [COURSE.root / "examples/class" / student / "transport" for student in ("ada", "chen", "dora")]
    for meeting in MEETINGS:
        for client in solutions:
            for server in solutions:
                outcome = played(meeting.scenario, {"client": client, "server": server})
                who = f"{meeting.scenario}: {client} and {server}"
                assert outcome.well, f"{who}: {outcome.faults[0].text}"
                assert certain(outcome) == []


def test_a_meetings_checks_are_those_of_its_suite() -> None:
    suite = (COURSE.meetings("transport") / "test_meetings.py").read_text(encoding="utf-8")
    made = as_assignment(COURSE.load("transport"), two=True)
    assert made.limits.nodes == 2
    assert made.points == 0
    assert {check.file for check in made.checks} == {"test_meetings.py"}
    for meeting in MEETINGS:
        assert f'"{meeting.letter}"' in suite
        assert meeting_id(meeting.scenario, "client").endswith(f"[{meeting.letter}-client]")
