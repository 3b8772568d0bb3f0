"""asyncio with a protocol: a callback for what arrives, and one when output waits."""

from __future__ import annotations

import asyncio
import sys

from common import BACKLOG, listen


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Echo, sock=listen(), backlog=BACKLOG)
    await server.serve_forever()


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
