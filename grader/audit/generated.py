"""Bugs that a machine makes: one operator, number, name or branch of a reference changed at a time, by cosmic-ray.

Rule 1: this is the only file that imports cosmic_ray (the extra `audit`). It changes texts and runs nothing.
Rule 2: only what students write is changed: no given file, and nothing that is the same program afterwards
        (annotations, which nobody evaluates).
Rule 3: a sample is drawn by file, each with its share and at least one, from the audit's seed: the same each time.
"""

from __future__ import annotations

import ast
import difflib
import functools
import hashlib
import math
import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.audit.handwritten import copy_reference, files_of_stages
from grader.audit.specimen import Specimen, restricted
from grader.course import Course
from grader.release.markers import is_given
from harness.course.assignment import Assignment
from harness.course.forbidden import files_of_programs
from harness.errors import SetupError


@dataclass(frozen=True)
class Change:
    """One change that a machine made."""

    file: str  #: of the reference
    text: str  #: of the whole file, changed
    operator: str  #: cosmic-ray's name of what was done
    lines: str  #: what went ("-") and came ("+")
    line: int  #: where, from 1

    @property
    def key(self) -> str:
        """The same for the same change of the same lines, wherever they stand in the file."""
        return hashlib.sha256(f"{self.file}\n{self.lines}".encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Source:
    """A file of a reference, and where it can be changed."""

    file: str
    text: str
    places: tuple[tuple[str, int], ...]  #: (operator, which of its places)

    @classmethod
    def read(cls, folder: Path, file: str) -> Source:
        """Raises SetupError where cosmic-ray is not installed."""
        text, (_, ast_nodes, get_ast, get_operator, operator_names) = (folder / file).read_text("utf-8"), _cosmic_ray()
        nodes, places = list(ast_nodes(get_ast(text))), []
        for name in sorted(set(operator_names()) - _LEFT_OUT):
            operator = get_operator(name)()
            count = sum(1 for node in nodes for _ in operator.mutation_positions(node))
            places += [(name, place) for place in range(count)]
        return cls(file, text, tuple(places))

    def change(self, operator: str, place: int) -> Change | None:
        """The change at one place; None if it changes nothing that is evaluated."""
        mutate_code, _, _, get_operator, _ = _cosmic_ray()
        try:
            text = mutate_code(self.text, get_operator(operator)(), place)
            if text is None or _evaluated(text) == _evaluated(self.text):
                return None
        except (SyntaxError, AttributeError):  # the latter where an operator does not know what it finds
            return None
        at, lines = _difference(self.text, text)
        return Change(self.file, text, operator, lines, at)


def _cosmic_ray() -> tuple[Any, ...]:
    try:
        from cosmic_ray.ast import ast_nodes, get_ast
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator, operator_names
    except ImportError:
        raise SetupError(
            "generated mutants need cosmic-ray. Install it: pip install 'socketlab[audit]'. Or do without: --sample 0"
        ) from None
    return mutate_code, ast_nodes, get_ast, get_operator, operator_names


#: Operators that need to be told names of variables.
_LEFT_OUT = frozenset({"core/VariableInserter", "core/VariableReplacer"})


def _evaluated(text: str) -> str:
    """What of a module is evaluated: its tree without annotations, which these references never look at."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.dump(tree)


def _difference(before: str, after: str) -> tuple[int, str]:
    """(the first line that differs, from 1; the lines that differ)."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))[2:]
    at = int(lines[0].split()[1].lstrip("-").split(",")[0]) if lines else 0
    return at, "\n".join(line for line in lines if not line.startswith("@@"))


def sample(sources: Sequence[Source], count: int, seed: str) -> list[Change]:
    """About `count` changes (all, if there are fewer), by file: each has its share, and at least one. Shuffled.

    Two that come to the same text are one.
    """
    total = sum(len(source.places) for source in sources)
    dice = random.Random(seed)
    drawn: list[Change] = []
    for source in sources:
        share = len(source.places) if count >= total else math.ceil(count * len(source.places) / total)
        kept: dict[str, Change] = {}
        for operator, place in dice.sample(source.places, len(source.places)):
            if len(kept) == share:
                break
            if (change := source.change(operator, place)) is not None:
                kept.setdefault(change.text, change)
        drawn += kept.values()
    dice.shuffle(drawn)
    return drawn


def students_files(assignment: Assignment) -> list[str]:
    """The files of a reference that students write."""
    folder = assignment.path.parent
    files = files_of_programs(folder, list(assignment.programs.values()))
    return [file for file in files if not is_given((folder / file).read_text(encoding="utf-8"))]


def equivalents(course: Course, assignment: str) -> dict[str, str]:
    """Key of a change that is no bug -> why, as somebody found who read it."""
    path = course.root / "tests/mutants" / assignment / "equivalent.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def specimens(course: Course, assignment: Assignment, *, count: int, seed: str) -> list[Specimen]:
    """A sample of the changes, each stopped at its first failing check. Raises SetupError."""
    if not count:
        return []
    folder, known = course.reference(assignment.name), equivalents(course, assignment.name)
    sources = [Source.read(folder, file) for file in students_files(assignment)]
    files = files_of_stages(assignment)
    found = []
    for change in sample(sources, count, f"{seed} {assignment.name}"):
        ids = {check.id for check in assignment.checks if change.file in files[check.stage]}
        found.append(
            Specimen(
                part="mutants",
                kind="generated",
                name=f"{change.file} {change.line} {change.key}",
                assignment=restricted(assignment, ids),
                write=functools.partial(_write, course, assignment.name, change),
                about=f"{change.operator.removeprefix('core/')}\n{change.lines}",
                until_failure=True,
                same=known.get(change.key, ""),
                file=change.file,
            )
        )
    return found


def _write(course: Course, assignment: str, change: Change, folder: Path) -> None:
    copy_reference(course, assignment, folder)
    (folder / change.file).write_text(change.text, encoding="utf-8")
