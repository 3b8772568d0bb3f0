"""How long each part of a job took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class Phases(dict[str, float]):
    """Seconds per phase, in the order in which they happened."""

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add what the block takes to a phase."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self[name] = round(self.get(name, 0.0) + time.monotonic() - begun, 4)
