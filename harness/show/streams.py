"""Streams: bytes without seams, in buffers with an end."""

from __future__ import annotations

import selectors
import socket
import struct

from harness.show.kernel import Row
from harness.show.sockets import PATIENCE, Sockets, fill, port, shows_table
from harness.show.telling import Telling, page

_LARGE = 1_000_000


@page(
    asks="""three send() calls, then one recv(4096): does it return the first message, or more? Then 1,000,000
    bytes in one send(): does recv(1000000) return them all?""",
    seen="""a stream has no seams. Three sends came out of one recv(), and one large send needed many, in sizes
    that nobody chose. recv(n) means "what is there, at most n, at least one byte": always look at how much it
    was, and read on until you have what you need. Only b'' means that nothing more will come.""",
)
def short_read(tell: Telling) -> None:
    """TCP carries bytes, all of them and in order, and nothing else. How they were cut by send() is not
    carried.
    """
    with Sockets() as made:
        _, client, server = made.connected()
        for word in (b"Sat", b"urday", b" 3 March\n"):
            client.sendall(word)
            tell.step("client", f"send({word!r})")
        first = server.recv(4096)
        tell.step("server", "recv(4096)", repr(first))
        client.sendall(b"Sunday\n")
        tell.step("client", "send(b'Sunday\\n')")
        little = server.recv(3)
        tell.step("server", "recv(3)", f"{little!r}, the rest waits in the kernel")
        server.recv(100)
        sizes = _through(client, server)
        tell.step("client", f"send {_LARGE:,} bytes")
        tell.step("server", f"recv({_LARGE:,}) until all are there", f"{len(sizes)} reads")
        tell.note("Their sizes: " + ", ".join(f"{size:,}" for size in sizes[:8]) + (" ..." if len(sizes) > 8 else ""))
    tell.keeps(first=first, little=little, sizes=sizes, total=sum(sizes))


def _through(client: socket.socket, server: socket.socket) -> list[int]:
    """Send much while reading it, and return the sizes of the reads."""
    left, sizes = memoryview(bytes(_LARGE)), list[int]()
    client.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        selector.register(client, selectors.EVENT_WRITE)
        while sum(sizes) < _LARGE:
            ready = selector.select(PATIENCE)
            if not ready:
                raise TimeoutError("nothing arrives, and nothing can be sent")
            for key, _ in ready:
                if key.fileobj is server:
                    sizes.append(len(server.recv(_LARGE)))
                elif left:
                    left = left[client.send(left) :]
                else:
                    selector.unregister(client)
    return sizes


@page(
    asks="""the number 14 in four bytes: 0e 00 00 00 or 00 00 00 0e? Your processor says one, the network the
    other. What does somebody read who takes one for the other?""",
    seen="""the same four bytes mean 14 to one and 234,881,024 to the other: a length read in the wrong order
    asks for hundreds of megabytes. Network byte order is most significant byte first ("!" in struct, htonl() in
    C), whatever the processor. Even fields are packed differently by default: native "@" pads to the
    processor's taste, "!" never does.""",
)
def byte_order(tell: Telling) -> None:
    """A number of several bytes has to be laid down in some order. RFC 791, appendix B, chose one for the
    network.
    """
    number = 14
    network, native = struct.pack("!I", number), struct.pack("=I", number)
    little = struct.pack("<I", number)
    tell.table(
        ["who", "struct", "the bytes of 14", "read back in network order"],
        [
            ["the network", "!I", network.hex(" "), struct.unpack("!I", network)[0]],
            ["this processor", "=I", native.hex(" "), struct.unpack("!I", native)[0]],
            ["most processors", "<I", little.hex(" "), struct.unpack("!I", little)[0]],
        ],
    )
    padded, packed = len(struct.pack("@BI", 1, 2)), len(struct.pack("!BI", 1, 2))
    tell.step("anybody", 'len(struct.pack("@BI", 1, 2)), with "!BI"', f"{padded} bytes and {packed}")
    tell.keeps(network=network, little=little, wrong=struct.unpack("!I", little)[0], padded=padded, packed=packed)


@page(
    asks="""two messages of 4 and 2 bytes are sent as frames. The reader is handed 5, then 1, then 8 bytes.
    After which of the three is the first message complete?""",
    seen="""the cuts fell inside the length and inside the body, and it made no difference: a reader keeps what
    has come until it holds 4 bytes of length and as many of body as these say. The sender's cuts are no help,
    since the network makes its own. A line with a terminator works as well, as long as the terminator cannot
    occur inside.""",
)
def frame(tell: Telling) -> None:
    """A stream has no messages, so programs that want some have to mark where each one ends. A frame is a
    length, then as many bytes of body.
    """
    stream = b"".join(struct.pack("!I", len(body)) + body for body in (b"tea?", b"ok"))
    with Sockets() as made:
        _, client, server = made.connected()
        tell.note(f"On the wire: {stream.hex(' ')}")
        kept, complete, at = b"", [], 0
        for size in (5, 1, 8):
            client.sendall(stream[at : at + size])
            at += size
            kept += server.recv(4096)
            length = int.from_bytes(kept[:4]) if len(kept) >= 4 else None
            whole = length is not None and len(kept) >= 4 + length
            complete.append(whole)
            needs = "unknown yet" if length is None else f"{4 + length} bytes"
            tell.step(
                "reader", f"holds {len(kept)} bytes; the first frame needs {needs}", "complete" if whole else "wait"
            )
    tell.keeps(stream=stream, complete=complete)


@page(
    asks="""nobody reads. How many bytes does send() take before it says no: none, a few KB, or some MB? Where
    are they then?""",
    seen="""every byte that send() took is in one of two buffers of the kernel: unsent at the sender, unread at
    the receiver. "send() returned" means that the kernel has taken the bytes, not that anybody got them. Both
    buffers have an end, so a reader that does not read stops the writer; that is called backpressure. Half of
    the reader's buffer has to be free again, or a large part of it, before its kernel opens the window and the
    writer may go on.""",
)
def bounded_buffer(tell: Telling) -> None:
    """A socket is a mailbox with a bounded buffer on each side. send() puts bytes into the one, recv() takes
    them out of the other, and the kernel moves them in between.
    """
    with Sockets() as made:
        _, client, server = made.connected(buffers=32_768)
        taken = fill(client)
        tell.step("client", "send() until BlockingIOError, and again", f"{taken:,} bytes taken in all")
        names = {port(client): "client", port(server): "server"}
        rows = [row for row in shows_table(tell, [port(server)], names) if row.state == "ESTABLISHED"]
        unread, unsent = _held(rows)
        if unread is not None and unsent is not None:
            tell.note(f"{unread:,} unread + {unsent:,} unsent = {unread + unsent:,} bytes; send() took {taken:,}.")
        read = len(server.recv(1000))
        again = fill(client)
        tell.step("server", "recv(1000)", f"{read:,} bytes")
        tell.step("client", "send() again", f"{again:,} bytes" + ("" if again else ": a little room opens no window"))
        while read < taken + again:
            read += len(server.recv(65_536))
        tell.step("server", "recv() until it is empty", f"{read:,} bytes, all that was taken")
        more = fill(client)
        tell.step("client", "send() again", f"{more:,} bytes: there is room")
    tell.keeps(taken=taken, unread=unread, unsent=unsent, again=again, more=more, read=read)


def _held(rows: list[Row]) -> tuple[int | None, int | None]:
    """Bytes unread and unsent in a connection's two rows together; None where the system does not say."""
    if not rows or any(row.unread is None or row.unsent is None for row in rows):
        return None, None
    return sum(row.unread or 0 for row in rows), sum(row.unsent or 0 for row in rows)
