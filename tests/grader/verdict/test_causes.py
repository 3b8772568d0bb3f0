"""Why points were lost: every lost point has one cause, and what waits is counted where it waits."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import pytest

from grader.verdict.causes import Cause, causes_of


def row(
    number: int, outcome: str = "pass", *, stage: int = 1, because: int | None = None, **more: Any
) -> dict[str, Any]:
    """A check's row; it is worth as many points as its number says."""
    return {
        "id": f"test_a.py::test_{number}",
        "stage": stage,
        "outcome": outcome,
        "possible": number,
        "points": number if outcome == "pass" else 0,
        "rule": f"rule {number}",
        "message": "",
        "because": f"test_a.py::test_{because}" if because else None,
        "story": [{"at": 0.0, "who": "tester", "what": "does something"}],
        "seconds": 0.1,
        **more,
    }


def a_result(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A result of these rows, with the stages that they are of."""
    stages = []
    for number in sorted({check["stage"] for check in rows}):
        mine = [check for check in rows if check["stage"] == number]
        open_ = math.fsum(check["possible"] for check in mine if check["outcome"] == "inconclusive")
        points = {key: math.fsum(check[key] for check in mine) for key in ("points", "possible")}
        stages.append({"number": number, "forbidden": None, "undecided": open_, **points})
    return {"state": "graded", "message": "", "build": None, "stages": stages, "checks": list(rows), **more}


def lacking(result: Mapping[str, Any]) -> float:
    return math.fsum(stage["possible"] - stage["points"] - stage["undecided"] for stage in result["stages"])


def facts(cause: Cause) -> tuple[str, float, tuple[int, ...], tuple[int, ...]]:
    return cause.kind, cause.lost, cause.own, cause.waiting


def test_what_waits_is_counted_where_the_chain_begins() -> None:
    result = a_result(
        row(1, "fail"), row(2), row(3, "skipped", because=1), row(4, "skipped", because=3), row(5, "timeout")
    )
    assert [facts(cause) for cause in causes_of(result)] == [("check", 8, (0,), (2, 3)), ("check", 5, (4,), ())]


def test_a_perfect_result_has_no_cause() -> None:
    assert causes_of(a_result(row(1), row(2))) == []


def test_what_is_open_is_no_loss() -> None:
    result = a_result(row(1, "fail"), row(2, "inconclusive"), row(3, "inconclusive", because=2))
    first, second = causes_of(result)
    assert (first.lost, first.open) == (1, 0)
    assert (second.lost, second.open, second.waiting) == (0, 5, (2,))


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"build": {"log": "no rule"}, "message": "The build failed."}, "build"),
        ({"state": "refused", "message": "loop is a symbolic link."}, "refused"),
    ],
)
def test_what_stopped_everything_is_the_one_cause(more: dict[str, Any], kind: str) -> None:
    (cause,) = causes_of(a_result(row(1, "error"), row(2, "error", stage=2), **more))
    assert (cause.kind, cause.lost, cause.text, cause.stage) == (kind, 3, more["message"], None)


def test_a_lab_that_broke_leaves_everything_open_for_one_reason() -> None:
    (cause,) = causes_of(a_result(row(1, "inconclusive"), row(2, "inconclusive"), state="ours", message="It broke."))
    assert (cause.kind, cause.lost, cause.open) == ("ours", 0, 3)


def test_a_forbidden_name_takes_its_stage_and_not_what_waits_elsewhere() -> None:
    result = a_result(row(1, "fail"), row(2, "fail"), row(4, "skipped", stage=2, because=1))
    result["stages"][0]["forbidden"] = "Stage 1 forbids asyncio."
    assert [facts(cause) for cause in causes_of(result)] == [
        ("check", 4, (0,), (2,)),  # the tester saw it fail, whatever it was called afterwards
        ("forbidden", 3, (0, 1), ()),
    ]


def test_checks_without_a_report_share_their_reason() -> None:
    silent = {"story": [], "seconds": 0.0, "message": "The time was up."}
    result = a_result(row(1, "fail"), row(2, "timeout", **silent), row(3, "timeout", **silent))
    assert [facts(cause) for cause in causes_of(result)] == [("unreported", 5, (1, 2), ()), ("check", 1, (0,), ())]


def test_a_check_that_a_person_has_passed_holds_up_nobody() -> None:
    word = {"by": "anna", "when": "then", "because": "seen", "before": {"outcome": "fail", "points": 0}}
    result = a_result(row(1, "pass", decided=word), row(2, "skipped", because=1), row(3, "skipped", because=1))
    assert [facts(cause) for cause in causes_of(result)] == [("check", 3, (2,), ()), ("check", 2, (1,), ())]


def test_part_of_the_points_leaves_the_rest_lost() -> None:
    (cause,) = causes_of(a_result(row(4, "fail", points=2.5)))
    assert cause.lost == 1.5


def test_a_persons_word_on_a_stage_and_a_penalty_are_causes() -> None:
    result = a_result(row(1, "fail"), row(5, "fail"), late={"text": "One day late.", "points": 2})
    word = {"by": "anna", "when": "then", "because": "the idea is right", "before": {"outcome": None, "points": 0}}
    result["stages"][0].update(points=4, decided=word)
    found = [(cause.kind, cause.lost) for cause in causes_of(result)]
    assert found == [("check", 5), ("late", 2), ("check", 1), ("decision", -4)]
    assert math.fsum(cause.lost for cause in causes_of(result)) == lacking(result) + 2


def test_the_causes_add_up_whatever_waits_for_what() -> None:
    dice = random.Random(1)
    for _ in range(300):
        rows: list[dict[str, Any]] = []
        for number in range(1, dice.randint(2, 30)):
            outcome = dice.choice(["pass", "fail", "timeout", "error", "inconclusive", "skipped"])
            because = dice.randint(1, number) if outcome in ("skipped", "inconclusive") else None
            more = {"story": [], "seconds": 0.0} if dice.random() < 0.3 else {}
            rows.append(row(number, outcome, stage=dice.randint(1, 4), because=because, **more))
        result = a_result(*rows)
        for stage in result["stages"]:
            if dice.random() < 0.2:
                stage.update(forbidden="It is forbidden.", points=0, undecided=0, possible=stage["possible"])
                for check in rows:
                    if check["stage"] == stage["number"]:
                        check.update(outcome="fail", points=0)
        causes = causes_of(result)
        assert math.isclose(math.fsum(cause.lost for cause in causes), lacking(result), abs_tol=1e-6)
        undecided = math.fsum(stage["undecided"] for stage in result["stages"])
        assert math.isclose(math.fsum(cause.open for cause in causes), undecided, abs_tol=1e-6)
        assert causes == sorted(causes, key=lambda cause: -cause.lost)
