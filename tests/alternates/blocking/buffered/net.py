"""Everything about sockets that my four programs share."""

import contextlib
import ipaddress
import os
import signal
import socket
import stat
import struct
import sys
import time

MAX = 64 * 1024


class Usage(Exception):
    pass


class Broken(Exception):
    """The other side broke the protocol."""


def parse(text):
    """-> (kind, family, what bind and connect want)"""
    if text.startswith("unix:"):
        if text == "unix:":
            raise Usage("unix: without a path")
        return "unix", socket.AF_UNIX, text[5:]
    kind = "tcp"
    if text.startswith("udp:"):
        kind, text = "udp", text[4:]
    host, sep, port = text.rpartition(":")
    v6 = host[:1] == "[" and host[-1:] == "]"
    try:
        address = (ipaddress.IPv6Address if v6 else ipaddress.IPv4Address)(host.strip("[]"))
    except ValueError:
        raise Usage(f"not an address: {text}") from None
    if not sep or not port.isdecimal() or int(port) > 65535:
        raise Usage(f"not a port: {port}")
    return kind, socket.AF_INET6 if v6 else socket.AF_INET, (str(address), int(port))


def notation(text, sock):
    """The address we were given, with the port we really have."""
    if text.startswith("unix:"):
        return text
    return text.rpartition(":")[0] + ":" + str(sock.getsockname()[1])


def dial(text):
    kind, family, target = parse(text)
    if kind == "udp":
        raise Usage("this needs a stream")
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.connect(target)
    return sock


def someone_listens(path):
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


@contextlib.contextmanager
def listening(text):
    """A bound (and, for streams, listening) socket, which ends with the block."""
    kind, family, target = parse(text)
    sock = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    if kind == "unix" and os.path.exists(target) and stat.S_ISSOCK(os.stat(target).st_mode):
        if someone_listens(target):
            raise OSError(f"{target} is in use")
        os.remove(target)
    if kind == "tcp":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(target)
    try:
        if kind != "udp":
            sock.listen(socket.SOMAXCONN)
        print("listening on", notation(text, sock), flush=True)
        yield sock
    finally:
        sock.close()
        if kind == "unix" and os.path.exists(target):
            os.remove(target)


def part(sock, seconds=1.0):
    """Say goodbye: our FIN first, then listen to the end (but not for ever), so that nobody sees a reset."""
    until = time.monotonic() + seconds
    try:
        sock.shutdown(socket.SHUT_WR)
        while time.monotonic() < until:
            sock.settimeout(max(0.01, until - time.monotonic()))
            if sock.recv(MAX) == b"":
                break
    except OSError:
        pass
    sock.close()


def pack(body):
    return struct.pack(">I", len(body)) + body


def read_frame(stream):
    """The next body from a buffered binary stream, or None at its end."""
    head = stream.read(4)
    if head == b"":
        return None
    if len(head) != 4:
        raise Broken("end inside a length")
    size = int.from_bytes(head, "big")
    if size > MAX:
        raise OverflowError(size)
    body = stream.read(size)
    if len(body) != size:
        raise Broken("end inside a frame")
    return body


def run(main):
    """Call main(words) and turn what happens into an exit status."""

    def term(*_):
        sys.exit(0)

    signal.signal(signal.SIGTERM, term)
    try:
        status = main(sys.argv[1:])
    except Usage as error:
        status = complain(2, error)
    except (Broken, OverflowError, ConnectionResetError, BrokenPipeError) as error:
        status = complain(4, error)
    except OSError as error:
        status = complain(3, error)
    sys.stdout.flush()
    os._exit(status or 0)  # a thread may still sit in a read of standard input


def complain(status, error):
    print(sys.argv[0] + ":", error, file=sys.stderr, flush=True)
    return status
