"""`grader grade`: one submission for whoever asks, with an exit status that says whose turn it is.

0  graded, and every check has passed
1  graded, and some have not: the submission's turn
2  the command could not be carried out (an option, no lab, a full disk): nothing was graded
3  refused: the archive or the submission cannot be taken in; sending the same again changes nothing
4  ours: the lab or the grader broke; send the same again later
5  graded, and some checks could not be decided, twice, through no fault of the submission: a person decides
"""

from __future__ import annotations

import json
import os
import tempfile
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from grader import course as courses
from grader.archive import unpack
from grader.bench.choose import choose_place
from grader.bench.local import closing
from grader.campaign.campaign import Campaign
from grader.campaign.crowd import labs_here
from grader.campaign.plan import RESERVED, GradingJob
from grader.cli.app import LabKind, LinkEngine, app
from grader.course_file import course_of
from grader.export.convert import result_of
from grader.record.run_folder import RunFolder
from grader.reports.view import instructor_view, student_view
from harness.cli import written
from harness.course.assignment import Assignment
from harness.course.languages import DEFAULT
from harness.errors import SetupError, SubmissionError, UsageError, cause_of
from harness.formats.choose import FORMATS, Wanted, wanted
from harness.formats.data import as_data
from harness.formats.result import Result
from harness.lab.signals import end_tidily


class Verdict(IntEnum):
    """What became of it; the value is the exit status."""

    passed = 0
    failed = 1
    refused = 3
    ours = 4
    undecided = 5


@app.command(rich_help_panel="Grade")
def grade(
    archive: Annotated[Path, typer.Option(help="the submission: a ZIP, a tar (.gz, .bz2, .xz) or a folder")],
    assignment: Annotated[str, typer.Option(help="what it is a submission of")],
    student: Annotated[str, typer.Option(help="whose it is; decides the data of the hidden checks")] = "submission",
    as_json: Annotated[bool, typer.Option("--json", help="the result as JSON on standard output")] = False,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", metavar="FORMAT[=FILE]", help=f"the result as {', '.join(FORMATS)} (again: more)"),
    ] = None,
    instructor: Annotated[
        bool, typer.Option("--instructor", help="tell everything, hidden checks too; default: what a student may see")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="keep the run in this folder; default: it is removed")] = None,
    lab: Annotated[LabKind, typer.Option(help="auto: Docker if an engine answers, else local")] = LabKind.auto,
    engine: Annotated[LinkEngine, typer.Option(help="what impairs the link")] = LinkEngine.auto,
    seed: Annotated[str | None, typer.Option(help="the course's secret; else $SOCKETLAB_SECRET, else new")] = None,
    trust_submissions: Annotated[bool, typer.Option("--trust-submissions", help="run it here without Docker")] = False,
) -> None:
    """Grade one submission: 0 passed, 1 failed, 3 refused, 4 ours, 5 a person decides, 2 nothing was graded."""
    end_tidily()
    chosen = [wanted(word) for word in formats or ([] if as_json else ["text"])]
    course = courses.this_course()
    described = course.load(assignment)
    if student in RESERVED or student in ("", ".", "..") or "/" in student or student.startswith("."):
        raise UsageError(f'"{student}" cannot be the name of a folder. Give another --student.')
    with tempfile.TemporaryDirectory(prefix="socketlab-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)  # the student's user has to get through
        try:
            submission = _taken_in(archive, folder / "submission")
        except SubmissionError as refused:
            _tell(Verdict.refused, _refused(described, str(refused)), chosen, as_json)
            raise typer.Exit(Verdict.refused) from None
        file = course_of(out, course.names()) if out else None
        with RunFolder(out or folder / "run") as run:
            place = choose_place(
                course,
                lab=lab,
                engine=engine,
                submitted=submission,
                trusted=trust_submissions,
                assignments=[assignment],
                say=lambda text: Console(stderr=True, highlight=False).print(Text(text, style="dim")),
                languages=file.languages if file else DEFAULT,
            )
            secret = run.secret(seed or os.environ.get("SOCKETLAB_SECRET"))
            with closing(place):
                saved = _graded(
                    Campaign(course, run, place, secret, workers=labs_here()),
                    GradingJob(student, described, submission),
                )
    view = instructor_view(saved) if instructor else student_view(saved)
    verdict = verdict_of(saved)
    _tell(verdict, result_of(view, student=student), chosen, as_json)
    raise typer.Exit(verdict)


def verdict_of(saved: dict[str, Any]) -> Verdict:
    """Whose turn it is."""
    if saved["state"] == "refused":
        return Verdict.refused
    if saved["state"] in ("ours", "undecided"):
        return Verdict[saved["state"]]
    well = all(check["outcome"] == "pass" for check in saved["checks"])
    return Verdict.passed if well and saved["build"] is None else Verdict.failed


def _taken_in(archive: Path, target: Path) -> Path:
    """The folder with the submission. Raises SubmissionError, UsageError, SetupError."""
    if archive.is_dir():
        return archive.absolute()
    if not archive.is_file():
        raise UsageError(f"{archive} is not a file or folder. Give the archive that was handed in.")
    try:
        unpack(archive, target)
    except OSError as error:
        raise SetupError(f"{archive} cannot be unpacked: {cause_of(error)}.") from None
    return target


def _graded(campaign: Campaign, job: GradingJob) -> dict[str, Any]:
    """Its result. Raises SetupError if there is none."""
    why = ""
    for event in campaign.events([job]):
        if event.kind == "ends" and event.result is not None:
            return event.result
        why = event.text or why
    raise SetupError(f"there is no result: {why or 'the grading was ended'}")


def _refused(assignment: Assignment, message: str) -> Result:
    return Result(
        assignment=assignment.name,
        title=assignment.title,
        points=0.0,
        possible=assignment.points,
        message=message,
        stages=(),
        checks=(),
    )


def _tell(verdict: Verdict, result: Result, formats: list[Wanted], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"verdict": verdict.name, **as_data(result)}, indent=1, allow_nan=False))
    written.write(result, formats, written.context_now())
