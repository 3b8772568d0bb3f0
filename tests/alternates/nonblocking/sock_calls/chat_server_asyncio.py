"""The chat with asyncio and no streams, protocols or transports: loop.sock_accept(), sock_recv() and sockets of one's own.

A client has two tasks, a mouth and an ear; what waits for it is a deque of lines, and an Event says that there is more.
"""

import asyncio
import errno
import signal
import socket
import sys
from collections import deque

import program
import sockets
from addresses import parse_address
from framing import BadFrame, Lines, frame
from messages import BadRequest, parse_request
from rooms import Rooms

LIMIT, REPLIES, PATIENCE, DRAIN = 65536, 50, 1.0, 1.5


class Client:
    def __init__(self, hall, sock):
        self.hall, self.sock, self.name, self.rooms = hall, sock, "", set()
        self.queue, self.size, self.replies, self.dropped = deque(), 0, 0, 0
        self.more, self.active = None, hall.loop.time()
        self.ended = False

    # -- what the rooms call: never waits

    def deliver(self, entry):
        self.put(entry[1], broadcast=True)

    def put(self, line, *, broadcast=False):
        if not self.queue and self.more is None:
            line = self.tries(line)
            if not line:
                return
            self.more = self.hall.loop.create_task(self.empties())
            broadcast, begun = False, True
        else:
            begun = False
        self.queue.append((line, broadcast))
        self.size += len(line)
        self.replies += not broadcast and not begun
        if self.size > LIMIT and self.hall.slow == "drop":
            self.drops()
        elif self.size > LIMIT and broadcast and self.hall.slow == "close":
            self.breaks()

    def tries(self, line):
        """What is left of a line that the kernel was offered."""
        try:
            return line[self.sock.send(line) :]
        except BlockingIOError:
            return line
        except OSError:
            return b""  # the ear finds out as well

    def drops(self):
        kept = deque()
        while self.queue and self.size > LIMIT:
            line, broadcast = self.queue.popleft()
            if broadcast:
                self.size -= len(line)
                self.dropped += 1
            else:
                kept.append((line, broadcast))
        self.queue.extendleft(reversed(kept))

    def breaks(self):
        self.hall.leaves(self)
        self.task.cancel()

    # -- the mouth: exists while something waits

    async def empties(self):
        try:
            while self.queue:
                line, broadcast = self.queue[0]
                self.queue[0] = (line, False)  # begun: it may not be dropped any more
                await self.writable()
                rest = self.tries(line)
                self.active = self.hall.loop.time()
                self.size -= len(line) - len(rest)
                if rest:
                    self.queue[0] = (rest, False)
                else:
                    self.queue.popleft()
                    self.replies = max(0, self.replies - (not broadcast))
                self.hall.looks_again()
                if not self.queue and self.dropped:
                    notice, self.dropped = frame(f"dropped {self.dropped}"), 0
                    self.queue.append((notice, False))
                    self.size += len(notice)
        finally:
            self.more, self.replies = None, 0
            self.hall.looks_again()

    async def writable(self):
        ready = self.hall.loop.create_future()
        self.hall.loop.add_writer(self.sock, lambda: ready.done() or ready.set_result(None))
        try:
            await ready
        finally:
            self.hall.loop.remove_writer(self.sock)

    async def all_taken(self):
        while self.more is not None:
            await asyncio.wait({self.more}, timeout=self.patience())

    # -- the ear

    def patience(self):
        left = self.active + self.hall.idle - self.hall.loop.time()
        if left <= 0:
            raise TimeoutError
        return left

    async def hears(self):
        self.active = self.hall.loop.time()
        while True:
            try:
                return await asyncio.wait_for(self.hall.loop.sock_recv(self.sock, 4096), self.patience())
            except TimeoutError:
                self.patience()

    async def converses(self):
        lines, turns = Lines(), 0
        try:
            while data := await self.hears():
                lines.feed(data)
                while (line := lines.next()) is not None:
                    if await self.answers(line) == "quit":
                        return
                    turns += 1
                    if turns % 16 == 0:
                        await asyncio.sleep(0)
        except BadFrame as error:
            self.put(frame(f"error {error}"))

    async def answers(self, line):
        try:
            request = parse_request(line)
            while request.command == "say" and self.hall.in_the_way(self, request.name):
                await self.hall.changed.wait()
            self.put(self.hall.rooms.answer(self, request))
            self.hall.looks_again()
        except BadRequest as error:
            self.put(frame(f"error {error}"))
            return ""
        finally:
            while self.replies >= REPLIES:
                await self.all_taken()
        return request.command

    async def lives(self):
        try:
            try:
                await self.converses()
            except asyncio.CancelledError:
                if not self.hall.draining:
                    return
                self.task.uncancel()
            self.ended = True
            self.hall.leaves(self)
            await self.all_taken()
            self.sock.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(PATIENCE):
                while await self.hall.loop.sock_recv(self.sock, 65536):
                    pass
        except (OSError, TimeoutError):
            pass
        finally:
            self.hall.leaves(self)
            self.hall.clients.pop(self, None)
            if self.more is not None:
                self.more.cancel()
                await asyncio.wait({self.more})
            self.sock.close()


class Hall:
    def __init__(self, slow, idle):
        self.slow, self.idle, self.rooms = slow, idle, Rooms()
        self.loop, self.changed = asyncio.get_running_loop(), asyncio.Event()
        self.clients, self.draining = {}, False

    def looks_again(self):
        self.changed.set()
        self.changed = asyncio.Event()

    def leaves(self, client):
        self.rooms.leave(client)
        self.looks_again()

    def in_the_way(self, speaker, room):
        if self.slow != "wait":
            return False
        return any(one is not speaker and one.size > LIMIT for one in self.rooms._members.get(room, ()))

    async def accepts(self, listener):
        while True:
            try:
                sock, _ = await self.loop.sock_accept(listener)
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    await asyncio.sleep(0.2)
                continue
            sock.setblocking(False)
            sockets.send_at_once(sock)
            client = Client(self, sock)
            client.task = self.clients[client] = self.loop.create_task(client.lives())


async def serve(address, slow, idle):
    try:
        listener = sockets.listen(address)
    except OSError as error:
        program.fail(program.CANNOT_CONNECT, f"{address}: {error}")
    hall, terminated = Hall(slow, idle), asyncio.Event()
    hall.loop.add_signal_handler(signal.SIGTERM, terminated.set)
    accepting = hall.loop.create_task(hall.accepts(listener))
    program.announce(address.bound_as(listener))
    await terminated.wait()
    hall.draining = True
    accepting.cancel()
    await asyncio.wait({accepting})
    sockets.stop_listening(listener, address)
    for client, task in list(hall.clients.items()):
        if not client.ended:
            task.cancel()
    if hall.clients:
        await asyncio.wait(set(hall.clients.values()), timeout=DRAIN)


if __name__ == "__main__":
    line = program.CommandLine("Rooms in which everyone reads what everyone says.")
    line.add_argument("address", type=parse_address)
    line.add_argument("--slow", choices=("drop", "wait", "close"), default="drop")
    line.add_argument("--idle", type=program.seconds, default=300.0)
    options = line.parse_args(sys.argv[1:])
    if options.address.kind == "udp":
        line.error("no datagrams")
    asyncio.run(serve(options.address, options.slow, options.idle))
