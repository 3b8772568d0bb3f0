### GIVEN TO STUDENTS
"""Standard input, standard output and SIGTERM as things that select() can wait for, on every system.

You get this file unchanged. On Linux and macOS they are what they seem. Windows can select sockets only, so there a
thread carries the bytes between each of them and a pair of sockets.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import stat
import sys
import threading

#: Bytes that are read at once.
PIECE = 65536


class Input:
    """Standard input. `fileno()` is for select(); `read()` then does not wait."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        if sys.platform == "win32":
            self._socket, other = socket.socketpair()
            threading.Thread(target=self._carry, args=(other,), daemon=True).start()

    def fileno(self) -> int:
        """What select() is given."""
        return 0 if self._socket is None else self._socket.fileno()

    def read(self) -> bytes | None:
        """What is there; b"" at the end, None if there is nothing after all."""
        try:
            return os.read(0, PIECE) if self._socket is None else self._socket.recv(PIECE)
        except BlockingIOError:  # whoever started us made it non-blocking
            return None

    @staticmethod
    def _carry(to: socket.socket) -> None:
        while data := os.read(0, PIECE):
            to.sendall(data)
        to.close()


class Output:
    """Standard output. `fileno()` is for select(); `write()` then takes some bytes and does not wait."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        #: A pipe that select() calls writable has room for this many bytes; more could wait. A file never waits.
        self._at_once = PIECE if stat.S_ISREG(os.fstat(1).st_mode) else getattr(select, "PIPE_BUF", PIECE)
        if sys.platform == "win32":
            self._socket, other = socket.socketpair()
            self._thread = threading.Thread(target=self._carry, args=(other,), daemon=True)
            self._thread.start()

    def fileno(self) -> int:
        """What select() is given."""
        return 1 if self._socket is None else self._socket.fileno()

    def write(self, data: bytes | bytearray) -> int:
        """How many of the bytes were taken. Raises OSError when nobody reads them any more."""
        try:
            if self._socket is not None:
                return self._socket.send(data[: self._at_once])
            return os.write(1, data[: self._at_once])
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """No more: whoever reads it sees the end at once, however long this program lives on."""
        if self._socket is not None:
            self._socket.close()
            self._thread.join()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.close(nothing)

    @staticmethod
    def _carry(come: socket.socket) -> None:
        while data := come.recv(PIECE):
            while data:
                data = data[os.write(1, data) :]


class Termination:
    """SIGTERM. `fileno()` is for select(), which calls it readable once the signal has come.

    A handler that raised would do so anywhere, also in the middle of a connection's work.
    """

    def __init__(self) -> None:
        self._told, self._tells = socket.socketpair()
        self._tells.setblocking(False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.set_wakeup_fd(self._tells.fileno())

    def fileno(self) -> int:
        """What select() is given."""
        return self._told.fileno()
