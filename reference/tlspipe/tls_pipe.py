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

### BEGIN SOLUTION: stage 4: how many connections are accepted in one turn, and how many there may be
_TURN = 64


def _most_sessions() -> int:
    """Two descriptors for each, and some for ourselves: who cannot be served to the end is better left waiting."""
    try:
        import resource  # not on Windows
    except ImportError:
        return 240  # select() takes 512 sockets there
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, (limit - 32) // 2) if limit != resource.RLIM_INFINITY else 1 << 20


### END SOLUTION


class Pipe:
    """Accepts, and lets sessions do what is to be done."""

    def __init__(self, loop: Loop, listener: socket.socket, plan: Plan, *, once: bool) -> None:
        ### BEGIN SOLUTION: stage 1: who listens; stage 4: the sessions
        self.status = 0  #: the exit status
        self._loop, self._listener, self._plan, self._once = loop, listener, plan, once
        self._sessions: set[Session] = set()
        self._most = _most_sessions()
        loop.watch(listener, READ, self._accept)
        ### END SOLUTION

    def use(self, plan: Plan) -> None:
        """New connections follow this plan; those that are open keep theirs."""
        ### BEGIN SOLUTION: stage 6: remember it
        self._plan = plan
        ### END SOLUTION

    def stop(self) -> None:
        """SIGTERM: cut what is open, and end."""
        ### BEGIN SOLUTION: stage 1: stop the loop; stage 3: and the sessions
        for session in list(self._sessions):
            session.stop()
        self._loop.stop()
        ### END SOLUTION

    ### BEGIN SOLUTION: stage 1: accept; stage 3: log and status; stage 4: what if there is no room
    def _accept(self, _events: int) -> None:
        for _ in range(1 if self._once else _TURN):
            if len(self._sessions) >= self._most:
                self._loop.watch(self._listener, 0, self._accept)  # until one of them has ended
                return
            try:
                sock = sockets.accept(self._listener)
            except OSError:  # nobody is waiting any more, or has gone already
                return
            session = Session(self._loop, self._plan, sock, self._ended)
            self._sessions.add(session)
            if self._once:
                self._loop.watch(self._listener, 0, self._accept)
                self._listener.close()
            session.begin()

    def _ended(self, session: Session, over: Over) -> None:
        self._sessions.discard(session)
        program.say(f"ended: {over}")
        if self._once:
            self.status = over.ending.status
            self._loop.stop()
        else:
            self._loop.watch(self._listener, READ, self._accept)

    ### END SOLUTION


def main() -> int:
    """The program; its exit status."""
    ### BEGIN SOLUTION: stage 1: contexts first, then listen, announce, run; stage 6: SIGHUP
    parser = command_line()
    options = parser.parse_args()
    if (options.cert is None) != (options.key is None):
        parser.error("--cert and --key belong together")
    if options.client_name is not None and options.client_ca is None:
        parser.error("--client-name needs --client-ca: a name that nobody vouches for is worth nothing")
    try:
        plan = make_plan(options)
    except Unusable as error:
        program.fail(program.USAGE, error)
    try:
        listener = sockets.listen(options.listen)
    except OSError as error:
        program.fail(program.CANNOT_LISTEN, f"cannot listen on {options.listen}: {error.strerror}")
    loop = Loop()
    pipe = Pipe(loop, listener, plan, once=options.once)
    loop.on_signal(signal.SIGTERM, pipe.stop)
    if hasattr(signal, "SIGHUP"):  # not on Windows
        loop.on_signal(signal.SIGHUP, lambda: reload(pipe, options))
    program.announce(options.listen.bound_as(listener))
    loop.run()
    return pipe.status
    ### END SOLUTION


def make_plan(options: argparse.Namespace) -> Plan:
    """What the command line asks for, with the certificates as the files are now. Raises Unusable."""
    ### BEGIN SOLUTION: stage 1: a context made once, a TlsStream made for each connection
    if options.role == "server":
        context = server_context(options.cert, options.key, client_ca=options.client_ca, alpn=options.alpn)
        target = options.forward
    else:
        context = client_context(options.ca, cert=options.cert, key=options.key, alpn=options.alpn)
        target = options.connect

    tickets: list[ssl.SSLSession] = []  # they go with the context: after SIGHUP everything is proven again

    def make_tls() -> TlsStream:
        return TlsStream(
            context, server_name=options.name, client_name=options.client_name, alpn=options.alpn, tickets=tickets
        )

    try:
        make_tls()
    except (ValueError, TypeError) as error:
        raise Unusable(f"--name {options.name}: {error}") from None
    return Plan(options.role == "server", target, make_tls, options.handshake_timeout)
    ### END SOLUTION


def reload(pipe: Pipe, options: argparse.Namespace) -> None:
    """SIGHUP: read the files again. A file that cannot be used changes nothing."""
    ### BEGIN SOLUTION: stage 6: make_plan again, keep the old one if that fails
    try:
        pipe.use(make_plan(options))
    except Unusable as error:
        program.say(f"tls_pipe: keeping the old certificates: {error}")
    else:
        program.say("tls_pipe: certificates were read again")
    ### END SOLUTION


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
