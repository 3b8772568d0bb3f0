"""What is kept of a class, and a person's word on it: show, explain, queue, decide, rescore, appeal, prune."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from grader import course as courses
from grader.cli.app import app, console
from grader.cli.kept import OfAssignment, RunOf, Student, Wait, say, the_course, the_record, writing
from grader.course import Versions
from grader.record.backup import back_up
from grader.record.journal import write_file
from grader.record.lock import user_name
from grader.record.record import Kept, Record, check_of
from grader.reports.class_view import run_row
from grader.reports.explain import explain as explained
from grader.reports.explain import explain_page, explain_stage
from grader.reports.html import runs_page
from grader.reports.terminal import class_table, result_line
from grader.reports.waiting import waiting
from grader.submission import readable_name
from grader.verdict.decisions import BadDecision, Decision, Given, points, stage_target, standing
from grader.verdict.scoring import number
from harness.course.assignment import Assignment
from harness.errors import UsageError, cause_of


@cache
def _rubric(name: str) -> tuple[Assignment, Versions]:
    course = courses.this_course()
    return course.load(name), course.versions(name)


@app.command(rich_help_panel="Defend a point")
def show(
    run: RunOf,
    student: Student,
    assignment: OfAssignment,
    history: Annotated[bool, typer.Option("--history", help="every grading that is kept, the oldest first")] = False,
) -> None:
    """What a submission has, and what it had."""
    record = the_record(run)
    front = record.front(student, assignment)
    if history:
        for kept in record.history(student, assignment):
            say(_line_of(kept))
        for word in record.decisions(student, assignment):
            say(f"{word.at}  {word.by}: {word.target}: {_given(word.given)}, because {word.because}")
        return
    console().print(class_table([front.result]))
    say(_line_of(front))
    say(f"Report: {front.folder / 'report.html'}")


def _line_of(kept: Kept) -> str:
    result = kept.result
    what = "in front" if kept.current else "rerun" if result.get("kind") == "rerun" else "earlier"
    copy = (result["submission"]["hash"] or "not taken")[:12]
    return f"{result['graded_at'][:19]}  {kept.short:<8}  {what:<8}  copy {copy}  {result_line(result)}"


@app.command(rich_help_panel="Defend a point")
def explain(
    run: RunOf,
    student: Student,
    assignment: OfAssignment,
    check: Annotated[str, typer.Argument(help='its number, its name or its id; "stage 4": all that lost points there')],
    page: Annotated[Path | None, typer.Option(help="write it as one page into this file")] = None,
) -> None:
    """Everything that a check's verdict rests on, and the commands that repeat it."""
    record = the_record(run)
    kept = record.front(student, assignment)
    if page is None:
        _explain(record, kept, check)
        return
    text = explain_page(kept.result, check_of(kept.result, check), str(record.path))
    try:
        write_file(page, text.encode("utf-8"), mode=0o600)
    except OSError as error:
        raise UsageError(f"{page} cannot be written: {cause_of(error)}.") from None
    say(f"{page} holds what no student may see.")


def _explain(record: Record, kept: Kept, name: str) -> None:
    if (stage := _stage_of(kept.result, name)) is None:
        _explain_check(record, kept, check_of(kept.result, name))
        return
    why, checks = explain_stage(kept.result, stage)
    say(why.title, style="bold")
    for text in why.lines:
        say(f"  {text}")
    for check in checks:
        say(f"\nCheck {check['number']}", style="bold")
        _explain_check(record, kept, check)


def _explain_check(record: Record, kept: Kept, check: Mapping[str, Any]) -> None:
    for section in explained(kept.result, check, str(record.path)):
        say(section.title, style="bold")
        for text in section.lines:
            say(f"  {text}")
        if section.drawn:
            say(section.drawn)
    say(f"On the page: {kept.folder / 'report.html'}#check-{check['number']}", style="dim")


@app.command(rich_help_panel="Defend a point")
def appeal(
    short: Annotated[
        str, typer.Argument(metavar="ID", help="on the student's page: abcd2345, abcd2345.17, 'abcd2345.stage 4'")
    ],
    run: Annotated[Path, typer.Option(help="the folder of the run, or of the course")] = Path(),
) -> None:
    """What a student asks about: the result of that id; with a check's number or a stage behind a dot, why."""
    record = the_record(run)
    kept, check = record.find(short)
    result = kept.result
    say(f"{readable_name(result['student'])}, {result['title']}", style="bold")
    say(_line_of(kept))
    if not kept.current:
        now = record.front(result["student"], result["assignment"])
        say(f"It is not the newest one: that is {now.short}, {result_line(now.result)}.", style="yellow")
    if check:
        _explain(record, kept, check)
    else:
        say(f"Report: {kept.folder / 'report.html'}")


@app.command(rich_help_panel="Defend a point")
def queue(run: RunOf) -> None:
    """What waits for a person, most points first: the likely cause, and what to type."""
    record = the_record(run)
    rows = waiting(record.results(), str(record.path))
    for row in rows:
        followers = f", with {row.followers} that wait for it" if row.followers else ""
        whose = f"{readable_name(row.student)}/{row.assignment}"
        say(f"{whose}  {row.check}: {number(row.points)} points{followers}", style="bold")
        say(f"  {row.cause}")
        for command in row.commands:
            say(f"  {command}", style="dim")
    say(f"{len(rows)} to decide." if rows else "Nothing waits for a person.")


@app.command(rich_help_panel="Defend a point")
def decide(
    run: RunOf,
    student: Student,
    assignment: OfAssignment,
    check: Annotated[str, typer.Argument(help='its number, its name or its id; "stage 3" for all of a stage')],
    given: Annotated[str, typer.Argument(metavar="pass|fail|POINTS|undo", help="undo: what was seen counts again")],
    because: Annotated[str, typer.Option(help="the reason; the student reads it")],
    by: Annotated[str, typer.Option(help="who says it; else the user's name")] = "",
    wait: Wait = 0.0,
) -> None:
    """Say what a check or a stage is worth. It wins over what was seen, and can be undone; name and reason are kept."""
    if not because.strip():
        raise UsageError("--because is empty. Say why: the student reads it, and the next person who is asked.")
    with writing(run, wait) as folder:
        kept = folder.front(student, assignment)
        target = _target(kept.result, check)
        _can_be_decided(kept, target)
        decision = Decision(
            id=secrets.token_hex(4),
            student=student,
            assignment=assignment,
            submission=kept.result["submission"]["hash"] or "",
            target=target,
            given=_parsed(given),
            because=because.strip(),
            by=by.strip() or user_name(),
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        if decision.taken_back and target not in standing(folder.decisions(student, assignment), decision.submission):
            raise UsageError(f"nobody has said anything of {target} that still counts, so there is nothing to undo.")
        folder.decide(decision)
        folder.rescore(_rubric, (student, assignment))
        after = folder.front(student, assignment).result
        folder.write_index()
    before = f"{number(kept.result['points'])} -> " if kept.result["points"] != after["points"] else ""
    say(f"{readable_name(student)}/{assignment}, {target}: {_given(decision.given)}. {before}{result_line(after)}")


def _can_be_decided(kept: Kept, target: str) -> None:
    """Raises where a word on that could not count, before it is kept: SetupError, UsageError."""
    outcomes = kept.outcomes()
    if outcomes.broke:
        raise UsageError(f"nothing was graded yet: {outcomes.message} Grade it first: grader run.")
    assignment, _ = _rubric(outcomes.assignment)
    there = {check.id for check in assignment.checks} | {stage_target(stage.number) for stage in assignment.stages}
    if target not in there:
        raise UsageError(f"the rubric has no {target} any more. Count by it first: grader rescore.")


def _target(result: Mapping[str, Any], name: str) -> str:
    stage = _stage_of(result, name)
    return str(check_of(result, name)["id"]) if stage is None else stage_target(stage)


def _stage_of(result: Mapping[str, Any], name: str) -> int | None:
    """The stage that "stage 3" names; None if that is the name of a check. Raises UsageError."""
    word, _, rest = name.partition(" ")
    if word.lower() != "stage":
        return None
    numbers = [str(stage["number"]) for stage in result["stages"]]
    if rest.strip() not in numbers:
        raise UsageError(f"there is no {name}. The stages are {', '.join(numbers)}.")
    return int(rest)


def _parsed(given: str) -> Given:
    if given == "undo":
        return None
    if given == "pass":
        return "pass"
    if given == "fail":
        return "fail"
    try:
        return points(given)
    except BadDecision as error:
        raise UsageError(f"{error}. Write pass, fail, points or undo.") from None


def _given(given: Given) -> str:
    return "taken back" if given is None else given if isinstance(given, str) else f"{number(given)} points"


@app.command(rich_help_panel="Defend a point")
def rescore(run: RunOf, wait: Wait = 0.0) -> None:
    """Count every result again under the rubric as it is now. Nothing is run; who has other points is listed."""
    with writing(run, wait) as folder:
        changed = folder.rescore(_rubric, say=lambda text: say(text, style="yellow"))
        for row in changed:
            open_ = f" ({number(row.undecided)} undecided)" if row.undecided else ""
            say(f"{row.name}: {number(row.before)} -> {number(row.now)} of {number(row.possible)}{open_}")
        folder.write_index()
        stale = sum(any(check.get("stale") for check in result["checks"]) for result in folder.results())
    say(f"{len(changed)} of {len(folder.journal.finished())} results have other points.")
    if stale:
        say(f"{stale} have checks whose tests have changed since: grader run runs these again.", style="yellow")


@app.command(rich_help_panel="Defend a point")
def prune(
    run: RunOf,
    reruns: Annotated[bool, typer.Option("--reruns", help="forget what grader rerun has kept, too")] = False,
    wait: Wait = 0.0,
) -> None:
    """Remove the copies of submissions that no kept result is about."""
    with writing(run, wait) as folder:
        gone = folder.forget_reruns() if reruns else 0
        removed = folder.copies.prune(folder.copies_wanted())
    say(f"{len(removed)} copies removed{f', {gone} reruns forgotten' if reruns else ''}; everything else is kept.")


@app.command(rich_help_panel="Defend a point")
def backup(
    run: RunOf,
    to: Annotated[Path, typer.Argument(help="the archive to write, a .tar.gz that is not there yet")],
    wait: Wait = 0.0,
) -> None:
    """Write a run, or a course with its run, into one archive; nobody writes into it meanwhile."""
    course = the_course(run)
    with writing(run, wait) as folder:
        size = back_up(run if course is not None and run.resolve() == course.folder.resolve() else folder.path, to)
    say(f"{to}: {size / 1e6:.1f} MB. It holds secrets and submissions: keep it where only you can read it.")


@app.command(rich_help_panel="Defend a point")
def runs(folder: Annotated[Path, typer.Argument(help="a folder that holds run folders")]) -> None:
    """Write an index of the runs in a folder: FOLDER/index.html, the newest first."""
    if (folder / "campaign.json").exists():
        raise UsageError(f"{folder} is a run itself. Give the folder that holds it.")
    rows = [_row_of(path) for path in sorted(folder.glob("*/campaign.json"))]
    if not rows:
        raise UsageError(f"{folder} holds no runs. Give the folder in which runs lie side by side.")
    try:
        write_file(folder / "index.html", runs_page(rows).encode("utf-8"))
    except OSError as error:
        raise UsageError(f"{folder / 'index.html'} cannot be written: {cause_of(error)}.") from None
    say(f"{folder / 'index.html'}: {len(rows)} run{'s' if len(rows) != 1 else ''}")


def _row_of(path: Path) -> dict[str, Any]:
    record, course = Record(path.parent), the_course(path.parent)
    row = run_row(path.parent.name, record.results())
    return {**row, "name": course.title, "term": course.term} if course else row
