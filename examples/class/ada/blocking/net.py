"""Shared by my four programs: addresses, exit codes, small helpers."""
import socket
import sys

DONE, REFUSED_BY_SERVER, USAGE, NO_CONNECTION, PROTOCOL, GAVE_UP = 0, 1, 2, 3, 4, 5


def die(status, text):
    print(text, file=sys.stderr)
    sys.exit(status)


def parse(text):
    """-> (family, type, sockaddr); ValueError if it is no address"""
    if text.startswith("unix:"):
        if len(text) == 5:
            raise ValueError("empty path")
        return socket.AF_UNIX, socket.SOCK_STREAM, text[5:]
    kind = socket.SOCK_STREAM
    if text.startswith("udp:"):
        kind, text = socket.SOCK_DGRAM, text[4:]
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise ValueError("bad port")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        socket.inet_pton(socket.AF_INET6, host)
        return socket.AF_INET6, kind, (host, int(port))
    socket.inet_pton(socket.AF_INET, host)
    return socket.AF_INET, kind, (host, int(port))


def address_argument(text):
    try:
        return parse(text)
    except (ValueError, OSError):
        die(USAGE, "not an address: " + text)


def describe(family, kind, name):
    if family == socket.AF_UNIX:
        return "unix:" + name
    host = f"[{name[0]}]" if family == socket.AF_INET6 else name[0]
    return ("udp:" if kind == socket.SOCK_DGRAM else "") + f"{host}:{name[1]}"
