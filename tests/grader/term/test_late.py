"""Late days: what being late costs, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.term.late import Handed, Lateness, LatePolicy, lateness, ledger

DUE = datetime(2026, 10, 26, 23, 59, tzinfo=ZoneInfo("Europe/Berlin"))
POLICY = LatePolicy(
    grace=timedelta(minutes=10), percent_per_day=10, most_percent=40, late_days=2, cut_off=timedelta(days=7)
)


@pytest.mark.parametrize(
    ("late", "used", "expected"),
    [
        (timedelta(seconds=-1), 0, Lateness()),
        (timedelta(0), 0, Lateness()),
        (timedelta(minutes=10), 0, Lateness()),  # the grace
        (timedelta(minutes=10, seconds=1), 0, Lateness(1, 1, 0)),
        (timedelta(days=1), 0, Lateness(1, 1, 0)),
        (timedelta(days=1, seconds=1), 0, Lateness(2, 2, 0)),
        (timedelta(days=3), 0, Lateness(3, 2, 10)),
        (timedelta(days=3), 1, Lateness(3, 1, 20)),
        (timedelta(days=3), 2, Lateness(3, 0, 30)),
        (timedelta(days=6), 2, Lateness(6, 0, 40)),  # not more than that
        (timedelta(days=7), 2, Lateness(7, 0, 40)),
        (timedelta(days=7, seconds=1), 2, Lateness(8, 0, 100, counts=False)),
    ],
)
def test_a_day_that_has_begun_counts(late: timedelta, used: int, expected: Lateness) -> None:
    assert lateness(POLICY, DUE, DUE + late, used) == expected


def test_a_cut_off_at_the_deadline_leaves_the_grace() -> None:
    policy = LatePolicy(grace=timedelta(minutes=10), cut_off=timedelta(0))
    assert lateness(policy, DUE, DUE + timedelta(minutes=9)) == Lateness()
    assert not lateness(policy, DUE, DUE + timedelta(minutes=11)).counts


def test_who_handed_in_nothing_or_has_no_deadline_is_not_late() -> None:
    assert lateness(POLICY, DUE, None) == lateness(POLICY, None, DUE) == Lateness()


def test_the_hour_that_is_there_twice_is_two_hours() -> None:
    zone = ZoneInfo("Europe/Berlin")
    due = datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=0)  # summer time
    policy = LatePolicy(percent_per_day=10)
    assert lateness(policy, due, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)).days == 0
    assert lateness(policy, due, datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=1).astimezone(UTC)).days == 1
    second = datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=1).astimezone(UTC)
    assert lateness(policy, second, datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=0).astimezone(UTC)).days == 0


def test_late_days_are_used_in_the_order_of_the_deadlines() -> None:
    days = timedelta(days=1)
    rows = [
        Handed("third", DUE + 40 * days, DUE + 41 * days),
        Handed("first", DUE, DUE + days),
        Handed("none", None, DUE),
        Handed("second", DUE + 20 * days, DUE + 22 * days),
    ]
    found = ledger(POLICY, rows)
    assert {name: (one.late_days, one.percent) for name, one in found.items()} == {
        "first": (1, 0),
        "second": (1, 10),
        "third": (0, 10),
        "none": (0, 0),
    }
    assert found == ledger(POLICY, reversed(rows))


@given(st.integers(-(10**6), 10**7), st.integers(0, 10**6), st.integers(0, 4))
def test_later_never_costs_less(seconds: int, more: int, used: int) -> None:
    first = lateness(POLICY, DUE, DUE + timedelta(seconds=seconds), used)
    second = lateness(POLICY, DUE, DUE + timedelta(seconds=seconds + more), used)
    assert 0 <= first.percent <= second.percent <= 100
    assert first.late_days <= 2 and 0 <= first.penalty(20) <= 20


def test_a_policy_in_words() -> None:
    assert POLICY.in_words() == (
        "10 minutes after the deadline are not late; 2 late days in the term cost nothing; 10 % of an assignment for"
        " each further day, at most 40 %; nothing counts that comes later than 7 days after the deadline."
    )
    assert LatePolicy().in_words() == "Being late costs nothing."
