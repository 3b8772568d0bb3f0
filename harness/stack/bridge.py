"""Joins the connections that come to one listening socket with new ones elsewhere, byte for byte and end for end.

Rule: an end on one side is an end on the other, a reset a reset, and nothing is kept for who does not read.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from harness.lab.interface import LabError
from harness.lab.linger import reset_and_close, reset_on_close

#: Bytes that are passed on at once.
_PIECE = 65_536
#: Seconds between two looks at whether it is over: closing a socket wakes nobody who waits for it.
_GLANCE = 0.2

#: What a bridge tells of the bytes that pass: whether they go from who connected, and the bytes.
Tap = Callable[[bool, bytes], None]


class Bridge:
    """A listening socket of the tester, wherever it is, and a way to make the connections behind it."""

    def __init__(
        self, listening: socket.socket, connect: Callable[[], socket.socket], tap: Tap = lambda *_: None
    ) -> None:
        """`connect` raises OSError or LabError if there is nobody; then who came is reset."""
        self._listening, self._connect, self._tap = listening, connect, tap
        self._open: set[socket.socket] = set()
        self._over = False
        listening.settimeout(_GLANCE)
        threading.Thread(target=self._accept, daemon=True, name="socketlab-bridge").start()

    def dismiss(self) -> None:
        """Close everything."""
        self._over = True
        self._listening.close()
        for sock in tuple(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads it, which then closes it

    def _accept(self) -> None:
        while not self._over:
            try:
                near, _ = self._listening.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), daemon=True, name="socketlab-bridge").start()

    def _join(self, near: socket.socket) -> None:
        try:
            far = self._connect()
        except (OSError, LabError):
            reset_and_close(near)
            return
        both = (near, far)
        for sock in both:
            sock.settimeout(None)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.update(both)
        back = threading.Thread(target=self._pass_on, args=(far, near, False), daemon=True, name="socketlab-bridge")
        back.start()
        self._pass_on(near, far, True)
        back.join()
        self._open.difference_update(both)
        for sock in both:
            sock.close()

    def _pass_on(self, source: socket.socket, sink: socket.socket, onward: bool) -> None:
        try:
            while data := source.recv(_PIECE):
                self._tap(onward, data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:  # one of them was reset: the other learns it the same way
            for sock in (source, sink):
                reset_on_close(sock)
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RD)  # the thread of the other direction ends, too
