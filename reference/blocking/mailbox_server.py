"""mailbox_server ADDRESS [--max-clients N] [--idle S]: keep messages for many clients at once.

A thread per connection, each waiting for its own client, so that none waits for another's.

    main thread      waits for a free place, then for a client; starts a thread for it
    client's thread  waits for a frame, answers it, ... until the client ends, breaks off, or is silent for too long

What they share is in store.py, and nothing else is shared.
"""

from __future__ import annotations

import socket
import sys
import threading

import program
import sockets
from addresses import parse_address
from framing import LIMIT, BadFrame, TooLong, receive_frame, send_frame
from messages import BadRequest, parse_request
from store import Store


def whoami(sock: socket.socket) -> str:
    """The connection as this side sees it: the 5-tuple of protocol, and both addresses and ports."""
    ### BEGIN SOLUTION: getpeername() and getsockname(); an IPv6 name has four parts
    if sock.family == getattr(socket, "AF_UNIX", None):
        return "unix\n"  # no hosts and no ports: the clients of a Unix socket have no names
    client_host, client_port = sock.getpeername()[:2]
    server_host, server_port = sock.getsockname()[:2]
    return f"tcp {client_host} {client_port} {server_host} {server_port}\n"
    ### END SOLUTION


def answer(sock: socket.socket, store: Store, body: bytes) -> bytes:
    """The reply to a request that came on `sock`. Raises OSError if the client is gone."""
    ### BEGIN SOLUTION: every mistake of the client becomes an `error` reply
    try:
        request = parse_request(body)
    except BadRequest as error:
        return f"error {error}\n".encode("ascii")
    if request.command == "whoami":
        return b"ok\n" + whoami(sock).encode("ascii")
    if request.command == "put":
        store.put(request.name, request.content)
        return b"ok\n"
    if request.command == "get":
        message = store.get(request.name)
        return b"error no such message\n" if message is None else b"ok\n" + message
    names = b"ok\n" + "".join(f"{name}\n" for name in store.names()).encode("ascii")
    return names if len(names) <= LIMIT else b"error too long\n"
    ### END SOLUTION


def converse(sock: socket.socket, store: Store, idle: float) -> None:
    """Answer one client's requests, in order, until it ends or breaks the framing. Raises OSError.

    The timeout counts from call to call: a client that is slow, but moves, is heard out.
    """
    ### BEGIN SOLUTION: frame by frame until the end of the stream; TooLong still gets a reply
    sock.settimeout(idle)
    try:
        while (body := receive_frame(sock)) is not None:
            send_frame(sock, answer(sock, store, body))
    except TooLong:
        send_frame(sock, b"error too long\n")
    except BadFrame:
        pass  # ended inside a frame: half a request does not count
    ### END SOLUTION


def handle(sock: socket.socket, store: Store, idle: float, places: threading.Semaphore) -> None:
    """The whole life of a client's thread. Whatever happens, the connection is closed and the place is free again."""
    ### BEGIN SOLUTION: converse; then close gently and give the place back, also after an exception
    try:
        try:
            converse(sock, store, idle)
        except OSError:
            pass  # reset by the client, or silent for too long
        finally:
            sockets.close_gently(sock)
    finally:
        places.release()
    ### END SOLUTION


def serve(listener: socket.socket, max_clients: int, idle: float) -> None:
    """Give every client a thread, `max_clients` at a time; the others wait in the kernel's queue. For ever."""
    ### BEGIN SOLUTION: wait for a place before accept, so that no client is accepted that nobody would serve
    store = Store()
    places = threading.Semaphore(max_clients)
    while True:
        places.acquire()
        try:
            sock, _ = listener.accept()
        except ConnectionAbortedError:
            places.release()
            continue  # reset while it waited in the queue
        threading.Thread(target=handle, args=(sock, store, idle, places), daemon=True).start()
    ### END SOLUTION


def main(arguments: list[str]) -> None:
    """Run the program until SIGTERM."""
    line = program.CommandLine("Keep messages for many clients at once.")
    line.add_argument("address", type=parse_address)
    line.add_argument("--max-clients", type=program.count, default=100, help="clients served at a time")
    line.add_argument("--idle", type=program.seconds, default=60.0, help="seconds of silence until a client is closed")
    options = line.parse_args(arguments)
    if options.address.kind == "udp":
        line.error("a mailbox needs a stream: HOST:PORT, [V6]:PORT or unix:PATH")
    program.end_on_sigterm()
    try:
        listener = sockets.listen(options.address)
    except OSError as error:
        program.fail(program.CANNOT_CONNECT, f"{options.address}: {error}")
    try:
        program.announce(options.address.bound_as(listener))
        serve(listener, options.max_clients, options.idle)
    finally:
        sockets.stop_listening(listener, options.address)


if __name__ == "__main__":
    main(sys.argv[1:])
