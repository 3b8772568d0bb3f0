"""Scores made again from what happened: a file in, a file out, for a whole class on all cores.

Rule: what is made here decides nothing. It applies rubric and decisions as they are now to outcomes that stay.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import gc
import json
import multiprocessing
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.course import Versions
from grader.course_file import CourseFile
from grader.record.journal import write_file
from grader.record.pages import Pages
from grader.record.record import Record
from grader.submission import readable_name
from grader.verdict.decisions import is_of_question, stage_target, standing
from grader.verdict.outcomes import Outcomes
from grader.verdict.result import result_of
from harness.course.assignment import Assignment

#: From so many on, further processes pay.
_MANY = 24
#: How many objects more make such a process look for cycles. A result is some 20,000 objects and hardly a cycle: the
#: default of 700 has it look at all of them again and again, for a third of its time.
_GARBAGE = 200_000
Rubrics = Mapping[str, tuple[Assignment, Versions]]


@dataclass(frozen=True)
class Changed:
    """A score that is not what it was."""

    student: str
    assignment: str
    before: float
    now: float
    possible: float
    undecided: float

    @property
    def name(self) -> str:
        """Whose, in messages."""
        return f"{readable_name(self.student)}/{self.assignment}"


@dataclass(frozen=True)
class Rescored:
    """What became of one submission's score."""

    student: str
    assignment: str
    note: Mapping[str, Any] | None = None  #: the journal's line, if its result is another one now
    changed: Changed | None = None  #: its points are
    remark: str = ""  #: why it could not be scored again, or what does not count any more


class Scores:
    """The scores of a run: computed, and written where they are new."""

    def __init__(self, record: Record, pages: Pages) -> None:
        self._record, self._pages = record, pages

    def of(self, outcomes: Outcomes, assignment: Assignment, versions: Versions | None) -> dict[str, Any]:
        """The result under that rubric and the words of people."""
        words = self._record.decisions(outcomes.student, outcomes.assignment)
        return {
            **result_of(outcomes, assignment, words, versions),
            **self._pages.shown(assignment.name, outcomes.student),
        }

    def replace(self, result: Mapping[str, Any]) -> bool:
        """Write a score that is made again, with its pages, if it is another one; whether it is. Raises OSError."""
        data = json_of(result)
        if self._stands(result, data):
            return False
        self._put(result, data)
        return True

    def _put(self, result: Mapping[str, Any], data: bytes) -> None:
        folder = self._record.folder(result["student"], result["assignment"])
        copy = self._record.copies.of(result["submission"]["hash"] or "-")
        self._pages.write(folder, result, copy=copy, history=self._record.before(result))
        write_file(folder / "result.json", data)

    def _stands(self, result: Mapping[str, Any], data: bytes) -> bool:
        """Whether the result is on the disk as it is; `data` is what it is written as."""
        path = self._record.folder(result["student"], result["assignment"]) / "result.json"
        with contextlib.suppress(FileNotFoundError):
            return data == path.read_bytes()
        return False

    def again(self, student: str, name: str, rubrics: Rubrics) -> Rescored:
        """Score one submission again. Raises OSError."""
        outcomes = self._record.outcomes(student, name)
        if outcomes is None:
            return Rescored(student, name, remark="an earlier version graded it; grader run grades it again.")
        result = self.of(outcomes, *rubrics[name])
        remark = self._lost_words(result)
        data = json_of(result)
        if self._stands(result, data):
            return Rescored(student, name, remark=remark)
        before = self._record.load(student, name) or result
        self._put(result, data)
        points = before["points"], result["points"], result["possible"], result["undecided"]
        other = Changed(student, name, *points) if points[0] != points[1] else None
        return Rescored(student, name, note_of(result, "rescore"), other, remark)

    def _lost_words(self, result: Mapping[str, Any]) -> str:
        """What people said that is about nothing that the rubric has, in a sentence; it counts for nothing."""
        there = {check["id"] for check in result["checks"]} | {stage_target(row["number"]) for row in result["stages"]}
        words = standing(self._record.decisions(result["student"], result["assignment"]), result["submission"]["hash"])
        stages = [(target, one) for target, one in words.items() if not is_of_question(target)]
        lost = [f"{one.by}'s word on {target}" for target, one in stages if target not in there]
        if not lost:
            return ""
        return f"{', '.join(lost)} does not count: the rubric has nothing of that name. Say it again: grader decide."


def rescored(
    run: Path, course: CourseFile | None, rubrics: Rubrics, asked: Sequence[tuple[str, str]]
) -> Iterator[Rescored]:
    """Score some submissions again, in their order. The caller holds the run's lock. Raises OSError."""
    scores = Scores(Record(run), Pages(run, course))
    if len(asked) < _MANY:
        yield from (scores.again(*pair, rubrics) for pair in asked)
        return
    # Forked, so that each has the rubrics and what has been read already. No thread of ours runs beside this.
    context = multiprocessing.get_context("fork")
    alive = os.pipe()
    try:
        given = (scores, rubrics, alive)
        several = (os.cpu_count() or 1) + 1  # one waits for the disk
        with concurrent.futures.ProcessPoolExecutor(several, context, _begin, given) as pool:
            yield from pool.map(_again, asked, chunksize=8)
    finally:
        for end in alive:
            os.close(end)


#: In a process of the pool: what it scores with.
_given: tuple[Scores, Rubrics]


def _begin(scores: Scores, rubrics: Rubrics, alive: tuple[int, int]) -> None:
    """In a new process: it has the run's lock as well, so it must not outlive whoever took that.

    `alive`: a pipe that only the parent keeps open for writing: its end is the parent's.
    """
    global _given
    _given = scores, rubrics
    os.close(alive[1])
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    threading.Thread(target=_end_with, args=(alive[0],), daemon=True).start()


def _end_with(parent: int) -> None:
    os.read(parent, 1)
    os._exit(1)


def _again(pair: tuple[str, str]) -> Rescored:
    scores, rubrics = _given
    return scores.again(*pair, rubrics)


def note_of(result: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The journal's line about a result."""
    seconds = sum(row["seconds"] for row in result["phases"] if row["name"] == "total")
    keys = ("student", "assignment", "identity", "state", "points", "possible", "undecided", "graded_at", "short")
    return {**{key: result[key] for key in keys}, "kind": kind, "seconds": seconds}


def json_of(value: object) -> bytes:
    """As it is written: one line, so that the fast encoder of the standard library is used."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
