"""nbgrader_config.py of a course's folder: nbgrader and formgrader run with it, and formgrader can do no harm.

Rule: the file is written for nbgrader's process, which may know nothing of the grader; it imports nothing of it.
"""

from __future__ import annotations

from pathlib import Path

import jinja2

from grader.record.journal import write_file

NAME = "nbgrader_config.py"
#: What stands below this line is the instructor's own, and kept.
_OWN = "# --- your own settings below this line are kept ---\n"


def default_url(folder: Path) -> str:
    """Where nbgrader keeps the gradebook of a folder if nothing else is said."""
    return f"sqlite:///{folder / 'gradebook.db'}"


def settings(folder: Path, *, course: str, zone: str, url: str) -> str:
    """The text of the file."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # Python, not HTML: each value goes in as a literal
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    values = {"course_id": course, "root": str(folder), "zone": zone, "db_url": url}
    return environment.get_template("nbgrader_config.py.j2").render({key: repr(one) for key, one in values.items()})


def write_settings(folder: Path, *, course: str, zone: str, url: str) -> Path:
    """Write the file, keeping what stands below its last line."""
    path = folder / NAME
    own = ""
    if path.exists():
        head, found, own = path.read_text(encoding="utf-8").partition(_OWN)
        if not found:  # an nbgrader course that was there before: its settings come after ours
            own = f"\n# What was here before:\n{head}"
    write_file(path, (settings(folder, course=course, zone=zone, url=url) + own).encode("utf-8"))
    return path
