"""Datagrams: messages that travel by themselves."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.course.address import Address
from harness.errors import cause_of
from harness.lab.relay.loop import RelayLoop
from harness.link.profile import Profile
from harness.pictures.ladder import rungs_of
from harness.show.kernel import wait_until
from harness.show.sockets import HOST, PATIENCE, Sockets, port
from harness.show.telling import Telling, page

#: The most that one UDP datagram can carry over IPv4: 65,535 less 20 bytes of IP header and 8 of UDP's.
LARGEST = 65_507


@page(
    asks="""three datagrams of 5 bytes are sent, then one recvfrom(4096): 5 bytes or 15? And recvfrom(3) of a
    datagram of 5?""",
    seen="""a datagram comes whole or not at all, and never joined with another. What does not fit into the
    buffer you offer is thrown away, and most systems do not even say so: ask for as much as can come. An empty
    datagram is a message like any other (for UDP b'' is not an end: there is no end). 65,507 bytes are the
    most; the network cuts such a giant into some 45 packets of 1,500 bytes, and if one of them is lost, all of
    it is.""",
)
def datagram(tell: Telling) -> None:
    """UDP has no stream and no connection: each sendto() makes one message, with its sender's address on it."""
    with Sockets() as made:
        sender, receiver = made.udp(), made.udp()
        where = receiver.getsockname()
        for word in (b"one..", b"two..", b"three"):
            sender.sendto(word, where)
        tell.step("sender", "sendto() three times, 5 bytes each")
        first, source = receiver.recvfrom(4096)
        tell.step("receiver", "recvfrom(4096)", f"{first!r} from port {source[1]}")
        short = _cut(receiver, 3)
        tell.step("receiver", "recvfrom(3)", f"{short!r}: the rest of it is gone")
        third = receiver.recv(4096)
        tell.step("receiver", "recvfrom(4096)", repr(third))
        sender.sendto(b"", where)
        empty = receiver.recv(4096)
        tell.step("sender", "sendto(b''); the receiver's recvfrom()", f"{empty!r}: a message of no bytes")
        largest = []
        for size in (LARGEST, LARGEST + 1):
            try:
                sender.sendto(bytes(size), where)
                result = f"{len(receiver.recv(70_000)):,} bytes arrived"
            except OSError as error:
                result = errno.errorcode.get(error.errno or 0, cause_of(error))
            largest.append(result)
            tell.step("sender", f"sendto() of {size:,} bytes", result)
    tell.keeps(first=first, short=short, third=third, empty=empty, largest=LARGEST, too_large=largest[1])


def _cut(receiver: socket.socket, size: int) -> bytes:
    """Read a datagram into a buffer that is too small. Windows says that it was, the others do not."""
    try:
        return receiver.recv(size)
    except OSError:
        return b""


@page(
    asks="""20 datagrams go over a link that loses some, delays all and doubles a few. How does the sender learn
    which got lost?""",
    seen="""not at all: sendto() returned as if all was well each time, since its work was done when the kernel
    had the datagram. Best effort is the Internet's whole promise: what is sent may be lost, come twice, late,
    in another order, or damaged, and nobody reports it. All that TCP adds, it does with numbers,
    acknowledgements and timers at the two ends.""",
)
def best_effort(tell: Telling) -> None:
    """The network below TCP and UDP is a mail system without receipts. Here real datagrams cross this machine
    through a link that treats them as the wider Internet might (the words are netem's: loss, jitter,
    duplicate).
    """
    link = Profile(delay=0.03, jitter=0.02, loss=0.2, duplicate=0.1)
    relay = RelayLoop()
    try:
        with Sockets() as made:
            sender, receiver = made.udp(), made.udp()
            to = relay.add_udp(to=Address("udp", host=HOST, port=port(receiver)), towards="tester")
            relay.shape(up=link, down=Profile(), seed=59)
            taken = 0
            for number in range(1, 21):
                taken += sender.sendto(b"%d" % number, (HOST, to.port)) > 0
                wait_until(lambda: False, within=0.008)  # one each 8 ms
            tell.step("sender", "sendto() 20 times, 8 ms apart", f"{taken} times without an error")
            kept: list[int] = []
            receiver.settimeout(0.3)
            try:
                while True:
                    kept.append(int(receiver.recv(100)))
            except TimeoutError:
                pass
            tell.step("receiver", "recvfrom() until 0.3 s of silence", f"{len(kept)} datagrams")
            tell.note(f"In this order: {' '.join(map(str, kept))}")
            packets = relay.packets()
    finally:
        relay.close()
    tell.ladder(rungs_of(packets, describe=lambda packet: f"datagram {packet.data.decode()}"), ("sender", "receiver"))
    lost = sorted(set(range(1, 21)) - set(kept))
    tell.keeps(sent=20, taken=taken, received=kept, lost=lost, doubled=sorted({n for n in kept if kept.count(n) > 1}))


@page(
    asks="""two processes of one machine talk over datagrams, without any port. Can such a datagram be lost?
    What happens when the reader does not read?""",
    seen="""nothing is lost: a Unix socket is a queue in one kernel, so when it is full the sender waits (or is
    told BlockingIOError), where UDP would have thrown the datagram away. Its address is a file's path, or none
    at all for a pair made by socketpair(), and file permissions say who may come in. Boundaries are kept, as
    with UDP; order, too.""",
)
def unix_socket(tell: Telling) -> None:
    """The same calls work inside one machine, without a network. The family is AF_UNIX; there are stream and
    datagram sockets, and socketpair() makes two that are connected already.
    """
    if not hasattr(socket, "AF_UNIX"):
        tell.note("Python offers no Unix sockets on this system; socketpair() gives two TCP sockets on loopback here.")
        tell.keeps(message=b"", taken=None, refused="untold")
        return
    with Sockets() as made, tempfile.TemporaryDirectory() as folder:
        one, other = made.both(socket.socketpair())
        one.sendall(b"no address needed")
        message = other.recv(100)
        tell.step("parent", "socketpair(); send() on one", f"{message!r} on the other")
        path = str(Path(folder, "box"))
        reader = made.both((socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), _unix_datagrams()))
        reader[0].bind(path)
        tell.step("reader", "bind(path)", f"a file of the kind {oct(os.stat(path).st_mode)[2:5]}: a socket")
        writer = reader[1]
        writer.connect(path)
        writer.setblocking(False)
        taken, refused = 0, ""
        while not refused and taken < 100_000:
            try:
                writer.send(b"x" * 100)
                taken += 1
            except OSError as error:
                refused = errno.errorcode.get(error.errno or 0, "?")
        tell.step("writer", "send() 100 bytes each, nobody reads", f"{taken} datagrams taken, then {refused}")
        there = sum(1 for _ in range(taken) if len(reader[0].recv(4096)) == 100)
        tell.step("reader", f"recv() {taken} times", f"{there} datagrams of 100 bytes: none is missing")
    tell.keeps(message=message, taken=taken, refused=refused, arrived=there)


def _unix_datagrams() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


@page(
    asks="""a UDP client sends to a port at which nobody is. What does sendto() say? And what does it say the
    second time?""",
    seen="""the first sendto() went out without an error. The other machine's kernel answered with ICMP "port
    unreachable", and a connected UDP socket reports that with the next call, one datagram late; a socket that
    is not connected never hears of it (on Linux). connect() on a UDP socket sends nothing: it only notes the
    address, filters what comes from others, and lets errors through.""",
)
def connected_datagrams(tell: Telling) -> None:
    """connect() exists for UDP, too, and does something else there: no handshake, only a note in the kernel."""
    with Sockets() as made:
        gone = made.udp()
        nowhere = gone.getsockname()
        gone.close()
        plain, connected, stranger = made.udp(), made.udp(), made.udp()
        answers = []
        connected.connect(nowhere)
        for name, send in (("plain", lambda: plain.sendto(b"?", nowhere)), ("connected", lambda: connected.send(b"?"))):
            for turn in ("first", "second"):
                answers.append(_answer(send))
                tell.step(name, f"send(), the {turn} time", answers[-1])
                wait_until(lambda: False, within=0.02)  # time for the ICMP message
        friend = made.udp()
        listener = made.udp()
        listener.connect(friend.getsockname())
        stranger.sendto(b"psst", listener.getsockname())
        friend.sendto(b"hello", listener.getsockname())
        listener.settimeout(PATIENCE)
        heard = listener.recv(100)
        tell.step("listener", "connected to a friend, a stranger speaks first", f"recv() = {heard!r}")
    tell.keeps(plain=answers[:2], connected=answers[2:], heard=heard)


def _answer(send: Callable[[], int]) -> str:
    try:
        return f"{send()} byte"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
