"""A conversation of the tester with one of the Docker lab's helpers: agent, warden, router."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from harness.lab.interface import LabError
from harness.lab.node.reply import decode

Reply = dict[str, Any]

#: Seconds within which a helper of the lab has to start, and to answer.
STARTED_WITHIN, ANSWERED_WITHIN = 10.0, 30.0
#: Largest answer of the agent, in bytes; it sends four descriptors at most.
_PACKET, _DESCRIPTORS = 65536, 4


class Helper:
    """A conversation over a Unix socket: one request, one answer. Opened when first needed.

    A request that is interrupted (a test's time is over) leaves an answer that nobody waits for; so the connection is
    closed then, and the next request opens another.
    """

    def __init__(
        self,
        name: str,
        path: str,
        kind: socket.SocketKind = socket.SOCK_STREAM,
        *,
        gone: type[LabError] = LabError,
        mute: type[LabError] = LabError,
    ) -> None:
        self._name = name
        self._gone, self._mute = gone, mute  #: raised when it was there and is gone, or says nothing
        self._path = path
        self._kind = kind
        self._socket: socket.socket | None = None
        self._met = False  #: it was there once: if nobody listens now, it has ended and is not waited for
        self._lock = threading.RLock()

    def ask(
        self, request: Mapping[str, Any], *, given: Sequence[int] = (), within: float = ANSWERED_WITHIN
    ) -> tuple[Reply, list[int]]:
        """The answer and the descriptors that came with it. Raises Refused, and LabError when none comes.

        For a helper that was there and has hung up since, raises the error given as `gone`; for one that is there and
        does not answer in time, the one given as `mute`.
        """
        with self._lock:
            done = False
            try:
                if self._socket is None:
                    self._socket = self._connect()
                self._socket.settimeout(within)
                answer, descriptors = self._exchange(self._socket, json.dumps(request).encode("ascii"), given)
                done = self._met = True
                return decode(answer), descriptors
            except (OSError, ValueError) as error:
                hung_up = self._met and isinstance(error, ConnectionError | FileNotFoundError)
                mute = self._met and isinstance(error, TimeoutError)
                kind = self._gone if hung_up else self._mute if mute else LabError
                raise kind(f"the lab's {self._name} does not answer {request['op']!r}: {error}") from None
            finally:
                if not done and self._socket is not None:
                    self._socket.close()
                    self._socket = None

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + STARTED_WITHIN
        while True:
            connection = socket.socket(socket.AF_UNIX, self._kind)
            try:
                connection.connect(self._path)
                return connection
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
                if self._met or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)  # it is still starting

    def _exchange(self, connection: socket.socket, request: bytes, given: Sequence[int]) -> tuple[bytes, list[int]]:
        if self._kind == socket.SOCK_SEQPACKET:
            socket.send_fds(connection, [request], list(given))
            data, descriptors, _, _ = socket.recv_fds(connection, _PACKET, _DESCRIPTORS)
        else:
            connection.sendall(request + b"\n")
            data, descriptors = b"", []
            while not data.endswith(b"\n"):
                chunk = connection.recv(_PACKET)
                if not chunk:
                    break
                data += chunk
        if not data:
            raise ConnectionResetError("it hung up")
        return data, descriptors
