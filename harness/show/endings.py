"""Endings: an end of one side, a close that destroys, and the minute after."""

from __future__ import annotations

import errno
import socket
import struct

from harness.errors import cause_of
from harness.show.sockets import HOST, Exchange, Sockets, port, reaches, shows_table, state_of
from harness.show.telling import Telling, page


@page(
    asks="""the client ends its sending side with shutdown(SHUT_WR). Can the server still send? Can the client
    still read?""",
    seen="""a connection is two streams, and each ends by itself. The FIN told the server that no more questions
    come (recv() returned b''), and it went on answering for as long as it liked. A server that takes b'' for
    "the client is gone", and closes at once, throws these answers away. The kernel's words for it: the side
    that has ended waits in FIN-WAIT-2, the other one is in CLOSE-WAIT until it ends, too.""",
)
def half_close(tell: Telling) -> None:
    """shutdown(SHUT_WR) ends one direction: "I have said everything". The other direction stays open. So a
    client can send all its questions, end, and read the answers to the end.
    """
    with Sockets() as made:
        listening, client, server = made.connected()
        talk = Exchange()
        first = talk.carries("up", client, server, b"one question")
        tell.step("client", "send(b'one question')")
        tell.step("server", "recv()", repr(first))
        end = talk.carries("up", client, server, b"")
        tell.step("client", "shutdown(SHUT_WR)")
        tell.step("server", "recv()", f"{end!r}: the client has finished sending")
        here, there = client.getsockname(), client.getpeername()
        states = (reaches(here, there, "FIN-WAIT-2"), reaches(there, here, "CLOSE-WAIT"))
        listening.close()
        shows_table(tell, [there[1]], {here[1]: "client", there[1]: "server"})
        answers = [talk.carries("down", server, client, text) for text in (b"an answer", b"and another one")]
        tell.step("client", "recv(), recv()", f"{answers[0]!r}, {answers[1]!r}")
        talk.carries("down", server, client, b"")
        tell.step("server", "shutdown(SHUT_WR); the client's recv()", "b'': now both have ended")
        tell.ladder(talk.rungs, ("client", "server"))
    tell.keeps(states=states, answers=answers, end=end)


@page(
    asks="""a server sends its answer and closes, while one byte of the client's is still unread. Does the
    client get the answer?""",
    seen="""the first time the answer came and then the end. The second time the same close() became a reset:
    TCP tells the peer that data was thrown away (RFC 1122, section 4.2.2.13), and a reset may also destroy what
    the peer has not read. Whether the answer survives is a matter of luck and of the system; here is what yours
    did. The cure has three steps: end your side, read what still comes until it ends (not for ever), then
    close.""",
)
def reset(tell: Telling) -> None:
    """A connection can end in two ways. FIN is an end: everything before it arrives. RST is a reset: the
    connection is gone at once, in both directions, with whatever was under way.
    """
    outcomes = []
    for unread, title in ((b"", "everything was read"), (b"!", "one byte is unread")):
        with Sockets() as made:
            _, client, server = made.connected()
            client.sendall(b"question" + unread)
            server.recv(8)
            server.sendall(b"the answer")
            own, peer = server.getsockname(), server.getpeername()
            server.close()
            tell.step("server", f"send(answer), close(); {title}")
            reaches(own, peer, "gone", "FIN-WAIT-2", "FIN-WAIT-1")
            got, end = _read_on(client)
            tell.step("client", "recv() until it ends", f"{got!r}, then {end}")
            outcomes.append((got, end))
    with Sockets() as made:
        _, client, server = made.connected()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        own, peer = client.getsockname(), client.getpeername()
        client.close()
        got, end = _read_on(server)
        tell.step("client", "SO_LINGER of zero seconds, close()", "a reset on purpose")
        tell.step("server", "recv()", end)
        left = state_of(own, peer)
        tell.note(f"In the kernel's table the client's socket is now: {left}. After a reset nothing lingers.")
    tell.keeps(read_all=outcomes[0][1], unread=outcomes[1][1], answer=outcomes[0][0], on_purpose=end, left=left)


def _read_on(sock: socket.socket) -> tuple[bytes, str]:
    """What can be read, and how it ended: "end of the stream", or the name of the error."""
    got = b""
    try:
        while data := sock.recv(4096):
            got += data
    except OSError as error:
        return got, type(error).__name__
    return got, "end of the stream"


@page(
    asks="a server closes a connection and ends. It is started again at once on the same port. Does bind() work?",
    seen="""whoever closes first keeps the 5-tuple in TIME-WAIT (a minute on Linux), so that its last ACK can be
    sent again and no late segment of the old connection gets into a new one. bind() therefore finds the port in
    use, though no program holds it. SO_REUSEADDR, set before bind() by the old server and by the new one, says
    that you know; it lets nobody listen twice on a port. (Windows does not need it, and means something more
    dangerous by it.) After a reset there is no TIME-WAIT.""",
)
def time_wait(tell: Telling) -> None:
    """A closed connection is not forgotten at once. TIME-WAIT is the state of the side that ended first, after
    everything is over.
    """
    with Sockets() as made:
        listening, client, server = made.connected(reuse=True)
        where, peer = server.getsockname(), client.getsockname()
        server.close()
        client.recv(1)
        tell.step("server", "close(): the first to end")
        client.close()
        tell.step("client", "close()")
        listening.close()
        tell.step("server", "close() the listening socket", "no program has this port any more")
        state = reaches(where, peer, "TIME-WAIT")
        rows = shows_table(tell, [where[1]], {where[1]: "server"})
        state = rows[0].state if rows else state
        results = []
        for reuse in (False, True):
            again = made.tcp()
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
            try:
                again.bind(where)
                again.listen()
                results.append("ok")
            except OSError as error:
                results.append(errno.errorcode.get(error.errno or 0, cause_of(error)))
            again.close()
            tell.step("server", f"bind({HOST}, {where[1]}), SO_REUSEADDR {'on' if reuse else 'off'}", results[-1])
    tell.keeps(state=state, without=results[0], with_reuse=results[1], port=where[1])


@page(
    asks="recv() on a connection can say four different things. Which means nothing yet, and which never again?",
    seen="""nothing yet is BlockingIOError (or a wait, on a blocking socket). The end is b'', at once and for
    ever: a loop that ignores it runs at 100 % of a processor. A reset is an exception, once; what had come
    before it may be lost. You may have heard that a read with nothing there "returns 0". It does not.""",
)
def end_of_stream(tell: Telling) -> None:
    """What comes out of recv() is data, an end, or an error, and programs that confuse two of them spin or hang
    up.
    """
    with Sockets() as made:
        _, client, server = made.connected()
        server.setblocking(False)
        said = [_said(server)]
        tell.step("server", "recv(), nothing was sent", said[-1])
        client.sendall(b"x")
        server.settimeout(1)
        said.append(_said(server))
        tell.step("server", "recv(), one byte was sent", said[-1])
        client.shutdown(socket.SHUT_WR)
        said += [_said(server) for _ in range(3)]
        tell.step("server", "recv() three times, the client has ended", ", ".join(said[2:]))
        _, client, server = made.connected()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        said.append(_said(server))
        tell.step("server", "recv(), the client has reset", said[-1])
        tell.note(f"Ports of this page: {port(server)}.")
    tell.keeps(said=said)


def _said(sock: socket.socket) -> str:
    try:
        return repr(sock.recv(100))
    except OSError as error:
        return type(error).__name__
