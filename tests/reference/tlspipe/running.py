"""Programs of others, running: what they say, and their plain sides.

Nothing here sleeps: a thread reads what a program says, and whoever waits for something is woken by it, or fails after
WITHIN seconds.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Protocol

#: Seconds that nothing takes unless something is wrong.
WITHIN = 20.0


class Running:
    """A program, and everything it has said so far."""

    def __init__(self, *argv: object) -> None:
        self.argv = [str(word) for word in argv]
        self.process = subprocess.Popen(
            self.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )
        self._said = {"out": bytearray(), "err": bytearray()}
        self._open = 2
        self._news = threading.Condition()
        self._input: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        assert self.process.stdin and self.process.stdout and self.process.stderr
        for work in (
            lambda: self._listen("out", self.process.stdout),
            lambda: self._listen("err", self.process.stderr),
            lambda: self._feed(self.process.stdin),
        ):
            threading.Thread(target=work, daemon=True).start()

    def _listen(self, which: str, stream: IO[bytes]) -> None:
        while data := os.read(stream.fileno(), 1 << 16):
            with self._news:
                self._said[which] += data
                self._news.notify_all()
        with self._news:
            self._open -= 1
            self._news.notify_all()

    def _feed(self, stream: IO[bytes]) -> None:
        try:
            while data := self._input.get():
                stream.write(data)
                stream.flush()
            stream.close()
        except OSError:
            pass  # it reads no more: whoever waits for an answer will tell

    def writes(self, data: bytes) -> None:
        """To its standard input, in the background; nothing: the end."""
        self._input.put(data)

    def waits_for(self, found: Callable[[bytes, bytes], object], what: str) -> object:
        """What `found(standard output, standard error)` answers, once it is true."""
        answer: object = None

        def look() -> bool:
            nonlocal answer
            answer = found(bytes(self._said["out"]), bytes(self._said["err"]))
            return bool(answer) or not self._open

        with self._news:
            self._news.wait_for(look, WITHIN)
        assert answer, f"{' '.join(self.argv)}\nnever {what}:\n{self.story()}"
        return answer

    def says(self, pattern: str, times: int = 1) -> re.Match[bytes]:
        """Wait until something like that stands in one of its outputs so many times; the last of them."""
        wanted = re.compile(pattern.encode())

        def found(*outputs: bytes) -> re.Match[bytes] | None:
            for output in outputs:
                if len(matches := list(wanted.finditer(output))) >= times:
                    return matches[-1]
            return None

        match = self.waits_for(found, f"says {pattern!r} {times} times")
        assert isinstance(match, re.Match)
        return match

    def story(self) -> str:
        """The last of what it said, for people."""
        return "\n".join(bytes(said[-1500:]).decode(errors="replace") for said in self._said.values())

    def status(self) -> int:
        """Wait for its end."""
        try:
            return self.process.wait(WITHIN)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{' '.join(self.argv)} does not end:\n{self.story()}") from None

    def kill(self) -> None:
        """At once, with its children."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(WITHIN)
        self.writes(b"")


# -- plain sides -----------------------------------------------------------------------------------------------------


class Side(Protocol):
    """The plain side of an end of TLS."""

    def sends(self, data: bytes) -> None:
        """In the background."""

    def ends(self) -> None:
        """Nothing more will be sent."""

    def hears(self, data: bytes) -> None:
        """Wait until exactly this has come next (a program may say more around it)."""


class SocketSide:
    """A TCP connection to a program, or from one."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(WITHIN)
        self._output: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._feed, daemon=True).start()

    def _feed(self) -> None:
        try:
            while data := self._output.get():
                self.sock.sendall(data)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def sends(self, data: bytes) -> None:
        self._output.put(data)

    def ends(self) -> None:
        self._output.put(b"")

    def hears(self, data: bytes) -> None:
        came = bytearray()
        while len(came) < len(data) and (piece := self.sock.recv(len(data) - len(came))):
            came += piece
        assert bytes(came) == data, f"{len(came)} bytes came, {bytes(came[:40])!r}"

    def resets(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def hears_end(self) -> None:
        """Nothing more comes, and it ends well."""
        assert self.sock.recv(1) == b""

    def hears_reset(self, nothing_before: bool = True) -> None:
        """The connection is reset; nothing comes before that, unless it may."""
        try:
            while data := self.sock.recv(1 << 16):
                assert not nothing_before, f"{data[:40]!r} came"
        except ConnectionResetError:
            return
        raise AssertionError("the connection ended as if all were well")


@dataclass
class StdioSide:
    """The standard input and output of a program."""

    program: Running
    _heard: int = 0

    def sends(self, data: bytes) -> None:
        self.program.writes(data)

    def ends(self) -> None:
        self.program.writes(b"")

    def hears(self, data: bytes) -> None:
        def found(out: bytes, _err: bytes) -> int:
            at = out.find(data, self._heard)
            return at + len(data) if at >= 0 else 0

        heard = self.program.waits_for(found, f"says {data[:40]!r} ({len(data)} bytes)")
        assert isinstance(heard, int)
        self._heard = heard
