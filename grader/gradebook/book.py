"""nbgrader's gradebook: the only place that imports nbgrader, and the only one that writes into its database.

Rule 1: one writer at a time, held by a lock on the course's folder; formgrader may write beside it, and what a person
        gave (manual score, extra credit, manual comment) is read here and never written, but for a group's members.
Rule 2: a submission is written in one transaction: after kill -9 it is as it was, or as it should be.
Rule 3: no number goes in that is not finite; nbgrader would take NaN and minus one.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import math
import os
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader.gradebook.checks import NAME
from grader.gradebook.stages import Automatic, Entry, Given
from grader.questions.source import NAME as QUESTIONS
from harness.errors import SetupError, UsageError, cause_of

#: How nbgrader is brought.
REMEDY = "Bring it: make course"


@dataclass(frozen=True)
class Standing:
    """What the gradebook holds of one stage of one submission."""

    points: float | None  #: automatic; None before the first sync
    needed: bool  #: whether a person should look
    given: Given


@dataclass(frozen=True)
class Row:
    """What the gradebook holds of one submission."""

    student: str
    assignment: str
    points: float  #: as nbgrader adds them up, without the penalty
    possible: float
    penalty: float
    timestamp: datetime | None  #: UTC
    needed: tuple[str, ...]  #: the cells at which a person should look


def needed() -> None:
    """Raise SetupError where nbgrader cannot be used."""
    try:
        importlib.import_module("nbgrader.api")
    except ImportError as error:
        raise SetupError(f"nbgrader is needed for that, and is not installed ({error.name}). {REMEDY}") from None


@contextlib.contextmanager
def opened(folder: Path, url: str, course: str) -> Iterator[Book]:
    """The gradebook of a course's folder, made if it is not there. Raises SetupError and UsageError."""
    needed()
    lock = os.open(folder / ".gradebook.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"the gradebook of {folder} is being written by another command. Wait for it.") from None
        with _told(url):
            book = Book(_gradebook(url, course))
        try:
            with _told(url):
                yield book
        finally:
            book.close()
    finally:
        os.close(lock)


@contextlib.contextmanager
def _told(url: str) -> Iterator[None]:
    """What the database says, as a message for whoever typed the command."""
    errors: Any = importlib.import_module("sqlalchemy.exc")
    try:
        yield
    except (errors.OperationalError, errors.ProgrammingError, errors.DatabaseError) as error:
        said = " ".join(str(error.orig).split())
        what = f"the gradebook {without_password(url)} cannot be used: {said}"
        raise SetupError(f"{what}. Is it running, and of this version of nbgrader (nbgrader db upgrade)?") from None
    except (errors.ArgumentError, errors.NoSuchModuleError, ModuleNotFoundError) as error:
        raise SetupError(f"{without_password(url)} is not the address of a database that is known: {error}.") from None


def without_password(url: str) -> str:
    """The address of a database, for people."""
    head, sign, rest = url.rpartition("@")
    scheme, slashes, user = head.partition("://")
    return f"{scheme}{slashes}{user.partition(':')[0]}{sign}{rest}"


def _gradebook(url: str, course: str) -> Any:
    """Opened. nbgrader asks the program `alembic` for a number when it makes a database: it has to be found."""
    here = Path(sys.executable).parent
    if shutil.which("alembic", path=f"{here}{os.pathsep}{os.environ.get('PATH', '')}") is None:
        raise SetupError(f"the program alembic, which comes with nbgrader, is not in {here}. {REMEDY}")
    before = os.environ.get("PATH")
    os.environ["PATH"] = f"{here}{os.pathsep}{before or ''}"
    try:
        api: Any = importlib.import_module("nbgrader.api")
        book = api.Gradebook(url, course)
        _complete(book, api)
        return book
    except OSError as error:
        raise SetupError(f"the gradebook cannot be made: {cause_of(error)}.") from None
    finally:
        os.environ["PATH"] = before or os.defpath


def _complete(book: Any, api: Any) -> None:
    """Number a database whose making was interrupted, so that `nbgrader db upgrade` takes it."""
    sql: Any = importlib.import_module("sqlalchemy")
    tables = sql.inspect(book.engine).get_table_names()
    if "alembic_version" not in tables:
        book.db.execute(sql.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
    if book.db.execute(sql.text("SELECT count(*) FROM alembic_version")).scalar() == 0:
        number = {"number": api.get_alembic_version()}
        book.db.execute(sql.text("INSERT INTO alembic_version (version_num) VALUES (:number)"), number)
    book.db.commit()


class Book:
    """An open gradebook, as far as one notebook of each assignment goes. Get one from `opened`."""

    def __init__(self, book: Any, name: str = NAME) -> None:
        self._book = book
        self.name = name
        self._api: Any = importlib.import_module("nbgrader.api")

    @property
    def questions(self) -> Book:
        """The same gradebook, for the notebooks of questions."""
        return Book(self._book, QUESTIONS)

    def close(self) -> None:
        """Leave the database."""
        self._book.close()

    # --- what there is to grade, and who ---

    def register(self, assignment: str, entries: Sequence[Entry], due: datetime | None) -> None:
        """The cells of an assignment. Raises UsageError if one is gone for which a person has given points."""
        book = self._book
        moment = due.astimezone(UTC).replace(tzinfo=None) if due else None
        book.update_or_create_assignment(assignment, duedate=moment)
        notebook = book.update_or_create_notebook(self.name, assignment)
        known = {entry.name for entry in entries if entry.possible is not None}
        for old in list(notebook.grade_cells):
            if old.name not in known:
                self._forget(old, assignment)
        where = (self.name, assignment)
        for entry in entries:
            if entry.possible is not None:
                about = {"max_score": entry.possible, "cell_type": entry.kind}
                book.update_or_create_grade_cell(entry.name, *where, **about)
            if entry.open:
                book.update_or_create_solution_cell(entry.name, *where)
            book.update_or_create_source_cell(entry.name, *where, source=entry.source, cell_type=entry.kind)

    def _forget(self, cell: Any, assignment: str) -> None:
        if any(grade.manual_score is not None or grade.extra_credit for grade in cell.grades):
            raise UsageError(
                f"{assignment} has no {cell.name} any more, and a person has given points for it in the gradebook."
                " Take them back in formgrader first, or bring the stage back."
            )
        for grade in list(cell.grades):
            self._book.db.delete(grade)
        self._book.db.delete(cell)
        self._book.db.commit()

    def student(self, name: str, *, first: str = "", last: str = "", mail: str = "") -> None:
        """A student who has a row, whether or not anything was handed in."""
        about = {"first_name": first or None, "last_name": last or None, "email": mail or None}
        known = self._book.db.get(self._api.Student, name)
        if known is None or any(getattr(known, key) != value for key, value in about.items()):
            self._book.update_or_create_student(name, **about)

    def students(self) -> list[str]:
        """All who have a row."""
        return [student.id for student in self._book.students]

    def assignments(self) -> list[str]:
        """All that have a column."""
        return [assignment.name for assignment in self._book.assignments]

    # --- a submission ---

    def standing(self, assignment: str, student: str) -> dict[str, Standing]:
        """Stage by stage what the gradebook holds; empty if it has no such submission."""
        notebook = self._notebook(assignment, student)
        if notebook is None:
            return {}
        given = self._given(notebook)
        return {
            grade.name: Standing(grade.auto_score, bool(grade.needs_manual_grade), given.get(grade.name, Given()))
            for grade in notebook.grades
        }

    def given(self, assignment: str, student: str) -> dict[str, Given]:
        """What a person gave, cell by cell, the remarks below all stages among them; only where something was."""
        notebook = self._notebook(assignment, student)
        return {} if notebook is None else self._given(notebook)

    def penalty(self, assignment: str, student: str) -> float:
        """What being late cost, in points."""
        notebook = self._notebook(assignment, student)
        return (notebook.late_submission_penalty or 0.0) if notebook is not None else 0.0

    @staticmethod
    def _given(notebook: Any) -> dict[str, Given]:
        comments = {comment.name: comment.manual_comment or None for comment in notebook.comments}
        grades = {grade.name: grade for grade in notebook.grades}
        found = {}
        for name in sorted(comments.keys() | grades.keys()):
            grade = grades.get(name)
            one = Given(
                _finite(grade.manual_score) if grade else None,
                _finite(grade.extra_credit) if grade else None,
                comments.get(name),
            )
            if one != Given():
                found[name] = one
        return found

    def _notebook(self, assignment: str, student: str) -> Any | None:
        try:
            return self._book.find_submission_notebook(self.name, assignment, student)
        except self._api.MissingEntry:
            return None

    def put(
        self,
        assignment: str,
        student: str,
        scores: Mapping[str, tuple[Automatic, bool]],
        *,
        timestamp: datetime | None = None,
        penalty: float | None = None,
    ) -> None:
        """Write each stage's automatic points and whether a person should look; all of it, or nothing.

        `penalty`: in points, None leaves it as it is.
        """
        if (notebook := self._notebook(assignment, student)) is None:
            if self._book.db.get(self._api.Student, student) is None:  # a course without a roster
                self._book.add_student(student)
            with self._book.db.no_autoflush:  # or SQLAlchemy warns of what nbgrader does there
                submission = self._book.update_or_create_submission(assignment, student)
                if (notebook := self._notebook(assignment, student)) is None:  # it came later than the submission
                    known = self._book.find_notebook(self.name, assignment)
                    notebook = self._api.SubmittedNotebook(notebook=known, assignment=submission)
                    self._book.db.add(notebook)
            self._book.db.flush()
        self._fill_up(notebook)
        for grade in notebook.grades:
            if grade.name in scores:
                automatic, look = scores[grade.name]
                grade.auto_score = _checked(automatic.points)
                grade.needs_manual_grade = look
        if timestamp is not None:
            notebook.assignment.timestamp = timestamp.astimezone(UTC).replace(tzinfo=None)
        if penalty is not None:
            notebook.late_submission_penalty = _checked(penalty) or None
        self._commit()

    def give(self, assignment: str, student: str, given: Mapping[str, Given], *, look: Collection[str] = ()) -> None:
        """Put in what a person gave: for another member of a group, or for who is back.

        `look`: the cells that still wait for a second look.
        """
        notebook = self._notebook(assignment, student)
        if notebook is None:
            return
        for grade in notebook.grades:
            if grade.name in given:
                grade.manual_score, grade.extra_credit = given[grade.name].points, given[grade.name].extra
                grade.needs_manual_grade = grade.name in look
        for comment in notebook.comments:
            if comment.name in given:
                comment.manual_comment = given[comment.name].comment
        self._commit()

    def _fill_up(self, notebook: Any) -> None:
        """Rows for cells that came into the assignment after this submission."""
        graded = {grade.cell_id for grade in notebook.grades}
        told = {comment.cell_id for comment in notebook.comments}
        for cell in notebook.notebook.grade_cells:
            if cell.id not in graded:
                self._book.db.add(self._api.Grade(cell_id=cell.id, notebook=notebook))
        for cell in notebook.notebook.solution_cells:
            if cell.id not in told:
                self._book.db.add(self._api.Comment(cell_id=cell.id, notebook=notebook))
        self._book.db.flush()
        self._book.db.expire(notebook, ["grades", "comments"])

    def _commit(self) -> None:
        try:
            self._book.db.commit()
        except BaseException:
            self._book.db.rollback()
            raise

    def rows(self) -> Iterator[Row]:
        """Every submission that has the notebook, by assignment and student."""
        found = self._book.db.query(self._api.SubmittedNotebook).all()
        ours = [one for one in found if one.name == self.name]
        for notebook in sorted(ours, key=lambda one: (one.assignment.assignment.name, one.student.id, one.name)):
            submission = notebook.assignment
            moment = submission.timestamp
            yield Row(
                student=submission.student.id,
                assignment=submission.assignment.name,
                points=notebook.score,
                possible=notebook.max_score,
                penalty=notebook.late_submission_penalty or 0.0,
                timestamp=moment.replace(tzinfo=UTC) if moment else None,
                needed=tuple(sorted(grade.name for grade in notebook.grades if grade.needs_manual_grade)),
            )

    # --- who left ---

    def all_given(self, student: str) -> dict[str, Any]:
        """What people gave a student, as plain data: assignment -> cell -> points, extra, comment, look."""
        if student not in self.students():
            return {}
        found: dict[str, Any] = {}
        for name in [submission.assignment.name for submission in self._book.student_submissions(student)]:
            found[name] = {}
            for book in (self, self.questions):
                standing = book.standing(name, student)
                found[name] |= {
                    cell: {**vars(one), "look": cell in standing and standing[cell].needed}
                    for cell, one in book.given(name, student).items()
                }
        return found

    def of_others(self, student: str) -> list[str]:
        """The assignments of a student that nbgrader graded itself."""
        found = self._book.student_submissions(student) if student in self.students() else []
        return sorted(
            one.assignment.name for one in found if not {book.name for book in one.notebooks} <= {NAME, QUESTIONS}
        )

    def remove(self, student: str) -> None:
        """Take a student and all submissions out."""
        if student not in self.students():
            return
        for submission in list(self._book.student_submissions(student)):
            self._book.remove_submission(submission.assignment.name, student)
        self._book.db.delete(self._book.find_student(student))
        self._commit()


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _checked(value: float) -> float:
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{value} cannot be a score")
    return value
