"""The chat server with asyncio's protocols and transports: callbacks, and no coroutine for a client."""

import asyncio
import os
import signal
import socket
import stat
import sys

from core import Client, Options, read_words


def listening(address):
    """A socket of our own: create_unix_server() takes whatever lies at its path, and leaves it there."""
    if address.startswith("unix:"):
        path = address[5:]
        sock = socket.socket(socket.AF_UNIX)
        if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(path)
                except ConnectionRefusedError:
                    os.unlink(path)
        sock.bind(path)
        return sock, address, path
    host, _, port = address.rpartition(":")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host.strip("[]"), int(port)))
    return sock, f"{host}:{sock.getsockname()[1]}", None


async def serve(address):
    loop = Options.loop = asyncio.get_running_loop()
    over, stop = asyncio.Event(), asyncio.Event()
    Options.over = over.set
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    try:
        sock, words, path = listening(address)
        make = loop.create_unix_server if path else loop.create_server
        server = await make(Client, sock=sock, backlog=1024)
        print("listening on", words, flush=True)
    except OSError as error:
        print("cannot listen:", error, file=sys.stderr)
        sys.exit(3)
    await stop.wait()
    server.close()
    Options.draining = True
    for client in list(Options.everyone):
        client.end(b"")
    if Options.everyone:
        try:
            await asyncio.wait_for(over.wait(), 1.5)
        except TimeoutError:
            pass
    if path:
        os.unlink(path)


address = read_words(sys.argv[1:])
asyncio.run(serve(address))
