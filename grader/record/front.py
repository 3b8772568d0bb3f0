"""How a result takes the place in front, so that a kill at any moment leaves it whole: at once, or at the next opening.

Rule 1: all of it is written into a folder beside; that is renamed to `.ready`; from then on it counts.
Rule 2: its parts are moved to the front one by one. Whoever finds a `.ready` goes on with that: each step can be done
        twice. It is removed when the journal has its line.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

#: What takes a result's place, in this order: the last one makes it count for readers.
PARTS = ("captures", "report.html", "student.html", "source.html", "outcomes.json", "result.json")
_READY = ".ready"
#: How the name of a file begins that says: the new result has no such part.
_NONE = "no-"


def take_place(new: Path, folder: Path) -> None:
    """Move all parts of the folder `new` to the front. Raises OSError. `settled` has to follow."""
    for part in PARTS:
        if not (new / part).exists():
            (new / f"{_NONE}{part}").touch()
    shutil.rmtree(folder / _READY, ignore_errors=True)
    os.rename(new, folder / _READY)
    go_on(folder)


def go_on(folder: Path) -> None:
    """Move what has not been moved yet. Raises OSError."""
    ready = folder / _READY
    for part in PARTS:
        none = ready / f"{_NONE}{part}"
        if part == "captures" and ((ready / part).exists() or none.exists()):
            shutil.rmtree(folder / part, ignore_errors=True)
        if (ready / part).exists():
            os.replace(ready / part, folder / part)
        elif none.exists():
            (folder / part).unlink(missing_ok=True)
            none.unlink()


def settled(folder: Path) -> None:
    """The journal has its line."""
    shutil.rmtree(folder / _READY, ignore_errors=True)


def unfinished(run: Path) -> Iterator[Path]:
    """Remove what a killed writer has left half written, and name the folders whose result is still to take its place.

    The caller holds the run's lock. Raises OSError.
    """
    _sweep(run)
    for student in _folders(run):
        for folder in _folders(student):
            _sweep(folder)
            if (folder / "history").is_dir():
                _sweep(folder / "history")
                for kept in _folders(folder / "history"):
                    _sweep(kept)
            if (folder / _READY).is_dir():
                yield folder


def _folders(path: Path) -> list[Path]:
    with os.scandir(path) as found:
        return [Path(one.path) for one in found if one.is_dir(follow_symlinks=False) and not one.name.startswith(".")]


def _sweep(folder: Path) -> None:
    with os.scandir(folder) as found:
        left = [Path(one.path) for one in found if one.name[0] == "." and one.name.endswith(".new")]
    for path in left:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
