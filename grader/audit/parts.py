"""What an audit consists of: which specimens, in which lab, under which load.

Rule: everything here follows from the options and the course; with the same seed it is the same each time.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from grader.audit import alternates, attacks, generated, handwritten
from grader.audit.load import Load
from grader.audit.specimen import PARTS, Part, Specimen, distinct
from grader.course import Course
from harness.course.assignment import Assignment
from harness.lab import doctor


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for. As JSON it is kept in audit.json, and makes the same audit again."""

    parts: tuple[Part, ...] = PARTS
    assignments: tuple[str, ...] = ()  #: none: all
    only: str = ""  #: specimens whose name has this in it
    sample: int = 100  #: generated mutants of each assignment
    rounds: int = 5  #: gradings of each correct program in each condition
    loads: tuple[Load, ...] = (Load.quiet,)
    lab: str = "auto"  #: auto: mutants and alternates in the local lab, attacks in Docker, repetition in both
    engine: str = "auto"
    seed: str = "1"
    whole: bool = False  #: every check and every generated mutant

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Options:
        """What `to_json` made. Raises KeyError, TypeError, ValueError."""
        loads = tuple(Load(load) for load in row["loads"])
        return cls(**{**row, "parts": tuple(row["parts"]), "assignments": tuple(row["assignments"]), "loads": loads})


@dataclass(frozen=True)
class Batch:
    """Specimens that are graded together."""

    part: Part
    lab: str
    load: Load
    specimens: Sequence[Specimen]

    @property
    def label(self) -> str:
        """The name of its folder, and of its condition."""
        return f"{self.part}-{self.lab}" + (f"-{self.load}" if self.part == "repetition" else "")

    @property
    def condition(self) -> str:
        """In words."""
        return f"{self.lab} lab, {self.load}" if self.part == "repetition" else f"{self.lab} lab"


def batches_of(course: Course, options: Options, say: Callable[[str], None]) -> list[Batch]:
    """What is to be graded; `say` is told what cannot be. Raises SetupError, UsageError."""
    asked = [course.load(name) for name in options.assignments or course.names()]
    docker = options.lab != "local" and bool(doctor.look("docker").there)
    trusted = "docker" if options.lab == "docker" else "local"
    batches = []
    for part in options.parts:
        if part == "mutants":
            batches.append(Batch(part, trusted, Load.quiet, _mutants(course, options, asked)))
        elif part == "alternates":
            batches.append(Batch(part, trusted, Load.quiet, _correct(course, asked, part, say)))
        elif part == "repetition":
            correct, labs = _correct(course, asked, part, say), [trusted]
            labs += ["docker"] if docker and trusted != "docker" else []
            batches += [
                Batch(part, lab, load, _rounds(correct, options.rounds))
                for lab in labs
                for load in options.loads
                if lab == "local" or load is not Load.slow
            ]
        elif docker:
            hostile = [one for assignment in asked for one in attacks.specimens(course, assignment)]
            batches.append(Batch(part, "docker", Load.quiet, hostile))
        else:
            say("red team: left out. Hostile submissions are graded in the Docker lab only, and it cannot be had here.")
    named = [replace(batch, specimens=_named(batch.specimens, options.only)) for batch in batches]
    return [batch for batch in named if batch.specimens]


def _named(specimens: Iterable[Specimen], word: str) -> list[Specimen]:
    kept = [one for one in specimens if word in one.name or one.kind in ("empty", "bystander")]
    return distinct(kept if any(word in one.name for one in kept) else [])


def _mutants(course: Course, options: Options, asked: Sequence[Assignment]) -> list[Specimen]:
    """Shuffled, so that whoever stops early has seen a fair sample."""
    found: list[Specimen] = []
    for assignment in asked:
        found += handwritten.specimens(course, assignment, whole=options.whole)
        count = 1 << 30 if options.whole and options.sample else options.sample
        found += generated.specimens(course, assignment, count=count, seed=options.seed)
    random.Random(options.seed).shuffle(found)
    return found


def _correct(course: Course, asked: Sequence[Assignment], part: Part, say: Callable[[str], None]) -> list[Specimen]:
    """The references and all alternates."""
    found: list[Specimen] = []
    for assignment in asked:
        write = functools.partial(handwritten.copy_reference, course, assignment.name)
        found.append(
            Specimen(
                part=part, kind="reference", name="reference", assignment=assignment, write=write, about="The answers."
            )
        )
        others, remarks = alternates.specimens(course, assignment, part)
        found += others
        for remark in remarks:
            say(remark)
    return found


def _rounds(specimens: Sequence[Specimen], rounds: int) -> list[Specimen]:
    """Each as often, a round after the other; each round has other seeds, since those hang on the name."""
    return [replace(one, name=f"{one.name}, round {nth}") for nth in range(1, rounds + 1) for one in specimens]
