"""mailbox_client ADDRESS put NAME FILE | get NAME | list | whoami | batch: talk to a mailbox server.

One request, one reply, the end (stage 4). `batch` sends the frames on standard input and prints the frames that come
back, both at the same time (stage 6).
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

import program
import sockets
from addresses import BadAddress, parse_address
from framing import LIMIT, BadFrame, frame, receive_frame, send_frame
from messages import BadReply, Request, ServerError, encode_request, is_name, parse_reply

#: How many words follow each command.
WORDS = {"put": 2, "get": 1, "list": 0, "whoami": 0, "batch": 0}


def make_request(command: str, words: list[str]) -> Request:
    """The request that the command line asks for. Ends the program with status 2 if there is nothing valid to send."""
    name = words[0] if words else ""
    if words and not is_name(name):
        program.fail(program.USAGE, f"{name!r} is not a name: 1 to 64 letters, digits, '.', '_' and '-'")
    raise NotImplementedError(
        "stage 4: for put, read the file; refuse what does not fit into a frame before anything is "
        "sent"
    )


def ask(sock: socket.socket, request: Request) -> bytes:
    """Send a request and wait for its reply; returns the bytes after `ok`.

    Raises ServerError, BadReply, BadFrame, OSError.
    """
    raise NotImplementedError(
        "stage 4: one frame there, one frame back; an end instead of a reply is an error"
    )


def send_input(sock: socket.socket) -> None:
    """Copy standard input to the server, then end the sending side. The reader notices if the server has left."""
    raise NotImplementedError("stage 6: read what is there, send it, and half-close at the end")


def batch(sock: socket.socket) -> None:
    """Send standard input and print the frames that come, at the same time. Raises BadFrame, OSError.

    Whoever sends everything before reading anything waits for a server that waits for its replies to be read.
    """
    raise NotImplementedError("stage 6: a thread sends while this one reads until the end of the stream")


def main(arguments: list[str]) -> None:
    """Run the program; every end but success is a SystemExit with its status."""
    if len(arguments) < 2 or WORDS.get(arguments[1]) != len(arguments) - 2:
        program.fail(program.USAGE, "usage: mailbox_client ADDRESS put NAME FILE | get NAME | list | whoami | batch")
    address_text, command, *words = arguments
    try:
        address = parse_address(address_text)
    except BadAddress as error:
        program.fail(program.USAGE, error)
    if address.kind == "udp":
        program.fail(program.USAGE, "a mailbox needs a stream: HOST:PORT, [V6]:PORT or unix:PATH")
    request = None if command == "batch" else make_request(command, words)
    try:
        sock = sockets.connect(address)
    except OSError as error:
        program.fail(program.CANNOT_CONNECT, f"{address}: {error}")
    with sock:
        try:
            if request is None:
                batch(sock)
            else:
                program.write_out(ask(sock, request))
        except ServerError as error:
            program.fail(program.SERVER_SAID_ERROR, error)
        except (BadFrame, BadReply, OSError) as error:
            program.fail(program.BROKEN_PROTOCOL, f"{address}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
