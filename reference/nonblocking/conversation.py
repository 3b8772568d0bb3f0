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
        ### BEGIN SOLUTION: stage 6: read, feed the lines, answer each; and let others run now and then
        lines = Lines()
        try:
            while data := await self._read():
                lines.feed(data)
                for turn in itertools.count(1):
                    if (line := lines.next()) is None:
                        break
                    if await self._answer(line) == "quit" or self._writer.is_closing():
                        return
                    if turn % AT_A_TIME == 0:
                        await asyncio.sleep(0)
        except BadFrame as error:
            self.reply(frame(f"error {error}"))
        ### END SOLUTION

    async def _read(self) -> bytes:
        """What comes next, b"" at the end. Raises TimeoutError when nothing comes and nothing is taken for too long."""
        ### BEGIN SOLUTION: stage 6: read under asyncio.timeout; at the deadline look whether it really was silence
        self._active = asyncio.get_running_loop().time()
        while True:
            try:
                async with asyncio.timeout(self._patience()):
                    return await self._reader.read(LONGEST_LINE)
            except TimeoutError:
                self._patience()
        ### END SOLUTION

    def _patience(self) -> float:
        """Seconds that the client may still be silent. Raises TimeoutError if there are none left."""
        ### BEGIN SOLUTION: stage 6: from when it was last active
        left = self._active + self.hall.idle - asyncio.get_running_loop().time()
        if left <= 0:
            raise TimeoutError
        return left
        ### END SOLUTION

    async def _answer(self, line: str) -> str:
        """Do what is asked, and reply; which command it was."""
        ### BEGIN SOLUTION: stage 6: wait for the room, answer, and wait if too many replies are not read
        command = ""
        try:
            request = parse_request(line)
            command = request.command
            await self.hall.room_for(self, request)
            self.reply(self.hall.rooms.answer(self, request))
            if command == "part":  # however far behind: nobody in that room has to wait for it any more
                self.hall.look_again()
        except BadRequest as error:
            self.reply(frame(f"error {error}"))
        if self._out.replies >= MOST_REPLIES:
            await self._all_taken()
        return command
        ### END SOLUTION

    # -- out -------------------------------------------------------------------------------------------------------

    def reply(self, line: bytes) -> None:
        """Send a reply, now or later; it is never dropped."""
        self._put(self.hall.rooms.numbered(line), broadcast=False)

    def deliver(self, entry: Entry) -> None:
        """Send a broadcast, now or later; or answer a slow reader as it was asked for on the command line."""
        ### BEGIN SOLUTION: stage 6: as in chat_server; abort() of the transport closes at once
        self._put(entry, broadcast=True)
        if len(self._out) > LIMIT:
            if self.hall.slow == "close":
                self.leave()
                self._writer.transport.abort()
            elif self.hall.slow == "wait":
                self.hall.lagging.add(self)
        ### END SOLUTION

    def _put(self, entry: Entry, *, broadcast: bool) -> None:
        """Write a line if nothing waits; else it waits in an outbox, and may push out old broadcasts."""
        ### BEGIN SOLUTION: stage 6: write() never waits and never refuses: whoever does not check fills the memory
        if self._sending is None:
            self._writer.write(entry[1])
            if not self._writer.transport.get_write_buffer_size():
                return
            self._out = Outbox()
            self._sending = asyncio.create_task(self._send_rest())
            return
        self._out.put(entry, broadcast=broadcast)
        if self.hall.slow == "drop":
            self._out.drop_oldest(LIMIT)
        ### END SOLUTION

    async def _send_rest(self) -> None:
        """Send what waits, piece by piece, and tell the client what it missed."""
        ### BEGIN SOLUTION: stage 6: await drain(), write the next piece, until nothing waits
        try:
            while True:
                await self._writer.drain()
                self._active = asyncio.get_running_loop().time()
                if self._out.dropped and not len(self._out):
                    notice = frame(f"dropped {self._out.dropped}")
                    self._out.dropped = 0
                    self._out.put(self.hall.rooms.numbered(notice), broadcast=False)
                if not len(self._out):
                    break
                piece = self._out.head()
                self._out.taken(len(piece))
                self._writer.write(piece)
                if len(self._out) <= LIMIT // 2:
                    self.hall.caught_up(self)
        except OSError:
            pass  # whoever reads from this client finds out as well
        self._sending, self._out = None, NOTHING
        self.hall.caught_up(self)
        ### END SOLUTION

    async def _all_taken(self) -> None:
        """Wait until nothing waits to be sent. Raises TimeoutError if the client takes nothing for too long."""
        ### BEGIN SOLUTION: stage 6: asyncio.wait() for the sending task, as long as there is patience
        while self._sending is not None:
            await asyncio.wait({self._sending}, timeout=self._patience())
        ### END SOLUTION

    # -- endings ---------------------------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Send what waits, then the FIN; throw away what comes, until the client ends or a second is over."""
        ### BEGIN SOLUTION: stage 6: _all_taken(), write_eof(), read until b"" under a timeout
        await self._all_taken()
        self._writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            while await self._reader.read(65536):
                pass
        ### END SOLUTION

    def leave(self) -> None:
        """Out of all rooms; nobody has to wait for this client any more."""
        self.hall.rooms.leave(self)
        self.hall.caught_up(self)
