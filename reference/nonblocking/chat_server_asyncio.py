"""chat_server_asyncio ADDRESS [--slow drop|wait|close] [--idle S]: the chat server again, with asyncio (stage 6).

The same rooms, lines and outboxes. What differs is how a conversation is written down: as a coroutine that reads like
the mailbox's thread and says `await` where it may be suspended. Between two awaits nobody else runs, so it needs no
lock either. The loop underneath does what loop.py does.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import program
import sockets
from addresses import Address, parse_address
from conversation import Chat
from framing import LIMIT as LONGEST_LINE
from messages import Request
from rooms import Rooms
from server import DRAIN


class Hall:
    """What the clients of one server share."""

    def __init__(self, slow: str, idle: float) -> None:
        self.slow = slow  #: the answer to a slow reader: "drop", "wait" or "close"
        self.idle = idle  #: seconds of silence until a client is closed
        self.rooms = Rooms()
        self.clients: set[asyncio.Task[None]] = set()  #: a task for each
        self.conversations: set[asyncio.Task[None]] = set()  #: those of them that have not come to their end
        self.lagging: set[Chat] = set()  #: with "wait": who has more than LIMIT bytes waiting
        self._changed = asyncio.Event()  # set, and replaced, whenever one of these has caught up or leaves

    async def room_for(self, speaker: Chat, request: Request) -> None:
        """Wait until nobody else in the room is too far behind for one more line."""
        ### BEGIN SOLUTION: stage 6: for say, as long as somebody in the room is lagging, await the next change
        while request.command == "say" and any(
            reader is not speaker and request.name in reader.rooms for reader in self.lagging
        ):
            await self._changed.wait()
        ### END SOLUTION

    def caught_up(self, reader: Chat) -> None:
        """A reader has caught up or leaves: whoever waits may look again."""
        ### BEGIN SOLUTION: stage 6: forget the reader, look_again()
        if reader in self.lagging:
            self.lagging.discard(reader)
            self.look_again()
        ### END SOLUTION

    def look_again(self) -> None:
        """Somebody may not be in the way any more."""
        ### BEGIN SOLUTION: stage 6: wake those who wait
        self._changed.set()
        self._changed = asyncio.Event()
        ### END SOLUTION

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The whole life of a client."""
        ### BEGIN SOLUTION: stage 6: converse, finish, and leave whatever happens; SIGTERM cancels the conversation
        task = asyncio.current_task()
        assert task is not None
        self.clients.add(task)
        self.conversations.add(task)
        chat = Chat(self, reader, writer)
        try:
            try:
                await chat.converse()
            except asyncio.CancelledError:
                task.uncancel()  # SIGTERM: there is still something to send
            self.conversations.discard(task)
            chat.leave()
            await chat.finish()
        except (OSError, TimeoutError):
            pass  # reset, or silent for too long
        finally:
            chat.leave()
            self.conversations.discard(task)
            self.clients.discard(task)
            writer.transport.abort()
        ### END SOLUTION


async def serve(address: Address, slow: str, idle: float) -> None:
    """Listen at `address` and serve until SIGTERM. Ends the program with status 3 if that cannot be."""
    ### BEGIN SOLUTION: stage 6: start_server() with Hall.meet, add_signal_handler(), and let conversations finish
    try:
        listener = sockets.listen(address)
    except OSError as error:
        program.fail(program.CANNOT_CONNECT, f"{address}: {error}")
    hall, terminated = Hall(slow, idle), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    try:
        server = await asyncio.start_server(hall.meet, sock=listener, backlog=sockets.BACKLOG, limit=LONGEST_LINE)
        program.announce(address.bound_as(listener))
        await terminated.wait()
        server.close()
        for task in hall.conversations:
            task.cancel()
        if hall.clients:
            await asyncio.wait(hall.clients, timeout=DRAIN)
    finally:
        sockets.stop_listening(listener, address)
    ### END SOLUTION


def main(arguments: list[str]) -> None:
    """Run the program until SIGTERM."""
    line = program.CommandLine("Rooms in which everyone reads what everyone says, with asyncio.")
    line.add_argument("address", type=parse_address)
    line.add_argument("--slow", choices=("drop", "wait", "close"), default="drop", help="the answer to a slow reader")
    line.add_argument("--idle", type=program.seconds, default=300.0, help="seconds of silence until a client is closed")
    options = line.parse_args(arguments)
    if options.address.kind == "udp":
        line.error("chat_server_asyncio needs a stream: HOST:PORT, [V6]:PORT or unix:PATH")
    asyncio.run(serve(options.address, options.slow, options.idle))


if __name__ == "__main__":
    main(sys.argv[1:])
