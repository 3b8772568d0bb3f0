"""`grader questions`: notebooks of questions, tried by their author and graded for a class."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from grader import course as courses
from grader.campaign.plan import GradingJob, make_plan
from grader.cli.app import GraderCommands, app, console
from grader.course_file import the_course_of
from grader.job import questions as job
from grader.questions import cells as released
from grader.questions.result import Answered, to_row
from grader.questions.source import NAME, SOURCE, Source
from grader.questions.submitted import Cell, cells_of
from grader.record.questions import Questions
from grader.reports.text import line
from grader.submission import take_submission
from grader.verdict.scoring import number
from harness.errors import SubmissionError, UsageError
from harness.lab.docker import containers, owner
from harness.lab.docker.images import ensure_notebook
from harness.lab.docker.notebook import Notebooks
from harness.lab.interface import LabError

questions = typer.Typer(cls=GraderCommands, no_args_is_help=True, help="Notebooks of questions: predict, run, see.")
app.add_typer(questions, name="questions", rich_help_panel="Grade")

#: A change of what runs a notebook that could change what becomes of it.
VERSION = "1"


def _say(text: str, style: str = "") -> None:
    console().print(Text(line(text), style=style))


def _image() -> str:
    """The image, made if it is missing. Raises LabError."""
    containers.sweep()
    return ensure_notebook(containers.DockerEngine(), lambda text: _say(text, "dim"))


def _folder() -> tempfile.TemporaryDirectory[str]:
    """For copies that a node is given; everybody may read what is in it."""
    made = tempfile.TemporaryDirectory(prefix="notebook-", dir=owner.owned_folder())
    Path(made.name).chmod(0o755)
    return made


@questions.command("try")
def attempt(
    assignment: Annotated[str, typer.Argument(help="an assignment with a questions.md in reference/")],
    times: Annotated[int, typer.Option(min=1, help="run the reference so many times")] = 1,
) -> None:
    """Run the reference's answers and an empty notebook: all points, and none."""
    source = courses.this_course().questions(assignment)
    if source is None:
        raise UsageError(f"reference/{assignment}/{SOURCE} is not there: this assignment has no questions.")
    handed_in = released.notebook(source)
    wrong = 0
    with Notebooks(_image()) as nodes, _folder() as empty:
        for number_of in range(times):
            wrong += _tried(
                nodes, Path(empty), source, cells_of(source, handed_in), f"the reference, run {number_of + 1}"
            )
        wrong += _tried(
            nodes, Path(empty), source, cells_of(source, released.unanswered(source)), "an empty notebook", 0
        )
    raise typer.Exit(1 if wrong else 0)


def _tried(nodes: Notebooks, folder: Path, source: Source, cells: Sequence[Cell], what: str, due: float = 1.0) -> int:
    """Run cells and say what came of them; how many questions have not what is due: all their points, or none."""
    graded = job.grade(nodes, folder, source, cells)
    _say(f"{what}: {_sum(graded.answers)}, {graded.seconds:.1f} s in cells, {graded.attempts} attempt(s)")
    wrong = 0
    for one in graded.answers:
        hand = one.outcome == "hand"
        earned = one.possible if hand else one.points
        if earned != one.possible * due:
            wrong += 1
        _say(
            f"  {one.outcome:<12} {number(one.points)}/{number(one.possible)}  {one.name}  {one.message}",
            "red" if earned != one.possible * due else "",
        )
        for name, value in one.values.items():
            _say(f"      {name} = {value!r}"[:160], "dim")
    for cell, outputs in zip(cells, graded.outputs, strict=True):
        for output in outputs:
            if output.get("kind") == "error":
                wrong += 1
                last = str(output.get("text", "")).strip().splitlines()[-1:]
                _say(f"  the cell {cell.name} raised {last}", "red")
    return wrong


def _sum(answers: Sequence[Answered]) -> str:
    points, possible = sum(one.points for one in answers), sum(one.possible for one in answers)
    undecided = sum(one.undecided for one in answers)
    waits = f", {number(undecided)} wait for a person" if undecided else ""
    return f"{number(points)} of {number(possible)} points{waits}"


@questions.command("grade")
def grade(
    folder: Annotated[Path, typer.Argument(help="the course's folder")],
    assignment: Annotated[list[str] | None, typer.Option(help="only this assignment (may be given again)")] = None,
    student: Annotated[list[str] | None, typer.Option(help="only this student (may be given again)")] = None,
    workers: Annotated[int, typer.Option(min=1, max=16, help="notebooks side by side")] = 2,
    again: Annotated[
        bool, typer.Option("--again", help="run again what waits through no fault of the student's")
    ] = False,
) -> None:
    """Grade the notebooks that were handed in, each in a node of its own. Started again, it does what is left."""
    course = courses.this_course()
    file = the_course_of(folder, course.names())
    plan = make_plan(course, file.submitted, assignments=assignment or [], students=student or [])
    kept = Questions(file.folder)
    image = _image()
    undecided = same = done = 0
    with kept.writing(), Notebooks(image) as nodes, ThreadPoolExecutor(workers) as pool:
        for job_name, row in pool.map(lambda one: _graded(nodes, kept, one, image, again), _with_notebook(plan.jobs)):
            if row is None:
                same += 1
                continue
            done += 1
            undecided += row["state"] in ("undecided", "ours")
            _say(f"{job_name}: {_line_of(row)}", "yellow" if row["state"] != "graded" else "")
    _say(f"{done} graded, {same} as before: {kept.path}")
    raise typer.Exit(1 if undecided else 0)


def _with_notebook(jobs: Sequence[GradingJob]) -> Iterator[tuple[GradingJob, Source]]:
    """The submissions of assignments that have questions; the rest has no notebook of ours to hand in."""
    course = courses.this_course()
    for one in jobs:
        source = course.questions(one.assignment.name)
        if source is not None:
            yield one, source


def _line_of(row: dict[str, Any]) -> str:
    if row["state"] in ("refused", "ours", "missing"):
        return str(row["message"])
    waits = f", {number(row['undecided'])} wait for a person" if row["undecided"] else ""
    return f"{number(row['points'])} of {number(row['possible'])}{waits}"


def _graded(
    nodes: Notebooks, kept: Questions, work: tuple[GradingJob, Source], image: str, again: bool
) -> tuple[str, dict[str, Any] | None]:
    """Grade one; its row, None if that is done already."""
    one, source = work
    with _folder() as name:
        about: dict[str, Any] = {"image": image, "graded_at": datetime.now(UTC).isoformat(timespec="seconds")}
        cells: Sequence[Cell] = ()
        outputs: Sequence[Any] = ()
        handed_in, answers, state, message = b"", _nothing(source), "refused", ""
        try:
            copy = Path(name) / "submission"
            taken = take_submission(one.path, copy, student=one.student, assignment=one.assignment.name)
            about["identity"] = _identity(taken.hash, source, image)
            about["submission"] = {"hash": taken.hash}
            before = kept.result(one.student, one.assignment.name)
            if before and before.get("identity") == about["identity"] and not _open(before, again):
                return one.name, None
            cells = cells_of(source, released.unanswered(source))
            if (copy / f"{NAME}.ipynb").is_file():
                handed_in = (copy / f"{NAME}.ipynb").read_bytes()
                cells = cells_of(source, handed_in)
                graded = job.grade(nodes, copy, source, cells)
                answers, outputs, state = graded.answers, graded.outputs, "graded"
                about.update(attempts=graded.attempts, seconds=round(graded.seconds, 1))
                if any(answer.outcome == "inconclusive" for answer in answers):
                    state = "undecided"
            else:
                state, message = "missing", f"no {NAME}.ipynb was handed in"
        except SubmissionError as why:
            message = str(why)
        except LabError as why:
            state, message = "ours", f"not graded, through our fault: {why}"
            answers = tuple(_ours(answer, str(why)) for answer in answers)
        row = to_row(one.student, one.assignment.name, answers, state=state, message=message, **about)
        if state != "ours":  # what stood there stands
            kept.save(row, cells, outputs, handed_in)
        return one.name, row


def _open(before: dict[str, Any], again: bool) -> bool:
    return again and before.get("state") == "undecided"


def _identity(submission: str, source: Source, image: str) -> str:
    return hashlib.sha256(repr((submission, source, image, VERSION)).encode()).hexdigest()


def _nothing(source: Source) -> tuple[Answered, ...]:
    return tuple(
        Answered(name=one.name, possible=one.points, outcome="fail", fault="submission") for one in source.questions
    )


def _ours(answer: Answered, why: str) -> Answered:
    return Answered(name=answer.name, possible=answer.possible, outcome="inconclusive", fault="ours", message=why)
