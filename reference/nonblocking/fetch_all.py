"""fetch_all ADDRESS... [--deadline S]: read what many servers say, all at once, and print a line of JSON for each.

It takes as long as the slowest of them, not as long as all together.
"""

from __future__ import annotations

import json
import socket
import sys
import zlib

import program
import sockets
from addresses import Address, parse_address
from loop import Loop
from poller import READ, WRITE


class Fetch:
    """One connection: to be connected, then read to its end."""

    __slots__ = ("_address", "_connected", "_crc32", "_everyone", "_length", "_sock", "_written")

    def __init__(self, everyone: Everyone, written: str, address: Address) -> None:
        self._everyone = everyone
        self._written = written  # the address as on the command line, where it may be written in more than one way
        self._address = address
        self._sock: socket.socket | None = None
        self._connected = False
        self._length = 0  # bytes so far
        self._crc32 = 0  # of them

    def begin(self) -> None:
        """Connect."""
        ### BEGIN SOLUTION: stage 1: begin_to_connect(), and watch for writability; it may have failed already
        try:
            self._sock = sockets.begin_to_connect(self._address)
        except OSError as error:
            self.failed(error)
            return
        self._everyone.loop.watch(self._sock, WRITE, self)
        ### END SOLUTION

    def ready(self, _events: int) -> None:
        """It is decided whether we are connected; after that: there is something to read."""
        ### BEGIN SOLUTION: stage 1: first check_connected() and watch for READ, then recv(): piece, end or error
        assert self._sock is not None
        try:
            if not self._connected:
                sockets.check_connected(self._sock)
                self._connected = True
                self._everyone.loop.watch(self._sock, READ, self)
                return
            data = self._sock.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self.failed(error)
            return
        if data:
            self._length += len(data)
            self._crc32 = zlib.crc32(data, self._crc32)
        else:
            self.over("ok")
        ### END SOLUTION

    def failed(self, error: OSError) -> None:
        """An error is a result like any other."""
        ### BEGIN SOLUTION: stage 1: ConnectionRefusedError, ConnectionResetError, TimeoutError, others
        if isinstance(error, ConnectionRefusedError):
            self.over("refused")
        elif isinstance(error, ConnectionResetError):
            self.over("reset")
        elif isinstance(error, TimeoutError):
            self.over("timeout")
        else:
            self.over("error")
        ### END SOLUTION

    def over(self, result: str) -> None:
        """Print the line, and let go."""
        ### BEGIN SOLUTION: stage 1: unwatch, close, print, tell the others
        if self._sock is not None:
            self._everyone.loop.watch(self._sock, 0, self)
            self._sock.close()
        line = {"address": self._written, "result": result, "bytes": self._length, "crc32": self._crc32}
        program.print_line(json.dumps(line))
        self._everyone.ended(self, result)
        ### END SOLUTION


class Everyone:
    """All connections, and the deadline for all of them."""

    def __init__(self, loop: Loop, addresses: list[tuple[str, Address]], deadline: float) -> None:
        self.loop = loop
        self.all_ok = True
        self._left = {Fetch(self, *address): None for address in addresses}
        loop.call_later(deadline, self.give_up)

    def begin(self) -> None:
        """Connect to all of them. Nothing waits here."""
        for fetch in list(self._left):
            fetch.begin()

    def ended(self, fetch: Fetch, result: str) -> None:
        """One is over; the last one ends the loop."""
        ### BEGIN SOLUTION: stage 1: remember whether all were ok, stop the loop when none is left
        del self._left[fetch]
        self.all_ok = self.all_ok and result == "ok"
        if not self._left:
            self.loop.stop()
        ### END SOLUTION

    def give_up(self) -> None:
        """The deadline: whoever is not over by now has taken too long."""
        ### BEGIN SOLUTION: stage 1: over("timeout") for all that are left
        for fetch in list(self._left):
            fetch.over("timeout")
        ### END SOLUTION


def address_as_written(text: str) -> tuple[str, Address]:
    """An address as it stands on the command line, and what it means. Raises BadAddress."""
    return text, parse_address(text)


def main(arguments: list[str]) -> None:
    """Run the program."""
    line = program.CommandLine("Read what many servers say, all at once.")
    line.add_argument("addresses", metavar="ADDRESS", nargs="+", type=address_as_written)
    line.add_argument("--deadline", type=program.seconds, default=10.0, help="seconds for all of it")
    options = line.parse_args(arguments)
    if any(address.kind == "udp" for _, address in options.addresses):
        line.error("fetch_all reads streams: HOST:PORT, [V6]:PORT or unix:PATH")
    loop = Loop()
    everyone = Everyone(loop, options.addresses, options.deadline)
    loop.call_later(0, everyone.begin)
    loop.run()
    if not everyone.all_ok:
        raise SystemExit(program.NOT_ALL)


if __name__ == "__main__":
    main(sys.argv[1:])
