"""Mutants: a copy of the reference with one known bug in it."""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Change:
    """One replacement of text in one file."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """A bug, where it has to cost points, and the checks that are meant to see it (all of them do)."""

    name: str
    stage: int
    changes: tuple[Change, ...]
    catches: tuple[str, ...]

    def write(self, reference: Path, folder: Path) -> None:
        """Put the mutant into `folder`. Raises ValueError if the reference has moved on from under a change."""
        shutil.copytree(reference, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for change in self.changes:
            path = folder / change.file
            text = path.read_text()
            if text.count(change.old) != 1:
                raise ValueError(
                    f"{self.name}: {change.file} has {text.count(change.old)} times {change.old!r}"
                )
            path.write_text(text.replace(change.old, change.new))
            compile(path.read_text(), str(path), "exec")


def load_mutants(assignment: str) -> list[Mutant]:
    """The mutants of an assignment, in stage order."""
    with (Path(__file__).parent / f"{assignment}.toml").open("rb") as file:
        rows = tomllib.load(file)["mutant"]
    mutants = [
        Mutant(
            name=row["name"],
            stage=row["stage"],
            changes=tuple(Change(c["file"], c["old"], c["new"]) for c in [row, *row.get("also", [])]),
            catches=tuple(row["catches"]),
        )
        for row in rows
    ]
    return sorted(mutants, key=lambda mutant: mutant.stage)
