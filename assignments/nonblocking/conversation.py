"""One client of chat_server_asyncio: a conversation as a coroutine (stage 6).

It reads like the mailbox's thread and says `await` where it may be suspended. What waits to be sent is a task of its
own that exists only while something waits: nobody who says something waits for a slow reader.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import sockets
from buffers import LIMIT, Outbox
from connection import PATIENCE
from framing import LIMIT as LONGEST_LINE
from framing import BadFrame, Lines, frame
from messages import BadRequest, parse_request
from rooms import Entry

if TYPE_CHECKING:
    from chat_server_asyncio import Hall

#: Requests of one client that are answered before others have their turn.
AT_A_TIME = 20
#: Replies that may wait for a client to read them, before no more of its requests are answered.
MOST_REPLIES = 100
#: The outbox of everyone who has nothing waiting.
NOTHING = Outbox()


class Chat:
    """A client of the chat."""

    def __init__(self, hall: Hall, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hall = hall
        self.name = ""
        self.rooms: set[str] = set()
        self._reader = reader
        self._writer = writer
        self._out = NOTHING
        self._sending: asyncio.Task[None] | None = None  # while something waits
        self._active = asyncio.get_running_loop().time()  # when the client last sent or took something
        # asyncio does this by itself for the sockets that it has made, and not for one that it was given.
        sockets.send_at_once(writer.get_extra_info("socket"))
        writer.transport.set_write_buffer_limits(high=0)  # drain() waits until all is taken

    # -- in --------------------------------------------------------------------------------------------------------

    async def converse(self) -> None:
        """Answer requests until the client ends, quits or sends a bad line. Raises OSError, TimeoutError."""
        raise NotImplementedError(
            "stage 6: read, feed the lines, answer each; and let others run now and then"
        )

    async def _read(self) -> bytes:
        """What comes next, b"" at the end. Raises TimeoutError when nothing comes and nothing is taken for too long."""
        raise NotImplementedError(
            "stage 6: read under asyncio.timeout; at the deadline look whether it really was "
            "silence"
        )

    def _patience(self) -> float:
        """Seconds that the client may still be silent. Raises TimeoutError if there are none left."""
        raise NotImplementedError("stage 6: from when it was last active")

    async def _answer(self, line: str) -> str:
        """Do what is asked, and reply; which command it was."""
        raise NotImplementedError(
            "stage 6: wait for the room, answer, and wait if too many replies are not read"
        )

    # -- out -------------------------------------------------------------------------------------------------------

    def reply(self, line: bytes) -> None:
        """Send a reply, now or later; it is never dropped."""
        self._put(self.hall.rooms.numbered(line), broadcast=False)

    def deliver(self, entry: Entry) -> None:
        """Send a broadcast, now or later; or answer a slow reader as it was asked for on the command line."""
        raise NotImplementedError("stage 6: as in chat_server; abort() of the transport closes at once")

    def _put(self, entry: Entry, *, broadcast: bool) -> None:
        """Write a line if nothing waits; else it waits in an outbox, and may push out old broadcasts."""
        raise NotImplementedError(
            "stage 6: write() never waits and never refuses: whoever does not check fills the "
            "memory"
        )

    async def _send_rest(self) -> None:
        """Send what waits, piece by piece, and tell the client what it missed."""
        raise NotImplementedError("stage 6: await drain(), write the next piece, until nothing waits")

    async def _all_taken(self) -> None:
        """Wait until nothing waits to be sent. Raises TimeoutError if the client takes nothing for too long."""
        raise NotImplementedError(
            "stage 6: asyncio.wait() for the sending task, as long as there is patience"
        )

    # -- endings ---------------------------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Send what waits, then the FIN; throw away what comes, until the client ends or a second is over."""
        raise NotImplementedError('stage 6: _all_taken(), write_eof(), read until b"" under a timeout')

    def leave(self) -> None:
        """Out of all rooms; nobody has to wait for this client any more."""
        self.hall.rooms.leave(self)
        self.hall.caught_up(self)
