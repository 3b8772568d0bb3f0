"""The typical bugs of an assignment, each as one small change to its reference, and how to make it.

Rule: a change that does not find its text exactly once is an error, so that mutants follow the reference.
"""

from __future__ import annotations

import ast
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

from harness.course.assignment import Assignment
from harness.course.forbidden import files_of_programs
from tests.grading import ROOT


@dataclass(frozen=True)
class Mutant:
    """One bug."""

    name: str  #: as the list of typical bugs has it
    file: str  #: of the reference
    stage: int  #: the first stage that may lose points
    caught_by: tuple[str, ...]  #: functions of checks that must not pass
    changes: tuple[tuple[str, str], ...]  #: (old, new); each old text stands exactly once in the file
    prelude: str = ""  #: put before the first function of the file


def load_mutants(assignment: str) -> list[Mutant]:
    """The mutants of an assignment, in the order of its stages."""
    table = tomllib.loads((ROOT / "tests/mutants" / assignment / "mutants.toml").read_text())["mutants"]
    mutants = []
    for row in table:
        changes = [(row["old"], row["new"])]
        more = row.get("swap", [])  # old, new, old, new, ...
        changes.extend(zip(more[::2], more[1::2], strict=True))
        mutants.append(
            Mutant(
                row["name"], row["file"], row["stage"], tuple(row["caught_by"]), tuple(changes), row.get("prelude", "")
            )
        )
    return sorted(mutants, key=lambda mutant: mutant.stage)


def mutate(text: str, mutant: Mutant) -> str:
    """The file with the bug in it. Raises ValueError if the text to change is not there exactly once."""
    for old, new in mutant.changes:
        if text.count(old) != 1:
            raise ValueError(f"mutant {mutant.name!r}: {text.count(old)} places in {mutant.file} read {old!r}")
        text = text.replace(old, new)
    if mutant.prelude:
        head, define, rest = text.partition("\ndef ")
        text = f"{head}\n{mutant.prelude}{define.lstrip()}{rest}"
    ast.parse(text)
    return text


def write_mutant(assignment: str, mutant: Mutant, folder: Path) -> None:
    """A copy of the reference with the bug in it."""
    copy_reference(assignment, folder)
    path = folder / mutant.file
    path.write_text(mutate(path.read_text(), mutant))


def copy_reference(assignment: str, folder: Path) -> None:
    """The reference's programs as a submission."""
    shutil.copytree(
        ROOT / "reference" / assignment,
        folder,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__", "assignment.toml"),
    )


def stages_with(assignment: Assignment, file: str) -> list[int]:
    """The stages whose programs are, or import, a file of the reference."""
    folder = assignment.path.parent
    return [
        stage.number
        for stage in assignment.stages
        if file in files_of_programs(folder, [assignment.programs[name] for name in stage.programs])
    ]
