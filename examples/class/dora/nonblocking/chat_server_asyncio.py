"""The chat server with asyncio's protocols and transports: callbacks, and no coroutine for a client."""

import asyncio
import signal
import sys

from core import Client, Options, read_words


async def serve(address):
    loop = Options.loop = asyncio.get_running_loop()
    over, stop = asyncio.Event(), asyncio.Event()
    Options.over = over.set
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    try:
        if address.startswith("unix:"):
            server = await loop.create_unix_server(Client, address[5:], backlog=512)
            print("listening on", address, flush=True)
        else:
            host, _, port = address.rpartition(":")
            server = await loop.create_server(Client, host.strip("[]"), int(port), backlog=1024)
            print(f"listening on {host}:{server.sockets[0].getsockname()[1]}", flush=True)
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


address = read_words(sys.argv[1:])
asyncio.run(serve(address))
