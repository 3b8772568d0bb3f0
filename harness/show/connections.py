"""Addresses and connections: who is who among sockets, and how a connection comes about."""

from __future__ import annotations

import errno
import socket
import time

from harness.errors import cause_of
from harness.show import kernel
from harness.show.sockets import HOST, Sockets, port, reaches, shown, shows_table, state_of
from harness.show.telling import Telling, page


@page(
    asks="two clients connect to one server port. Do the two connections get different ports on the server's side?",
    seen="""no, all connections of a server share its port. What tells them apart is the whole tuple, and here
    only the client's port differs. The kernel looks up each packet that arrives by all five. The listening
    socket stands in the same table with half a tuple: it has no remote address, so it can never be the right
    one for a byte of data.""",
)
def five_tuple(tell: Telling) -> None:
    """A connection has no number of its own. It is known by five things: the protocol, and address and port of
    both ends. That is the 5-tuple. Two connections may share four of them, but never all five.
    """
    with Sockets() as made:
        listening = made.listening()
        tell.step("server", "bind, listen", f"port {port(listening)}")
        clients, tuples = [], []
        for name in ("client 1", "client 2"):
            client = made.tcp()
            client.connect(listening.getsockname())
            tell.step(name, f"connect({HOST}, {port(listening)})", f"its own port is {port(client)}")
            server = made.accept(listening)
            clients.append(client)
            tuples.append(("tcp", *server.getpeername(), *server.getsockname()))
            tell.step(
                "server", "accept()", f"a socket for tcp {shown(server.getpeername())} {shown(server.getsockname())}"
            )
        names = {port(listening): "server", port(clients[0]): "client 1", port(clients[1]): "client 2"}
        rows = shows_table(tell, [port(listening)], names)
    tell.keeps(tuples=tuples, server_port=tuples[0][4], client_ports=[row[2] for row in tuples], rows=len(rows))


@page(
    asks="a server has accepted a connection. Its listening socket is closed now. Does the connection live on?",
    seen="""yes. The listening socket is where connections arrive, and nothing else: it has no peer, so reading
    from it is an error, and closing it only means that nobody new gets in. Each accept() makes another socket,
    with the same local address and a full 5-tuple; that one carries the bytes.""",
)
def listening_socket(tell: Telling) -> None:
    """One word for two things: a listening socket is a door, a connection socket is one conversation behind it.
    listen() turns the first socket into a door; accept() returns a new socket for each guest.
    """
    with Sockets() as made:
        listening = made.listening()
        tell.step("server", "bind, listen", f"descriptor {listening.fileno()}, port {port(listening)}")
        client = made.tcp()
        client.connect(listening.getsockname())
        tell.step("client", "connect()", f"from port {port(client)}")
        server = made.accept(listening)
        tell.step("server", "accept()", f"descriptor {server.fileno()}, local port {port(server)}: the same")
        listening.settimeout(None)  # with a timeout Python waits for it to become readable first
        try:
            listening.recv(1)
            refused = "bytes"
        except OSError as error:
            refused = errno.errorcode.get(error.errno or 0, "?")
        tell.step("server", "recv() on the listening socket", refused)
        shows_table(tell, [port(listening)], {port(listening): "server", port(client): "client"})
        where = listening.getsockname()
        listening.close()
        tell.step("server", "close() the listening socket")
        client.sendall(b"still there?")
        alive = server.recv(100)
        tell.step("server", "recv() on the connection", alive)
        late = made.tcp()
        answer = late.connect_ex(where)
        tell.step("client 2", "connect()", errno.errorcode.get(answer, str(answer)))
    tell.keeps(error=refused, alive=alive == b"still there?", late=errno.errorcode.get(answer, str(answer)))


@page(
    asks="""five clients connect and none of them calls bind(). Which ports do they get: in order, or at random?
    From where?""",
    seen="""a client needs a port, too, or no answer would find it; connect() takes one from the system's
    ephemeral range when bind() was not called. Servers choose theirs, since clients must know it beforehand:
    ports below 1024 are the well-known ones (80 for HTTP, 443 for HTTPS), and most systems keep them for the
    administrator. bind() to port 0 asks for an ephemeral port by name; getsockname() says which one it became.""",
)
def ephemeral_port(tell: Telling) -> None:
    """A port is a number from 1 to 65,535 that tells the programs of one machine apart. A server's is agreed
    on; a client's only has to be free, lasts as long as the connection, and is therefore called ephemeral.
    """
    with Sockets() as made:
        listening = made.listening()
        ports = []
        for number in range(1, 6):
            client = made.tcp()
            before = client.getsockname()
            client.connect(listening.getsockname())
            ports.append(port(client))
            tell.step(f"client {number}", "connect()", f"port {before[1]} before, {ports[-1]} after")
        try:
            first, last = kernel.ephemeral_ports()
            tell.note(f"The system hands out {first} to {last}: {last - first + 1:,} ports.")
            inside: bool | None = all(first <= number <= last for number in ports)
        except kernel.Untold as error:
            first = last = 0
            inside = None
            tell.note(f"(The range: {error}.)")
        known = made.tcp()
        try:
            known.bind((HOST, 79))
            result = "allowed: this user, or this system, may"
        except OSError as error:
            result = f"{errno.errorcode.get(error.errno or 0, '?')}: {cause_of(error)}"
        tell.step("server", "bind(79), a well-known port (finger)", result)
    tell.keeps(ports=ports, first=first, last=last, inside=inside)


@page(
    asks="the server listens and then sleeps; it never calls accept(). Does connect() succeed? Can the client send?",
    seen="""both worked. The kernel shakes hands by itself: SYN, SYN+ACK, ACK, three segments and one round
    trip, and then the connection waits in the listening socket's queue. accept() takes it out of there; it does
    not make it. "Connected" therefore means that a kernel answered, not that a program did. Where nobody
    listens the kernel answers RST at once, and connect() fails with ECONNREFUSED.""",
)
def handshake(tell: Telling) -> None:
    """TCP begins with three segments. The client's SYN carries its first sequence number, the server's SYN+ACK
    confirms it and carries its own, the client's ACK confirms that. Now both know that the other one hears
    them.

        client                          server
          |---- SYN  seq=x -------------->|   the client is in SYN-SENT
          |<--- SYN+ACK  seq=y ack=x+1 ---|   the server is in SYN-RECEIVED
          |---- ACK  ack=y+1 ------------>|   both are ESTABLISHED
    """
    with Sockets() as made:
        listening = made.listening()
        tell.step("server", "bind, listen; and it sleeps", f"port {port(listening)}")
        client = made.tcp()
        began = time.perf_counter()
        client.connect(listening.getsockname())
        took = time.perf_counter() - began
        tell.step("client", "connect()", f"done after {took * 1000:.2f} ms")
        segments = None
        try:
            info = kernel.tcp_info(client)
            segments = (info.segments_sent, info.segments_received)
            tell.note(
                f"The kernel counts for the client: {segments[0]} segments sent (SYN, ACK), {segments[1]} received."
            )
        except kernel.Untold as error:
            tell.note(f"(How many segments: {error}.)")
        sent = client.send(b"hello?")
        tell.step("client", "send(b'hello?')", f"{sent} bytes taken")
        states = (
            reaches(client.getsockname(), client.getpeername(), "ESTABLISHED"),
            reaches(client.getpeername(), client.getsockname(), "ESTABLISHED"),
        )
        shows_table(tell, [port(listening)], {port(listening): "server", port(client): "client"})
        server = made.accept(listening)
        words = server.recv(100)
        tell.step("server", "accept(), recv()", words)
        nobody = made.tcp()
        nobody.bind((HOST, 0))  # a port of ours at which nobody listens
        other = made.tcp()
        answer = other.connect_ex(nobody.getsockname())
        tell.step("client 2", "connect() to a port without a listener", errno.errorcode.get(answer, str(answer)))
    tell.keeps(segments=segments, sent=sent, states=states, refused=errno.errorcode.get(answer, str(answer)))


#: How many clients knock, and the backlog that the server asks for.
_KNOCKING, _BACKLOG = 6, 2


@page(
    asks=f"""listen({_BACKLOG}) and nobody calls accept(); {_KNOCKING} clients connect at the same time. How
    many of them are connected, and what does connect() say to the others?""",
    seen="""the queue of complete connections was full. Linux takes one more than listen() asked for, and then
    drops each new SYN without a word; the client's kernel sends it again after 1, 3, 7 seconds. So a backlog
    that is too small does not refuse anybody: it makes a second of silence for those who come in a crowd.
    (macOS allows half as many again, and Windows answers with RST.) When accept() makes room, the next SYN that
    is sent again gets in.""",
)
def backlog(tell: Telling) -> None:
    """Connections that the kernel has completed wait in a queue until accept() takes them. listen(backlog)
    bounds it.
    """
    with Sockets() as made:
        listening = made.listening(_BACKLOG)
        tell.step("server", f"listen({_BACKLOG}); no accept()", f"port {port(listening)}")
        clients = []
        began = time.monotonic()
        for _ in range(_KNOCKING):
            client = made.tcp()
            client.setblocking(False)
            client.connect_ex(listening.getsockname())
            clients.append(client)
        # Loopback shakes hands while connect() runs; a busy system may take a moment longer.
        kernel.wait_until(lambda: len([c for c in clients if _is_connected(c)]) > _BACKLOG, within=0.3)
        connected = [client for client in clients if _is_connected(client)]
        tell.step(
            "clients", f"{_KNOCKING} x connect()", f"{len(connected)} connected, {_KNOCKING - len(connected)} wait"
        )
        names = {port(listening): "server", **{port(client): "client" for client in clients}}
        rows = shows_table(tell, [port(listening)], names)
        queued = next((row.unread for row in rows if row.state == "LISTEN"), None)
        for _ in connected:
            made.accept(listening).close()
        tell.step("server", f"{len(connected)} x accept()", "the queue is empty")
        late = [client for client in clients if client not in connected]
        kernel.wait_until(lambda: any(_is_connected(client) for client in late), within=2.5)
        waited = time.monotonic() - began
        tell.step("clients", "the first of the others is connected", f"{waited:.2f} s after its connect()")
    tell.keeps(
        backlog=_BACKLOG, connected=len(connected), waiting=_KNOCKING - len(connected), queued=queued, waited=waited
    )


def _is_connected(client: socket.socket) -> bool:
    try:
        client.getpeername()
    except OSError:
        return False
    return True


# -- the eight primitives ------------------------------------------------------------------------------------------

#: The ways of the three sockets through the states, as far as these calls lead.
_WAYS = {
    "listening": ("closed", "bound", "LISTEN"),
    "client": ("closed", "ESTABLISHED", "FIN-WAIT-2", "TIME-WAIT"),
    "connection": ("ESTABLISHED", "CLOSE-WAIT", "gone"),
}
_DIAGRAM = """
          server                                              client
         closed   <- socket()                                closed   <- socket()
            |  bind()                                           |
          bound                                                 |
            |  listen()                                         |
         LISTEN  <---------------- SYN ------------------  connect()
            |  accept(): a new socket                           |
            v                                                   v
       ESTABLISHED  <====== send(), recv(), both ways ======>  ESTABLISHED
            |                                                   |  close()
       CLOSE-WAIT  <------------- FIN --------------------  FIN-WAIT-2
            |  recv() = b'', close()                            |
          gone     ------------------ FIN ----------------->  TIME-WAIT  ... a minute, gone
"""


@page(
    asks="""eight calls make, use and end a connection. Which of them send a segment, and which only change the
    kernel's table?""",
    seen="""socket(), bind() and listen() sent nothing: they fill in the table. connect() sent the SYN, send()
    the data, close() the FIN; recv() and accept() only take what the kernel has. The states were read from the
    kernel's own table after each call. Whoever closes first goes to TIME-WAIT, and stays there for a while
    after the program has forgotten it.""",
)
def primitives(tell: Telling) -> None:
    """Everything that TCP does for a program hangs on eight calls. Below is the way of two programs through
    them; then a live pair of sockets goes that way, one call at a time, and the kernel is asked for the state after
    each.
    """
    tell.picture(_DIAGRAM.strip("\n").splitlines())
    follow = _Follow(tell)
    with Sockets() as made:
        listening = made.tcp()
        follow("server", "socket()", f"descriptor {listening.fileno()}", listening="closed")
        listening.bind((HOST, 0))
        follow("server", "bind()", f"port {port(listening)}", listening="bound")
        listening.listen()
        place = listening.getsockname()
        follow("server", "listen()", "", listening=reaches(place, None, "LISTEN"))
        client = made.tcp()
        follow("client", "socket()", f"descriptor {client.fileno()}", client="closed")
        client.connect(place)
        own = client.getsockname()
        follow("client", "connect()", f"from port {own[1]}", client=reaches(own, place, "ESTABLISHED"))
        server = made.accept(listening)
        follow("server", "accept()", f"descriptor {server.fileno()}", connection=reaches(place, own, "ESTABLISHED"))
        client.sendall(b"hello")
        follow("client", "send(b'hello')", "5")
        follow("server", "recv(100)", repr(server.recv(100)))
        client.close()
        follow(
            "client",
            "close()",
            "a FIN",
            client=reaches(own, place, "FIN-WAIT-2"),
            connection=reaches(place, own, "CLOSE-WAIT"),
        )
        follow("server", "recv(100)", f"{server.recv(100)!r}: the end")
        server.close()
        follow("server", "close()", "a FIN", client=reaches(own, place, "TIME-WAIT"), connection=state_of(place, own))
        listening.close()
        follow("server", "close() the listening socket", "", listening="gone")
    tell.keeps(path=follow.path, server_port=place[1], client_port=own[1])


class _Follow:
    """Tells each call, and where the three sockets are then."""

    def __init__(self, tell: Telling) -> None:
        self._tell = tell
        self._at: dict[str, str] = {}
        self.path: list[tuple[str, str]] = []  #: (socket, state), in the order in which they were reached

    def __call__(self, who: str, call: str, result: str, **states: str) -> None:
        self._tell.step(who, call, result)
        for name, state in states.items():
            self._at[name] = state
            self.path.append((name, state))
            way = _WAYS[name] if state in _WAYS[name] else (*_WAYS[name], state)
            self._tell.note(f"{name:<10} {' - '.join(f'[{s}]' if s == state else s for s in way)}")
