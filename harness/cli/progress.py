"""progress.json: the stages that were complete, kept in the student's repository. Pure but for reading and writing it.

Rule 1: it only grows. `lab check` adds a stage whose public checks all pass; `lab ci` fails when one of them does not
        any more; who reworks a stage takes its number out by hand.
Rule 2: without the file nothing is kept and nothing is due. The repository that students clone has an empty one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.errors import UsageError

NAME = "progress.json"


def parse(text: str | bytes, name: str = NAME) -> dict[str, list[int]]:
    """Assignment -> numbers of the stages that were complete. Raises UsageError."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is not JSON ({error}). Mend it, or write {{}} into it to begin anew.") from None
    well = isinstance(data, dict) and all(
        isinstance(rows, list) and all(type(row) is int for row in rows) for rows in data.values()
    )
    if not well:
        raise UsageError(f'{name} is not a table of stages. It looks like {{"blocking": [1, 2]}}; {{}} begins anew.')
    return {str(key): sorted(set(rows)) for key, rows in data.items()}


def with_stages(before: Mapping[str, list[int]], assignment: str, complete: Iterable[int]) -> dict[str, list[int]]:
    """The same with more stages of an assignment.

    >>> with_stages({"blocking": [2]}, "blocking", [1, 2])
    {'blocking': [1, 2]}
    """
    stages = sorted({*before.get(assignment, []), *complete})
    return {**before, **({assignment: stages} if stages else {})}


def as_text(progress: Mapping[str, list[int]]) -> str:
    """The file: a line for each assignment, so that git merges what two people did."""
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(progress[name])}" for name in sorted(progress))
    return f"{{\n{rows}\n}}\n" if rows else "{}\n"


def read(file: Path) -> dict[str, list[int]] | None:
    """What the file says; None if there is no such file. Raises UsageError."""
    try:
        return parse(file.read_bytes(), file.name)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from None


def remember(file: Path, assignment: str, complete: Iterable[int]) -> list[int]:
    """Add stages to the file, if it is there; which of them are new. Raises UsageError."""
    before = read(file)
    if before is None:
        return []
    after = with_stages(before, assignment, complete)
    new = sorted(set(after.get(assignment, [])) - set(before.get(assignment, [])))
    if new:
        try:
            file.write_text(as_text(after), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror}.") from None
    return new
