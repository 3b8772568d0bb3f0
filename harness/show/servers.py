"""Four servers that do the same in four ways: python servers.py threads|processes|selectors|asyncio.

Each prints its port, and answers every line with the number of the process that read it. Only the standard library,
and no other module of ours: it is a program of its own, so that the system can count its threads, processes and memory.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import sys
import threading

LONGEST = 900  #: seconds


def converse(client: socket.socket) -> None:
    """Answer until the client ends."""
    with client:
        while client.recv(4096):
            client.sendall(b"%d\n" % os.getpid())


def threads(listening: socket.socket) -> None:
    """A thread for each client, which waits for it."""
    while True:
        client, _ = listening.accept()
        threading.Thread(target=converse, args=(client,), daemon=True).start()


def processes(listening: socket.socket) -> None:
    """A process for each client. The kernel buries the dead (SIGCHLD is ignored), the parent closes its copy."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        client, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            converse(client)
            os._exit(0)
        client.close()


def selecting(listening: socket.socket) -> None:
    """One thread that asks the kernel who is ready."""
    selector = selectors.DefaultSelector()
    selector.register(listening, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listening:
                selector.register(listening.accept()[0], selectors.EVENT_READ)
                continue
            client = key.fileobj
            assert isinstance(client, socket.socket)
            if client.recv(4096):
                client.sendall(b"%d\n" % os.getpid())  # a few bytes: they always fit
            else:
                selector.unregister(client)
                client.close()


def with_asyncio(listening: socket.socket) -> None:
    """A coroutine for each client, in one thread; the loop is the library's."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(b"%d\n" % os.getpid())
            await writer.drain()
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, sock=listening, backlog=1024)
        await server.serve_forever()

    asyncio.run(serve())


#: How each way is called.
WAYS = {"threads": threads, "processes": processes, "selectors": selecting, "asyncio": with_asyncio}


def main() -> None:
    """Serve until whoever started this ends it; an orphan ends by itself after a while."""
    if hasattr(signal, "alarm"):
        signal.alarm(LONGEST)
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listening.getsockname()[1], flush=True)
    WAYS[sys.argv[1]](listening)


if __name__ == "__main__":
    main()
