"""The typical bugs of an assignment, each as one small change to its reference: `tests/mutants/<name>/mutants.toml`.

Rule: a change that does not find its text exactly once is an error, so that mutants follow the reference.
"""

from __future__ import annotations

import ast
import functools
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

from grader.audit.specimen import Specimen, function_of, restricted, with_needed
from grader.course import Course
from harness.course.assignment import Assignment
from harness.course.forbidden import files_of_programs


@dataclass(frozen=True)
class Mutant:
    """One bug."""

    name: str  #: as the list of typical bugs has it
    file: str  #: of the reference
    stage: int  #: the first stage that may lose points
    caught_by: tuple[str, ...]  #: functions of checks that must not pass
    changes: tuple[tuple[str, str], ...]  #: (old, new); each old text stands exactly once in the file
    prelude: str = ""  #: put before the first function of the file


def load_mutants(course: Course, assignment: str) -> list[Mutant]:
    """The mutants of an assignment, in the order of its stages."""
    path = course.root / "tests/mutants" / assignment / "mutants.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))["mutants"] if path.is_file() else []
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


def write_mutant(course: Course, assignment: str, mutant: Mutant, folder: Path) -> None:
    """A copy of the reference with the bug in it."""
    copy_reference(course, assignment, folder)
    path = folder / mutant.file
    path.write_text(mutate(path.read_text(encoding="utf-8"), mutant), encoding="utf-8")


def copy_reference(course: Course, assignment: str, folder: Path) -> None:
    """The reference's programs as a submission."""
    left_out = shutil.ignore_patterns("__pycache__", "assignment.toml", "handout.md")
    shutil.copytree(course.reference(assignment), folder, dirs_exist_ok=True, ignore=left_out)


def files_of_stages(assignment: Assignment) -> dict[int, list[str]]:
    """The files of the reference that each stage's programs are, or import. Costly: it reads all of them."""
    folder = assignment.path.parent
    return {
        stage.number: files_of_programs(folder, [assignment.programs[name] for name in stage.programs])
        for stage in assignment.stages
    }


def specimens(course: Course, assignment: Assignment, *, whole: bool) -> list[Specimen]:
    """One for each bug.

    `whole`: it meets all checks of its stages; else those that must notice it, the hidden ones of its stage that must
    notice no bug at all (do they notice this one?), and what these need.
    """
    mutants, found = load_mutants(course, assignment.name), []
    files = files_of_stages(assignment)
    busy = {(mutant.stage, name) for mutant in mutants for name in mutant.caught_by}
    for mutant in mutants:
        stages = [number for number in files if mutant.file in files[number] and number <= mutant.stage]
        ids = {check.id for check in assignment.checks if check.stage in stages}
        named = {
            check.id
            for check in assignment.checks_of(stage=mutant.stage)
            if function_of(check.id) in mutant.caught_by
            or (check.suite == "hidden" and (check.stage, function_of(check.id)) not in busy)
        }
        found.append(
            Specimen(
                part="mutants",
                kind="hand-written",
                name=mutant.name,
                assignment=restricted(assignment, ids if whole else with_needed(assignment, named) & ids),
                write=functools.partial(write_mutant, course, assignment.name, mutant),
                about="\n".join(f"- {old}\n+ {new}" for old, new in mutant.changes),
                stage=mutant.stage,
                caught_by=mutant.caught_by,
                file=mutant.file,
            )
        )
    return found
