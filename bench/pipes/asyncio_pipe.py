"""The same pipe with asyncio's streams: `asyncio_pipe.py server|client PORT TARGET CERTIFICATES KEY [--uvloop]`.

A client is given its roots for CERTIFICATES and the server's name for KEY. An end is passed on as far as asyncio lets
it be: with TLS there is no half-close, so the first end closes both sides.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

HOST = "127.0.0.1"
#: Bytes that are read at once, as streams do by default.
CHUNK = 65_536


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()


class Pipe:
    """Where to go with a connection, and how."""

    def __init__(self, role: str, target: int, certificates: str, key: str) -> None:
        self.accepted: ssl.SSLContext | None = None  # TLS on what is accepted
        self._connected: dict[str, object] = {"port": target}
        if role == "server":
            self.accepted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.accepted.load_cert_chain(certificates, key)
        else:
            self._connected |= {"ssl": ssl.create_default_context(cafile=certificates), "server_hostname": key}

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            other_reader, other_writer = await asyncio.open_connection(HOST, **self._connected)
            writers.append(other_writer)
            ways = [
                asyncio.ensure_future(carry(reader, other_writer)),
                asyncio.ensure_future(carry(other_reader, writer)),
            ]
            _, others = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in others:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass
        finally:
            for each in writers:
                each.close()


async def main() -> None:
    role, port, target, certificates, key = sys.argv[1:6]
    pipe = Pipe(role, int(target), certificates, key)
    server = await asyncio.start_server(pipe, HOST, int(port), ssl=pipe.accepted, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
