"""tls_pipe in asyncio: two protocols, and a TLS machine of MemoryBIOs between them.

asyncio's own TLS cannot end one direction alone, so it is not used.
"""

import asyncio
import contextlib
import signal
import socket
import ssl
import sys

import options as settings


class Over(Exception):
    def __init__(self, word, why="", gently=False):
        super().__init__(word)
        self.word, self.why, self.gently = word, why, gently


class Machine:
    """TLS without a socket: feed() it what came, send what take() gives."""

    def __init__(self, options):
        self.options = options
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        serves = options.role == "server"
        self._tls = options.context.wrap_bio(
            self._in, self._out, server_side=serves, server_hostname=None if serves else options.name
        )
        self.shaken = self.ended = False

    def feed(self, data):
        self._in.write(data)

    def take(self):
        return self._out.read()

    def shake(self):
        if not self.shaken:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                return False
            except ssl.SSLError as error:
                raise Over("refused", error, gently=True) from None
            if not settings.acceptable(self.options, self._tls):
                raise Over("refused", "the name or the protocol")
            self.shaken = True
        return True

    def read(self):
        """Everything there is; afterwards the way in is empty."""
        parts = []
        while not self.ended:
            try:
                parts.append(self._tls.read(65536))
                self.ended = not parts[-1]
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                self.ended = True
            except ssl.SSLError as error:
                raise Over("broken", error) from None
        return b"".join(parts)

    def write(self, data):
        if data:
            self._tls.write(data)

    def end(self):
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()


class Side(asyncio.Protocol):
    """One of the two connections."""

    def __init__(self, pipe):
        self.pipe = pipe
        self.transport = None
        self.full = False  # something waits to be sent
        self.held = False  # not read from
        self.lost = False
        self.come = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(0)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, settings.PROPERLY)
        self.pipe.guarded(self.pipe.come, self)

    def data_received(self, data):
        self.pipe.guarded(self.pipe.arrived, self, data)

    def eof_received(self):
        self.pipe.guarded(self.pipe.ended, self)
        return True

    def connection_lost(self, error):
        self.lost = True
        self.pipe.guarded(self.pipe.lost, self, error)

    def pause_writing(self):
        self.full = True

    def resume_writing(self):
        self.full = False
        self.pipe.guarded(self.pipe.flow)

    def hold(self, held):
        if self.transport and not self.lost and held != self.held:
            self.held = held
            if held:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def remains(self):
        """What arrived before the connection broke and was not read."""
        with contextlib.suppress(OSError), self.transport.get_extra_info("socket").dup() as sock:
            sock.setblocking(False)
            return sock.recv(65536)
        return b""

    def is_there(self):
        """Asked, since asyncio tells nothing of a connection that is not being read."""
        try:
            self.transport.get_extra_info("socket").getpeername()
        except OSError:
            return False
        return True

    def close(self, gently=False):
        if self.transport and not self.lost:
            if gently:
                self.transport.close()
                return
            with contextlib.suppress(OSError):
                sock = self.transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, settings.AT_ONCE)
            self.transport.abort()


class Pipe:
    def __init__(self, program):
        self.program, self.options = program, program.options
        self.serves = self.options.role == "server"
        self.loop = asyncio.get_running_loop()
        self.plain, self.wire = Side(self), Side(self)
        self.tls = None
        self.early = b""  # from the plain side, before there is TLS
        self.plain_ended = self.wire_ended = self.goodbye = self.plain_told = False
        self.begun = False  # TLS is there
        self.over = None
        self.timer = self.connecting = None
        self.looking = self.loop.call_later(0.25, self.glance)
        program.pipes.add(self)

    def accepted(self):
        """The protocol for what the listener took."""
        return self.wire if self.serves else self.plain

    def guarded(self, action, *arguments):
        try:
            action(*arguments)
        except Over as end:
            self.end(end)
        except ssl.SSLError as error:
            self.end(Over("broken", error))
        except OSError as error:
            self.end(Over("reset", error))

    # --- beginnings

    def come(self, side):
        if self.over:
            side.close()
        elif side is self.wire:
            self.tls = Machine(self.options)
            self.limit(self.options.timeout, "timeout")
            self.flow()
        elif self.serves:
            self.flow()
        else:
            self.connect()

    def connect(self):
        self.connecting = self.loop.create_task(self.reach(self.plain if self.serves else self.wire))

    async def reach(self, side):
        sock = socket.socket(socket.AF_INET6 if ":" in self.options.target[0] else socket.AF_INET)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, settings.AT_ONCE)  # if this is cancelled
            async with asyncio.timeout(settings.PATIENCE):
                await self.loop.sock_connect(sock, self.options.target)
            await self.loop.create_connection(lambda: side, sock=sock)
        except asyncio.CancelledError:
            if side.transport is None:
                sock.close()
            raise
        except (OSError, TimeoutError) as error:
            sock.close()
            self.end(Over("reset" if isinstance(error, ConnectionResetError) else "unreachable", error))

    def limit(self, seconds, word):
        if self.timer:
            self.timer.cancel()
        self.timer = self.loop.call_later(seconds, lambda: self.end(Over(word))) if seconds else None

    def glance(self):
        """Whether a side that is not being read has broken off."""
        if not self.over:
            self.looking = self.loop.call_later(0.25, self.glance)
            for side, unread in ((self.plain, self.plain_ended), (self.wire, self.wire_ended)):
                if (unread or side.held) and side.transport and not side.lost and not side.is_there():
                    self.end(Over("reset"))

    # --- what the protocols tell

    def arrived(self, side, data):
        if self.over:
            return
        if side is self.wire:
            self.tls.feed(data)
        elif self.tls and self.tls.shaken:
            self.tls.write(data)
        else:
            self.early += data
            side.hold(len(self.early) > 65536)
        self.flow()

    def ended(self, side):
        if self.over == "closed":
            self.finish()
        elif self.over:
            return
        elif side is self.plain:
            self.plain_ended = True
            self.flow()
        else:
            self.wire_ended = True
            self.flow()

    def waits_for_plain(self):
        """The server has shaken hands and the backend has not answered yet: nothing is read meanwhile."""
        return self.tls.shaken and self.plain.transport is None

    def lost(self, side, error):
        if self.over == "closed":
            if side is self.wire:
                self.finish()
            return
        if not self.over and side is self.wire and self.tls:
            self.tls.feed(side.remains())
            self.tls.shake()
            self.tls.read()
        raise Over("reset", error or "")

    # --- carrying

    def flow(self):
        """Move what can be moved, and read where there is room."""
        if self.over or not self.tls:
            return
        try:
            if self.tls.shake():
                self.carry()
        finally:  # OpenSSL's last word may be an alert
            if out := self.tls.take():
                self.wire.transport.write(out)
        if not self.over:
            self.regulate()

    def carry(self):
        if not self.begun:
            self.begun = True
            self.limit(None, "")
            if self.serves:
                self.connect()
        if self.plain.transport is None:
            return
        if data := self.tls.read():
            self.plain.transport.write(data)
        early, self.early = self.early, b""
        self.tls.write(early)
        if self.plain_ended and not self.goodbye:
            self.goodbye = True
            self.tls.end()
        if self.tls.ended and not self.plain_told:
            self.plain_told = True
            self.plain.transport.write_eof()

    def regulate(self):
        self.plain.hold(self.wire.full or len(self.early) > 65536)
        self.wire.hold(self.plain.full or self.waits_for_plain())
        if self.goodbye and self.plain_told and not self.plain.full and not self.wire.full:
            self.closed()
        elif self.wire_ended and not self.tls.ended and not self.waits_for_plain():
            raise Over("truncated")

    # --- endings

    def closed(self):
        self.over = "closed"
        self.looking.cancel()
        settings.say("closed")
        self.plain.close(gently=True)
        self.wire.hold(False)
        with contextlib.suppress(OSError):
            self.wire.transport.write_eof()
        if self.wire_ended:
            self.finish()
        else:
            self.timer = self.loop.call_later(settings.LINGER, self.finish)

    def finish(self):
        if self.timer:
            self.timer.cancel()
        self.wire.close(gently=True)
        self.program.gone(self, "closed")

    def end(self, how):
        if self.over:
            return
        self.over = how.word
        self.looking.cancel()
        settings.say(how.word, how.why)
        if self.timer:
            self.timer.cancel()
        if self.connecting:
            self.connecting.cancel()
        self.plain.close()
        self.wire.close(gently=how.gently)
        self.program.gone(self, how.word)


class Program:
    def __init__(self, options):
        self.options = options
        self.pipes = set()
        self.done = asyncio.Event()
        self.status = 0
        self.server = None

    async def run(self):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        listener, words = settings.listen(self.options)
        self.server = await loop.create_server(self.accept, sock=listener, backlog=1024)
        print("listening on", words, flush=True)
        await self.done.wait()
        await asyncio.sleep(0)  # what was closed is closed in the next round
        await asyncio.sleep(0)
        return self.status

    def accept(self):
        if self.options.once:
            if self.pipes:
                return Unwanted()
            asyncio.get_running_loop().call_soon(self.server.close)
        return Pipe(self).accepted()

    def gone(self, pipe, word):
        self.pipes.discard(pipe)
        if self.options.once:
            self.status = settings.STATUS[word]
            self.done.set()

    def reload(self):
        try:
            self.options.context = settings.context(self.options)
            self.options.context.verify_flags |= ssl.VERIFY_X509_STRICT
        except settings.Unfit as why:
            print("tls_pipe: the files stay as they were:", why, file=sys.stderr, flush=True)

    def stop(self):
        for pipe in list(self.pipes):
            pipe.end(Over("reset", "this program was told to end"))
        self.status = 0
        self.done.set()


class Unwanted(asyncio.Protocol):
    """A second connection that was taken with the first: not this program's business."""

    def connection_made(self, transport):
        transport.abort()


if __name__ == "__main__":
    chosen = settings.from_command_line()
    chosen.context.verify_flags |= ssl.VERIFY_X509_STRICT
    sys.exit(asyncio.run(Program(chosen).run()))
