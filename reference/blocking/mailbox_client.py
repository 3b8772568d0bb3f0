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
    ### BEGIN SOLUTION: stage 4: for put, read the file; refuse what does not fit into a frame before anything is sent
    content = b""
    if command == "put":
        try:
            content = Path(words[1]).read_bytes()
        except OSError as error:
            program.fail(program.USAGE, error)
    request = Request(command, name, content)
    if len(encode_request(request)) > LIMIT:
        program.fail(program.USAGE, f"{words[1]} is too long: a request has {LIMIT} bytes at most")
    return request
    ### END SOLUTION


def ask(sock: socket.socket, request: Request) -> bytes:
    """Send a request and wait for its reply; returns the bytes after `ok`.

    Raises ServerError, BadReply, BadFrame, OSError.
    """
    ### BEGIN SOLUTION: stage 4: one frame there, one frame back; an end instead of a reply is an error
    send_frame(sock, encode_request(request))
    reply = receive_frame(sock)
    if reply is None:
        raise BadReply("the server ended the connection without a reply")
    return parse_reply(reply)
    ### END SOLUTION


def send_input(sock: socket.socket) -> None:
    """Copy standard input to the server, then end the sending side. The reader notices if the server has left."""
    ### BEGIN SOLUTION: stage 6: read what is there, send it, and half-close at the end
    try:
        while data := os.read(sys.stdin.fileno(), 65536):
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    ### END SOLUTION


def batch(sock: socket.socket) -> None:
    """Send standard input and print the frames that come, at the same time. Raises BadFrame, OSError.

    Whoever sends everything before reading anything waits for a server that waits for its replies to be read.
    """
    ### BEGIN SOLUTION: stage 6: a thread sends while this one reads until the end of the stream
    threading.Thread(target=send_input, args=(sock,), daemon=True).start()
    while (body := receive_frame(sock)) is not None:
        program.write_out(frame(body))
    ### END SOLUTION


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
