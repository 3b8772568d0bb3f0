"""tls_pipe server|client ...: plain bytes in on one side, TLS on the wire, plain bytes out on the other.

tls_pipe server --listen A --forward A --cert F --key F [--client-ca F [--client-name N]] [--alpn P]
                [--handshake-timeout S] [--once]
tls_pipe client --listen A --connect A --ca F --name HOST [--cert F --key F] [--alpn P]
                [--handshake-timeout S] [--once]
"""

from __future__ import annotations

import argparse
import signal
import socket
import ssl
import sys

import program
import sockets
from addresses import parse_address
from contexts import Unusable, client_context, server_context
from endings import Over
from loop import Loop
from poller import READ
from session import Plan, Session
from tls import TlsStream

# Stage 4: how many connections are accepted in one turn, and how many there may be.


class Pipe:
    """Accepts, and lets sessions do what is to be done."""

    def __init__(self, loop: Loop, listener: socket.socket, plan: Plan, *, once: bool) -> None:
        raise NotImplementedError("stage 1: who listens; stage 4: the sessions")

    def use(self, plan: Plan) -> None:
        """New connections follow this plan; those that are open keep theirs."""
        raise NotImplementedError("stage 6: remember it")

    def stop(self) -> None:
        """SIGTERM: cut what is open, and end."""
        raise NotImplementedError("stage 1: stop the loop; stage 3: and the sessions")

    # Stage 1: accept; stage 3: log and status; stage 4: what if there is no room.
    pass


def main() -> int:
    """The program; its exit status."""
    raise NotImplementedError("stage 1: contexts first, then listen, announce, run; stage 6: SIGHUP")


def make_plan(options: argparse.Namespace) -> Plan:
    """What the command line asks for, with the certificates as the files are now. Raises Unusable."""
    raise NotImplementedError("stage 1: a context made once, a TlsStream made for each connection")


def reload(pipe: Pipe, options: argparse.Namespace) -> None:
    """SIGHUP: read the files again. A file that cannot be used changes nothing."""
    raise NotImplementedError("stage 6: make_plan again, keep the old one if that fails")


def command_line() -> argparse.ArgumentParser:
    """The words of both roles."""
    parser = program.CommandLine(description="A TLS pipe.")
    roles = parser.add_subparsers(dest="role", required=True)
    server = roles.add_parser("server", help="TLS in, plain out")
    client = roles.add_parser("client", help="plain in, TLS out")
    server.add_argument("--forward", type=parse_address, required=True, metavar="ADDRESS", help="the backend")
    client.add_argument("--connect", type=parse_address, required=True, metavar="ADDRESS", help="the TLS server")
    client.add_argument("--ca", required=True, help="the roots to believe, PEM")
    client.add_argument("--name", required=True, help="the server's name or IP address")
    server.add_argument("--client-ca", help="roots of the clients, PEM: clients have to prove who they are")
    server.add_argument("--client-name", help="and have to have this name")
    for role in (server, client):
        role.add_argument("--listen", type=parse_address, required=True, metavar="ADDRESS", help="where to accept")
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
