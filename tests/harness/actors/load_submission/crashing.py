"""A server that fails at its first client."""

import socket

with socket.create_server(("0.0.0.0", 0)) as listener:
    print(f"listening on 0.0.0.0:{listener.getsockname()[1]}", flush=True)
    listener.accept()
    raise RuntimeError("no luck")
