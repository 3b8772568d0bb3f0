"""daytime_server that forks for every client: the child does the waiting."""

import os
import signal
import socket
import sys
import time

from wire import bind, quit_with


def line():
    t = time.gmtime()
    return b"%04d-%02d-%02dT%02d:%02d:%02dZ\r\n" % t[:6]


if len(sys.argv) != 2:
    quit_with(2, "usage: daytime_server ADDRESS")
sock = bind(sys.argv[1])
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are collected by the system
while True:
    try:
        if sock.type == socket.SOCK_DGRAM:
            sock.sendto(line(), sock.recvfrom(0)[1])
            continue
        client, _ = sock.accept()
    except OSError:
        continue
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sock.close()
        signal.alarm(1)  # the default action of SIGALRM ends a child that waits for too long
        try:
            client.sendall(line())
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
        except OSError:
            pass
        os._exit(0)
    client.close()
