"""What a program writes to a pipe, collected while it runs. Rule: what is kept is bounded; a flood ends the program."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


class OutputStream:
    """One output of a program, collected by a thread (pipes cannot be selected on everywhere)."""

    def __init__(self, descriptor: int, limit: int, changed: threading.Condition, on_flood: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._on_flood = on_flood
        self._data = bytearray()
        self._changed = changed  # shared by both outputs, so that a wait can look at either
        self.ended = False
        self.flooded = False
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def _collect(self) -> None:
        while not self.flooded:
            try:
                chunk = os.read(self._descriptor, 65536)
            except OSError:
                chunk = b""
            with self._changed:
                room = self._limit - len(self._data)
                self._data += chunk[:room]
                self.flooded = len(chunk) > room
                self.ended = not chunk or self.flooded
                self._changed.notify_all()
            if not chunk:
                break
        os.close(self._descriptor)
        if self.flooded:
            self._on_flood()

    def so_far(self) -> bytes:
        """The output so far."""
        with self._changed:
            return bytes(self._data)

    def head(self, most: int) -> bytes:
        """Its first bytes."""
        with self._changed:
            return bytes(self._data[:most])

    def wait(self, ready: Callable[[bytearray], bool], within: float) -> bool:
        """Wait until `ready(data)` or the stream's end; False when neither came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.ended or ready(self._data), within)
