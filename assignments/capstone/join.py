"""join --listen|--connect ADDRESS -- COMMAND...: one TCP connection joined to a program's standard input and output.

    join --listen  127.0.0.1:7000 -- python3 transport/rdt_pipe.py udp:10.0.0.2:9000             the client's side
    join --connect 127.0.0.1:7443 -- python3 transport/rdt_pipe.py --listen udp:0.0.0.0:9000     the server's side

You get this file unchanged. `--listen` takes one connection, and starts the command then. `--connect` starts the
command at once, and connects when that has something to say: a TLS client speaks first, and nobody waits before that.

        TCP  ──> recv() ─┐  a thread each  ┌─> stdin  ── the command
             <── send() ─┘                 └── stdout <─

Rule 1: an end is passed on as an end, after all that came before it, in each direction by itself.
Rule 2: a piece is passed on before the next is read: who does not read on one side is not read for on the other.
Rule 3: a connection that breaks ends the command (SIGTERM), and a command that fails cannot look like a good end: TLS
        above it has an end of its own, and misses it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

import program
from addresses import Address, parse_address

#: Bytes that are passed on at once.
PIECE = 65536


class Joint:
    """A connection and a command, and the two threads between them."""

    def __init__(self, command: subprocess.Popen[bytes]) -> None:
        self._command = command

    def join(self, tcp: socket.socket, first: bytes = b"") -> None:
        """Pass everything on until both directions have ended. `first` came from the command already."""
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self._to_socket, args=(tcp, first), daemon=True)
        back.start()
        self._to_command(tcp)
        back.join()
        tcp.close()

    def _to_command(self, tcp: socket.socket) -> None:
        stdin = self._command.stdin.fileno()
        try:
            while data := tcp.recv(PIECE):
                while data:  # a pipe may take less than it is given
                    data = data[os.write(stdin, data) :]
        except BrokenPipeError:
            pass  # the command reads no more; how it ended says the rest
        except OSError:
            self._command.terminate()
        self._command.stdin.close()

    def _to_socket(self, tcp: socket.socket, data: bytes) -> None:
        stdout = self._command.stdout.fileno()
        try:
            while data or (data := os.read(stdout, PIECE)):
                tcp.sendall(data)
                data = b""
            tcp.shutdown(socket.SHUT_WR)
        except OSError:
            self._command.terminate()


def start(words: Sequence[str]) -> subprocess.Popen[bytes]:
    """The command, with pipes; what it says on standard error goes where ours goes."""
    words = [sys.executable if words[0] in ("python3", "python") else words[0], *words[1:]]
    try:
        command = subprocess.Popen(words, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    except OSError as error:
        program.fail(program.CANNOT_CONNECT, f"{words[0]} cannot be started: {error.strerror}")
    signal.signal(signal.SIGTERM, lambda *_: command.terminate())  # its end is ours
    return command


def listen(address: Address, words: Sequence[str]) -> subprocess.Popen[bytes]:
    """Take one connection and join it to the command."""
    with socket.create_server((address.host, address.port), family=address.family) as listener:
        program.announce(address.bound_as(listener))
        tcp, _ = listener.accept()
    command = start(words)
    Joint(command).join(tcp)
    return command


def connect(address: Address, words: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the command, connect when it speaks, and join the two."""
    command = start(words)
    first = os.read(command.stdout.fileno(), PIECE)
    if not first:
        return command  # nobody came
    try:
        tcp = socket.create_connection((address.host, address.port))
    except OSError as error:
        command.terminate()
        program.fail(program.CANNOT_CONNECT, f"{address}: {error.strerror}")
    Joint(command).join(tcp, first)
    return command


def main(arguments: list[str]) -> None:
    """Run the program; its exit status is the command's."""
    line = program.CommandLine("One TCP connection, joined to a program's standard input and output.")
    way = line.add_mutually_exclusive_group(required=True)
    way.add_argument("--listen", type=parse_address, metavar="ADDRESS", help="take one connection there")
    way.add_argument("--connect", type=parse_address, metavar="ADDRESS", help="connect there when the program speaks")
    line.add_argument("command", nargs="+", help="after --: the program and its arguments")
    options = line.parse_args(arguments)
    try:
        if options.listen:
            command = listen(options.listen, options.command)
        else:
            command = connect(options.connect, options.command)
    except OSError as error:
        program.fail(program.CANNOT_CONNECT, f"{options.listen or options.connect}: {error.strerror}")
    status = command.wait()
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main(sys.argv[1:])
