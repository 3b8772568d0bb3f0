"""A new course: a commented course.toml, a secret of its own, and the folders that it names."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from grader.course_file import NAME
from harness.errors import UsageError

#: Where the secret of a new course lies: a file that git does not take.
SECRET = ".secret"

_TEMPLATE = """\
# What is decided once for this course. `grader run FOLDER` reads it, and every other command that takes this folder.
# Paths are relative to it. Dates without an offset are of the course's zone; a date alone is the end of that day.
[course]
schema = 1
name = "{name}"  # short: small letters, digits, - and _; nbgrader's course_id
title = "{title}"
term = "{term}"
zone = "{zone}"  # an IANA name; deadlines and pages are in it
secret = "file:.secret"  # where the secret is that seeds derive from: "file:PATH" or "env:NAME"; never the secret
submitted = "submitted"  # submissions: submitted/<student>/<assignment>/, as nbgrader has them
run = "run"  # results
languages = ["python", "c", "go"]  # that submissions may be written in; also known: "rust", "java"

# What a student's page holds: "nothing", "public" (the public checks), or "all" (hidden ones by points and hint).
[students]
before_due = "all"
after_due = "all"

# Who takes part: id, name, mail, section, group, repository. `grader roster` writes it from what Canvas, Moodle or
# Gradescope export.
[roster]
file = "roster.csv"

# What being late costs: nothing, until something is written here. A penalty is a part of what an assignment is worth.
[late]
# grace_minutes = 10  # so much later is not late
# percent_per_day = 10  # for each day that has begun
# most_percent = 50
# late_days = 3  # in the whole term, without cost
# cut_off_days = 7  # later than that counts for nothing

# A deadline of one's own. `days` after the assignment's, or `due`.
# [[extensions]]
# student = "ann"
# assignment = "blocking"
# days = 3
# why = "ill"

# nbgrader's database, if not gradebook.db in this folder; the password belongs into ~/.pgpass.
[gradebook]
# url = "postgresql://grader@localhost/networks"

# Grading on push (docs/ci.md): bare repositories on this machine, and the branch of them that counts.
[push]
# repositories = "/srv/git/{{student}}.git"
# branch = "main"
# identity = "key"  # who pushes: "key" (grader hook key), "gitolite", or "path", the default: whoever may write there
# pages = "/srv/www/grades"  # students' pages, for a web server, and where that is
# link = "https://example.org/grades/{{student}}/{{assignment}}.html"

# Forges that `grader watch` looks at, for the repositories in the roster.
# [[forges]]
# url = "https://github.com"
# kind = "github"  # or "gitlab", "forgejo"
# token = "file:.github-token"  # where the token is: "file:PATH" or "env:NAME"; never the token

# The assignments of this term. weight: the share in the course's total, in any unit. groups = true: a group
# of the roster hands it in together. keep = "best": the better of several submissions counts, not the last.
# verdicts_per_day: so many pushes a day are graded with hidden checks. canvas, moodle, gradescope: what its column is
# called there. questions = true: its notebook of questions counts, with points of its own on top (docs/notebooks.md).
{assignments}"""

_ASSIGNMENT = """\
[[assignments]]
name = "{name}"
# opens = 2026-10-12T08:00:00
# due = 2026-10-26T23:59:00
weight = 1
"""

_IGNORED = """\
/.secret
/.*-token
/run/
/push/
/.mirrors/
"""


def new_course(folder: Path, assignments: Sequence[str], *, year: int, zone: str) -> list[Path]:
    """Write a new course into a folder; what was written. Nothing that is there is changed.

    Raises UsageError: there is a course already, or the folder cannot be made.
    """
    folder = folder.absolute()
    if (folder / NAME).exists():
        raise UsageError(f"{folder / NAME} is there already. Edit it, or give another folder.")
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.name.lower()).strip("-_") or "course"
    text = _TEMPLATE.format(
        name=name,
        title=name.replace("-", " ").replace("_", " ").capitalize(),
        term=str(year),
        zone=zone,
        assignments="\n".join(_ASSIGNMENT.format(name=one) for one in assignments),
    )
    try:
        (folder / "submitted").mkdir(parents=True, exist_ok=True)
        made = [_write(folder / SECRET, secrets.token_hex(32) + "\n", 0o600), _write(folder / ".gitignore", _IGNORED)]
        made.append(_write(folder / NAME, text))  # last: with it the course is there
    except OSError as error:
        raise UsageError(f"{folder} cannot become a course: {error.strerror} ({error.filename}).") from None
    return [path for path in made if path is not None]


def _write(path: Path, text: str, mode: int = 0o644) -> Path | None:
    """A new file; None if one was there, which stays as it is."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        return None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path
