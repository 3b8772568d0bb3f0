"""A submitted notebook -> what became of its questions, and what its cells showed.

Rule 1: it runs twice, in nodes of its own: in one its cells run as they stand and what they show is kept; in the other
        expressions are asked for after the answers they are about, and nothing that it shows is kept. So what is shown
        comes from kernels into which nothing of ours has gone, and no cell can print an expression for its author.
Rule 2: a kernel that died or does not stop costs the cell that ran, and what was not extracted before: the others run
        again in a new node, without that cell.
Rule 3: only what the submission did takes points. What is ours or the machine's is tried once more, and then waits for
        a person.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from grader.questions.judge import NotPlain, asking, is_right, plain
from grader.questions.result import Answered
from grader.questions.source import Question, Source
from grader.questions.submitted import Cell, is_answered
from harness.lab.docker.notebook import NotebookLimits, Ran
from harness.lab.interface import LabError
from harness.lab.node.proc import machine_queued
from harness.tester.border.doubt import is_loud, was_starved
from harness.tester.border.outcome import Outcome

#: Seconds for a cell, for a value, and for all cells of a run together.
CELL, VALUE, WHOLE = 30.0, 10.0, 240.0
#: How many kernels one run may use up.
MOST_KERNELS = 4
#: The share of a time-out in which anything on the machine had no processor, from which on it says nothing.
CROWDED = 0.7


class Kernel(Protocol):
    """A kernel in a node (harness.lab.docker.notebook.Kernel)."""

    def run(self, source: str, seconds: float) -> Ran: ...
    def ask(self, expression: str, seconds: float) -> Ran: ...


class Nodes(Protocol):
    """Makes nodes (harness.lab.docker.notebook.Notebooks)."""

    def node(self, submission: Path) -> contextlib.AbstractContextManager[Kernel]: ...


@dataclass
class Pass:
    """One run of all cells, over as many kernels as it takes."""

    outputs: list[Any] = field(default_factory=list)  #: what each cell showed, in order
    trouble: dict[int, str] = field(default_factory=dict)  #: number of a cell -> why it did not end as it should
    values: dict[str, Mapping[str, Any]] = field(default_factory=dict)  #: question -> name -> value
    missing: dict[str, str] = field(default_factory=dict)  #: question -> why not all of its values came out
    crowded: bool = False  #: a time-out came while the machine had no processor to give
    seconds: float = 0.0  #: in cells and values


@dataclass(frozen=True)
class Graded:
    """What became of a notebook."""

    answers: tuple[Answered, ...]
    outputs: tuple[Any, ...]  #: of each cell
    attempts: int = 1
    seconds: float = 0.0


def grade(nodes: Nodes, folder: Path, source: Source, cells: Sequence[Cell]) -> Graded:
    """Run a notebook's cells beside the submission in `folder`, and judge its questions. Raises LabError."""
    shown = _twice(lambda: run(nodes, folder, cells, {}))
    questions = {question.name: question for question in source.questions if not question.hand}
    asked = _twice(lambda: run(nodes, folder, cells, questions))
    by_name = {cell.name: cell for cell in cells}
    answers = tuple(_judged(question, by_name, asked[0]) for question in source.questions)
    return Graded(answers, tuple(shown[0].outputs), max(shown[1], asked[1]), shown[0].seconds + asked[0].seconds)


def _twice(once: Callable[[], Pass]) -> tuple[Pass, int]:
    """A run, and how many it took: one that says nothing of the submission is made once more."""
    try:
        first = once()
    except LabError:
        return once(), 2
    return (once(), 2) if first.crowded else (first, 1)


def run(nodes: Nodes, folder: Path, cells: Sequence[Cell], questions: Mapping[str, Question]) -> Pass:
    """Run all cells in order; after the cell that has a question's points, ask for its values. Raises LabError."""
    done = Pass(outputs=[[] for _ in cells])
    reached = 0  # cells before this one have run, and their values are out
    for _ in range(MOST_KERNELS):
        with nodes.node(folder) as kernel:
            reached = _go_on(kernel, cells, questions, done, reached)
        if reached == len(cells) or done.seconds > WHOLE:
            break
    return done


def _go_on(kernel: Kernel, cells: Sequence[Cell], questions: Mapping[str, Question], done: Pass, reached: int) -> int:
    """Run cells in a fresh kernel, those before `reached` again for what they leave; up to where it came."""
    for number, cell in enumerate(cells):
        again = number < reached
        if done.seconds > WHOLE:
            return reached
        if cell.kind == "code" and number not in done.trouble:
            ran = _timed(done, lambda cell=cell: kernel.run(cell.source, CELL))  # type: ignore[misc]
            if not again:
                done.outputs[number] = ran.said.get("outputs", [])
            if ran.ended not in ("ok", "error"):
                done.trouble[number] = _trouble(ran)
            if ran.over:
                return max(reached, number)
        if not again and (question := questions.get(cell.name)) is not None and not _ask(kernel, question, done):
            return number + 1
        reached = max(reached, number + 1)
    return reached


def _timed(done: Pass, work: Callable[[], Ran]) -> Ran:
    queued = machine_queued()
    ran = work()
    done.seconds += ran.seconds
    crowded = (machine_queued() - queued) / max(ran.seconds, 0.001)
    loud = is_loud(ran.seconds, used=float(ran.said.get("used", 0.0)), cpus=NotebookLimits.cpus)
    if ran.ended in ("late", "stuck") and was_starved(ran.seconds, waited=0.0, crowded=crowded, most=CROWDED):
        done.crowded = done.crowded or not loud
    return ran


def _trouble(ran: Ran) -> str:
    return {
        "late": f"did not end within {CELL:g} s",
        "stuck": f"did not end within {CELL:g} s, nor when it was interrupted",
    }.get(ran.ended, "ended the kernel")


def _ask(kernel: Kernel, question: Question, done: Pass) -> bool:
    """Have a question's values out; whether the kernel is still there."""
    found: dict[str, Any] = {}
    done.values[question.name] = found
    for name, expression in question.values.items():
        ran = _timed(done, lambda expression=expression: kernel.ask(asking(expression), VALUE))  # type: ignore[misc]
        said = ran.said.get("value")
        try:
            if not isinstance(said, str):
                raise NotPlain(str(ran.said.get("why") or "no answer") if ran.ended in ("ok", "error") else ran.ended)
            found[name] = plain(said)
        except NotPlain as why:
            done.missing.setdefault(question.name, f"{name} = {expression}: {why}")
        if ran.over:
            return False
    return True


def _judged(question: Question, cells: Mapping[str, Cell], done: Pass) -> Answered:
    """What became of a question."""
    base = Answered(name=question.name, possible=question.points, outcome=Outcome.FAIL.value, fault="submission")
    if question.hand:
        if is_answered(cells[question.answer]):
            return replace(base, outcome="hand", fault="")
        return replace(base, message="no answer", told="There is no answer.")
    values = done.values.get(question.name)
    if values is not None and question.name not in done.missing and is_right(question.holds, values):
        return replace(base, outcome=Outcome.PASS.value, fault="", values=values)
    first = min(done.trouble, default=-1)
    told = f"Cell {first + 1} {done.trouble[first]}." if first >= 0 else ""
    if done.crowded:
        why = "cells were not done in time, and the machine had no processor to give"
        return replace(base, outcome=Outcome.INCONCLUSIVE.value, fault="machine", message=why, values=values or {})
    if values is None:
        why = f"its values were not asked for: the time for all cells ({WHOLE:g} s) or {MOST_KERNELS} kernels were used"
        return replace(base, outcome=Outcome.TIMEOUT.value, message=f"{why}. {told}".strip(), told=told)
    why = done.missing.get(question.name, "not all that has to hold does")
    return replace(base, message=f"{why}. {told}".strip(), told=told, values=values)
