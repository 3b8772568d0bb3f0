"""The messages, shared by all threads of the server.

Law: whoever touches the dictionary holds the lock, and nobody holds the lock while waiting for a client.
"""

from __future__ import annotations

import threading


class Store:
    """Names and messages. Every method is one step that no other thread can see half of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  #: held only while the dictionary is looked at or changed
        self._messages: dict[str, bytes] = {}  #: name -> message

    def put(self, name: str, message: bytes) -> None:
        """Store a message, in the place of the one with the same name if there is one."""
        with self._lock:
            self._messages[name] = message

    def get(self, name: str) -> bytes | None:
        """The message of that name, None if there is none. It stays where it is."""
        with self._lock:
            return self._messages.get(name)

    def names(self) -> list[str]:
        """All names of one moment, sorted by their bytes."""
        with self._lock:
            return sorted(self._messages)
