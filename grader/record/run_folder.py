"""RUN, for the one who writes: a journal, the course's secret, and a folder of results per submission.

Rule 1: one writer at a time, held by a lock on the folder (`lock.py`).
Rule 2: a result is written whole beside the one before it; the one before goes into the history; then the new one takes
        its place (`front.py`), and the journal's line follows: a disk that is full, or a kill, at any of these leaves
        the earlier result as it was, or the new one, whole as soon as the next one writes.
Rule 3: nothing overwrites what happened. A score is made again from it whenever rubric or decisions change.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from grader.bench.task import Task
from grader.course import Versions
from grader.course_file import CourseFile
from grader.job.grading import Graded
from grader.record import front
from grader.record.journal import write_file
from grader.record.lock import writing
from grader.record.pages import Pages
from grader.record.record import BROKEN, HISTORY, Record
from grader.record.scores import Changed, Scores, json_of, note_of, rescored
from grader.submission import readable_name
from grader.verdict.decisions import Decision
from grader.verdict.outcomes import Outcomes
from harness.course.assignment import Assignment
from harness.errors import SetupError, UsageError, cause_of

#: Bytes that have to be free before a submission is graded: its result would have nowhere to go.
LEAST_FREE = 4_000_000


@contextlib.contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SetupError(f"{path} cannot be used for results: {cause_of(error)}. Or give another folder.") from None


class RunFolder(Record):
    """An open run. Use as a context manager. Raises UsageError when it cannot be opened."""

    def __init__(self, path: Path, *, course: CourseFile | None = None, new: bool = True, wait: float = 0.0) -> None:
        """`new`: make it if it is not there; `wait`: at most so many seconds for another writer."""
        self.path = path = path.absolute()  # testers start in other folders
        self.pages = Pages(path, course)
        self.work = path / ".work"
        if new:
            _make(path)
        elif not (path / "campaign.json").is_file():
            raise UsageError(
                f"{path} is not the folder of a run (it has no campaign.json). Give the one that grader run made."
            )
        self._open = contextlib.ExitStack()
        with self._open, _usable(path):
            self.check_room()
            self._open.enter_context(writing(path / ".lock", wait=wait))
            _ensure_secret(path / "campaign.json")
            super().__init__(path)
            self._scores = Scores(self, self.pages)
            shutil.rmtree(self.work, ignore_errors=True)
            self.work.mkdir(mode=0o755)
            for folder in front.unfinished(path):
                self._go_on(folder)
            self._open = self._open.pop_all()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        self._open.close()

    def secret(self, given: str | None) -> bytes:
        """The course's secret: the given one, else the one of this run, made once and readable by the owner only."""
        with _usable(self.path):
            return given.encode("utf-8", "surrogateescape") if given else _ensure_secret(self.path / "campaign.json")

    # -- grading -------------------------------------------------------------------------------------------------------

    def finished(self, task: Task, *, again: bool = False) -> dict[str, Any] | None:
        """The result of a job that has already run, scored as of now; None if anything of it still has to run.

        What the grader itself broke runs again; what waits for a person runs again only with `again`.
        """
        outcomes = self._same(task)
        if outcomes is None or outcomes.stale(task.versions):
            return None
        result = self._scores.of(outcomes, task.assignment, task.versions)
        if result["state"] == "ours" or (again and result["state"] == "undecided"):
            return None
        if self._scores.replace(result):
            self.journal.add(note_of(result, "rescore"))
        return result

    def known(self, task: Task) -> Outcomes | None:
        """What is known of a job from an earlier run of the same copy, tests and lab; None if nothing is."""
        outcomes = self._same(task)
        return None if outcomes is None or outcomes.broke or outcomes.refused or outcomes.build_log else outcomes

    def _same(self, task: Task) -> Outcomes | None:
        row = self.journal.finished().get((task.student, task.assignment.name))
        if row is None or row["identity"] != task.identity:
            return None
        outcomes = self.outcomes(task.student, task.assignment.name)
        return outcomes if outcomes is not None and outcomes.identity == task.identity else None

    def save(
        self,
        graded: Graded,
        versions: Versions | None = None,
        scored: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> dict[str, Any]:
        """Put a result in its place, and give it back. One that broke through our fault replaces no other.

        `scored` is given it before anything is written: pages take a while, and somebody may wait for the points.
        Raises OSError; then the one before it stands.
        """
        outcomes = graded.outcomes
        result = self._scores.of(outcomes, graded.assignment, versions)
        scored(result)
        folder = self.folder(outcomes.student, outcomes.assignment)
        folder.mkdir(parents=True, exist_ok=True)
        earlier = self.load(outcomes.student, outcomes.assignment)
        if result["state"] == "ours" and earlier is not None and earlier.get("state") != "ours":
            write_file(folder / BROKEN, json_of(result))
            return result
        if graded.copy is not None and result["submission"]["hash"]:
            self.copies.keep(result["submission"]["hash"], graded.copy)
        with _beside(folder / ".new") as new:
            self._write(new, outcomes, result, graded.captures, folder)
            if earlier is not None and earlier.get("state") != "ours":
                self._archive(folder, earlier)  # last, so that on a full disk it is not there twice
            (folder / BROKEN).unlink(missing_ok=True)
            front.take_place(new, folder)
        self._note(result)
        front.settled(folder)
        return result

    def _go_on(self, folder: Path) -> None:
        """Finish what a killed writer has begun: its result was whole."""
        front.go_on(folder)
        (folder / BROKEN).unlink(missing_ok=True)
        student, assignment = folder.parent.name, folder.name
        row, result = self.journal.finished().get((student, assignment)), self.load(student, assignment)
        if result is not None and (row is None or row.get("short") != result["short"]):
            self._note(result)
        front.settled(folder)

    def save_rerun(self, graded: Graded) -> dict[str, Any]:
        """Keep a grading that was made to be compared: in the history, in front of nothing. Raises OSError."""
        outcomes = graded.outcomes
        result = self._scores.of(outcomes, graded.assignment, None)
        folder = self.folder(outcomes.student, outcomes.assignment)
        (folder / HISTORY).mkdir(parents=True, exist_ok=True)
        with _beside(folder / HISTORY / ".new") as new:
            self._write(new, outcomes, result, graded.captures, folder)
            shutil.rmtree(folder / HISTORY / outcomes.short, ignore_errors=True)
            os.rename(new, folder / HISTORY / outcomes.short)
        self._note(result)
        return result

    def _archive(self, folder: Path, result: Mapping[str, Any]) -> None:
        """Put what stands in front into the history as well, by links: it goes on to stand in front."""
        target = folder / HISTORY / str(result.get("short") or result["identity"][:8])
        target.parent.mkdir(exist_ok=True)
        with _beside(target.parent / ".new") as new:
            for part in front.PARTS:
                if (folder / part).is_dir():
                    shutil.copytree(folder / part, new / part, copy_function=_link)
                elif (folder / part).exists():
                    _link(folder / part, new / part)
            self.pages.write(new, result, copy=self._copy_of(result), back="../../")
            if target.exists():  # whoever was killed then has put it here; people may have said something since
                shutil.rmtree(target)
            os.rename(new, target)

    def _write(
        self, new: Path, outcomes: Outcomes, result: Mapping[str, Any], captures: Mapping[str, bytes], before: Path
    ) -> None:
        """All parts of a result into the folder `new`; captures of checks that did not run again come from `before`."""
        for name, data in captures.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            write_file(new / name, data)
        for named in outcomes.files.values():
            for what, name in named.items():
                if what != "ladder" and name not in captures and (before / name).is_file():
                    (new / name).parent.mkdir(parents=True, exist_ok=True)
                    _link(before / name, new / name)
        write_file(new / "outcomes.json", json_of(outcomes.to_json()))
        back = "" if new.parent == before else "../../"
        self.pages.write(new, result, copy=self._copy_of(result), history=self.before(result), back=back)
        write_file(new / "result.json", json_of(result))

    def _copy_of(self, result: Mapping[str, Any]) -> Path | None:
        return self.copies.of(result["submission"]["hash"] or "-")

    # -- scores --------------------------------------------------------------------------------------------------------

    def decide(self, decision: Decision) -> None:
        """Keep a person's word. The score follows with `rescore`. Raises OSError."""
        self._words.add(decision.to_row())

    def rescore(
        self,
        rubric: Callable[[str], tuple[Assignment, Versions]],
        only: tuple[str, str] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> list[Changed]:
        """Make every score again from what happened, under the rubric as it is now; who has other points.

        `only`: one student's assignment; `say` is told of each that cannot be scored again.
        Raises SetupError (a mistake in a rubric), and then nothing was written.
        """
        asked = [pair for pair in sorted(self.journal.finished()) if only in (None, pair)]
        rubrics = {}
        for name in sorted({name for _, name in asked}):
            try:
                rubrics[name] = rubric(name)
            except UsageError as error:  # it is not graded any more; the others are
                say(f"{readable_name(name)}: {error} Its results stay as they are.")
        asked = [pair for pair in asked if pair[1] in rubrics]
        changed = []
        for row in rescored(self.path, self.pages.course, rubrics, asked):
            if row.remark:
                say(f"{readable_name(row.student)}/{row.assignment}: {row.remark}")
            if row.note is not None:
                self.journal.add(row.note)
            if row.changed is not None:
                changed.append(row.changed)
        return changed

    def _note(self, result: Mapping[str, Any]) -> None:
        self.journal.add(note_of(result, result["kind"]))

    def forget_reruns(self) -> int:
        """Remove the gradings that were made to be compared; how many. Raises OSError."""
        kept = (one for pair in self.journal.finished() for one in self.history(*pair))
        gone = [one.folder for one in kept if one.result.get("kind") == "rerun"]
        for folder in gone:
            shutil.rmtree(folder)
        return len(gone)

    def check_room(self) -> None:
        """Raises OSError if the disk has no room for another result."""
        if shutil.disk_usage(self.path).free < LEAST_FREE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def write_index(self, remarks: Sequence[str] | None = None, *, left: int = 0, going: bool = False) -> Path:
        """The class as a page. `left`: submissions without a result yet; `going`: the run has not stopped.

        `remarks`: what could not be graded, a sentence each; None: those of the last time.
        """
        kept = self.path / ".remarks.json"
        if remarks is None:
            remarks = _remarks(kept)
        else:
            write_file(kept, json.dumps(list(remarks), ensure_ascii=True).encode("ascii"))
        path = self.path / "index.html"
        page = self.pages.index(self.results(), [*remarks, *self.broken()], left=left, going=going)
        write_file(path, page)
        return path


def _remarks(path: Path) -> list[str]:
    with contextlib.suppress(OSError, ValueError):
        kept = json.loads(path.read_bytes())
        if isinstance(kept, list):
            return [str(one) for one in kept]
    return []


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be made: {error.strerror}. Give another folder as --out.") from None
    with _usable(path):
        if not (path / "campaign.json").exists() and any(not name.startswith(".") for name in os.listdir(path)):
            raise UsageError(f"{path} holds other files. Give a new or an empty folder, or that of an earlier run.")


def _ensure_secret(file: Path) -> bytes:
    """The run's own secret, made if there is none. Raises SetupError, OSError."""
    try:
        kept = json.loads(file.read_bytes())
        if not isinstance(kept, dict) or not isinstance(kept.get("secret"), str):
            raise ValueError
        return bytes.fromhex(kept["secret"])
    except FileNotFoundError:
        kept = {"schema": 1, "secret": secrets.token_hex(32)}
        write_file(file, json.dumps(kept).encode() + b"\n", mode=0o600)
        return bytes.fromhex(kept["secret"])
    except ValueError:
        raise SetupError(f"{file} is damaged, so results could not be told apart. Give a new folder.") from None


@contextlib.contextmanager
def _beside(new: Path) -> Iterator[Path]:
    """A folder to write into, gone at the end if it is still there."""
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copy2(source, target)
