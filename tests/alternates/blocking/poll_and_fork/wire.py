"""Addresses, endings and exit statuses in one place; used by all four programs."""

import ipaddress
import os
import signal
import socket
import stat
import sys


def quit_with(status, *words):
    print(*words, file=sys.stderr, flush=True)
    os._exit(status)


def endpoint(text):
    """(family, type, target), or the end with status 2."""
    try:
        if text.startswith("unix:"):
            assert len(text) > 5
            return socket.AF_UNIX, socket.SOCK_STREAM, text[5:]
        kind = socket.SOCK_STREAM
        if text.startswith("udp:"):
            kind, text = socket.SOCK_DGRAM, text[4:]
        host, port = text.rsplit(":", 1)
        assert port.isdecimal() and int(port) < 65536
        if host[0] == "[":
            assert host[-1] == "]"
            return socket.AF_INET6, kind, (str(ipaddress.IPv6Address(host[1:-1])), int(port))
        return socket.AF_INET, kind, (str(ipaddress.IPv4Address(host)), int(port))
    except (AssertionError, ValueError, IndexError):
        quit_with(2, "no address:", text)


def bind(text):
    """Bind and listen, arrange for the end, and say so."""
    family, kind, target = endpoint(text)
    sock = socket.socket(family, kind)
    try:
        if family == socket.AF_UNIX:
            clear(target)
        elif kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(target)
        if kind == socket.SOCK_STREAM:
            sock.listen(512)
    except OSError as error:
        quit_with(3, text, error)

    def end(*_):
        if family == socket.AF_UNIX:
            os.unlink(target)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    where = text if family == socket.AF_UNIX else text[: text.rindex(":") + 1] + str(sock.getsockname()[1])
    sys.stdout.write(f"listening on {where}\n")
    sys.stdout.flush()
    return sock


def clear(path):
    """Remove a socket nobody listens at."""
    if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
        probe = socket.socket(socket.AF_UNIX)
        if probe.connect_ex(path):
            os.unlink(path)
        probe.close()


def connect(text):
    family, kind, target = endpoint(text)
    sock = socket.socket(family, kind)
    try:
        sock.connect(target)
    except OSError as error:
        quit_with(3, text, error)
    return sock
