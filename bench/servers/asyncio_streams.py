"""asyncio with streams: a coroutine for each client."""

from __future__ import annotations

import asyncio

from common import BACKLOG, listen


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(echo, sock=listen(), backlog=BACKLOG)
    await server.serve_forever()


asyncio.run(main())
