"""The folder in which a tester of this machine makes its own: removed however that tester ended.

Rule 1: a tester that is killed tidies nothing up, so its bench does; what a killed grader left, the next one does.
Rule 2: only a folder of this user's is removed, whose owner is known and dead: never a living one's, and nothing of
        somebody else's that happens to have such a name.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import cause_of
from harness.lab.docker.owner import is_dead, this_owner
from harness.lab.interface import LabError

#: How its name begins. Short, since the paths of Unix sockets in there have 104 bytes at most on macOS, where the
#: temporary folder alone has about 50.
PREFIX = "sl-"
#: The file in it that says who made it.
_OWNER = "owner.json"


@contextmanager
def folder_of_a_tester() -> Iterator[Path]:
    """A folder for one tester, as its TMPDIR; an ordinary user may go through it. Raises LabError."""
    try:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
    except OSError as error:
        raise LabError(f"no folder for the tester can be made ({cause_of(error)}), or set TMPDIR") from None
    try:
        try:
            (path / _OWNER).write_text(json.dumps(this_owner().labels))
            path.chmod(0o711)
        except OSError as error:
            raise LabError(f"{path}, the folder of the tester, cannot be used: {cause_of(error)}") from None
        yield path
    finally:
        _remove(path)


def sweep() -> int:
    """Remove the folders that graders left here which ended before they could do so; returns how many."""
    count = 0
    with contextlib.suppress(OSError):  # no temporary folder: nothing can be in it
        for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            if _is_mine(path) and _is_abandoned(path):
                _remove(path)
                count += 1
    return count


def _is_mine(path: Path) -> bool:
    try:
        return path.is_dir() and not path.is_symlink() and (os.name == "nt" or path.stat().st_uid == os.getuid())
    except OSError:
        return False


def _is_abandoned(path: Path) -> bool:
    try:
        labels = json.loads((path / _OWNER).read_text())
    except (OSError, ValueError):
        return False
    return isinstance(labels, dict) and is_dead(labels)


def _remove(path: Path) -> None:
    """Its owner last: whoever is interrupted here leaves what the next sweep knows."""
    with contextlib.suppress(OSError):
        for entry in [each for each in path.iterdir() if each.name != _OWNER]:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        if [each.name for each in path.iterdir()] in ([_OWNER], []):
            shutil.rmtree(path, ignore_errors=True)
