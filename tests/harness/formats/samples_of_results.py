"""Results to write in every format: one of each outcome, and one whose every text was written by an enemy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from harness.formats.result import CheckResult, Context, Place, Result, StageResult
from harness.tester.border.outcome import Outcome

CLASSROOM50 = {
    "CLASSROOM": "networks",
    "ASSIGNMENT": "blocking",
    "ASSIGNMENT_TYPE": "individual",
    "OWNER": "ann",
    "SUBMISSION_TAG": "submit/2026-11-30T10-00-00Z-a1b2c3d",
    "COMMIT_URL": "https://forge.example/ann/commit/a1b2c3d",
    "RELEASE_URL": "https://forge.example/ann/releases/1",
}
CONTEXT = Context(now=datetime(2026, 11, 30, 10, 0, tzinfo=UTC), environment=CLASSROOM50)


def check(name: str, outcome: Outcome | None = Outcome.PASS, *, stage: int = 1, possible: float = 2.0) -> CheckResult:
    return CheckResult(
        id=f"test_client.py::{name}",
        suite="public",
        stage=stage,
        section=f"{stage}.1",
        rule=f"The rule of {name}.",
        outcome=outcome,
        points=possible if outcome is Outcome.PASS else 0.0,
        possible=possible,
        seconds=0.25,
        message="" if outcome is Outcome.PASS else f"what broke in {name}",
        expected="" if outcome is Outcome.PASS else "an answer",
        seen="" if outcome is Outcome.PASS else "nothing",
        story=("    0.010 s  tester  connects",),
        hint="recv may return less.",
        again="lab check blocking --stage 1 --seed abc",
        place=None if outcome is Outcome.PASS else Place("blocking/client.py", 12),
    )


def result_with(*checks: CheckResult, **more: object) -> Result:
    numbers = sorted({one.stage for one in checks})
    stages = tuple(stage_of(number, [one for one in checks if one.stage == number]) for number in numbers)
    made = Result(
        assignment="blocking",
        title="Programs that wait",
        points=sum(one.points for one in checks),
        possible=sum(one.possible for one in checks),
        undecided=sum(one.possible for one in checks if one.open),
        stages=stages,
        checks=checks,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def stage_of(number: int, mine: list[CheckResult]) -> StageResult:
    return StageResult(
        number=number,
        title=f"Stage of number {number}",
        points=sum(one.points for one in mine),
        possible=sum(one.possible for one in mine),
        complete=all(one.outcome is Outcome.PASS for one in mine),
        open=any(one.open for one in mine) and not any(one.failed for one in mine),
    )


#: One check of each outcome, in two stages.
MIXED = result_with(
    check("test_passes"),
    check("test_skipped", Outcome.SKIPPED),
    check("test_fails", Outcome.FAIL, possible=0.25),
    check("test_is_late", Outcome.TIMEOUT, stage=2),
    check("test_does_not_start", Outcome.ERROR, stage=2),
    check("test_undecided", Outcome.INCONCLUSIVE, stage=2),
    check("test_silent", None, stage=2),
)

#: What a program may print to be taken for something else: each has a name by which it is looked for.
ATTACKS = {
    "workflow command": "\n::error::EVIL-COMMAND\n  ::add-mask::EVIL-COMMAND\n##[error]EVIL-COMMAND\n",
    "terminal": "\x1b[2J\x1b]0;EVIL\x07\x9b31m\x08\r",
    "xml": "]]></failure><testcase name='EVIL'/>\x00\x0b\x0c\ufffe\uffff\ud800\udcff&amp;<!--",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)></pre></details><b>EVIL</b>",
    "markdown": "| a | b |\n\n# EVIL\n[EVIL](https://evil.example)\n```\n![x](//evil.example/x)\n**EVIL** `c` @all",
    "formula": '=HYPERLINK("https://evil.example","EVIL")',
    "direction": "\u202eLIVE\u2066\u200f",
    "other commands": "\u3000::stop-commands::EVIL\n::echo::on\n##[group]EVIL\n##vso[task]EVIL\n##teamcity[x]",
    "gitlab": "\n/close\n  /assign @all\nsection_start:1:a\r\x1b[0KEVIL\n```\n/tag v1\n```\n</pre>\n/label ~EVIL",
    "link of a terminal": "\x1b]8;;https://evil.example\x1b\\EVIL\x1b]8;;\x07\x9d8;;x\x9c",
    "invisible": "a\u200bb\u200d\u2060\ufeff\U000e0041\u00ad\u061c\u2028",
    "lines": "a\u2028b\u2029c\x85d\x1ee",
}


def hostile(text: str) -> Result:
    """A result in which every text that a submission can have a say in is this one."""
    bad = replace(
        check("test_hostile", Outcome.FAIL),
        message=text,
        expected=text,
        seen=text,
        story=(text, text),
        again=text,
        place=Place(f"blocking/{text[:80]}.py", 1),
    )
    made = result_with(bad, check("test_passes"), message=text, student=text)
    return replace(made, stages=(replace(made.stages[0], message=text),))
