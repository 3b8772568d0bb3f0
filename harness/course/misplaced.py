"""Files that an assignment's programs need and that are not where they are looked for, and what is there instead.

A ZIP puts everything one folder down, a browser adds " (1)", an editor adds ".txt", a file system ignores case: each is
found by what is left of a name when all that is taken away.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

#: Files that hold other files.
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
#: Other assignments, by name: the files that their programs start.
Others = Mapping[str, Sequence[str]]
#: Files of a folder that are looked at.
_MOST_FILES = 1_000
#: Programs and found files named in one message at most.
_MOST = 4


def expected_files(programs: Mapping[str, Sequence[str]]) -> list[str]:
    """The files that a programs table starts: the first word of each command that names one, relative, with "/".

    >>> expected_files({"client": ["python3", "client.py"], "server": ["./server", "-v"]})
    ['client.py', 'server']
    """
    found: dict[str, None] = {}
    for argv in programs.values():
        words = [word for word in argv[1:] if not word.startswith("-")] if _is_interpreter(argv[0]) else argv[:1]
        if words and not posixpath.isabs(words[0]):
            found.setdefault(posixpath.normpath(words[0]))
    return list(found)


def misplaced_in(folder: Path, programs: Mapping[str, Sequence[str]], built: bool, others: Others) -> str:
    """`what_is_misplaced` in a folder; `built`: a build makes what is not a script. Links are not followed."""
    expected = expected_files(programs)
    here = [path.relative_to(folder).as_posix() for path in islice(_files(folder), _MOST_FILES)]
    if built:
        scripts = [name for name in expected if name.endswith(".py")]
        # Beside programs that are still to be built, scripts without a trace have not been begun.
        expected = scripts if scripts == expected else [name for name in scripts if _instead(name, here)]
    return what_is_misplaced(expected, here, others)


def _files(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for path in entries:
        if path.is_symlink() or path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def what_is_misplaced(expected: Sequence[str], files: Iterable[str], others: Others) -> str:
    """What is missing and what was found instead, in a sentence or two; empty if nothing can be said.

    `files` are all that were handed in, relative, with "/". `others` are the files of other assignments, by name. A
    program that is missing without a trace is no mistake: its author has not come so far, unless all of them are.
    """
    here = sorted(files)
    files_here = set(here)
    missing = [name for name in expected if name not in files_here]
    said = [clause for name in missing if (clause := _instead(name, here))]
    if said:
        more = f" (and {len(said) - _MOST} more like this)" if len(said) > _MOST else ""
        return f"Not where they are looked for: {'; '.join(said[:_MOST])}{more}."
    if not missing or len(missing) < len(expected):
        return ""
    wanted = f"{_listed(expected)} {'were' if len(expected) > 1 else 'was'} looked for at the top of the folder."
    if archives := [name for name in here if name.lower().endswith(ARCHIVES)]:
        return f"{wanted} Found {_listed(archives)}: hand in the files themselves, not an archive of them."
    for other, theirs in others.items():
        if set(theirs) & {posixpath.basename(name) for name in here}:
            return f"{wanted} Found files of another assignment, {other}: {_listed(here)}."
    return f"{wanted} Found: {_listed(here)}."


def plain_name(name: str) -> str:
    """A name without case, copies' numbers, added endings, and signs between words.

    >>> {plain_name(name) for name in ("Daytime_Client.py", "daytime_client (1).py", "daytime-client.py.txt")}
    {'daytimeclient.py'}
    """
    bare = re.sub(r"\.txt$", "", name.strip().casefold())
    bare = re.sub(r"(?: ?\(\d+\)| - copy|~\d*)(?=\.|$)", "", bare)
    return re.sub(r"[\s_-]+", "", bare)


def _instead(name: str, here: Sequence[str]) -> str:
    """What was found in the place of one file; empty if nothing looks like it."""
    base = posixpath.basename(name)
    if same := [found for found in here if posixpath.basename(found) == base]:
        return f"found {same[0]}; move it to {name}" if "/" in name else f"found {same[0]}; move it up"
    alike = [found for found in here if plain_name(posixpath.basename(found)) == plain_name(base)]
    return f"found {alike[0]}; rename it to {name}" if alike else ""


def _is_interpreter(word: str) -> bool:
    return bool(re.fullmatch(r"(?:.*/)?(?:python[\d.]*|sh|bash|env|node|java|perl|ruby)", word))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
