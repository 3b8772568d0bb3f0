"""How each program of a submission is started: the assignment's table with the submission's own rows on top."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

#: The file in a submission that overrides rows of the assignment's programs table.
OVERRIDES = "programs.toml"
#: Longest command of a program, in bytes: it travels to the student's node in one packet.
MOST_WORDS = 4096


class ProgramsError(Exception):
    """The submission's programs.toml is wrong; the message is for its author."""


def load_programs(table: Mapping[str, Sequence[str]], folder: Path) -> dict[str, list[str]]:
    """The programs table for the submission in `folder`. Raises ProgramsError.

    `table` maps a program's name to its argument vector, relative to the submission's folder.
    """
    programs = {name: list(argv) for name, argv in table.items()}
    path = folder / OVERRIDES
    if path.is_symlink() or not path.is_file():
        return programs
    try:
        with path.open("rb") as file:
            text = file.read(65536).decode("utf-8")
        rows = tomllib.loads(text)
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, not TOML, or an endless number
        raise ProgramsError(f"{OVERRIDES} cannot be read: {error}. Fix it or remove it.") from None
    except RecursionError:
        raise ProgramsError(f"{OVERRIDES} cannot be read: it is nested too deeply. Fix it or remove it.") from None
    unknown = set(rows) - {"programs"}
    if unknown or not isinstance(rows.get("programs", {}), dict):
        raise ProgramsError(f"{OVERRIDES} has to hold one table, [programs], and nothing else.")
    for name, argv in rows.get("programs", {}).items():
        if name not in programs:
            raise ProgramsError(f"{OVERRIDES} names {name!r}; this assignment's programs are {', '.join(programs)}.")
        words = isinstance(argv, list) and argv and all(isinstance(word, str) and word for word in argv)
        if not words or any("\0" in word for word in argv):
            raise ProgramsError(f'{OVERRIDES}: {name} has to be a list of words, such as ["./{name}"].')
        if sum(len(word.encode()) + 1 for word in argv) > MOST_WORDS:
            raise ProgramsError(f"{OVERRIDES}: the words of {name} are longer than {MOST_WORDS:,} bytes.")
        programs[name] = list(argv)
    return programs
