"""`grader gradebook`: a run's results into nbgrader's gradebook, a person's decisions out of it, and the grades."""

from __future__ import annotations

import getpass
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from grader import course as courses
from grader.cli.app import GraderCommands, app, console
from grader.collect.ledger import Ledger
from grader.course_file import CourseFile, the_course_of
from grader.gradebook import book as books
from grader.gradebook import decisions, feedback, settings, terms, totals
from grader.gradebook.questions import Asked, sync_questions
from grader.gradebook.sync import Change, Said, Terms, sync
from grader.record.questions import Questions
from grader.record.record import Record
from grader.record.run_folder import RunFolder
from grader.reports.text import line, shell
from grader.term.leaving import System, Undecided
from grader.verdict.decisions import Decision
from grader.verdict.scoring import number
from harness.errors import UsageError

gradebook = typer.Typer(cls=GraderCommands, no_args_is_help=True, help="nbgrader's gradebook and its formgrader.")
app.add_typer(gradebook, name="gradebook", rich_help_panel="A term")

Folder = Annotated[Path, typer.Argument(help="the course's folder")]


def _course(folder: Path) -> CourseFile:
    return the_course_of(folder, courses.this_course().names())


def _opened(course: CourseFile) -> Any:
    return books.opened(course.folder, terms.url_of(course), course.name)


def _say(text: str, style: str = "") -> None:
    console().print(Text(line(text), style=style))


@gradebook.command("settings")
def write(folder: Folder) -> None:
    """Write nbgrader_config.py: nbgrader and formgrader run with it, and formgrader can do no harm."""
    course = _course(folder)
    path = settings.write_settings(course.folder, course=course.name, zone=course.zone.key, url=terms.url_of(course))
    _say(f"{path}")


@gradebook.command("sync")
def put(
    folder: Folder, run: Annotated[Path | None, typer.Option(help="the run's folder; else the course's")] = None
) -> None:
    """Put a run's results into the gradebook and into autograded/. Again without change does nothing."""
    course = _course(folder)
    books.needed()
    where = (run or course.run).absolute()
    if run is None and not where.exists():
        raise UsageError(f"{where} is not there: nothing was graded yet. Grade first: grader run {shell(str(folder))}")
    found = Record(where)
    roster = terms.roster_of(course)
    with _opened(course) as book:
        receipts = Ledger(course.folder).receipts()
        rules = terms.terms_of(
            course,
            where,
            roster,
            receipts,
            courses.this_course().load,
            possible=_possible(course),
            now=datetime.now(UTC),
        )
        terms.people(book, course.folder, roster, say=_say)
        counting, twice = terms.one_for_each_group(found.journal.finished(), course, roster, receipts)
        said = sync(book, rules, results_of(found, counting))
        _put_questions(book, rules, course, counting, said)
        terms.who_is_back(book, course.folder, roster)
    for change in said.changes:
        _say(_told(change))
    for remark in [*twice, *said.remarks]:
        _say(remark, "yellow")
    _say(f"{len(said.changes)} changed, {said.same} as before: {books.without_password(terms.url_of(course))}")


def _possible(course: CourseFile) -> Callable[[str], float]:
    """Assignment -> the most that it gives, with its questions where they count."""
    ours = courses.this_course()

    def possible(name: str) -> float:
        source = ours.questions(name) if course.assignment(name).questions else None
        return ours.load(name).points + (source.points if source else 0.0)

    return cache(possible)


def _has_questions(assignment: str) -> bool:
    return courses.this_course().questions(assignment) is not None


def _put_questions(
    book: books.Book, rules: Terms, course: CourseFile, counting: Sequence[tuple[str, str]], said: Said
) -> None:
    """The notebooks of questions that were graded, of every assignment whose questions count."""
    kept = Questions(course.folder)
    for row in course.assignments:
        if not row.questions:
            continue
        source = courses.this_course().questions(row.name)
        if source is None:
            said.remarks.append(f"{row.name}: course.toml says questions = true, and there are none for it.")
            continue
        whose = [student for student, name in counting if name == row.name]
        there = {student: one for student, one in kept.all(row.name) if student in whose or not whose}
        sync_questions(book.questions, rules, Asked(row.name, source), there.items(), said)
        if without := len(set(whose) - there.keys()):
            many = f"{without} notebooks have" if without > 1 else "1 notebook has"
            command = f"grader questions grade {shell(str(course.folder))}"
            said.remarks.append(f"{row.name}: {many} not been graded yet: {command}")


def results_of(found: Record, pairs: Sequence[tuple[str, str]]) -> Iterator[Mapping[str, Any]]:
    """The results of a run, one at a time: a class of them is large."""
    for student, assignment in pairs:
        result = found.load(student, assignment)
        if result is not None:
            yield result


def _told(change: Change) -> str:
    before = "nothing" if change.before is None else number(change.before)
    said = f"{change.student}/{change.assignment}: {before} -> {number(change.now)}"
    if change.undecided:
        said += f", {number(change.undecided)} undecided"
    if change.look:
        said += f". A person gave points for {', '.join(change.look)}: they stand, and wait for a second look"
    return said


@gradebook.command("import")
def bring(
    folder: Folder,
    run: Annotated[Path | None, typer.Option(help="the run's folder; else the course's")] = None,
    by: Annotated[str, typer.Option(help="who graded by hand; else the name of whoever types this")] = "",
) -> None:
    """Bring back the points that people gave in formgrader, as decisions beside the run's results."""
    course = _course(folder)
    with _opened(course) as book, RunFolder(run or course.run, course=course, new=False) as found:

        def decide(word: decisions.Word) -> None:
            found.decide(
                Decision(
                    id=secrets.token_hex(4),
                    student=word.student,
                    assignment=word.assignment,
                    submission=word.submission,
                    target=word.target,
                    given=word.points,
                    because=decisions.because(word),
                    by=by or getpass.getuser(),
                    at=datetime.now(UTC).isoformat(timespec="seconds"),
                    source=decisions.SOURCE,
                )
            )

        told = decisions.bring(book, course.folder, found.decisions(), decide)
        ours = courses.this_course()
        for pair in sorted({(word.student, word.assignment) for word in told}):
            found.rescore(lambda name: (ours.load(name), ours.versions(name)), pair)
        if told:
            found.write_index()
    for word in told:
        _say(word.in_words())
    _say(f"{len(told)} new decision{'' if len(told) == 1 else 's'}")


@gradebook.command("feedback")
def pages(
    folder: Folder, to: Annotated[Path | None, typer.Option(help="a folder for a ZIP of each student's pages")] = None
) -> None:
    """Make each student's feedback with nbgrader's generate_feedback; with --to, a ZIP for each."""
    course = _course(folder)
    books.needed()
    made = feedback.generate(course.folder, say=lambda text: _say(text, "dim"))
    _say(f"{made} pages in {course.folder / 'feedback'}")
    if to is not None:
        for path in feedback.packed(course.folder, to):
            _say(str(path))


@gradebook.command("export")
def leave(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="the file to write")],
    system: Annotated[System, typer.Option("--for", help="who reads the file")] = System.plain,
    assignment: Annotated[list[str] | None, typer.Option(help="only this assignment (may be given again)")] = None,
    undecided: Annotated[
        Undecided | None, typer.Option(help="what stands where a person still decides; without it, no file then")
    ] = None,
) -> None:
    """Write the grades as Canvas, Moodle, Gradescope or a person takes them."""
    course = _course(folder)
    roster = terms.roster_of(course)
    with _opened(course) as book:
        text, waits = totals.exported(
            book,
            course,
            roster,
            courses.this_course().names(),
            _possible(course),
            system,
            assignment or [],
            undecided,
            terms.handed_in(course, roster, Ledger(course.folder).receipts()),
            now=datetime.now(UTC),
            asked=[
                row.name for row in course.assignments if row.questions and courses.this_course().questions(row.name)
            ],
        )
    out.write_text(text, encoding="utf-8", newline="")
    for one in waits:
        _say(f"left empty: {one}", "yellow")
    _say(f"{out}")
