"""A result of a run, read beside whoever writes the run: no lock is taken and nothing is changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grader.submission import readable_name
from harness.errors import UsageError
from harness.text.nearest import nearest


def load_result(run: Path, student: str, assignment: str) -> dict[str, Any]:
    """RUN/<student>/<assignment>/result.json. Raises UsageError."""
    if not (run / "campaign.json").is_file():
        raise UsageError(f"{run} is not a run: give the folder that was --out of `grader run`.")
    for name, folder, kind in ((student, run, "student"), (assignment, run / student, "assignment")):
        known = _folders(folder)
        if name not in known:
            shown = [readable_name(one) for one in known]
            raise UsageError(f'{run} has no {kind} "{readable_name(name)}". {nearest(name, shown)}')
    file = run / student / assignment / "result.json"
    try:
        data = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise UsageError(f"{file} is missing or damaged: grade it first (grader run), or again.")
    return data


def _folders(folder: Path) -> list[str]:
    """Names of the folders in a folder: a name with a slash or of nothing but dots is none of them."""
    try:
        return [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError:
        return []
