"""The queue of pushes: one table in SQLite. The only place that opens it.

Rule 1: everything in it is plain data and is read through `_push_of`; what does not pass is dropped and said.
Rule 2: each change is one transaction, on the disk before the call returns: kill -9 loses nothing that was answered.
Rule 3: the caller says what time it is.
Rule 4: whoever may write it can make it neither wait for ever nor touch another file (`_ordinary`, `_PATIENCE`).

States: waiting -> running -> done, or lost (no verdict through our fault); waiting -> dropped (a newer push took its
place, or the row was no push).
"""

from __future__ import annotations

import math
import os
import re
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grader.push.order import Push, fair_order
from harness.errors import SetupError, cause_of

#: Gradings of one push that may be lost with the daemon; then it is dropped: it may be what ends the daemon.
MOST_ATTEMPTS = 3
#: Rows that may wait at all, and how long names may be (characters).
MOST_WAITING, MOST_NAME = 10_000, 400
#: Gradings whose time an estimate is made of.
_LAST = 20
_PATIENCE = 60.0  # seconds that a call waits for others' transactions, each of which waits for the disk
_LONGEST, _STEPS = 120.0, 100_000  # seconds of a transaction; steps of SQLite between two looks at the clock
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")  # https://www.sqlite.org/fileformat.html#the_rollback_journal
_TABLE = """
CREATE TABLE IF NOT EXISTS pushes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    student TEXT NOT NULL, assignment TEXT NOT NULL, repository TEXT NOT NULL,
    ref TEXT NOT NULL, commit_id TEXT NOT NULL,
    pushed REAL NOT NULL, since REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting', begun REAL, ended REAL, said TEXT NOT NULL DEFAULT ''
)"""
_INDEX = "CREATE INDEX IF NOT EXISTS by_state ON pushes (state)"
_COLUMNS = "id, student, assignment, repository, ref, commit_id, pushed, since, attempts"
_COMMIT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_NAME = re.compile(r"[^\x00-\x1f\x7f/][^\x00-\x1f\x7f/]*\Z")
#: A path, or the address of a repository on a forge; whether it is that student's, whoever takes the row out decides.
_PATH = re.compile(r"(?:/|[A-Za-z0-9][A-Za-z0-9+._-]*(?:@|://)[^-\x00-\x20\x7f])[^\x00-\x1f\x7f]*\Z")
_REF = re.compile(r"refs/heads/[^\x00-\x20\x7f~^:?*\[\\]+\Z")


class BadPush(Exception):
    """What was pushed cannot be graded; the message says why."""


@dataclass(frozen=True)
class Place:
    """What is said of a push that waits."""

    push: Push
    place: int  #: 0: it is next
    waiting: int  #: how many wait, with this one
    instead_of: tuple[Push, ...] = ()  #: older pushes that are not graded any more


class Queue:
    """An open queue. Raises SetupError when the file cannot be used."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with self._transaction() as table:
            table.execute(_TABLE)
            table.execute(_INDEX)

    def put(self, *, student: str, assignment: str, repository: str, ref: str, commit: str, now: float) -> Place:
        """Add a push; older ones of the same student and assignment that still wait are dropped. Raises BadPush."""
        _check(student, assignment, repository, ref, commit)
        with self._transaction() as table:
            if table.execute("SELECT count(*) FROM pushes WHERE state = 'waiting'").fetchone()[0] >= MOST_WAITING:
                raise BadPush(f"{MOST_WAITING:,} pushes wait already. Push again later.")
            waiting = self._waiting(table, now)
            older = [push for push in waiting if (push.student, push.assignment) == (student, assignment)]
            since = min([now, *(push.since for push in older)])
            words = (student, assignment, repository, ref, commit, now, since)
            names = "student, assignment, repository, ref, commit_id, pushed, since"
            added = table.execute(f"INSERT INTO pushes ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)", words).lastrowid
            assert added is not None
            for push in older:
                _end(table, push.id, "dropped", now, f"a newer push took its place (number {added})")
            waiting = self._waiting(table, now)
        place = next(index for index, push in enumerate(waiting) if push.id == added)
        return Place(waiting[place], place, len(waiting), tuple(older))

    def take(self, *, now: float) -> Push | None:
        """The push to grade next, which is running from now on; None if none waits."""
        with self._transaction() as table:
            waiting = self._waiting(table, now)
            if not waiting:
                return None
            table.execute("UPDATE pushes SET state = 'running', begun = ? WHERE id = ?", (now, waiting[0].id))
        return waiting[0]

    def end(self, push: Push, state: Literal["done", "lost", "dropped"], *, now: float, said: str) -> None:
        """A grading has ended; `said` is what became of it, one line."""
        with self._transaction() as table:
            _end(table, push.id, state, now, said)

    def put_back(self, push: Push, *, now: float) -> None:
        """A grading that was stopped in good order: it waits again, unless a newer push does."""
        with self._transaction() as table:
            row = table.execute(
                f"SELECT {_COLUMNS} FROM pushes WHERE id = ? AND state = 'running'", (push.id,)
            ).fetchone()
            if row is not None:
                table.execute("UPDATE pushes SET state = 'waiting' WHERE id = ?", row[:1])
                _drop_if_older(table, row, now)

    def recover(self, *, now: float) -> list[tuple[Push, str]]:
        """To be called when a daemon starts: what ran when the last one was killed waits again.

        Returns those, with the reason why one of them does not wait: a newer push does, or it was tried too often.
        """
        found = []
        with self._transaction() as table:
            lost = table.execute(f"SELECT {_COLUMNS} FROM pushes WHERE state = 'running'").fetchall()
            for row in lost:
                table.execute("UPDATE pushes SET state = 'waiting', attempts = attempts + 1 WHERE id = ?", row[:1])
            again = {push.id: push for push in self._waiting(table, now)}
            for row in (row for row in lost if row[0] in again):
                why = _drop_if_older(table, row, now)
                if not why and again[row[0]].attempts >= MOST_ATTEMPTS:
                    why = "the grader ended each time while this was graded: tell your instructor"
                    _end(table, row[0], "lost", now, why)
                found.append((again[row[0]], why))
        return found

    def place_of(self, number: int) -> Place | None:
        """The place of a push that waits; None if it does not."""
        with self._transaction(writes=False) as table:
            waiting = self._waiting(table, None)
        return next((Place(push, index, len(waiting)) for index, push in enumerate(waiting) if push.id == number), None)

    def state_of(self, number: int) -> tuple[str, str]:
        """The state of a push, and what is said of it. Raises KeyError."""
        with self._transaction(writes=False) as table:
            row = table.execute("SELECT state, said FROM pushes WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise KeyError(number)
        return str(row[0]), str(row[1])

    def last(self, student: str, assignment: str, repository: str) -> tuple[str, str] | None:
        """Commit and state of the newest push of a student's assignment from a repository; None if there is none."""
        with self._transaction(writes=False) as table:
            row = table.execute(
                "SELECT commit_id, state FROM pushes WHERE student = ? AND assignment = ? AND repository = ?"
                " ORDER BY id DESC LIMIT 1",
                (student, assignment, repository),
            ).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def any_waits(self) -> bool:
        """Whether a push waits."""
        with self._transaction(writes=False) as table:
            return table.execute("SELECT 1 FROM pushes WHERE state = 'waiting' LIMIT 1").fetchone() is not None

    def seconds_each(self, default: float) -> float:
        """How long a grading took lately (seconds, the median of the last ones)."""
        with self._transaction(writes=False) as table:
            rows = table.execute(
                "SELECT ended - begun FROM pushes WHERE state = 'done' AND typeof(ended - begun) = 'real'"
                " ORDER BY ended DESC LIMIT ?",
                (_LAST,),
            ).fetchall()
        times = sorted(row[0] for row in rows if math.isfinite(row[0]) and row[0] >= 0)
        return float(times[len(times) // 2]) if times else default

    def _waiting(self, table: sqlite3.Connection, now: float | None) -> list[Push]:
        """What waits, in the order of its grading; rows that are no pushes are dropped, or left out (`now` is None)."""
        pushes = []
        for row in table.execute(f"SELECT {_COLUMNS} FROM pushes WHERE state = 'waiting'").fetchall():
            try:
                pushes.append(_push_of(row))
            except BadPush as why:
                if now is not None:
                    _end(table, row[0], "dropped", now, str(why))
        rows = table.execute(
            "SELECT student, max(begun) FROM pushes WHERE begun IS NOT NULL GROUP BY student"
        ).fetchall()
        served = {row[0]: row[1] for row in rows if isinstance(row[0], str) and isinstance(row[1], float)}
        return fair_order(pushes, served)

    @contextmanager
    def _transaction(self, *, writes: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction; one that writes holds the file from its beginning, and is on the disk at its end."""
        over = time.monotonic() + _LONGEST
        try:
            _ordinary(self._file)
            with closing(sqlite3.connect(self._file, timeout=_PATIENCE, isolation_level=None)) as table:
                # A view in the table's place may have no end.
                table.set_progress_handler(lambda: time.monotonic() > over, _STEPS)
                table.execute("PRAGMA synchronous = FULL")
                table.execute("PRAGMA trusted_schema = OFF")  # another account may have written the file
                table.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
                try:
                    yield table
                except BaseException:
                    table.execute("ROLLBACK")
                    raise
                table.execute("COMMIT")
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise SetupError(
                    f"{self._file}, the queue of pushes, has been in use by others for {_PATIENCE:.0f} s: try again."
                    " If nothing runs, look who has it open: fuser -v, and whether the disk works."
                ) from None
            raise SetupError(
                f"{self._file}, the queue of pushes, cannot be used: {error}. Move it away to begin with an empty one."
            ) from None


def _ordinary(file: Path) -> None:
    """Raises SetupError where SQLite would wait for ever, or go to another file, as who may write here could want it.

    A pipe in the journal's place never opens. A link leads to another database. A journal that names one of several
    databases together (its last bytes say so; ours never does) has SQLite delete the file of that name.
    """
    for path in (file, *(file.with_name(f"{file.name}-{what}") for what in ("journal", "wal", "shm"))):
        try:
            about = path.lstat()
            if stat.S_ISREG(about.st_mode) and path.name.endswith("-journal") and about.st_size:
                with path.open("rb") as journal:
                    journal.seek(-min(about.st_size, len(_JOURNAL_MAGIC)), os.SEEK_END)
                    whole = journal.read() != _JOURNAL_MAGIC
            else:
                whole = stat.S_ISREG(about.st_mode)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise SetupError(f"{path} cannot be read: {cause_of(error)}.") from None
        if not whole:
            raise SetupError(f"{path} is nothing that a queue of pushes has: somebody put it there. Remove it.")


def _check(student: object, assignment: object, repository: object, ref: object, commit: object) -> None:
    """Raises BadPush for what no push can be."""
    for what, value, form in (
        ("the student's name", student, _NAME),
        ("the assignment", assignment, _NAME),
        ("the repository", repository, _PATH),
        ("the branch", ref, _REF),
        ("the commit", commit, _COMMIT),
    ):
        if not isinstance(value, str) or len(value) > MOST_NAME or not form.match(value):
            raise BadPush(f"{what} cannot be read")
    for name in (student, assignment):
        if str(name).startswith((".", "-")):
            raise BadPush("a name may not begin with a dot or a dash")


def _push_of(row: tuple[object, ...]) -> Push:
    """A row of the table. Raises BadPush."""
    number, student, assignment, repository, ref, commit, pushed, since, attempts = row
    _check(student, assignment, repository, ref, commit)
    times = [value for value in (pushed, since) if isinstance(value, float) and math.isfinite(value)]
    if not isinstance(number, int) or not isinstance(attempts, int) or len(times) != 2:
        raise BadPush("the row cannot be read")
    texts = (str(student), str(assignment), str(repository), str(ref), str(commit))
    return Push(number, *texts, pushed=times[0], since=times[1], attempts=attempts)


def _drop_if_older(table: sqlite3.Connection, row: tuple[object, ...], now: float) -> str:
    """Drop a row that waits again if a newer push of the same student and assignment waits; why, or empty."""
    same = "state = 'waiting' AND student = ? AND assignment = ?"
    newer = table.execute(f"SELECT max(id) FROM pushes WHERE {same}", row[1:3]).fetchone()[0]
    if newer == row[0]:
        return ""
    why = f"a newer push took its place (number {newer})"
    _end(table, row[0], "dropped", now, why)
    return why


def _end(table: sqlite3.Connection, number: object, state: str, now: float, said: str) -> None:
    table.execute("UPDATE pushes SET state = ?, ended = ?, said = ? WHERE id = ?", (state, now, said[:1_000], number))
