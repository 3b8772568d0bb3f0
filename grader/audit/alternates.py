"""Honest solutions that look like nobody expects, from `tests/alternates/alternates.toml` (its head explains it)."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.audit.handwritten import copy_reference
from grader.audit.specimen import Part, Specimen, restricted
from grader.course import Course
from harness.course.assignment import Assignment


@dataclass(frozen=True, kw_only=True)
class Alternate:
    """One solution."""

    assignment: str
    name: str
    why: str  #: what is other about it
    layers: tuple[str, ...]  #: folders and files, relative to the course; later ones win
    stages: tuple[int, ...]  #: that it deserves in full
    less: tuple[int, ...] = ()  #: stages of which it deserves less
    bare: bool = False  #: whether nothing of the reference is beneath
    dropped: tuple[str, ...] = ()  #: files of the reference that are not
    also: Mapping[str, str] = field(default_factory=dict)  #: further files: name -> path, relative to the course
    language: str = "Python"  #: what it is written in, besides
    needs: tuple[str, ...] = ()  #: programs that have to be installed
    module: str = ""  #: of Python, that has to be installed
    without: Mapping[str, str] = field(default_factory=dict)  #: check (without [...]: all variants) -> why not claimed

    def lacks(self) -> str:
        """What of its needs is not installed here; empty if nothing."""
        lacking = [program for program in self.needs if shutil.which(program) is None]
        lacking += [self.module] if self.module and importlib.util.find_spec(self.module) is None else []
        return ", ".join(lacking)

    def write(self, course: Course, folder: Path) -> None:
        """Its files, into an empty folder."""
        if not self.bare:
            copy_reference(course, self.assignment, folder)
        for name in self.dropped:
            (folder / name).unlink(missing_ok=True)
        for name, path in self.also.items():
            shutil.copyfile(course.root / path, folder / name)
        for layer in (course.root / each for each in self.layers):
            if layer.is_dir():
                shutil.copytree(layer, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(layer, folder / layer.name)

    def claimed(self, assignment: Assignment) -> list[str]:
        """The checks that have to pass."""
        return [
            check.id
            for check in assignment.checks
            if check.stage in self.stages and not {check.id, check.id.partition("[")[0]} & set(self.without)
        ]


def load_alternates(course: Course) -> list[Alternate]:
    """All of them."""
    path = course.root / "tests/alternates/alternates.toml"
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["alternates"] if path.is_file() else []
    return [Alternate(**{key: _frozen(value) for key, value in row.items()}) for row in rows]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def specimens(course: Course, assignment: Assignment, part: Part = "alternates") -> tuple[list[Specimen], list[str]]:
    """Those of an assignment that this machine can run; and of the others a sentence each."""
    found, remarks = [], []
    for alternate in load_alternates(course):
        if alternate.assignment != assignment.name:
            continue
        if lacks := alternate.lacks():
            remarks.append(f"{assignment.name}, alternate {alternate.name}: left out, {lacks} is not installed here.")
            continue
        found.append(
            Specimen(
                part=part,
                kind="alternate",
                name=alternate.name,
                assignment=restricted(assignment, alternate.claimed(assignment)),
                write=functools.partial(alternate.write, course),
                about=alternate.why,
            )
        )
    return found, remarks
