"""tls_pipe in one thread: poll() and SSLSockets that never block."""

import errno
import os
import signal
import socket
import ssl
import sys

import options as settings
from loop import ERROR, HANG_UP, READ, WRITE, Loop
from swap import close_notify

PIECE = 16384
TURNS = 4  # of one connection before the others get theirs
NOTHING = memoryview(b"")
raw_send, raw_recv = socket.socket.send, socket.socket.recv


class Over(Exception):
    def __init__(self, word, why="", gently=False):
        self.word, self.why, self.gently = word, why, gently


class Pipe:
    """One connection, from accept() to the line in the log."""

    def __init__(self, program, sock):
        self.program, self.loop, self.options = program, program.loop, program.options
        self.serves = self.options.role == "server"
        self.plain = self.tls = self.timer = None
        self.numbers = set()  # descriptors that are watched
        self.broken, self.hung_up = set(), set()  # sockets that poll() said this of
        self.step = None  # what is to be done now
        self.up, self.down = NOTHING, NOTHING  # plain -> TLS, TLS -> plain
        self.plain_ended = self.plain_told = self.tls_ended = self.tls_told = False
        self.goodbye = NOTHING
        self.read_needs, self.write_needs = READ, WRITE  # what OpenSSL's recv and send wait for
        self.was_reset = False
        prepare(sock)
        program.pipes.add(self)
        if self.serves:
            self.tls, self.begin = sock, self.start_shaking
        else:
            self.plain, self.begin = sock, self.start_connecting
        self.step = self.begin
        self.work()

    # --- rounds

    def heard(self, sock, mask):
        if mask & ERROR:
            self.broken.add(sock)
        elif mask & HANG_UP:
            self.hung_up.add(sock)
        self.work()

    def work(self):
        self.loop.soon.pop(self.work, None)
        if not self.step:
            return
        try:
            for _ in range(TURNS):
                if not self.step or not self.step():
                    break
            else:
                self.loop.soon[self.work] = None
            self.look()
        except Over as end:
            self.over(end)
        except ssl.SSLError as error:
            self.over(Over("broken", error))
        except OSError as error:
            full = error.errno in (errno.EMFILE, errno.ENFILE)
            self.over(Over("unreachable" if full else "reset", error))

    def look(self):
        """Say what is waited for."""
        if self.step == self.linger:
            wanted = {self.tls: READ}
        elif self.step == self.connect:
            wanted = {self.plain: WRITE, self.tls: 0} if self.serves else {self.plain: 0, self.tls: WRITE}
        elif self.step == self.shake:
            wanted = {self.plain: 0, self.tls: self.read_needs}
        elif self.step == self.carry:
            plain = (WRITE if self.down else 0) | (READ if not self.up and not self.plain_ended else 0)
            tls = 0 if self.down or self.tls_ended else self.read_needs
            tls |= WRITE if self.goodbye else self.write_needs if self.up else 0
            wanted = {self.plain: plain, self.tls: tls}
        else:
            return
        for sock, mask in wanted.items():
            if sock is None:
                continue
            number = sock.fileno()
            if not mask and sock in self.broken:
                raise Over("reset", "seen by poll")
            if not mask and sock in self.hung_up:  # both have ended; poll() would say so for ever
                self.loop.forget(number)
                continue
            self.loop.watch(number, mask, lambda events, sock=sock: self.heard(sock, events))
            self.numbers.add(number)
            self.hung_up.discard(sock)

    def limit(self, seconds, word):
        """Over in so many seconds, if not told otherwise."""
        if self.timer:
            self.loop.cancel(self.timer)
        self.timer = self.loop.later(seconds, lambda: self.over(Over(word))) if seconds else None

    # --- steps: each says whether it got on

    def start_connecting(self):
        sock = socket.socket(socket.AF_INET6 if ":" in self.options.target[0] else socket.AF_INET)
        prepare(sock)
        self.plain, self.tls = (sock, self.tls) if self.serves else (self.plain, sock)
        self.step = self.connect
        self.limit(settings.PATIENCE, "unreachable")
        code = sock.connect_ex(self.options.target)
        if code not in (0, errno.EINPROGRESS):
            raise Over("unreachable", os.strerror(code))
        return False

    def connect(self):
        sock = self.plain if self.serves else self.tls
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise Over("reset" if code == errno.ECONNRESET else "unreachable", os.strerror(code))
        try:
            sock.getpeername()
        except OSError:
            return False  # it was the other side that woke us
        self.broken.discard(sock)
        self.hung_up.discard(sock)  # a socket that is not connected yet hangs up, says Linux
        self.limit(None, "")
        self.step = self.carry if self.serves else self.start_shaking
        return True

    def start_shaking(self):
        self.loop.forget(self.tls.fileno())
        self.tls = self.options.context.wrap_socket(
            self.tls,
            server_side=self.serves,
            server_hostname=None if self.serves else self.options.name,
            do_handshake_on_connect=False,
        )
        self.limit(self.options.timeout, "timeout")
        self.step = self.shake
        return True

    def shake(self):
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self.read_needs = READ
            return False
        except ssl.SSLWantWriteError:
            self.read_needs = WRITE
            return False
        except ssl.SSLError as error:
            word = settings.word_for(self.tls, error, "refused")
            raise Over(word, error, word == "refused") from None
        self.read_needs = READ
        self.limit(None, "")
        self.step = self.start_connecting if self.serves else self.carry
        return True

    def carry(self):
        moved = [self.from_tls(), self.to_plain(), self.from_plain(), self.to_tls()]
        if self.plain_told and self.tls_told and not self.goodbye:
            self.closed()
            return True
        return any(moved)

    def from_tls(self):
        if self.down or self.tls_ended:
            return False
        self.read_needs = READ
        try:
            data = self.tls.recv(PIECE)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self.read_needs = WRITE
            return False
        except ssl.SSLZeroReturnError:
            data = b""
        except ssl.SSLError as error:
            word = settings.word_for(self.tls, error, "broken")
            raise Over("reset" if self.was_reset and word == "truncated" else word, error) from None
        self.down = memoryview(data)
        self.tls_ended = not data
        return True

    def to_plain(self):
        try:
            if self.down:
                self.down = self.down[self.plain.send(self.down) :]
                return True
        except BlockingIOError:
            return False
        if self.tls_ended and not self.plain_told:
            self.plain.shutdown(socket.SHUT_WR)
            self.plain_told = True
            return True
        return False

    def from_plain(self):
        if self.up or self.plain_ended:
            return False
        try:
            self.up = memoryview(self.plain.recv(PIECE))
        except BlockingIOError:
            return False
        self.plain_ended = not self.up
        return True

    def to_tls(self):
        try:
            if self.goodbye:
                self.goodbye = self.goodbye[raw_send(self.tls, self.goodbye) :]
                return True
            if self.up:
                self.write_needs = WRITE
                self.up = self.up[self.tls.send(self.up) :]
                return True
            if self.plain_ended and not self.tls_told and self.read_needs == READ:
                while self.tls.pending():
                    self.down = memoryview(bytes(self.down) + self.tls.recv(self.tls.pending()))
                self.goodbye, self.tls_told = memoryview(close_notify(self.tls)), True
                return True
        except (ssl.SSLWantWriteError, BlockingIOError):
            return False
        except ssl.SSLWantReadError:
            self.write_needs = READ
        except OSError as error:
            if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                raise
            self.was_reset = True
            self.hear_why()
            raise Over("reset", error) from None
        return False

    def hear_why(self):
        """Sending does not work any more; perhaps the peer has sent an alert before."""
        while not self.tls_ended:
            self.down = NOTHING
            if not self.from_tls():
                break

    def linger(self):
        try:
            while raw_recv(self.tls, 65536):
                pass
        except BlockingIOError:
            return False
        except OSError:
            pass
        self.finish()
        return False

    # --- endings

    def closed(self):
        settings.say("closed")
        self.release(self.plain)
        self.plain.close()
        self.step = self.linger
        self.timer = self.loop.later(settings.LINGER, self.finish)
        try:
            socket.socket.shutdown(self.tls, socket.SHUT_WR)
        except OSError:
            pass

    def finish(self):
        self.release(self.tls)
        self.tls.close()
        self.go("closed")

    def over(self, end):
        if self.step == self.linger:
            self.finish()
            return
        settings.say(end.word, end.why)
        for sock in (self.plain, self.tls):
            if sock:
                self.release(sock)
                sock.close()
        self.go(end.word)

    def release(self, sock):
        self.loop.forget(sock.fileno())
        self.numbers.discard(sock.fileno())

    def go(self, word):
        for number in self.numbers:  # of a socket that wrap_socket() took and closed
            self.loop.forget(number)
        self.step = None
        self.loop.soon.pop(self.work, None)
        if self.timer:
            self.loop.cancel(self.timer)
        self.program.gone(self, word)


def prepare(sock):
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Program:
    def __init__(self, options):
        self.loop, self.options = Loop(), options
        self.pipes = set()
        self.status = 0
        self.listener, words = settings.listen(options)
        self.listener.setblocking(False)
        self.loop.watch(self.listener.fileno(), READ, self.accept)
        actions = {signal.SIGTERM: self.stop}
        if hasattr(signal, "SIGHUP"):
            actions[signal.SIGHUP] = self.reload
        self.loop.on_signals(actions)
        print("listening on", words, flush=True)

    def accept(self, _mask=0):
        for _ in range(1 if self.options.once else 30):
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self.loop.forget(self.listener.fileno())
                    self.loop.later(0.2, self.resume)
                    return
                continue
            if self.options.once:
                self.loop.forget(self.listener.fileno())
                self.listener.close()
            try:
                Pipe(self, sock)
            except OSError as error:  # gone before anything began
                settings.say("reset", error)
                sock.close()
                self.gone(None, "reset")

    def resume(self):
        if self.listener.fileno() >= 0:
            self.loop.watch(self.listener.fileno(), READ, self.accept)

    def gone(self, pipe, word):
        self.pipes.discard(pipe)
        if self.options.once:
            self.status = settings.STATUS[word]
            self.loop.running = False

    def reload(self):
        try:
            self.options.context = settings.context(self.options)
        except settings.Unfit as why:
            print("tls_pipe: the files stay as they were:", why, file=sys.stderr, flush=True)

    def stop(self):
        for pipe in list(self.pipes):
            pipe.over(Over("reset", "this program was told to end"))
        self.status = 0
        self.loop.running = False


if __name__ == "__main__":
    program = Program(settings.from_command_line())
    program.loop.run()
    sys.exit(program.status)
