"""echo_server: a generator for each client, which reads only when all it has read before is gone."""

import errno
import os
import socket
import stat
import sys
import time

import turns

PATIENCE = 1.0


def talk(sock):
    """Read, send all of that, and again; then the end, and a second for the client's."""
    held = None
    try:
        while not draining:
            talking.add(sock)
            if not (yield sock, turns.READ, time.monotonic() + idle):
                return over(sock)
            talking.discard(sock)
            try:
                held = memoryview(sock.recv(16384))
            except BlockingIOError:
                continue
            if not held:
                break
            while held:
                try:
                    held = held[sock.sendmsg([held]) :]
                except BlockingIOError:
                    if not (yield sock, turns.WRITE, time.monotonic() + idle):
                        return over(sock)
        sock.shutdown(socket.SHUT_WR)
        until = time.monotonic() + PATIENCE
        while (yield sock, turns.READ, until) and time.monotonic() < until and sock.recv(65536):
            pass
    except OSError:
        pass
    return over(sock)


def over(sock):
    talking.discard(sock)
    clients.discard(sock)
    loop.forget(sock)
    if draining and not clients:
        loop.over = True


def accept():
    while not draining:
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            yield listener, turns.READ, None
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                yield pause, turns.READ, time.monotonic() + 0.2
        else:
            sock.setblocking(False)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            clients.add(sock)
            loop.start(talk(sock))


def drain():
    """SIGTERM: whoever has nothing waiting is ended at once, the others when they have it."""
    global draining
    draining = True
    loop.waiting.pop(listener.fileno(), None)
    loop.forget(listener)
    for sock in list(talking):  # they wait for something to read, which is not read any more
        entry = loop.waiting.pop(sock.fileno(), None)
        talking.discard(sock)
        if entry:
            loop.start(ends(sock))
    loop.start(alarm())
    loop.over = not clients


def ends(sock):
    try:
        sock.shutdown(socket.SHUT_WR)
        until = time.monotonic() + PATIENCE
        while (yield sock, turns.READ, until) and time.monotonic() < until and sock.recv(65536):
            pass
    except OSError:
        pass
    over(sock)


def alarm():
    yield pause, turns.READ, time.monotonic() + 1.6
    loop.over = True


def listen(family, where):
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    if family == socket.AF_UNIX:
        if os.path.lexists(where) and stat.S_ISSOCK(os.lstat(where).st_mode):
            with socket.socket(family) as probe:
                probe.setblocking(False)
                if probe.connect_ex(where) == errno.ECONNREFUSED:
                    os.unlink(where)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(where)
    sock.listen(4096)
    return sock


try:
    text, *words = sys.argv[1:]
    idle = 300.0
    if words:
        option, value = words
        idle = turns.seconds(value)
    family, where = turns.place(text)
except (ValueError, OSError) as why:
    turns.end(2, f"echo_server ADDRESS [--idle S]: {why}")
try:
    listener = listen(family, where)
except OSError as why:
    turns.end(3, f"cannot listen at {text}: {why}")
loop, clients, talking, draining = turns.Turns(), set(), set(), False
pause, _other = socket.socketpair()  # nothing ever comes here: to wait for a moment only
loop.on_sigterm(drain)
loop.start(accept())
shown = text if family == socket.AF_UNIX else f"{text.rpartition(':')[0]}:{listener.getsockname()[1]}"
os.write(1, f"listening on {shown}\n".encode())
loop.run()
if family == socket.AF_UNIX:
    os.unlink(where)
