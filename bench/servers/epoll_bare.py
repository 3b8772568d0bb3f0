"""The same without the module between: epoll itself, a dictionary from descriptor to socket."""

from __future__ import annotations

import select

from common import listen

listener = listen()
listener.setblocking(False)
poll = select.epoll()
poll.register(listener, select.EPOLLIN)
sockets = {}
accepting = listener.fileno()
while True:
    for descriptor, _ in poll.poll():
        if descriptor == accepting:
            sock, _ = listener.accept()
            sock.setblocking(False)
            sockets[sock.fileno()] = sock
            poll.register(sock, select.EPOLLIN)
            continue
        sock = sockets[descriptor]
        try:
            data = sock.recv(65536)
            if data:
                sock.send(data)
                continue
        except OSError:
            pass
        del sockets[descriptor]
        poll.unregister(sock)
        sock.close()
