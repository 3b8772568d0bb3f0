"""tls_pipe server|client ...: plain bytes in on one side, TLS on the wire, plain bytes out on the other.

tls_pipe server --listen A --forward A --cert F --key F [--client-ca F [--client-name N]] [--alpn P]
                [--handshake-timeout S] [--once]
tls_pipe client --listen A --connect A --ca F --name HOST [--cert F --key F] [--alpn P]
                [--handshake-timeout S] [--once]
"""

from __future__ import annotations

import argparse
import contextlib
import select
import signal
import socket
import ssl
import sys
import threading

import program
import sockets
from addresses import parse_address
from contexts import Unusable, client_context, server_context

PIECE = 65536


def main() -> int:
    """The program; its exit status. A thread for each connection."""
    parser = command_line()
    options = parser.parse_args()
    if (options.cert is None) != (options.key is None):
        parser.error("--cert and --key")
    if options.client_name and not options.client_ca:
        parser.error("--client-name without --client-ca")
    try:
        if options.role == "server":
            context = server_context(options.cert, options.key, client_ca=options.client_ca)
        else:
            context = client_context(options.ca, cert=options.cert, key=options.key)
    except Unusable as error:
        program.fail(program.USAGE, error)
    try:
        listener = sockets.listen(options.listen)
    except OSError as error:
        program.fail(program.CANNOT_LISTEN, error)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    program.announce(options.listen.bound_as(listener))
    while True:
        sock = sockets.accept(listener)
        thread = threading.Thread(target=attend, args=(context, sock, options), daemon=True)
        thread.start()
        if options.once:
            thread.join()
            return 0


def attend(context: ssl.SSLContext, sock: socket.socket, options: argparse.Namespace) -> None:
    """A thread's work: one connection, and a line about it."""
    try:
        if options.role == "server":
            serve(context, sock, None, options)
        else:
            serve(context, None, sock, options)
        program.say("ended: closed")
    except OSError as error:
        program.say(f"ended: broken {error}")


def serve(
    context: ssl.SSLContext,
    wire: socket.socket | None,
    plain: socket.socket | None,
    options: argparse.Namespace,
) -> None:
    """One connection, from the handshake to its end."""
    with contextlib.ExitStack() as stack:
        if wire is None:
            stack.enter_context(plain)
            wire = sockets.begin_to_connect(options.connect)
        stack.enter_context(wire)
        name = None if options.role == "server" else options.name
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=name is None, server_hostname=name)
        shake_hands(tls, wire, incoming, outgoing)
        if plain is None:
            plain = stack.enter_context(sockets.begin_to_connect(options.forward))
        carry(tls, wire, plain, incoming, outgoing)


def shake_hands(tls: ssl.SSLObject, wire: socket.socket, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
    """Blocks until TLS is there."""
    while True:
        try:
            tls.do_handshake()
            return
        except ssl.SSLWantReadError:
            pass
        finally:
            wire.setblocking(True)
            wire.sendall(outgoing.read())
        data = wire.recv(PIECE)
        wire.setblocking(False)
        if not data:
            raise OSError("no handshake")
        incoming.write(data)


def carry(
    tls: ssl.SSLObject,
    wire: socket.socket,
    plain: socket.socket,
    incoming: ssl.MemoryBIO,
    outgoing: ssl.MemoryBIO,
) -> None:
    """Both directions at once, until both have ended."""
    up, down = bytearray(outgoing.read()), bytearray()
    plain_ended = wire_ended = False
    wire.setblocking(False)
    while up or down or not (plain_ended and wire_ended):
        while not wire_ended:  # there may be some before anything more comes
            try:
                data = tls.read(PIECE)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                data = b""
            down += data
            if not data:
                wire_ended = True
        if wire_ended and not down:
            plain.shutdown(socket.SHUT_WR)
        reads = [sock for sock, more in ((plain, not plain_ended and not up), (wire, not wire_ended and not down)) if more]
        writes = [sock for sock, data in ((plain, down), (wire, up)) if data]
        if not reads and not writes:
            break
        readable, writable, _ = select.select(reads, writes, [])
        if plain in readable:
            data = plain.recv(PIECE)
            if data:
                tls.write(data)
            else:
                plain_ended = True
                try:
                    tls.unwrap()
                except ssl.SSLWantReadError:
                    pass
            up += outgoing.read()
        if wire in readable:
            data = wire.recv(PIECE)
            incoming.write(data)
            if not data:
                raise OSError("the wire has ended")  # stage 3: was that all?
        if plain in writable:
            del down[: plain.send(down)]
        if wire in writable:
            del up[: wire.send(up)]


def command_line() -> argparse.ArgumentParser:
    """The words of both roles."""
    parser = program.CommandLine(description="A TLS pipe.")
    roles = parser.add_subparsers(dest="role", required=True)
    server = roles.add_parser("server", help="TLS in, plain out")
    client = roles.add_parser("client", help="plain in, TLS out")
    server.add_argument("--forward", type=parse_address, required=True, metavar="ADDRESS", help="the backend")
    client.add_argument(
        "--connect", type=parse_address, required=True, metavar="ADDRESS", help="the TLS server"
    )
    client.add_argument("--ca", required=True, help="the roots to believe, PEM")
    client.add_argument("--name", required=True, help="the server's name or IP address")
    server.add_argument("--client-ca", help="roots of the clients, PEM: clients have to prove who they are")
    server.add_argument("--client-name", help="and have to have this name")
    for role in (server, client):
        role.add_argument(
            "--listen", type=parse_address, required=True, metavar="ADDRESS", help="where to accept"
        )
        role.add_argument("--cert", required=role is server, help="our certificates, leaf first, PEM")
        role.add_argument("--key", required=role is server, help="our private key, PEM, not encrypted")
        role.add_argument("--alpn", help="the application protocol that has to be agreed upon")
        role.add_argument("--handshake-timeout", type=program.seconds, default=10.0, metavar="SECONDS")
        role.add_argument("--once", action="store_true", help="one connection, and its exit status")
    server.set_defaults(name=None)
    client.set_defaults(client_ca=None, client_name=None)
    return parser


if __name__ == "__main__":
    sys.exit(main())
