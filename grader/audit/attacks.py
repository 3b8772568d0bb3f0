"""Hostile submissions, beside whom nobody may be harmed: `tests/redteam/attacks*.py`, which make their files.

Rule: those files are run, since some attacks are archives and bytecode that only a program makes; they import nothing
      of ours.
"""

from __future__ import annotations

import functools
import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from grader.audit.handwritten import copy_reference
from grader.audit.specimen import Kind, Specimen, restricted, with_needed
from grader.course import Course
from harness.course.assignment import Assignment

#: So many attacks run between two bystanders, at most: harm is to be seen while it is done.
BETWEEN = 4


def load_attacks(course: Course, assignment: str) -> dict[str, Mapping[str, Any]]:
    """Name -> `seeks`, `files` and more, as the attacks' files say."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted((course.root / "tests/redteam").glob("attacks*.py")):
        names = runpy.run_path(str(path))
        if names["ASSIGNMENT"] == assignment:
            found |= names["ATTACKS"]
    return found


def specimens(course: Course, assignment: Assignment) -> list[Specimen]:
    """The attacks on an assignment with honest work before, between and after them, and what nothing at all gets."""
    attacks = load_attacks(course, assignment.name)
    if not attacks:
        return []
    met = {check for attack in attacks.values() for check in attack.get("checks", ())}
    every = any("checks" not in attack for attack in attacks.values())
    ids = {check.id for check in assignment.checks}
    wanted = restricted(assignment, ids if every else with_needed(assignment, met))
    nothing = functools.partial(_write, {"README": b"nothing"})
    found = [Specimen(part="redteam", kind="empty", name="nothing", assignment=wanted, write=nothing)]
    honest = functools.partial(copy_reference, course, assignment.name)
    bystanders = 0
    for number, (name, attack) in enumerate(attacks.items()):
        if number % BETWEEN == 0:
            bystanders += 1
            found.append(_specimen("bystander", f"bystander {bystanders}", wanted, honest))
        checks = with_needed(assignment, attack.get("checks", ())) or ids
        write = functools.partial(
            _write, attack["files"], before=honest if attack.get("over") else None, moved=attack.get("moved", {})
        )
        kind: Kind = "deed" if attack.get("over") else "attack"
        found.append(_specimen(kind, name, restricted(assignment, checks), write, attack["seeks"]))
    return [*found, _specimen("bystander", f"bystander {bystanders + 1}", wanted, honest)]


def _specimen(
    kind: Kind, name: str, assignment: Assignment, write: Callable[[Path], None], about: str = "The reference."
) -> Specimen:
    return Specimen(part="redteam", kind=kind, name=name, assignment=assignment, write=write, about=about)


def _write(
    files: Mapping[str, bytes],
    folder: Path,
    *,
    before: Callable[[Path], None] | None = None,
    moved: Mapping[str, str] | None = None,
) -> None:
    """Files over what `before` has written, of which some are moved to another name."""
    if before is not None:
        before(folder)
    for old, new in (moved or {}).items():
        (folder / old).rename(folder / new)
    for name, contents in files.items():
        (folder / name).write_bytes(contents)
