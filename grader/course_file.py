"""course.toml -> CourseFile: what is decided once for a term. Pure but for one read.

Rule 1: every mistake is named with file and line, and says what to write instead; the first found is raised.
Rule 2: it says where the secret is, never what it is.
Rule 3: a time without an offset is of the course's time zone; an hour that is there twice, or not at all, needs one.
"""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from grader.course_interop import InteropSettings, interop_settings
from grader.course_push import PLACE_OF_SECRET, PushSettings, push_settings, verdicts_per_day
from grader.term.late import LatePolicy
from harness.course.languages import DEFAULT, LANGUAGES, in_order
from harness.errors import SetupError, UsageError, cause_of
from harness.text.nearest import nearest
from harness.text.toml_rows import Row, TomlFile, TomlMistake

#: The only version of the format so far.
SCHEMA = 1
#: Its name, in the folder of a course.
NAME = "course.toml"

#: Which of several submissions counts.
Kept = Literal["last", "best"]
KEPT: tuple[Kept, ...] = ("last", "best")

#: What a student's page holds: nothing at all, the public checks, everything a student may ever see.
Shown = Literal["nothing", "public", "all"]
SHOWN: tuple[Shown, ...] = ("nothing", "public", "all")


@dataclass(frozen=True, kw_only=True)
class CourseAssignment:
    """What the course says of one assignment."""

    name: str  #: as its folder in reference/
    due: datetime | None = None  #: aware; None: no deadline
    opens: datetime | None = None  #: aware; None: it is open
    weight: float = 1.0  #: its share in the course's total, in any unit
    groups: bool = False  #: whether a group of the roster hands it in together
    questions: bool = False  #: whether its notebook of questions counts, with points of its own
    keep: Kept = "last"  #: which of several submissions counts: the last one, or the one with most points
    verdicts_per_day: int | None = None  #: pushes a day with hidden checks; None: all of them
    canvas: str = ""  #: what its column is called there, as in "Programs that wait (4711)"; empty: its name
    moodle: str = ""
    gradescope: str = ""


@dataclass(frozen=True, kw_only=True)
class Extension:
    """A deadline of one's own."""

    student: str
    assignment: str
    due: datetime  #: aware
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class CourseFile:
    """A whole course.toml, validated. Paths in it are relative to its folder, and absolute here."""

    path: Path
    name: str  #: short, as nbgrader's course_id
    title: str
    term: str
    zone: ZoneInfo
    secret: str = ""  #: "file:PATH" or "env:NAME"; empty: each run has one of its own
    submitted: Path  #: the folder of submissions
    run: Path  #: the folder of results
    languages: tuple[str, ...] = DEFAULT  #: of submissions: what the nodes have that build and run them
    assignments: tuple[CourseAssignment, ...] = ()
    roster: Path  #: the CSV of who takes part; it need not be there
    late: LatePolicy
    extensions: tuple[Extension, ...] = ()
    gradebook: str = ""  #: the address of nbgrader's database; empty: gradebook.db in the folder
    before_due: Shown = "all"  #: what a student's page holds before the deadline
    after_due: Shown = "all"  #: and after it
    push: PushSettings
    interop: InteropSettings

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.path.parent

    def assignment(self, assignment: str) -> CourseAssignment:
        """What is said of an assignment; what is not listed has no deadline and the weight 1."""
        return next((row for row in self.assignments if row.name == assignment), CourseAssignment(name=assignment))

    def due(self, assignment: str, student: str = "") -> datetime | None:
        """The deadline of an assignment; a student's own, where there is an extension. The later one counts."""
        own = [row.due for row in self.extensions if (row.student, row.assignment) == (student, assignment)]
        general = self.assignment(assignment).due
        return None if general is None else max([general, *own])

    def shown(self, assignment: str, now: datetime, student: str = "") -> Shown:
        """What a student's page of an assignment may hold at that moment: by the student's own deadline."""
        due = self.due(assignment, student)
        return self.before_due if due is not None and now <= due else self.after_due

    def local(self, moment: datetime) -> str:
        """A moment as the course's people read it: 2026-10-26 23:59 CET."""
        return moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M %Z")

    def read_secret(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """The course's secret; None where the file says nothing of one. Raises SetupError."""
        return self.kept_at(self.secret, "the secret", environment) if self.secret else None

    def kept_at(self, place: str, what: str, environment: Mapping[str, str] = os.environ) -> str:
        """What is kept at a "file:PATH" or "env:NAME"; `what` names it in messages. Raises SetupError."""
        kind, _, where = place.partition(":")
        if kind == "env":
            if not environment.get(where):
                raise SetupError(f"{self.path}: {what} is in ${where}, which is not set. Set it, and run again.")
            return environment[where]
        file = self.folder / where
        try:
            text = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = cause_of(error) if isinstance(error, OSError) else "it is not text"
            raise SetupError(f"{self.path}: {what} in {file} cannot be read: {why}.") from None
        if not text:
            remedy = "Put a long random line into it." if what == "the secret" else "Put it there."
            raise SetupError(f"{self.path}: {what} in {file} is empty. {remedy}")
        if os.name == "posix" and file.stat().st_mode & 0o066:
            whose = what.replace("the secret", "the course's secret")
            raise SetupError(
                f"{file} can be read or changed by others, and is {whose}: chmod 600 {shlex.quote(str(file))}"
            )
        return text


def find_course_file(folder: Path) -> Path | None:
    """The course.toml in a folder, or beside it; None if there is none."""
    folder = folder.absolute()
    return next((path for path in (folder / NAME, folder.parent / NAME) if path.is_file()), None)


def course_of(folder: Path, assignments: Sequence[str]) -> CourseFile | None:
    """The course that a folder belongs to, None if it has none. Raises SetupError (a mistake in the file)."""
    path = find_course_file(folder)
    return None if path is None else load_course_file(path, assignments)


def the_course_of(folder: Path, assignments: Sequence[str]) -> CourseFile:
    """The course that a folder belongs to. Raises UsageError (none) and SetupError (a mistake in the file)."""
    course = course_of(folder, assignments)
    if course is None:
        raise UsageError(
            f"{folder} has no {NAME}, and none lies beside it. Make one: grader course new {shlex.quote(str(folder))}"
        )
    return course


def load_course_file(path: Path, assignments: Sequence[str]) -> CourseFile:
    """Read and validate a course.toml; `assignments` are those that there are. Raises SetupError."""
    try:
        return _read(TomlFile.read(path), path.absolute(), assignments)
    except TomlMistake as mistake:
        raise SetupError(str(mistake)) from None


# --- one function per table, top to bottom as in the file ---

_TABLES = (
    *("course", "students", "late", "roster", "gradebook", "push", "watch", "forges"),
    *("interop", "assignments", "extensions"),
)
_HEAD = ("schema", "name", "title", "term", "zone", "secret", "submitted", "run", "languages")


def _read(file: TomlFile, path: Path, known: Sequence[str]) -> CourseFile:
    for table in file.data:
        if table not in _TABLES:
            file.wrong(table, 0, table, f"unknown table [{table}]", nearest(table, _TABLES))
    head = file.row("course", _HEAD)
    if head.data.get("schema") != SCHEMA:
        head.wrong("schema", "the version of the format is missing or not known", f"Write: schema = {SCHEMA}")
    zone = _zone(head)
    name = head.text("name", example='"networks"')
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        head.wrong("name", f"{name!r} cannot name a course", "Use small letters, digits, - and _.")
    secret = head.text("secret", "")
    if secret and not PLACE_OF_SECRET.fullmatch(secret):
        head.wrong("secret", "this says where the secret is, and is not it", 'Write: secret = "file:.secret"')
    see = file.row("students", ("before_due", "after_due"))
    assignments = _assignments(file, zone, known)
    submitted, run = (_folder(head, path.parent, key) for key in ("submitted", "run"))
    if run.is_relative_to(submitted) or submitted.is_relative_to(run):
        head.wrong("run", "submissions and results cannot be in one folder, nor in each other", 'Write: run = "run"')
    return CourseFile(
        path=path,
        name=name,
        title=head.text("title", name),
        term=head.text("term", ""),
        zone=zone,
        secret=secret,
        submitted=submitted,
        run=run,
        languages=_languages(head),
        assignments=assignments,
        roster=path.parent / file.row("roster", ("file",)).text("file", "roster.csv"),
        late=_late(file.row("late", _LATE)),
        extensions=_extensions(file, zone, assignments),
        gradebook=_gradebook(file.row("gradebook", ("url",))),
        before_due=_shown(see, "before_due"),
        after_due=_shown(see, "after_due"),
        push=push_settings(file, path.parent),
        interop=interop_settings(file),
    )


def _languages(row: Row) -> tuple[str, ...]:
    wanted = row.words("languages") or DEFAULT
    for name in wanted:
        if name not in LANGUAGES:
            what = f"nothing is known of a language {name!r}"
            row.wrong("languages", what, f"{nearest(name, LANGUAGES)} docs/languages.md says how to add one.")
    return tuple(in_order(wanted))


#: Names of the database that are no place.
_NO_PLACE = ("localtime", "posixrules", "Factory")


def _zone(row: Row) -> ZoneInfo:
    name = row.text("zone", example='"Europe/Berlin"')
    if name in _NO_PLACE or name.startswith(("posix/", "right/")):
        row.wrong("zone", f"{name!r} is another zone on another machine", 'Write its IANA name: zone = "Europe/Berlin"')
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder's name is an OSError
        row.wrong("zone", f"there is no time zone {name!r}", 'Write its IANA name: zone = "Europe/Berlin"')


def _folder(row: Row, course: Path, key: str) -> Path:
    """A folder that the course names, absolute."""
    name = row.text(key, key)
    if not name:
        row.wrong(key, f'"{key}" names no folder', f'Write: {key} = "{key}"')
    return Path(os.path.normpath(course / name))


def _shown(row: Row, key: str) -> Shown:
    value = row.text(key, "all")
    if value not in SHOWN:
        row.wrong(key, f"a student's page cannot hold {value!r}", f"Write one of: {', '.join(SHOWN)}")
    return value


#: So many days are no time that anybody waits.
_MOST_DAYS = 3650
_LATE = ("grace_minutes", "percent_per_day", "most_percent", "late_days", "cut_off_days")


def _late(row: Row) -> LatePolicy:
    for key in ("percent_per_day", "most_percent"):
        if _ruled(row, key) and row.number(key) > 100:
            row.wrong(key, "more than everything", f"Write a number up to 100: {key} = 10")
    cut_off = 0.0 if _none(row, "cut_off_days") else row.number("cut_off_days", math.inf)
    grace = row.whole("grace_minutes") if _ruled(row, "grace_minutes") else 0
    if grace > _MOST_DAYS * 24 * 60:
        row.wrong("grace_minutes", "that is more than ten years", "Write: grace_minutes = 10")
    return LatePolicy(
        grace=timedelta(minutes=grace),
        percent_per_day=row.number("percent_per_day") if _ruled(row, "percent_per_day") else 0.0,
        most_percent=0.0 if _none(row, "most_percent") else row.number("most_percent", 100.0),
        late_days=row.whole("late_days") if _ruled(row, "late_days") else 0,
        cut_off=timedelta(days=min(cut_off, _MOST_DAYS)) if math.isfinite(cut_off) else None,
    )


def _none(row: Row, key: str) -> bool:
    """Whether it says 0: none of it."""
    value = row.data.get(key)
    return not isinstance(value, bool) and value == 0


def _ruled(row: Row, key: str) -> bool:
    return key in row.data and not _none(row, key)


def _gradebook(row: Row) -> str:
    url = row.text("url", "")
    if url and "://" not in url:
        row.wrong("url", f"{url!r} is not the address of a database", 'Write: url = "postgresql://host/name"')
    if re.match(r"[^/]+://[^/@]*:[^/@]*@", url):
        row.wrong("url", "a password in the course's file", "Leave it out, and put it into ~/.pgpass.")
    return url


def _extensions(file: TomlFile, zone: ZoneInfo, known: Sequence[CourseAssignment]) -> tuple[Extension, ...]:
    found: list[Extension] = []
    rows = file.rows("extensions", ("student", "assignment", "due", "days", "why")) if "extensions" in file.data else []
    for row in rows:
        name = row.text("assignment", example='"blocking"')
        one = next((assignment for assignment in known if assignment.name == name), None)
        if one is None or one.due is None:
            row.wrong("assignment", f"{name!r} has no deadline here", "Give [[assignments]] one, with due.")
        due = moment(row, "due", zone)
        if (due is None) == ("days" not in row.data):
            row.wrong(None, "an extension has either due or days", "Write: days = 2")
        if due is None and row.number("days") > _MOST_DAYS:
            row.wrong("days", "that is more than ten years", "Write: days = 2")
        found.append(
            Extension(
                student=row.text("student"),
                assignment=name,
                due=due or _days_later(one.due, row.number("days"), zone),
                why=row.text("why", ""),
            )
        )
    return tuple(found)


def _days_later(due: datetime, days: float, zone: ZoneInfo) -> datetime:
    """The same hour on the clock so many days later, also where the clocks change in between."""
    whole, rest = divmod(days, 1)
    there = due.astimezone(zone) + timedelta(days=int(whole))
    return (there.astimezone(UTC) + timedelta(days=rest)).astimezone(zone)


def _kept(row: Row) -> Kept:
    value = row.text("keep", "last")
    if value not in KEPT:
        row.wrong("keep", f"{value!r} is not known", f"Write one of: {', '.join(KEPT)}")
    return value


def _assignments(file: TomlFile, zone: ZoneInfo, known: Sequence[str]) -> tuple[CourseAssignment, ...]:
    if "assignments" not in file.data:
        return ()
    found: dict[str, CourseAssignment] = {}
    for row in file.rows("assignments", tuple(CourseAssignment.__dataclass_fields__)):
        name = row.text("name", example='"blocking"')
        if name in found:
            row.wrong("name", f"{name!r} is there twice", "Give each assignment one row.")
        if name not in known:
            row.wrong("name", f"there is no assignment {name!r}", nearest(name, known))
        term = CourseAssignment(
            name=name,
            due=moment(row, "due", zone),
            opens=moment(row, "opens", zone),
            weight=row.number("weight", 1.0),
            groups=row.flag("groups"),
            questions=row.flag("questions"),
            keep=_kept(row),
            verdicts_per_day=verdicts_per_day(row),
            **{key: row.text(key, "") for key in ("canvas", "moodle", "gradescope")},
        )
        if term.due is not None and term.opens is not None and term.due <= term.opens:
            row.wrong("due", "it is due before it opens", "Give a later moment.")
        found[name] = term
    return tuple(found.values())


def moment(row: Row, key: str, zone: ZoneInfo) -> datetime | None:
    """The moment a key names, aware; None where it is missing. A date alone is the end of that day."""
    value = row.data.get(key)
    if value is None:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, 23, 59, 59)
    if not isinstance(value, datetime):
        row.wrong(key, f'"{key}" has to be a date with a time', f"Write: {key} = 2026-10-26T23:59:00")
    if not 1971 <= value.year <= 9000:  # beyond, a time zone cannot be reckoned with
        row.wrong(key, f"{value.year} is not a year of a course", f"Write: {key} = 2026-10-26T23:59:00")
    if value.tzinfo is not None:
        return value
    return _in_zone(row, key, value, zone)


def _in_zone(row: Row, key: str, value: datetime, zone: ZoneInfo) -> datetime:
    first, second = value.replace(tzinfo=zone, fold=0), value.replace(tzinfo=zone, fold=1)
    if first.utcoffset() != second.utcoffset():
        there = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == value
        offset = first.strftime("%z")
        row.wrong(
            key,
            f"{value} is {'there twice' if there else 'not there'} in {zone.key}: the clocks change",
            f"Give an offset as well: {key} = {value.isoformat()}{offset[:3]}:{offset[3:]}",
        )
    return first
