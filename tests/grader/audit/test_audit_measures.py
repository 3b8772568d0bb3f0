"""What becomes of a specimen, what a whole audit comes to, and what is other in another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from fakes import ALL, READS, SECRET, SERVES, SURVIVES, report, result_of

from grader.audit.drift import drift
from grader.audit.figures import Share, at_most, wilson
from grader.audit.measure import Caught, Finding, count_caught, finding_of
from grader.audit.specimen import Specimen, distinct, restricted, with_needed
from grader.audit.summary import Line, lines_of
from grader.course import Course
from harness.errors import UsageError

Make = Callable[..., Specimen]


@pytest.fixture
def specimen(course: Course) -> Make:
    def make(**fields: Any) -> Specimen:
        known = {"part": "mutants", "kind": "generated", "name": "one", "write": lambda _: None}
        return Specimen(assignment=course.load("blocking"), **{**known, **fields})

    return make


HAND = {"kind": "hand-written", "stage": 2, "caught_by": ("test_survives",)}
GOOD = {"part": "alternates", "kind": "alternate"}
HOSTILE = {"part": "redteam", "kind": "attack"}
RIGHT = [report(check) for check in ALL]


@pytest.mark.parametrize(
    ("fields", "outcomes", "verdict"),
    [
        ({}, {SERVES: "fail"}, "caught"),
        ({}, {SERVES: "timeout"}, "caught"),
        ({}, {}, "missed"),
        ({"same": "the same number"}, {}, "same"),
        ({}, {SERVES: "inconclusive"}, "undecided"),
        (HAND, {SURVIVES: "fail"}, "caught"),
        (HAND, {SERVES: "fail"}, "missed"),
        (HAND, {SURVIVES: "fail", READS: "fail"}, "early"),
        (HAND, {SURVIVES: "inconclusive"}, "undecided"),
        (GOOD, {}, "right"),
        (GOOD, {READS: "error"}, "wrong"),
        (GOOD, {READS: "inconclusive"}, "undecided"),
        (HOSTILE, dict.fromkeys(ALL, "fail"), "held"),
        (HOSTILE, dict.fromkeys((SECRET, SERVES, SURVIVES), "fail"), "gained"),
        (HOSTILE, {**dict.fromkeys(ALL, "fail"), SERVES: "inconclusive"}, "undecided"),
        ({"part": "redteam", "kind": "deed"}, {}, "held"),
        ({"part": "redteam", "kind": "bystander"}, {SERVES: "fail"}, "wrong"),
    ],
)
def test_a_specimen_has_its_verdict(
    course: Course, specimen: Make, fields: dict[str, Any], outcomes: dict[str, str], verdict: str
) -> None:
    result = result_of(course, *[report(check, outcomes.get(check, "pass"), message="so") for check in ALL])
    finding = finding_of(specimen(**fields), result)
    assert (finding.verdict, finding.checks) == (verdict, 4)
    assert finding.well == (verdict in ("caught", "same", "right", "held"))


def test_what_nothing_passes_too_is_not_gained(course: Course, specimen: Make) -> None:
    result = result_of(course, report(READS), *[report(check, "fail") for check in (SECRET, SERVES, SURVIVES)])
    assert finding_of(specimen(**HOSTILE), result, nothing={READS}).verdict == "held"


def test_who_is_told_a_hidden_checks_words(course: Course, specimen: Make) -> None:
    words = "the <secret> order of the lost segments"
    result = result_of(course, report(READS, "fail"), report(SECRET, "fail", message=words))
    shown = "<p>the &lt;secret&gt; order of the lost segments</p>"
    assert finding_of(specimen(**HOSTILE), result, page=shown).verdict == "told"
    assert finding_of(specimen(**HOSTILE), result, page="<p>Read section 1.2 again.</p>").verdict == "held"
    public = result_of(course, report(READS, "fail", message=words), report(SECRET, "fail", message=words))
    assert finding_of(specimen(**HOSTILE), public, page=shown).verdict == "held"


def test_what_broke_here_is_no_verdict(course: Course, specimen: Make) -> None:
    result = {**result_of(course, *RIGHT), "state": "ours", "message": "The lab broke."}
    assert (finding_of(specimen(), result).verdict, finding_of(specimen(), result).told) == ("wedged", "The lab broke.")


def test_checks_are_taken_with_what_they_need(course: Course) -> None:
    rubric = course.load("blocking")
    assert with_needed(rubric, [SURVIVES]) == {SERVES, SURVIVES}
    alone = restricted(rubric, [SECRET])
    assert [(check.id, check.needs) for check in alone.checks] == [(SECRET, ())]


def test_names_that_would_share_a_folder_differ(specimen: Make) -> None:
    names = [one.name for one in distinct([specimen(name="a b"), specimen(name="a:b"), specimen(name="c")])]
    assert names == ["a b", "a:b (2)", "c"]


def test_bounds() -> None:
    assert [round(bound, 4) for bound in wilson(10, 20)] == [0.2993, 0.7007]  # by the formula, in other software
    assert round(at_most(100), 4) == 0.0295
    assert Share(0, 0).bounds == (0.0, 1.0)
    assert Share(0, 300).bounds[1] < 0.01 < Share(1, 300).bounds[1]


def finding(kind: str = "generated", verdict: str = "caught", **more: Any) -> Finding:
    part = {"generated": "mutants", "hand-written": "mutants", "alternate": "alternates", "reference": "repetition"}
    known = {"part": part.get(kind, "redteam"), "name": "n", "assignment": "blocking", "checks": 100}
    return Finding(kind=kind, verdict=verdict, **{**known, **more})


def met(lines: list[Line]) -> dict[str, bool]:
    return {line.what: line.met for line in lines}


def test_nineteen_of_twenty_are_enough_and_what_is_no_bug_does_not_count() -> None:
    rows = [finding() for _ in range(19)] + [finding(verdict="missed"), *[finding(verdict="same")] * 5]
    assert met(lines_of(rows)) == {"generated bugs of blocking caught": True}
    assert met(lines_of([*rows, finding(verdict="missed")])) == {"generated bugs of blocking caught": False}


@pytest.mark.parametrize("verdict", ["missed", "early", "undecided", "wedged"])
def test_one_hand_written_bug_that_is_missed_is_too_many(verdict: str) -> None:
    (line,) = lines_of([finding("hand-written"), finding("hand-written", verdict)])
    assert (line.met, line.share) == (False, Share(1, 2))


def test_undecided_checks_are_few_and_changed_verdicts_none() -> None:
    rows = [finding("reference", "right", condition="quiet") for _ in range(9)]
    assert set(
        met(lines_of([*rows, finding("reference", "undecided", condition="quiet", undecided=["a"] * 5)])).values()
    ) == {True}
    assert set(
        met(lines_of([*rows, finding("reference", "undecided", condition="quiet", undecided=["a"] * 6)])).values()
    ) == {True, False}
    wrong = met(lines_of([*rows, finding("reference", "wrong", condition="quiet", failed=["a"])]))
    assert wrong["gradings whose verdict changed (quiet)"] is False


def test_no_attack_may_succeed_and_nobody_be_harmed() -> None:
    assert all(met(lines_of([finding("attack", "held"), finding("bystander", "right")])).values())
    for verdict in ("gained", "told", "wedged", "undecided"):
        assert not all(met(lines_of([finding("attack", verdict)])).values())
    assert not all(met(lines_of([finding("attack", "held"), finding("bystander", "wrong")])).values())


def test_a_check_that_catches_nothing_is_told() -> None:
    checks = [Caught(READS, "blocking", "public", 1), Caught(SECRET, "blocking", "hidden", 1)]
    rows = [finding(failed=[READS, SECRET], report="a"), finding(verdict="missed", report="b")]
    count_caught(rows, checks, {"a": [READS, SECRET], "b": [SECRET]})
    assert [(one.asked, one.generated, one.written) for one in checks] == [(1, 1, 0), (2, 0, 0)]
    assert met(lines_of(rows, checks))["hidden checks that met a bug and caught none"] is False
    count_caught([finding("hand-written", failed=[SECRET], report="c")], checks, {"c": [SECRET]})
    assert met(lines_of(rows, checks))["hidden checks that met a bug and caught none"] is True


def an_audit(*findings: Finding, **machine: Any) -> dict[str, Any]:
    rows = [asdict(one) for one in findings]
    return {"schema": 1, "machine": machine, "versions": {"blocking": "1"}, "findings": rows}


def test_drift_is_what_has_another_verdict_there() -> None:
    there = an_audit(finding(failed=[READS]), finding(name="gone"), kernel="6.1", python="3.11")
    here = an_audit(finding(failed=[SERVES]), finding(name="new"), kernel="6.12", python="3.11")
    found = drift(there, {**here, "versions": {"blocking": "2"}})
    assert found.verdicts == (("mutants : blocking, n", f"caught: {READS}", f"caught: {SERVES}"),)
    assert (found.both, found.only_there, found.only_here) == (1, 1, 1)
    assert found.machine == (("kernel", "6.1", "6.12"),)
    assert found.versions == ("blocking",)
    assert not found.none
    assert drift(there, there).none


def test_what_is_no_audit_is_refused() -> None:
    with pytest.raises(UsageError, match="no audit"):
        drift({"schema": 7}, an_audit())


def test_a_finding_is_plain_data(specimen: Make, course: Course) -> None:
    row = asdict(replace(finding_of(specimen(), result_of(course, *RIGHT)), report="x"))
    assert row["name"] == "one"
    assert row["failed"] == []
    assert not any(isinstance(value, Path) for value in row.values())
