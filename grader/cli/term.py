"""`grader roster` and `grader collect`: who takes part, and what they handed in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from grader import course as courses
from grader.cli.app import GraderCommands, app, console
from grader.collect import folders
from grader.collect.archives import Found, Outer
from grader.collect.git import Commit, Mirror
from grader.collect.place import Handed, Place, collecting
from grader.course_file import CourseFile, the_course_of
from grader.record.journal import write_file
from grader.reports.text import line
from grader.term.roster import Person, Roster, merged, read_roster, write_roster
from harness.course.misplaced import expected_files
from harness.errors import SubmissionError, UsageError, cause_of

collect = typer.Typer(
    cls=GraderCommands, no_args_is_help=True, help="Take what was handed in to submitted/, with a receipt each."
)
app.add_typer(collect, name="collect", rich_help_panel="A term")

Folder = Annotated[Path, typer.Argument(help="the course's folder")]
Name = Annotated[str, typer.Argument(help="the assignment")]
Archive = Annotated[Path, typer.Argument(help="the ZIP, as it was downloaded")]


def _say(text: str, style: str = "") -> None:
    console().print(Text(line(text), style=style))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {cause_of(error)}.") from None


@app.command(rich_help_panel="A term")
def roster(
    folder: Folder,
    source: Annotated[Path, typer.Argument(help="CSV: our own, or as Canvas, Moodle or Gradescope export it")],
    complete: Annotated[bool, typer.Option("--complete", help="it lists everybody: who is not in it has left")] = False,
) -> None:
    """Bring the course's roster up to date. Groups, repositories and who has left stay as they are."""
    course = the_course_of(folder, courses.this_course().names())
    old = read_roster(_read(course.roster), str(course.roster)) if course.roster.exists() else Roster()
    new = read_roster(_read(source), str(source))
    both = merged(old, new, complete=complete)
    write_file(course.roster, write_roster(both.people).encode("utf-8"))
    for remark in both.remarks:
        _say(remark, "yellow")
    left = [person.id for person in both.people if not person.active]
    _say(
        f"{course.roster}: {len(both.active)} take part{f', {len(left)} have left: ' + ', '.join(left) if left else ''}"
    )


class _Collecting:
    """One assignment that is being collected, and what is said of it."""

    def __init__(self, folder: Path, assignment: str) -> None:
        ours = courses.this_course()
        self.course: CourseFile = the_course_of(folder, ours.names())
        self.assignment = ours.load(assignment)
        self.now = datetime.now(UTC)
        there = self.course.roster.exists()
        self.roster = read_roster(_read(self.course.roster), str(self.course.roster)) if there else None
        self.new, self.same, self.failed = 0, 0, 0

    def people(self) -> Roster:
        """The roster, which this way of collecting needs. Raises UsageError."""
        if self.roster is None:
            raise UsageError(f"{self.course.roster} is missing, so nobody can be found. Make it: grader roster")
        return self.roster

    def due(self, student: str) -> datetime | None:
        """After the grace."""
        due = self.course.due(self.assignment.name, student)
        return due + self.course.late.grace if due else None

    def fails(self, who: str, why: str) -> None:
        self.failed += 1
        _say(f"{who}/{self.assignment.name}: {why}", "yellow")

    def put(self, place: Place, student: str, source: Path, moment: datetime | None, clock: str, origin: str,
            notes: tuple[str, ...] = ()) -> None:  # fmt: skip
        """One submission, and its receipt."""
        if self.roster is not None and not self.roster.counts_for(student, groups=True):
            return self.fails(student, "not in the roster as somebody who takes part; left out")
        known = Handed(student, self.assignment.name, moment or self.now, clock if moment else "taken", origin, notes)
        try:
            receipt = place.put(source, known, submitted=self.course.submitted, now=self.now)
        except SubmissionError as error:
            return self.fails(student, str(error))
        if receipt is None:
            self.same += 1
            return None
        self.new += 1
        _say(receipt.in_words(self.course.zone))
        for note in receipt.notes:
            _say(f"  {note}", "dim")
        return None

    def ends(self) -> None:
        """The last line, and the exit status."""
        _say(f"{self.assignment.name}: {self.new} taken, {self.same} as before, {self.failed} not taken")
        raise typer.Exit(1 if self.failed else 0)


@collect.command()
def git(
    folder: Folder,
    assignment: Name,
    late: Annotated[
        bool, typer.Option("--late", help="take the last commit before the cut-off, not before the deadline")
    ] = False,
) -> None:
    """From each student's repository: the last commit before the student's own deadline."""
    term = _Collecting(folder, assignment)
    done: set[str] = set()
    if not any(person.repository for person in term.people().active):
        raise UsageError(f"nobody in {term.course.roster} has a repository. Fill in its column `repository`.")
    with collecting(term.course.folder) as place:
        for person in term.people().active:
            if not person.repository or (person.group and person.group in done):
                continue
            done.add(person.group)
            try:
                _from_git(term, place, person, late)
            except (SubmissionError, UsageError) as error:
                term.fails(person.id, str(error))
    term.ends()


def _from_git(term: _Collecting, place: Place, person: Person, late: bool) -> None:
    mirror = Mirror(term.course.folder / ".mirrors" / f"{person.id}.git", person.repository)
    mirror.fetch()
    until = term.due(person.id)
    if late and until is not None:
        due, cut_off = term.course.due(term.assignment.name, person.id), term.course.late.cut_off
        until = max(until, due + cut_off) if due and cut_off is not None else None
    commit, newest = mirror.last(until), mirror.last(None)
    later = _left_out(term, newest, late) if newest != commit else ""
    if commit is None:
        before = term.course.local(until or term.now)
        term.fails(person.id, f"{person.repository} has no commit before {before}{later and f'; {later}'}")
        return
    files = mirror.files(commit.name)
    if later:
        files.notes.append(later)
    files.keep_within(term.assignment.name)
    source = place.room()
    files.write(source)
    origin = f"{person.repository} at {commit.name[:12]}"
    term.put(place, person.id, source, commit.moment, commit.clock, origin, tuple(files.notes))


def _left_out(term: _Collecting, newest: Commit | None, late: bool) -> str:
    """That something came too late, by whose clock, and how to take it."""
    if newest is None:
        return ""
    whose = "the server's log" if newest.clock == "server" else "what it says itself"
    how = "" if late else " (--late takes it, up to the cut-off)"
    return f"the last commit, of {term.course.local(newest.moment)} by {whose}, came too late{how}"


@collect.command()
def canvas(folder: Folder, assignment: Name, archive: Archive) -> None:
    """From the ZIP of Canvas's `Download Submissions`."""
    _from_archive(folder, assignment, archive, Outer.canvas)


@collect.command()
def moodle(
    folder: Folder,
    assignment: Name,
    archive: Archive,
    worksheet: Annotated[Path | None, typer.Option(help="Moodle's grading worksheet: it has mail and times")] = None,
) -> None:
    """From the ZIP of Moodle's `Download all submissions`."""
    _from_archive(folder, assignment, archive, Outer.moodle, worksheet)


@collect.command()
def gradescope(folder: Folder, assignment: Name, archive: Archive) -> None:
    """From the ZIP of Gradescope's `Export Submissions`."""
    _from_archive(folder, assignment, archive, Outer.gradescope)


def _from_archive(
    folder: Path, assignment: str, archive: Path, read: Callable[[Outer], list[Found]], worksheet: Path | None = None
) -> None:
    term = _Collecting(folder, assignment)
    names = expected_files(term.assignment.programs)
    sheet = _read(worksheet) if worksheet is not None else None
    outer = Outer(archive, term.people(), term.course.zone, names, sheet)
    with collecting(term.course.folder) as place:
        for found in read(outer):
            if found.person is None:
                term.fails(found.who, f"nobody in {term.course.roster} has that name, mail or id; left out")
                continue
            if found.error:
                term.fails(found.person.id, found.error)
                continue
            source = place.room()
            try:
                found.files.write(source)
            except SubmissionError as error:
                term.fails(found.person.id, str(error))
                continue
            moment, clock = _moment(term, found)
            term.put(place, found.person.id, source, moment, clock, archive.name, tuple(found.files.notes))
    term.ends()


def _moment(term: _Collecting, found: Found) -> tuple[datetime | None, str]:
    """When it was handed in. Canvas says only whether it was late: what was not came at the latest when it was due."""
    due = term.course.due(term.assignment.name, found.person.id if found.person else "")
    if found.late is False and due is not None:
        return min(due, term.now), "canvas: not late"
    return found.moment, found.clock


@collect.command()
def exchange(
    folder: Folder, assignment: Name, inbound: Annotated[Path, typer.Argument(help="EXCHANGE/<course>/inbound")]
) -> None:
    """From nbgrader's exchange: each student's last submission."""
    term = _Collecting(folder, assignment)
    with collecting(term.course.folder) as place:
        for one in folders.inbound(inbound, assignment):
            term.put(place, one.student, one.path, one.moment, one.clock, one.path.name)
    term.ends()


@collect.command("folder")
def from_folder(
    folder: Folder,
    assignment: Name,
    source: Annotated[Path, typer.Argument(help="SOURCE/<student>/<assignment>/, or SOURCE/<student>/")],
) -> None:
    """From a folder with a folder for each student."""
    term = _Collecting(folder, assignment)
    if source.resolve() == term.course.submitted.resolve():
        raise UsageError(f"{source} is where submissions are taken to. Give the folder that they come from.")
    with collecting(term.course.folder) as place:
        for one in folders.plain(source, assignment, courses.this_course().names()):
            term.put(place, one.student, one.path, one.moment, one.clock, str(one.path))
    term.ends()
