"""nbgrader's generate_feedback over a course, and a ZIP of each student's pages."""

from __future__ import annotations

import shlex
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from grader.nbgrader import nbgrader
from harness.errors import UsageError


def generate(folder: Path, *, say: Callable[[str], None]) -> int:
    """Make feedback/ from autograded/, all of it anew; how many pages. Raises SetupError and UsageError."""
    names = sorted({path.parent.name for path in folder.glob("autograded/*/*/*.ipynb")})
    if not names:
        raise UsageError(
            f"{folder / 'autograded'} is empty. Fill it first: grader gradebook sync {shlex.quote(str(folder))}"
        )
    for name in names:
        say(f"nbgrader generate_feedback {name} --force")
        words = ["generate_feedback", name, "--force", "--log-level=ERROR"]
        nbgrader(words, folder, to=f"make the feedback of {name}")
    return sum(1 for _ in folder.glob("feedback/*/*/*.html"))


def packed(folder: Path, to: Path) -> Iterator[Path]:
    """A ZIP for each student, with the pages of all assignments."""
    to.mkdir(parents=True, exist_ok=True)
    for student in sorted(path for path in (folder / "feedback").iterdir() if path.is_dir()):
        target = to / f"{student.name}.zip"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for page in sorted(student.rglob("*.html")):
                archive.write(page, page.relative_to(student).as_posix())
        yield target
