"""How each program of a submission is started: the assignment's table with the submission's own rows on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import SubmissionError
from harness.text.toml_rows import TomlFile, TomlMistake

#: The file in a submission that overrides rows of the assignment's programs table.
OVERRIDES = "programs.toml"
#: Longest command of a program, in bytes: it travels to the student's node in one packet.
MOST_WORDS = 4096


def load_programs(table: Mapping[str, Sequence[str]], folder: Path) -> dict[str, list[str]]:
    """The programs table for the submission in `folder`. Raises SubmissionError.

    `table` maps a program's name to its argument vector, relative to the submission's folder.
    """
    programs = {name: list(argv) for name, argv in table.items()}
    path = folder / OVERRIDES
    if path.is_symlink() or not path.is_file():
        return programs
    try:
        file = TomlFile.read(path, name=OVERRIDES, most=65536)
        for other in file.data.keys() - {"programs"}:
            file.wrong(other, 0, other, f"unknown table [{other}]", "It holds one table, [programs], and no more.")
        row = file.row("programs", tuple(programs))
        for name in row.data:
            programs[name] = list(row.words(name, required=True))
            if sum(len(word.encode()) + 1 for word in programs[name]) > MOST_WORDS:
                row.wrong(name, f"the words of {name} are longer than {MOST_WORDS:,} bytes", "Shorten them.")
    except TomlMistake as mistake:
        raise SubmissionError(f"{mistake} Mend {OVERRIDES} or remove it.") from None
    return programs
