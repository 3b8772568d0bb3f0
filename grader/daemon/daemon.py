"""One push after the other, for ever. Killed at any moment, it goes on where it was when it is started again.

Rule 1: the queue is told that a push has ended only after its student was; so a kill repeats an answer and loses none.
Rule 2: what goes wrong with one push is said to its student and in the log, and the next one is taken.
Rule 3: course.toml and the roster are read again when they change; while there is a mistake in one, what they said
        before stands.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable
from typing import Protocol

from grader.course import Course
from grader.course_file import CourseFile, load_course_file
from grader.daemon.grading import Grader, Stopped, Verdict
from grader.daemon.whose import roster_of, rules_of
from grader.push.bell import Bell
from grader.push.folder import Answer, PushFolder
from grader.push.order import Push
from grader.push.queue import Queue
from harness.errors import CommandError, SetupError, SubmissionError, shortage
from harness.formats.words import line

#: Seconds between two looks into an empty queue while nobody rings: somebody may have put in a row and could not.
_LOOKS = 1.0


class Announcer(Protocol):
    """Who else is told what became of a push, besides its answer."""

    def ends(self, course: CourseFile, push: Push, verdict: Verdict) -> None:
        """A push has its verdict. Raises nothing."""
        ...


class Daemon:
    """Grades what is pushed to one course."""

    def __init__(
        self,
        ours: Course,
        course: CourseFile,
        grader: Grader,
        *,
        log: Callable[[str], None],
        announcer: Announcer | None = None,
    ) -> None:
        self._ours, self._course, self._grader, self._log = ours, course, grader, log
        self._announcer = announcer
        self._folder = PushFolder(course.push.folder)
        self._queue = Queue(self._folder.queue)
        self._trouble = ""  # what was said last of a queue that cannot be used
        self._read: object = None  # the state of the files in which they were read last

    @property
    def course(self) -> CourseFile:
        """What course.toml says now."""
        return self._course

    def serve(self, bell: Bell, stopped: Callable[[], bool]) -> None:
        """Until somebody stops it. Raises CommandError, before it begins."""
        rules_of(self._course, self._ours, roster_of(self._course)).write(self._folder.told)
        self._read = self._files()
        for lost, why in self._queue.recover(now=time.time()):
            self._log(f"{_name(lost)} was being graded when the last daemon ended; {why or 'it is graded again'}")
            if not why:
                self._answer(lost, "The grader was started again: this is graded once more, from the beginning.")
            elif self._announcer is not None:
                self._announcer.ends(self._course, lost, Verdict("lost", f"Not graded: {why}"))
        tidy = False
        while not stopped():
            self._read_again()
            if (push := self._next()) is not None:
                self._one(push)
                tidy = False
            elif not bell.wait(_LOOKS) and not tidy:
                self._tidy()
                tidy = True

    def _next(self) -> Push | None:
        """The push whose turn it is. A queue that cannot be used may be usable later: others write into it as well."""
        try:
            push = self._queue.take(now=time.time()) if self._queue.any_waits() else None
        except SetupError as error:
            if str(error) != self._trouble:
                self._log(f"{error} It is tried again.")
            self._trouble = str(error)
            return None
        self._trouble = ""
        return push

    def _one(self, push: Push) -> None:
        """Grade a push, tell its student, tell the queue."""
        begun = time.monotonic()
        try:
            verdict = self._verdict(push)
        except (Stopped, KeyboardInterrupt):
            self._queue.put_back(push, now=time.time())
            return
        if self._announcer is not None:
            self._announcer.ends(self._course, push, verdict)
        self._queue.end(push, verdict.state, now=time.time(), said=verdict.said)
        with contextlib.suppress(OSError):  # who watches looks again by itself
            Answer(self._folder, push.id).over()
        self._log(f"{_name(push)}: {verdict.said} ({time.monotonic() - begun:.1f} s)")

    def _verdict(self, push: Push) -> Verdict:
        try:
            return self._grader.grade(self._course, push, lambda text: self._answer(push, text))
        except SubmissionError as refused:
            said = f"Not graded: {refused}"
            self._answer(push, said)
            return Verdict("done", line(said))
        except Stopped:
            raise
        except Exception as error:
            why = (
                str(error) if isinstance(error, CommandError) else shortage(error) or f"{type(error).__name__}: {error}"
            )
            if not isinstance(error, CommandError):
                self._log("".join(traceback.format_exception(error)))
            self._log(f"{_name(push)} is not graded, through our fault: {why}")
            return Verdict("lost", "the grader broke, through no fault of yours; your instructor can see why")

    def _answer(self, push: Push, text: str) -> None:
        try:
            Answer(self._folder, push.id).add(line(text))
        except OSError as error:  # a full disk: the verdict is in the queue all the same
            self._log(f"the answer to {_name(push)} cannot be written: {error}")

    def _files(self) -> object:
        """What changes when one of the two files does."""
        found = []
        for path in (self._course.path, self._course.roster):
            try:
                state = path.stat()
                found.append((state.st_mtime_ns, state.st_size, state.st_ino))
            except OSError:
                found.append((0, 0, 0))
        return found

    def _read_again(self) -> None:
        if (files := self._files()) == self._read:
            return
        self._read = files
        try:
            course = load_course_file(self._course.path, self._ours.names())
            rules_of(course, self._ours, roster_of(course)).write(self._folder.told)
            self._course = course
        except (CommandError, OSError) as error:
            self._log(f"{error} What it said before stands.")

    def _tidy(self) -> None:
        """Nothing waits: what nobody was made to wait for."""
        try:
            self._grader.write_index(self._course)
        except (CommandError, OSError) as error:
            self._log(f"the page of the class was not written: {error}")


def _name(push: Push) -> str:
    return line(f"{push.student}/{push.assignment} {push.commit[:8]} (number {push.id})")
