"""A node of ours as a conversation: JSON lines over the standard streams of a container's first process.

Rule 1: every wait has a bound; a node that ended is a LabError with its last words.
Rule 2: nothing here knows Docker except the frames in which it wraps the streams.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Mapping
from typing import Any

from harness.lab.interface import LabError
from harness.lab.node.reply import Refused, decode, otherwise
from harness.text.lines import Lines

#: Seconds within which a node of ours has to answer.
ANSWER_WITHIN = 15.0
#: Longest line of a node of ours (bytes): a report with its capture.
MOST_LINE = 32_000_000


class Channel:
    """The standard streams of a container's first process: lines in, lines out."""

    def __init__(self, stream: Any, name: str) -> None:
        self.name = name
        self._stream = stream
        self._socket = stream._sock  # what the SDK returns can only be read; the socket underneath does both
        self._socket.settimeout(None)
        self.lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()  #: None: it ended
        self.complaints = b""
        self._thread = threading.Thread(target=self._read, daemon=True, name=f"socketlab-{name}")
        self._thread.start()

    def _read(self) -> None:
        lines = Lines(MOST_LINE)
        try:
            while header := self._exactly(8):  # Docker's frame: stream, three zeros, length (big-endian)
                data = self._exactly(int.from_bytes(header[4:], "big"))
                if header[0] == 2:
                    self.complaints = (self.complaints + data)[-8000:]
                    continue
                for line in lines.feed(data):
                    if line is None:
                        self.complaints = b"it wrote a line of more than %d bytes" % MOST_LINE
                        raise OSError
                    self.lines.put(line)
        except OSError:
            pass
        self.lines.put(None)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            chunk = self._socket.recv(count - len(data))
            if not chunk:
                return b""
            data += chunk
        return data

    def say(self, request: Mapping[str, Any]) -> None:
        """Send a line. Raises LabError."""
        try:
            self._socket.sendall(json.dumps(request).encode("ascii") + b"\n")
        except OSError as error:
            raise self._gone(error) from None

    def hear(self, timeout: float) -> Any:
        """The next line, parsed, None if none comes in time. Raises LabError if the node ended.

        A line that is not JSON (its writer was killed in the middle of it) is returned as a text.
        """
        if (line := self._line(timeout)) is None:
            return None
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            return line.decode("utf-8", "replace")

    def _line(self, timeout: float) -> bytes | None:
        """The next line, None if none comes in time. Raises LabError if the node ended."""
        try:
            line = self.lines.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return None
        if line is None:
            self.lines.put(None)
            raise self._gone()
        return line

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a line and get its answer. Raises LabError."""
        self.say(request)
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next line, which has to report success. Raises LabError."""
        with otherwise(LabError, f"the lab's {self.name} says"):
            if (line := self._line(ANSWER_WITHIN)) is None:
                raise Refused("node", f"no answer within {ANSWER_WITHIN:g} s")
            try:
                return decode(line)
            except ValueError as error:
                raise Refused("node", str(error)) from None

    def _gone(self, error: BaseException | None = None) -> LabError:
        last = self.complaints.decode("utf-8", "replace").strip().splitlines()[-1:]
        why = last[0] if last else error or "it said nothing; did the Docker engine end, too (docker info)?"
        return LabError(f"the lab's {self.name} node ended: {why}")

    @property
    def ended(self) -> bool:
        """Whether the node has hung up."""
        return not self._thread.is_alive()

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(2)
        with contextlib.suppress(OSError):
            self._stream.close()
