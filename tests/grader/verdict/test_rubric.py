"""From records to verdicts to points: fail closed, nothing from outside the rubric."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import pytest
from fakes import ALL, READS, SECRET, SERVES, SURVIVES, report

from grader.verdict.rubric import Ending, Reports, Stopped, Verdict, everywhere, judge, to_repeat
from grader.verdict.scoring import Score, number, score, score_stages, total
from harness.course.assignment import Assignment
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Report, parse_record


def reports(**outcomes: str) -> dict[str, Report]:
    """Reports by the short names of the checks; those not named pass."""
    names = dict(zip(("reads", "secret", "serves", "survives"), ALL, strict=True))
    made = {}
    for short, check in names.items():
        word, _, because = outcomes.get(short, "pass").partition(":")
        if word != "none":
            record = parse_record(json.dumps(report(check, word, because=names.get(because))).encode())
            assert isinstance(record, Report)
            made[check] = record
    return made


def words(verdicts: object) -> list[str]:
    return [verdict.outcome.value for verdict in verdicts]  # type: ignore[attr-defined]


def test_a_check_without_a_report_has_failed(assignment: Assignment) -> None:
    verdicts = judge(assignment, {})
    assert words(verdicts) == ["fail"] * 4
    assert total(score_stages(assignment, verdicts)) == Score(0, 15, 0)


@pytest.mark.parametrize(
    ("stopped", "word", "undecided"),
    [(Stopped.DEADLINE, "timeout", 0), (Stopped.OURS, "inconclusive", 13), (Stopped.REFUSED, "error", 0)],
)
def test_why_the_run_ended_decides_what_a_missing_report_is(
    assignment: Assignment, stopped: Stopped, word: str, undecided: float
) -> None:
    endings = everywhere(assignment, Ending(stopped, "(so it is)"))
    verdicts = judge(assignment, {READS: reports()[READS]}, endings=endings)
    assert words(verdicts) == ["pass", word, word, word]
    assert verdicts[1].message.endswith("(so it is)")
    assert total(score_stages(assignment, verdicts)) == Score(2, 15, undecided)


def test_points_come_from_the_rubric(assignment: Assignment) -> None:
    verdicts = judge(assignment, reports(secret="fail", serves="timeout", survives="skipped:serves"))
    assert [row.score for row in score_stages(assignment, verdicts)] == [Score(2, 5, 0), Score(0, 10, 0)]
    assert verdicts[3].message == f"Not run, because {SERVES} did not pass."


def test_a_skip_without_a_reason_has_failed(assignment: Assignment) -> None:
    assert words(judge(assignment, reports(survives="skipped")))[3] == "fail"
    assert words(judge(assignment, reports(reads="skipped")))[0] == "fail"
    assert words(judge(assignment, reports(serves="fail", survives="skipped:reads")))[3] == "skipped"


def test_a_skip_behind_an_undecided_check_is_undecided(assignment: Assignment) -> None:
    verdicts = judge(assignment, reports(serves="inconclusive", survives="skipped:serves"))
    assert words(verdicts) == ["pass", "pass", "inconclusive", "inconclusive"]
    assert total(score_stages(assignment, verdicts)) == Score(5, 15, 10)


def test_a_forbidden_name_fails_its_stage_only(assignment: Assignment) -> None:
    verdicts = judge(assignment, reports(), forbidden={2: "Stage 2 forbids asyncio (server.py, line 1)."})
    assert words(verdicts) == ["pass", "pass", "fail", "fail"]
    assert verdicts[2].message == "Stage 2 forbids asyncio (server.py, line 1)."


def test_a_forbidden_name_decides_what_was_undecided(assignment: Assignment) -> None:
    assert words(judge(assignment, reports(serves="inconclusive"), forbidden={2: "no"}))[2] == "fail"


def test_the_first_report_counts() -> None:
    taken = Reports(frozenset([READS]))
    first = parse_record(json.dumps(report(READS, "fail")).encode())
    second = parse_record(json.dumps(report(READS, "pass")).encode())
    stranger = parse_record(json.dumps(report("test_x.py::test_y")).encode())
    assert isinstance(first, Report)
    assert isinstance(second, Report)
    assert isinstance(stranger, Report)
    assert [taken.add(first), taken.add(second), taken.add(stranger)] == [True, False, False]
    assert taken.first == {READS: first}
    assert taken.notes == [
        f"a second report came for {READS}; the first one counts",
        "a report came for 'test_x.py::test_y', which was not asked for; ignored",
    ]


def test_each_check_has_an_ending_of_its_own(assignment: Assignment) -> None:
    verdicts = judge(assignment, {}, endings={SECRET: Ending(Stopped.OURS), SERVES: Ending(Stopped.DEADLINE)})
    assert words(verdicts) == ["fail", "inconclusive", "timeout", "fail"]


def test_undecided_checks_are_repeated_suite_by_suite(assignment: Assignment) -> None:
    verdicts = judge(assignment, reports(serves="inconclusive", secret="inconclusive"))
    assert to_repeat(assignment, verdicts, "public") == (SERVES,)
    assert to_repeat(assignment, verdicts, "hidden") == (SECRET,)
    assert to_repeat(assignment, judge(assignment, reports()), "public") == ()


def test_what_was_skipped_for_one_that_has_passed_since_is_open_and_repeated(assignment: Assignment) -> None:
    verdicts = judge(assignment, reports(survives="skipped:serves"))
    assert words(verdicts)[3] == "inconclusive"
    assert to_repeat(assignment, verdicts, "hidden") == (SURVIVES,)
    failed = judge(assignment, reports(serves="fail", survives="skipped:serves"))
    assert to_repeat(assignment, failed, "hidden") == ()


def test_what_cannot_be_measured_is_not_repeated(assignment: Assignment) -> None:
    found = reports(serves="inconclusive")
    found[SERVES] = replace(found[SERVES], unmeasured=True)
    assert to_repeat(assignment, judge(assignment, found), "public") == ()


def test_what_waits_for_an_undecided_check_of_another_suite_is_not_repeated(assignment: Assignment) -> None:
    verdicts = judge(assignment, reports(serves="inconclusive", survives="skipped:serves"))
    assert words(verdicts)[3] == "inconclusive"
    assert to_repeat(assignment, verdicts, "hidden") == ()


@pytest.mark.parametrize("possible", [math.nan, math.inf, -1.0, 1.0])
def test_a_score_is_finite_and_clamped(assignment: Assignment, possible: float) -> None:
    got = score(judge(assignment, reports()), possible)
    for value in (got.points, got.possible, got.undecided):
        assert math.isfinite(value)
        assert value >= 0
    assert got.points + got.undecided <= max(got.possible, 0)


def test_thirds_add_up() -> None:
    assert number(2 / 3) == "0.67"
    assert number(100) == "100"


def test_each_outcome_has_a_symbol_and_a_sentence() -> None:
    assert len({outcome.symbol for outcome in Outcome}) == 6
    assert all(outcome.sentence.endswith(".") for outcome in Outcome)


def test_what_is_undecided_never_goes_beyond_what_is_possible_by_a_rounding(assignment: Assignment) -> None:
    check, rng = assignment.checks[0], random.Random(1)
    for _ in range(3_000):
        possible, share = rng.randint(1, 40) / 7, rng.random()
        rows = [
            Verdict(check=replace(check, points=possible * share), outcome=Outcome.PASS),
            Verdict(check=replace(check, points=possible), outcome=Outcome.INCONCLUSIVE),
        ]
        one = score(rows, possible)
        assert one.points + one.undecided <= one.possible
