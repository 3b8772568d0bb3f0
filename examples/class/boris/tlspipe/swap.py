"""Half a goodbye on an SSLSocket.

SSLSocket.unwrap() says close_notify and at once listens for the other's; if data comes instead, OpenSSL takes
that for a breach and ends the connection. So for that moment another socket stands at the descriptor: one on which
nothing ever arrives. What was written to it is then passed on.
"""

import os
import socket
import ssl


def close_notify(tls):
    """The bytes of a close_notify. Nothing may be pending() and no write begun; later reads still work."""
    real = os.dup(tls.fileno())
    near, far = socket.socketpair()
    try:
        near.setblocking(False)
        os.dup2(near.fileno(), tls.fileno(), inheritable=False)
        try:
            tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        finally:
            os.dup2(real, tls.fileno(), inheritable=False)
        far.setblocking(False)
        return far.recv(65536)
    finally:
        os.close(real)
        near.close()
        far.close()
