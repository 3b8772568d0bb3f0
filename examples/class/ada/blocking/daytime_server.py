import os
import signal
import socket
import stat
import sys
import time
from datetime import datetime, timezone

import net


def line():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ\r\n").encode()


class Stop(Exception):
    pass


def stop(*_):
    raise Stop


def nobody_there(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) != 0


def listen(family, kind, where):
    if family == socket.AF_UNIX:
        try:
            if stat.S_ISSOCK(os.lstat(where).st_mode) and nobody_there(where):
                os.unlink(where)
        except FileNotFoundError:
            pass
    s = socket.socket(family, kind)
    if family != socket.AF_UNIX and kind == socket.SOCK_STREAM:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(where)
    if kind == socket.SOCK_STREAM:
        s.listen(512)
    print("listening on", net.describe(family, kind, s.getsockname()), flush=True)
    return s


def goodbye(c):
    """Say the end, then read away what the client still sends, or it would see a reset."""
    c.shutdown(socket.SHUT_WR)
    until = time.monotonic() + 1
    while (left := until - time.monotonic()) > 0:
        c.settimeout(left)
        if not c.recv(65536):
            break


def main(argv):
    if len(argv) != 1:
        net.die(net.USAGE, "usage: daytime_server ADDRESS")
    family, kind, where = net.address_argument(argv[0])
    signal.signal(signal.SIGTERM, stop)
    try:
        s = listen(family, kind, where)
    except OSError as e:
        net.die(net.NO_CONNECTION, f"cannot listen: {e}")
    try:
        while True:
            try:
                if kind == socket.SOCK_DGRAM:
                    _, who = s.recvfrom(65536)
                    s.sendto(line(), who)
                else:
                    c, _ = s.accept()
                    with c:
                        c.settimeout(5)
                        c.sendall(line())
                        goodbye(c)
            except OSError:
                pass
    except Stop:
        pass
    finally:
        s.close()
        if family == socket.AF_UNIX:
            try:
                os.unlink(where)
            except OSError:
                pass


if __name__ == "__main__":
    main(sys.argv[1:])
