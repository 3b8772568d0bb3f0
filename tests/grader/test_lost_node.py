"""A student's node that ends while it is needed: which check is blamed, whoever notices first."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import END, READS, SECRET, SERVES, SURVIVES, Runs, Script, hand_in, passing, report, said

from grader.bench.local import Ended, OnRecord
from grader.bench.task import Task
from harness.lab.interface import LabError
from harness.tester.border.outcome import Outcome

HOW = "the kernel ended the node"
GONE = {"record": "gone", "check": SERVES}
NOBODY = "nobody at home"


def start(check: str) -> dict[str, Any]:
    return {"record": "start", "check": check, "at": 1.0}


#: What has been told when it ends in the second public check, and nobody has noticed yet.
BEFORE = [start(READS), report(READS), start(SERVES)]
#: What the tester goes on to tell when it learns of it before the grader.
LOST = [GONE, report(SERVES, "inconclusive", message=NOBODY)]
LATER = [start(SURVIVES), report(SURVIVES, "inconclusive", message=NOBODY)]


def dies_after(records: list[dict[str, Any]], died: str = HOW) -> Script:
    """A bench whose tester writes that much until the grader knows."""

    def run(task: Task, on_record: OnRecord) -> Ended:
        for record in records:
            if record.get("check", READS) in task.checks:
                on_record(said(record))
        return Ended(status=None, died=died)

    return run


@pytest.mark.parametrize("told", [[], [GONE], LOST, [*LOST, END]])
def test_the_check_that_ran_is_blamed_whoever_notices_first(runs: Runs, told: list[dict[str, Any]]) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [dies_after([*BEFORE, *told]), [*passing(), END]]
    runs.go()
    result = runs.result("ann")
    assert result["state"] == "graded"
    assert [check["outcome"] for check in result["checks"]] == ["pass", "pass", "error", "pass"]
    assert HOW in result["checks"][2]["message"]
    hidden = runs.bench.tasks[1]  # they have a node of their own, and know what happened
    assert (list(hidden.checks), hidden.outcomes[SERVES]) == ([SECRET, SURVIVES], Outcome.ERROR)


def test_a_check_that_was_undecided_before_for_another_reason_is_not_blamed(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    late = report(READS, "inconclusive", message="the link was not as asked")
    runs.bench.scripts = [dies_after([start(READS), late, start(SERVES), *LOST]), [*passing(), END]]
    runs.go()
    assert [check["outcome"] for check in runs.result("ann")["checks"]] == ["pass", "pass", "error", "pass"]


def test_one_that_loses_two_nodes_has_nothing_left_to_run_in(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    gone = {"record": "gone", "check": SECRET}
    again = [start(SECRET), gone, report(SECRET, "inconclusive", message=NOBODY), *LATER]
    runs.bench.scripts = [[*passing(), END], dies_after([]), dies_after(again)]
    runs.go()
    result = runs.result("ann")
    assert [check["outcome"] for check in result["checks"]] == ["pass", "error", "pass", "error"]
    assert result["checks"][3]["message"].startswith("The submission's node did not last until this check.")


def test_a_node_lost_while_it_is_built_blames_no_check(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    lost = {"record": "gone", "check": None}
    runs.bench.scripts = [dies_after([lost]), [*passing(), END]]
    runs.go()
    assert runs.result("ann")["points"] == 15
    assert [list(task.checks) for task in runs.bench.tasks] == [[READS, SERVES], [SECRET, SURVIVES], [READS, SERVES]]


def test_a_node_that_only_seemed_lost_is_nobodys_doing(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [[*BEFORE, *LOST, *LATER, END], [*passing(), END]]
    runs.go()
    assert runs.result("ann")["points"] == 15


@pytest.mark.parametrize(("ours", "outcome"), [("", "error"), ("the agent was stopped by a signal", "pass")])
def test_a_node_that_does_not_answer_was_blocked_unless_it_was_stopped(runs: Runs, ours: str, outcome: str) -> None:
    hand_in(runs.submitted, "ann")
    mute = [{"record": "mute", "check": SERVES, "ours": ours}, report(SERVES, "inconclusive", message=NOBODY)]
    runs.bench.scripts = [[*BEFORE, *mute, END], [*passing(), END]]
    runs.go()
    assert [check["outcome"] for check in runs.result("ann")["checks"]] == ["pass", "pass", outcome, "pass"]
    assert len(runs.bench.tasks) == (2 if outcome == "error" else 3)


def test_a_node_that_someone_killed_is_ours(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")

    def killed(_task: Task, on_record: OnRecord) -> Ended:
        for record in [*BEFORE, *LOST]:
            on_record(said(record))
        raise LabError("the student's node ended while it was needed")

    runs.bench.scripts = [killed, [*passing(), END]]
    runs.go()
    assert runs.result("ann")["points"] == 15
