"""What the hook has to know of a course, and whose a push is. Pure but for reading and writing the one file.

Whoever grades reads course.toml and writes this; the account that receives pushes needs nothing else of the course.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from grader.course_push import Identity
from harness.errors import SetupError, cause_of

#: The variable that says whose a push is, where its path does not; whoever pushes cannot set it.
VARIABLE: Mapping[str, str] = {"key": "SOCKETLAB_STUDENT", "gitolite": "GL_USER"}
_NAME = "rules.json"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Of one course."""

    repositories: str  #: where they lie: a path with {student}, maybe {assignment}
    branch: str  #: the one that counts, without refs/heads/
    identity: Identity
    assignments: tuple[str, ...]
    groups: tuple[str, ...]  #: those of them that a group hands in together
    people: Mapping[str, str]  #: who takes part -> group, or ""
    patience: float  #: seconds that the hook watches at most

    @property
    def ref(self) -> str:
        """The branch that counts, as git calls it."""
        return f"refs/heads/{self.branch}"

    def hands_in(self, student: str, assignment: str) -> str:
        """Under which name something is handed in: the student's, or that of the group."""
        return (assignment in self.groups and self.people.get(student)) or student

    def may_hand_in(self, owner: str, assignment: str) -> bool:
        """Whether an assignment is handed in from a repository of that owner: group work from the group's."""
        return self.hands_in(owner, assignment) == owner and (owner in self.people or assignment in self.groups)

    def takes_part(self, name: str) -> bool:
        """Whether that is somebody, or a group, of the roster."""
        return name in self.people or (bool(name) and name in self.people.values())

    def place_of(self, repository: str) -> tuple[str, str] | None:
        """Student (or group) and assignment ("" for all of them) of a repository by its path; None if it is none."""
        words = {"{student}": r"(?P<student>[^/]+)", "{assignment}": r"(?P<assignment>[^/]+)"}
        parts = re.split(r"(\{student\}|\{assignment\})", self.repositories)
        found = re.fullmatch("".join(words.get(part) or re.escape(part) for part in parts), repository)
        if found is None or found.groupdict().get("assignment") not in (None, *self.assignments):
            return None
        return found["student"], found.groupdict().get("assignment") or ""

    def repositories_of(self, student: str) -> dict[str, str]:
        """The paths of a student's repositories -> assignment ("" for all of them)."""
        found = {}
        for name in self.assignments:
            path = self.repositories.replace("{student}", self.hands_in(student, name))
            found[path.replace("{assignment}", name)] = name if "{assignment}" in path else ""
        return found

    def write(self, folder: Path) -> None:
        """Put it where the hook looks. Raises OSError."""
        new = folder / f".{_NAME}.{os.getpid()}"
        new.write_text(json.dumps(asdict(self), indent=1) + "\n")
        new.chmod(0o640)  # who takes the course is nobody else's business
        new.replace(folder / _NAME)


def read_rules(folder: Path) -> Rules:
    """What was written there. Raises SetupError."""
    file = folder / _NAME
    try:
        row = json.loads(file.read_bytes())
        for key in ("assignments", "groups"):
            row[key] = tuple(row[key])
        return Rules(**row)
    except OSError as error:
        raise SetupError(f"{file} cannot be read: {cause_of(error)}. Make it: grader hook install") from None
    except (ValueError, TypeError, KeyError):
        raise SetupError(f"{file} is damaged. Make it again: grader hook install") from None
