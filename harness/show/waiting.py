"""Waiting: one socket that makes you wait, one that does not, and a kernel that says which of many is ready."""

from __future__ import annotations

import select
import selectors
import socket
import threading
import time

from harness.show.sockets import Sockets
from harness.show.telling import Telling, page

_PAUSE = 0.2  #: seconds that a peer takes its time


@page(
    asks="""the peer will speak in 0.2 s. What does recv() do until then on a blocking socket, and what on a
    non-blocking one?""",
    seen="""the blocking call came back 0.2 s later with the bytes: the kernel had put the thread to sleep and
    used no processor for it. The non-blocking one came back at once with an error that means "not now" (EAGAIN,
    BlockingIOError in Python), and it is no failure. Zero bytes would be something else: the end. A timeout
    lies in between: wait, but not for ever.""",
)
def blocking(tell: Telling) -> None:
    """A call that cannot be done yet has two ways out: it waits until it can (blocking), or it says so at once
    (non-blocking). setblocking() chooses, for each socket.
    """
    with Sockets() as made:
        _, client, server = made.connected()
        waited = _timed_read(client, server)
        tell.step("reader", "recv() on a blocking socket", f"b'x' after {waited:.2f} s")
        server.setblocking(False)
        began = time.perf_counter()
        try:
            answer = repr(server.recv(10))
        except OSError as error:
            answer = type(error).__name__
        at_once = time.perf_counter() - began
        tell.step("reader", "setblocking(False), recv()", f"{answer} after {at_once * 1000:.2f} ms")
        server.settimeout(0.1)
        try:
            timed = repr(server.recv(10))
        except OSError as error:
            timed = type(error).__name__
        tell.step("reader", "settimeout(0.1), recv()", f"{timed} after 0.1 s")
        client.close()
        server.setblocking(False)
        end = server.recv(10)
        tell.step("reader", "recv(), the peer has closed", f'{end!r}: the end, not "nothing"')
    tell.keeps(waited=waited, answer=answer, at_once=at_once, timed=timed, end=end)


def _timed_read(client: socket.socket, server: socket.socket) -> float:
    """How long a blocking recv() takes when the peer pauses first."""
    later = threading.Timer(_PAUSE, client.sendall, (b"x",))
    began = time.perf_counter()
    later.start()
    server.recv(10)
    took = time.perf_counter() - began
    later.join()
    return took


@page(
    asks="""of 100 connections one has sent two bytes and one has ended. Which does select() name, if you ask for
    reading? And how many, if you ask for writing?""",
    seen="""one call named exactly the sockets with something to do, and asked nobody else. "Readable" includes
    the end: recv() will not wait, and gives b''. Nearly every socket is writable nearly always, so ask for that
    only while something waits to be written, or you are woken for ever. After a partial read a level-triggered
    selector says it again, an edge-triggered one does not: it tells only when something arrives.""",
)
def readiness(tell: Telling) -> None:
    """A program with many clients does not ask each of them. It asks the kernel, which knows: select, poll,
    epoll and kqueue return the sockets on which a call would not wait now.
    """
    with Sockets() as made:
        listening = made.listening(128)
        pairs = []
        for _ in range(100):
            client = made.tcp()
            client.connect(listening.getsockname())
            pairs.append((client, made.accept(listening)))
        selector = made.enter_context(selectors.DefaultSelector())
        for number, (_, server) in enumerate(pairs):
            selector.register(server, selectors.EVENT_READ, number)
        quiet = selector.select(0)
        tell.step("server", "select(), nobody has spoken", f"{len(quiet)} of 100 are ready")
        pairs[17][0].sendall(b"ab")
        pairs[42][0].close()
        ready = sorted(key.data for key, _ in selector.select(1))
        tell.step("clients", "17 sends two bytes, 42 closes")
        tell.step("server", "select()", f"ready: {ready}")
        pairs[17][1].recv(1)
        again = sorted(key.data for key, _ in selector.select(0))
        tell.step("server", "recv(1) from 17, select()", f"ready: {again}: one byte is left, and the end stays")
        writable = _writable(pairs)
        tell.step("server", "select() for writing", f"{len(writable)} of 100 are ready")
        edge = _edge(made)
        if edge is None:
            tell.note("(Edge-triggered: this system has no epoll.)")
        else:
            tell.step(
                "server", "epoll with EPOLLET: two bytes come, read one", f"told {edge[0]} time, then {edge[1]} times"
            )
    tell.keeps(ready=ready, again=again, writable=len(writable), edge=edge)


def _writable(pairs: list[tuple[socket.socket, socket.socket]]) -> list[socket.socket]:
    """The servers' sockets that may be written to. (select() itself knows no descriptor above 1,023.)"""
    with selectors.DefaultSelector() as selector:
        for _, server in pairs:
            selector.register(server, selectors.EVENT_WRITE)
        return [sock for key, _ in selector.select(0) if isinstance(sock := key.fileobj, socket.socket)]


def _edge(made: Sockets) -> tuple[int, int] | None:
    """How often edge-triggered epoll tells of two bytes, before and after one is read. None without epoll."""
    if not hasattr(select, "epoll"):
        return None
    _, client, server = made.connected()
    poller = made.enter_context(select.epoll())
    poller.register(server, select.EPOLLIN | select.EPOLLET)
    client.sendall(b"ab")
    first = len(poller.poll(1))
    server.recv(1)
    return first, len(poller.poll(0))


#: Seconds for which the two ways of waiting are compared.
_SPAN = 0.3


@page(
    asks="""nothing happens for 0.3 s. How often does a program ask that calls recv() on its 50 non-blocking
    sockets in turn, and how much processor does it use? And one that waits in select()?""",
    seen="""asking kept a processor busy to learn nothing, tens of thousands of times. Waiting cost next to
    nothing, and the answer would have come just as soon: the kernel wakes the sleeper when a byte arrives. A
    sleep() in the loop only trades one evil for another, since then everybody is answered late. With more
    sockets the loop's answer gets later, too; that of epoll does not.""",
)
def busy_loop(tell: Telling) -> None:
    """Non-blocking sockets make a bad program possible: one that asks again and again."""
    with Sockets() as made:
        listening = made.listening(64)
        servers = []
        for _ in range(50):
            client = made.tcp()
            client.connect(listening.getsockname())
            servers.append(made.accept(listening))
            servers[-1].setblocking(False)
        asked, end, used = 0, time.monotonic() + _SPAN, time.process_time()
        while time.monotonic() < end:
            for server in servers:
                asked += 1
                try:
                    server.recv(10)
                except BlockingIOError:
                    continue
        busy = time.process_time() - used
        tell.step("asking", "recv() on 50 sockets, again and again", f"{asked:,} calls, {busy:.2f} s of processor")
        selector = made.enter_context(selectors.DefaultSelector())
        for server in servers:
            selector.register(server, selectors.EVENT_READ)
        used = time.process_time()
        selector.select(_SPAN)
        idle = time.process_time() - used
        tell.step("waiting", f"select({_SPAN})", f"1 call, {idle:.4f} s of processor")
    tell.keeps(asked=asked, busy=busy, idle=idle, span=_SPAN)
