"""The shortest loop over `selectors` that echoes: what is not taken at once is lost. The yardstick of all others."""

from __future__ import annotations

import selectors

from common import listen

listener = listen()
listener.setblocking(False)
selector = selectors.DefaultSelector()
selector.register(listener, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        if key.fileobj is listener:
            sock, _ = listener.accept()
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ)
            continue
        sock = key.fileobj
        try:
            data = sock.recv(65536)
            if data:
                sock.send(data)
                continue
        except OSError:
            pass
        selector.unregister(sock)
        sock.close()
