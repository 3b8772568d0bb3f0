"""No pipe at all, started like one: odd_pipe.py server|client ... FAULT. Says things and ends connections oddly."""

import socket
import struct
import sys
import time


def value(flag):
    return sys.argv[sys.argv.index(flag) + 1]


fault = sys.argv[-1]
host, _, port = value("--listen").rpartition(":")
listener = socket.create_server((host, int(port)))
print(f"listening on {host}:{listener.getsockname()[1]}", flush=True)
if fault == "silent":
    time.sleep(30)
if fault == "quits":
    sys.exit(3)
connection, _ = listener.accept()
if fault == "resets":
    connection.recv(65536)  # so that it has been seen to connect
    connection.sendall(b"some bytes")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
elif fault == "tells":
    with open(value("--key")) as file:
        print(file.read(), file=sys.stderr)
elif fault == "talks":
    connection.sendall(b"220 ready\r\n")
    connection.recv(65536)
elif fault == "twice":
    print("ended: closed\nended: closed", file=sys.stderr)
connection.close()
print("ended: closed, and all is well", file=sys.stderr, flush=True)
time.sleep(30)
