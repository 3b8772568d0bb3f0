"""RUN/.copies/<hash>/: each graded copy of a submission, once.

Rule 1: a copy is there whole or not at all, and is not changed any more.
Rule 2: a copy stays as long as any result is about it; `prune` removes those that none is about.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

#: How the name of a copy begins while it is removed: so half of one never goes for all of it.
_GONE = ".gone-"


class Copies:
    """The kept copies of a run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, submission: str) -> Path | None:
        """The folder of a copy, by its hash; None if it is not kept."""
        folder = self.path / submission
        return folder if submission.isalnum() and folder.is_dir() else None

    def keep(self, submission: str, folder: Path) -> None:
        """Keep a copy that lies on the same disk: it is moved here, unless it is here already. Raises OSError."""
        if self.of(submission) is not None:
            return
        self.path.mkdir(exist_ok=True)
        try:
            os.rename(folder, self.path / submission)
        except OSError:
            if self.of(submission) is None:  # else two have handed in the same, and the other one was faster
                raise

    def prune(self, wanted: Collection[str]) -> list[str]:
        """Remove the copies that are not wanted; their hashes."""
        there = [path.name for path in sorted(self.path.iterdir())] if self.path.is_dir() else []
        for name in there:
            if name.startswith(_GONE):  # whoever removed it was killed
                shutil.rmtree(self.path / name)
        removed = [name for name in there if name not in wanted and not name.startswith(_GONE)]
        for name in removed:
            os.rename(self.path / name, self.path / f"{_GONE}{name}")
            shutil.rmtree(self.path / f"{_GONE}{name}")
        return removed
