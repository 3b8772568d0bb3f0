"""Where a course keeps its assignments: `reference/<name>/assignment.toml` and `grader/suites/<name>/{public,hidden}`.

Rule: this knows folders, not what is in the files.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from harness.course.assignment import SUITES, Assignment, Suite, load_assignment
from harness.course.misplaced import expected_files
from harness.errors import CommandError, SetupError, UsageError
from harness.text.nearest import nearest
from harness.text.printable import printable

#: The harness that does the grading: the one next to this package.
HARNESS = Path(__file__).resolve().parent.parent / "harness"


@dataclass(frozen=True)
class Course:
    """A checkout of the course repository."""

    root: Path

    def names(self) -> list[str]:
        """The names of all assignments."""
        return sorted(path.parent.name for path in (self.root / "reference").glob("*/assignment.toml"))

    def reference(self, name: str) -> Path:
        """The folder of an assignment's answers and description."""
        return self.root / "reference" / name

    def suites(self, name: str) -> dict[Suite, Path]:
        """The folders of its tests."""
        return {suite: self.root / "grader" / "suites" / name / suite for suite in SUITES}

    def released(self, name: str) -> Path:
        """The folder of what students get."""
        return self.root / "assignments" / name

    def load(self, name: str) -> Assignment:
        """Its description. Raises UsageError (no such assignment) and SetupError (a mistake in it)."""
        if name not in self.names():
            if "/" not in name and self.reference(name).is_dir() and name not in ("", ".", ".."):
                where = self.reference(name) / "assignment.toml"
                raise SetupError(f"{where} is missing, so nothing says how to grade it.")
            raise UsageError(f'there is no assignment "{printable(name)}". {nearest(name, self.names())}')
        assignment = load_assignment(self.reference(name) / "assignment.toml")
        if assignment.name != name:
            raise SetupError(f'{assignment.path}: its name is "{assignment.name}". Write: name = "{name}"')
        missing = [f"{suite} ({path})" for suite, path in self.suites(name).items() if not path.is_dir()]
        if missing:
            raise SetupError(f"{name}: the folder of its tests is missing: {', '.join(missing)}.")
        return assignment

    def files_of_others(self, name: str) -> dict[str, list[str]]:
        """The files that programs of the other assignments start, by assignment; those with a mistake are left out."""
        found = {}
        for other in self.names():
            if other != name:
                with contextlib.suppress(CommandError):
                    found[other] = expected_files(self.load(other).programs)
        return found

    def tests_hash(self, name: str) -> str:
        """A hash of what decides a verdict besides the submission: tests, harness, rubric, the reference as peer."""
        reference = self.reference(name)
        labelled = [("assignment", reference, _sources(reference))]
        labelled += [(suite, folder, _sources(folder)) for suite, folder in self.suites(name).items()]
        labelled += [("harness", HARNESS, _sources(HARNESS))]
        digest = hashlib.sha256()
        for label, folder, paths in labelled:
            for path in paths:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{label} {path.relative_to(folder).as_posix()} {content}\n".encode())
        return digest.hexdigest()


def this_course() -> Course:
    """The course that this grader belongs to."""
    return Course(Path(__file__).resolve().parent.parent)


def _sources(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    )
