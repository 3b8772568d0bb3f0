"""What of each submission is compared, and what all were given: files of kept copies, under names of our own.

Rule 1: a file that everybody was given as it is, is nobody's; of a changed one, what was given does not count.
Rule 2: in the node files have numbers for names: no name of a student's reaches it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.record.record import Record

#: What counts as source, and how much of it is read (bytes of a file; files of a submission).
SUFFIXES = (".py", ".c", ".h", ".cc", ".cpp", ".hpp", ".go", ".rs", ".java", ".js", ".ts")
MOST_BYTES, MOST_FILES = 120_000, 60


@dataclass(frozen=True)
class Sources:
    """The sources of one submission."""

    student: str
    files: dict[str, str] = field(default_factory=dict)  #: name in the node -> name in the submission
    texts: dict[str, str] = field(default_factory=dict)  #: name in the node -> the text


def gather(record: Record, assignment: str, given: Path, place: Path) -> tuple[list[Sources], list[str]]:
    """The sources of all kept submissions, copied below `place` for the node; and the names of what was given there."""
    known, names = set(), []
    for number, (_, text) in enumerate(_texts(given)):
        known.add(text)
        names.append(_write(place / "given", number, _suffix(_), text))
    found: list[Sources] = []
    for student, name in sorted(record.journal.finished()):
        result = record.load(student, name) if name == assignment else None
        copy = record.copies.of(str(result["submission"]["hash"] or "-")) if result is not None else None
        if copy is None:
            continue
        one = Sources(student)
        for number, (path, text) in enumerate(_texts(copy)):
            if text not in known and number < MOST_FILES:
                there = _write(place / str(len(found)), number, _suffix(path), text)
                one.files[there], one.texts[there] = path, text
        found.append(one)
    return found, names


def _write(folder: Path, number: int, suffix: str, text: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    name = f"{number}{suffix}"
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return name


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1]


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """The source files below a folder that are text: name, content."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(root) / name
            if not name.endswith(SUFFIXES) or path.is_symlink() or not path.is_file():
                continue
            if path.stat().st_size > MOST_BYTES:
                continue
            try:
                yield str(path.relative_to(folder)), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def request(sources: Sequence[Sources], given: Sequence[str], most: int) -> dict[str, object]:
    """What the node is told."""
    there = {str(number): sorted(one.files) for number, one in enumerate(sources) if one.files}
    return {"submissions": there, "given": list(given), "most": most}
