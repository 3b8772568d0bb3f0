"""What course.toml and the roster say of a push: whose it is, and where its files come from.

Rule: a row of the queue is a claim. It is graded only if that repository is that student's by the files of the course.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from grader.course import Course
from grader.course_file import CourseFile
from grader.course_push import Forge
from grader.push.order import Push
from grader.push.rules import Rules
from grader.term.roster import Roster, read_roster
from harness.errors import SetupError, SubmissionError, UsageError, cause_of

#: Who a token is, for HTTP's Basic scheme: GitHub, GitLab and Forgejo take any name, or this one.
_NAMES = {"github": "x-access-token", "gitlab": "oauth2", "forgejo": "oauth2"}


@dataclass(frozen=True)
class Source:
    """Where the files of a push come from."""

    address: str
    header: tuple[str, str] | None = None  #: a secret for it, as grader.git takes it


def roster_of(course: CourseFile) -> Roster:
    """Who takes part. Raises SetupError."""
    try:
        return read_roster(course.roster.read_bytes(), str(course.roster))
    except OSError as error:
        raise SetupError(f"{course.roster} cannot be read: {cause_of(error)}. Make it: grader roster") from None
    except UsageError as error:
        raise SetupError(str(error)) from None


def rules_of(course: CourseFile, ours: Course, roster: Roster) -> Rules:
    """What the hook has to know of the course."""
    return Rules(
        repositories=course.push.repositories,
        branch=course.push.branch,
        identity=course.push.identity,
        assignments=tuple(row.name for row in course.assignments) or tuple(ours.names()),
        groups=tuple(row.name for row in course.assignments if row.groups),
        people={person.id: person.group for person in roster.active},
        patience=course.push.watch_seconds,
    )


def forge_of(course: CourseFile, address: str) -> Forge | None:
    """The forge that a repository's address belongs to."""
    return next((forge for forge in course.push.forges if address.startswith(f"{forge.url}/")), None)


def source_of(course: CourseFile, rules: Rules, roster: Roster, push: Push) -> Source:
    """Where the files of a push come from. Raises SubmissionError: it is not that student's."""
    if push.assignment not in rules.assignments:
        raise SubmissionError(f"{push.assignment} is not an assignment of this course.")
    if push.ref != rules.ref:
        raise SubmissionError(f"the branch that counts is {rules.branch}.")
    named = {
        person.repository: rules.hands_in(person.id, push.assignment) for person in roster.active if person.repository
    }
    if named.get(push.repository) == push.student:
        return Source(push.repository, secret_header(course, push.repository))
    place = rules.place_of(push.repository)
    if place is None or place[0] != push.student or place[1] not in ("", push.assignment):
        raise SubmissionError(f"{push.repository} is not a repository of {push.student}.")
    if not (rules.takes_part(push.student) and rules.may_hand_in(push.student, push.assignment)):
        raise SubmissionError(f"{push.student} does not hand in {push.assignment}.")
    return Source(push.repository)


def secret_header(course: CourseFile, address: str) -> tuple[str, str] | None:
    """The token for a repository on a forge, as grader.git takes it. Raises SetupError."""
    if (forge := forge_of(course, address)) is None:
        return None
    token = token_of(course, forge)
    pair = base64.b64encode(f"{_NAMES[forge.kind]}:{token}".encode()).decode("ascii")
    return f"{forge.url}/", f"Authorization: Basic {pair}"


def token_of(course: CourseFile, forge: Forge) -> str:
    """The instructor's token for a forge. Raises SetupError."""
    token = course.kept_at(forge.token, f"the token for {forge.url}")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise SetupError(
            f"{course.path}: the token for {forge.url} is not one word. Put nothing else into {forge.token}."
        )
    return token
