"""One ZIP of a whole class, as Canvas, Moodle and Gradescope give it -> the files of each student.

How they name what is in it:
    Canvas      lastfirst_LATE_4711_815_name.py: the name without blanks, LATE only if it was, the student's ID, the
                attachment's, and the file's name (with -1, -2, … when a file of that name was handed in again)
    Moodle      First Last_4711_assignsubmission_file_/name.py, or in one name without folders: the full name, and the
                number of the participation. Times stand in the grading worksheet only
    Gradescope  assignment_1_export/submission_4711/name.py; submission_metadata.yml says whose, and when

Rule: who handed in is found in the roster, or it is said who could not be found; nobody is guessed.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from grader.collect.files import Files
from grader.submission import readable_name
from grader.term.roster import Person, Roster
from grader.term.table import read_table
from harness.errors import SetupError, SubmissionError, UsageError

_CANVAS = re.compile(r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<id>\d+)_(?P<attachment>\d+)_(?P<file>.+)")
_MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_[a-z]+_?/?(?P<file>.*)")
_GRADESCOPE = re.compile(r"(?:[^/]+/)?(?P<id>submission_\d+)/(?P<file>.+)")
_METADATA = "submission_metadata.yml"
#: What a broken ZIP makes Python's module raise; all of its own errors but those are ValueErrors and RuntimeErrors.
_BROKEN = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, ValueError, RuntimeError, OSError)
#: Bytes of one entry of the outer ZIP at most; of submission_metadata.yml as well.
_MOST = 64_000_000


@dataclass
class Found:
    """What one student handed in."""

    who: str  #: as the archive says
    person: Person | None
    files: Files = field(default_factory=Files)
    moment: datetime | None = None  #: aware; None: not known
    clock: str = "file"
    late: bool | None = None  #: whether the LMS called it late; None: it does not say
    error: str = ""  #: why it cannot be taken


@dataclass(frozen=True)
class Outer:
    """The archive of a class, and what is needed to read it."""

    path: Path
    roster: Roster
    zone: ZoneInfo  #: of the times in a ZIP, which have none
    expected: Collection[str]  #: names of the files that programs are started from
    worksheet: bytes | None = None  #: Moodle's

    def canvas(self) -> list[Found]:
        """What Canvas gives."""
        return self._grouped(_CANVAS, self._canvas)

    def moodle(self) -> list[Found]:
        """What Moodle gives."""
        rows = _worksheet(self.worksheet, self.zone) if self.worksheet is not None else {}

        def whom(found: re.Match[str]) -> Found:
            mail, moment = rows.get(found["id"], ("", None))
            person = self.roster.find(mail=mail, name=found["name"])
            return Found(found["name"], person, moment=moment, clock="server" if moment else "file")

        return self._grouped(_MOODLE, whom)

    def gradescope(self) -> list[Found]:
        """What Gradescope gives."""
        about = self._metadata()

        def whom(found: re.Match[str]) -> Found:
            row = about.get(found["id"], {})
            submitters = row.get(":submitters") or [{}]
            first = submitters[0]
            person = next((one for one in map(self._submitter, submitters) if one is not None), None)
            moment = row.get(":created_at")
            if isinstance(moment, datetime):
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            else:
                moment = None
            who = str(first.get(":email") or first.get(":name") or found["id"])
            return Found(who, person, moment=moment, clock="server" if moment else "file")

        return self._grouped(_GRADESCOPE, whom)

    def _canvas(self, found: re.Match[str]) -> Found:
        person = self.roster.find(canvas=found["id"]) or self._squashed(found["name"])
        return Found(found["name"], person, late=bool(found["late"]), clock="canvas")

    def _squashed(self, name: str) -> Person | None:
        same = [one for one in self.roster.people if _squash(one.last + one.first) == _squash(name)]
        return same[0] if len(same) == 1 else None

    def _submitter(self, row: Mapping[str, Any]) -> Person | None:
        mail = str(row.get(":email") or "")
        return self.roster.find(gradescope=str(row.get(":sid") or ""), id=str(row.get(":sid") or ""), mail=mail)

    def _metadata(self) -> Mapping[str, Any]:
        try:
            import yaml
        except ImportError:
            raise SetupError("PyYAML is needed for what Gradescope gives. Bring it: make course") from None
        for row, content in self._entries(lambda name: name.endswith(_METADATA)):
            try:
                found = yaml.safe_load(content)
            except yaml.YAMLError as error:
                raise UsageError(f"{self.path}: {row.filename} is not YAML: {error}.") from None
            if isinstance(found, dict):
                return found
        raise UsageError(f"{self.path} holds no {_METADATA}. Give Gradescope's `Export Submissions`.")

    def _grouped(self, pattern: re.Pattern[str], whom: Any) -> list[Found]:
        found: dict[str, Found] = {}
        odd = []
        for row, content in self._entries(lambda name: pattern.fullmatch(name) is not None or "/" not in name):
            match = pattern.fullmatch(row.filename)
            if match is None:
                odd.append(row.filename)
                continue
            one = found.setdefault(match["id"], whom(match))
            if one.moment is None:
                one.moment = _when(row, self.zone)
            if not one.error and match["file"]:
                one.error = self._take(one, match["file"], content)
        if not found:
            shown = f" (the first is {readable_name(odd[0])})" if odd else ""
            raise UsageError(f"{self.path} holds no submissions named as expected{shown}. Is it from another system?")
        return list(found.values())

    def _take(self, one: Found, name: str, content: bytes) -> str:
        try:
            if one.files.expects(name, len(content)):
                one.files.add(self._own_name(name), content)
        except SubmissionError as error:
            return str(error)
        return ""

    def _own_name(self, name: str) -> str:
        """Without Canvas's -1, where the programs say so."""
        plain = re.sub(r"-\d+(?=\.[^.]*$|$)", "", name)
        return plain if name not in self.expected and plain in self.expected else name

    def _entries(self, wanted: Any) -> Iterator[tuple[zipfile.ZipInfo, bytes]]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                for row in archive.infolist():
                    if row.is_dir() or not wanted(row.filename):
                        continue
                    with archive.open(row) as file:
                        content = file.read(_MOST + 1)
                    if len(content) > _MOST:
                        raise UsageError(f"{self.path}: {readable_name(row.filename)} is larger than 64 MB.")
                    yield row, content
        except FileNotFoundError:
            raise UsageError(f"{self.path} does not exist.") from None
        except _BROKEN as error:
            raise UsageError(f"{self.path} is not a ZIP that can be read: {error}.") from None


def _squash(name: str) -> str:
    return "".join(re.findall(r"\w", name.casefold())).replace("_", "")


def _when(row: zipfile.ZipInfo, zone: ZoneInfo) -> datetime | None:
    try:
        return datetime(*row.date_time, tzinfo=zone)
    except ValueError:
        return None


def _worksheet(data: bytes, zone: ZoneInfo) -> dict[str, tuple[str, datetime | None]]:
    """Moodle's grading worksheet: number of the participation -> mail, and when it was handed in."""
    _, lines = read_table(data, "the grading worksheet")
    found = {}
    for line in lines:
        number = re.search(r"\d+", line.first("identifier"))
        if number:
            said = line.first("last modified (submission)")
            found[number[0]] = (line.first("email address"), _moodles(said, zone))
    return found


def _moodles(text: str, zone: ZoneInfo) -> datetime | None:
    """A time as Moodle writes it in English: `Friday, 6 March 2026, 10:49 AM`."""
    for form in ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=zone)
        except ValueError:
            continue
    return None
