"""Where a course keeps its assignments: `reference/<name>/assignment.toml` and `grader/suites/<name>/{public,hidden}`.

Rule: this knows folders, not what is in the files.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grader.questions.source import SOURCE, Source, read_source
from harness.course.assignment import SUITES, Assignment, Check, Suite, load_assignment
from harness.course.misplaced import expected_files
from harness.errors import CommandError, SetupError, UsageError
from harness.text.nearest import nearest
from harness.text.printable import printable

#: The harness that does the grading: the one next to this package.
HARNESS = Path(__file__).resolve().parent.parent / "harness"


#: Files of an assignment that say how it is told and counted, and decide no outcome.
_WORDS = frozenset({"assignment.toml", "handout.md", SOURCE})


@dataclass(frozen=True, kw_only=True)
class Versions:
    """What decides the outcomes of an assignment's checks besides the submission and where it runs."""

    base: str = ""  #: hash of what decides all of them: harness, programs, build, limits, the reference as a peer
    checks: Mapping[str, str] = field(default_factory=dict)  #: check -> hash of its test file and what its row decides

    def of(self, checks: Iterable[str]) -> Versions:
        """Those of some of the checks."""
        return Versions(base=self.base, checks={check: self.checks[check] for check in checks if check in self.checks})


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

    def parts(self, name: str) -> dict[str, Path]:
        """Folders in its reference that are those of other assignments: links to them, as students have copies."""
        return {path.name: path.resolve() for path in sorted(self.reference(name).iterdir()) if path.is_symlink()}

    def suites(self, name: str) -> dict[Suite, Path]:
        """The folders of its tests."""
        return {suite: self.root / "grader" / "suites" / name / suite for suite in SUITES}

    def meetings(self, name: str) -> Path:
        """The folder of the tests in which its submissions meet each other; it need not be there."""
        return self.root / "grader" / "suites" / name / "interop"

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

    def questions(self, name: str) -> Source | None:
        """Its notebook of questions, None if it has none. Raises SetupError (a mistake in it)."""
        path = self.reference(name) / SOURCE
        return read_source(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else None

    def files_of_others(self, name: str) -> dict[str, list[str]]:
        """The files that programs of the other assignments start, by assignment; those with a mistake are left out."""
        found = {}
        for other in self.names():
            if other != name:
                with contextlib.suppress(CommandError):
                    found[other] = expected_files(self.load(other).programs)
        return found

    def meeting_version(self, name: str) -> str:
        """What decides how its submissions meet, besides `versions`: a hash; "" if they do not."""
        folder = self.meetings(name)
        rows = [(path.name, _hash_of(path)) for path in _sources(folder)] if folder.is_dir() else []
        return hashlib.sha256(repr(rows).encode()).hexdigest() if rows else ""

    def versions(self, name: str) -> Versions:
        """What decides the outcomes of its checks, besides the submission and where it runs. Raises as `load`."""
        assignment, reference = self.load(name), self.reference(name)
        digest = hashlib.sha256(_deciding(assignment).encode())
        answers = [path for path in _sources(reference) if path.name not in _WORDS]
        shared = [("reference", reference, answers), ("harness", HARNESS, _sources(HARNESS))]
        shared += [(part, folder, _sources(folder)) for part, folder in self.parts(name).items()]
        for suite, folder in self.suites(name).items():
            shared.append((suite, folder, [path for path in _sources(folder) if not path.name.startswith("test_")]))
        for label, folder, paths in shared:
            for path in paths:
                digest.update(f"{label} {path.relative_to(folder).as_posix()} {_hash_of(path)}\n".encode())
        files = {check: self.suites(name)[check.suite] / check.file for check in assignment.checks}
        tests = {path: _hash_of(path) if path.is_file() else "" for path in set(files.values())}
        return Versions(
            base=digest.hexdigest(), checks={check.id: _version(check, tests[files[check]]) for check in files}
        )


def this_course() -> Course:
    """The course that this grader belongs to."""
    return Course(Path(__file__).resolve().parent.parent)


def _deciding(assignment: Assignment) -> str:
    """What of an assignment.toml decides the outcomes of all checks."""
    stages = [
        (stage.number, stage.programs, stage.forbidden, stage.forbidden_c, stage.forbidden_go)
        for stage in assignment.stages
    ]
    return repr((sorted(assignment.programs.items()), assignment.build, assignment.limits, stages))


def _version(check: Check, test: str) -> str:
    decides = repr((check.id, check.suite, check.stage, check.needs, check.timeout, test))
    return hashlib.sha256(decides.encode()).hexdigest()[:16]


def _hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sources(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    )
