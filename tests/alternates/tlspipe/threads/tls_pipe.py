"""tls_pipe with two threads for each connection and one lock around its SSLSocket.

The threads wait; OpenSSL does not: whoever has to wait lets go of the lock first.
"""

import contextlib
import errno
import os
import select
import signal
import socket
import ssl
import sys
import threading
import time

import options as settings
from swap import close_notify

PIECE = 32768


class Over(Exception):
    def __init__(self, word, why="", gently=False):
        super().__init__(word)
        self.word, self.why, self.gently = word, why, gently


def wait(sock, mask, seconds=None):
    """Until it is readable or writable, or broken; whether that came in time."""
    poll = select.poll()
    poll.register(sock.fileno(), mask)
    return bool(poll.poll(None if seconds is None else max(0, seconds) * 1000))


class Pipe:
    def __init__(self, program, sock):
        self.program, self.options = program, program.options
        self.serves = self.options.role == "server"
        self.plain = None if self.serves else sock
        self.tls = sock if self.serves else None
        self.lock = threading.Lock()  # around every call of the SSLSocket
        self.plain_lock = threading.Lock()  # of two threads one is told of a reset, the other of an end
        self.was_reset = self.plain_broken = self.tls_ended = False
        self.ending = threading.Lock()  # the first to end it says how
        self.ended = None
        self.stash = b""  # read while saying goodbye
        self.real = None  # the TLS side's TCP socket, for poll(): during a goodbye the SSLSocket is elsewhere
        self.bell = socket.socketpair()  # closed at the far end: wakes whoever waits

    def run(self):
        try:
            self.begin()
            other = threading.Thread(target=self.guarded, args=(self.upwards,), daemon=True)
            other.start()
            self.guarded(self.downwards)
            other.join()
            if self.ended is None:
                self.finish()
        except Over as end:
            self.over(end)
        except OSError as error:
            self.over(Over("reset", error))
        finally:
            with self.ending:
                for sock in (self.plain, self.tls, self.real, *self.bell):
                    if sock:
                        sock.close()
            self.program.gone(self, self.ended)

    def guarded(self, action):
        try:
            action()
        except Over as end:
            self.over(end)
        except ssl.SSLError as error:
            self.over(Over("broken", error))
        except OSError as error:
            self.over(Over("reset", error))

    def over(self, end):
        """Break it off with resets; they are sent when both threads have heard the bell."""
        with self.ending:
            if self.ended is not None:
                return
            self.ended = end.word
            settings.say(end.word, end.why)
            for sock in (self.plain, None if end.gently else self.real or self.tls):
                if sock:
                    with contextlib.suppress(OSError):
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, settings.AT_ONCE)
            self.bell[1].close()

    # --- beginnings

    def begin(self):
        if not self.serves:
            self.tls = self.connect(self.plain)
        self.tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.shake_hands()
        if self.serves:
            self.plain = self.connect(self.real)
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.plain.setblocking(False)

    def connect(self, other):
        """A connection to the target, unless the other side breaks off meanwhile."""
        sock = socket.socket(socket.AF_INET6 if ":" in self.options.target[0] else socket.AF_INET)
        sock.setblocking(False)
        try:
            sock.connect_ex(self.options.target)
            poll = select.poll()
            poll.register(sock, select.POLLOUT)
            poll.register(other, 0)
            ready = [number for number, _ in poll.poll(settings.PATIENCE * 1000)]
            if other.fileno() in ready:
                raise Over("reset")
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error == errno.ECONNRESET:
                raise Over("reset")
            if error or not ready:
                raise Over("unreachable", os.strerror(error) if error else "no answer")
        except BaseException:
            settings.reset(sock)
            raise
        return sock

    def shake_hands(self):
        until = time.monotonic() + self.options.timeout
        self.real = self.tls.dup()
        self.tls.setblocking(False)
        try:
            self.tls = self.options.context.wrap_socket(
                self.tls,
                server_side=self.serves,
                server_hostname=None if self.serves else self.options.name,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
            while True:
                try:
                    self.tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    mask = select.POLLIN
                except ssl.SSLWantWriteError:
                    mask = select.POLLOUT
                self.watch_plain(mask, until)
        except ssl.SSLError as error:
            word = settings.word_for(self.real, error, "refused")
            raise Over(word, error, word == "refused") from None
        if not settings.acceptable(self.options, self.tls):
            raise Over("refused", "the name or the protocol")

    def watch_plain(self, mask, until):
        """Wait for the TLS side, but no longer than the handshake may take or the plain side is there."""
        poll = select.poll()
        poll.register(self.real, mask)
        if self.plain:
            poll.register(self.plain, 0)
        ready = [number for number, _ in poll.poll(max(0, until - time.monotonic()) * 1000)]
        if not ready:
            raise Over("timeout")
        if self.plain and self.plain.fileno() in ready:
            raise Over("reset")

    # --- two directions

    def wait(self, sock, mask):
        """Until `sock` is ready. Raises Over if the pipe has ended or its other socket breaks."""
        other = self.plain if sock is self.real else self.real
        poll = select.poll()
        poll.register(sock, mask)
        poll.register(self.bell[0], select.POLLIN)
        poll.register(other, 0)
        while True:
            ready = dict(poll.poll())
            if self.bell[0].fileno() in ready:
                raise Over("reset")  # it has ended already; nobody hears this
            if sock.fileno() in ready:
                return
            if ready[other.fileno()] & select.POLLERR:
                # A broken TLS side is for its own thread to read, if that one still reads: there may be an alert.
                if other is self.plain or mask == select.POLLOUT or self.tls_ended:
                    raise Over("reset")
            poll.unregister(other)

    def downwards(self):
        while data := self.read_tls():
            self.write_plain(data)
        self.tls_ended = True
        self.plain.shutdown(socket.SHUT_WR)

    def read_tls(self):
        while True:
            mask = select.POLLIN
            try:
                with self.lock:
                    if self.stash:
                        data, self.stash = self.stash, b""
                        return data
                    return self.tls.recv(PIECE)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLWantWriteError:
                mask = select.POLLOUT
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                word = settings.word_for(self.real, error, "broken")
                raise Over("reset" if self.was_reset and word == "truncated" else word, error) from None
            self.wait(self.real, mask)

    def write_plain(self, data):
        data = memoryview(data)
        while data:
            try:
                with self.plain_lock:
                    data = data[self.on_plain(self.plain.send, data) :]
            except BlockingIOError:
                self.wait(self.plain, select.POLLOUT)

    def on_plain(self, call, argument):
        if self.plain_broken:
            raise Over("reset")
        try:
            return call(argument)
        except BlockingIOError:
            raise
        except OSError:
            self.plain_broken = True
            raise

    def upwards(self):
        while data := self.read_plain():
            self.write_tls(data)
        with self.lock:
            while self.tls.pending():
                self.stash += self.tls.recv(PIECE)
            goodbye = memoryview(close_notify(self.tls))
        while goodbye:
            try:
                goodbye = goodbye[self.real.send(goodbye) :]
            except BlockingIOError:
                self.wait(self.real, select.POLLOUT)

    def read_plain(self):
        while True:
            try:
                with self.plain_lock:
                    return self.on_plain(self.plain.recv, PIECE)
            except BlockingIOError:
                self.wait(self.plain, select.POLLIN)

    def write_tls(self, data):
        data = memoryview(data)
        while data:
            mask = select.POLLOUT
            try:
                with self.lock:
                    data = data[self.send_tls(data) :]
                continue
            except ssl.SSLWantWriteError:
                pass
            except ssl.SSLWantReadError:
                mask = select.POLLIN
            self.wait(self.real, mask)

    def send_tls(self, data):
        try:
            return self.tls.send(data)
        except OSError as error:
            if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                raise
            self.was_reset = True
            while self.tls.recv(PIECE):  # perhaps the peer has said why
                pass
            raise

    # --- the end

    def finish(self):
        """Both have ended: FIN, and wait for the peer's."""
        with self.ending:
            self.ended = "closed"
            settings.say("closed")
        self.plain.close()
        with contextlib.suppress(OSError):
            self.real.shutdown(socket.SHUT_WR)
            until = time.monotonic() + settings.LINGER
            while wait(self.real, select.POLLIN, until - time.monotonic()) and self.real.recv(65536):
                pass


class Program:
    def __init__(self, options):
        self.options = options
        self.pipes = set()
        self.status = 0
        self.changed = threading.Condition()
        self.listener, words = settings.listen(options)
        self.listener.setblocking(False)
        self.signals, end = socket.socketpair()
        self.signals.setblocking(False)
        end.setblocking(False)
        signal.set_wakeup_fd(end.fileno(), warn_on_full_buffer=False)
        self.end = end
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        print("listening on", words, flush=True)

    def run(self):
        poll = select.poll()
        poll.register(self.signals, select.POLLIN)
        poll.register(self.listener, select.POLLIN)
        listening = self.listener.fileno()
        while True:
            for number, _ in poll.poll():
                if number == self.signals.fileno():
                    heard = self.signals.recv(1000)
                    if signal.SIGTERM in heard:
                        return self.stop()
                    if signal.SIGHUP in heard:
                        self.reload()
                    if 0 in heard:  # not a signal: see gone()
                        return self.status
                elif self.accept() and self.options.once:
                    poll.unregister(listening)
                    self.listener.close()

    def accept(self):
        try:
            sock, _ = self.listener.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                time.sleep(0.1)
            return False
        try:
            pipe = Pipe(self, sock)
            with self.changed:
                self.pipes.add(pipe)
            threading.Thread(target=pipe.run, daemon=True).start()
        except (OSError, RuntimeError) as error:  # no descriptor, no thread
            settings.say("reset", error)
            settings.reset(sock)
            self.gone(None, "reset")
        return True

    def gone(self, pipe, word):
        with self.changed:
            self.pipes.discard(pipe)
            self.changed.notify_all()
            if self.options.once:
                self.status = settings.STATUS[word]
                self.end.send(b"\0")

    def reload(self):
        try:
            self.options.context = settings.context(self.options)
        except settings.Unfit as why:
            print("tls_pipe: the files stay as they were:", why, file=sys.stderr, flush=True)

    def stop(self):
        with self.changed:
            pipes = list(self.pipes)
        for pipe in pipes:
            pipe.over(Over("reset", "this program was told to end"))
        return 0


if __name__ == "__main__":
    sys.exit(Program(settings.from_command_line()).run())
