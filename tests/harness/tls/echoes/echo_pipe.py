"""No pipe but an echo, started like one: echo_pipe.py server|client ... FAULT. A thread for each connection."""

import socket
import ssl
import struct
import sys
import threading
import time


def value(flag):
    return sys.argv[sys.argv.index(flag) + 1]


def serve(connection, context, fault):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if fault == "silent":
        time.sleep(30)
    if context is not None:
        connection = context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False)
    while data := connection.recv(65536):
        connection.sendall(data.swapcase() if fault == "swaps" else data)
        if fault == "quits":
            connection.close()
            return
        if fault == "stalls":
            time.sleep(0.5)
    if fault == "stays":
        time.sleep(30)
    if fault == "resets":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif context is not None and fault != "cuts":
        connection = connection.unwrap()
    connection.close()


def attempt(connection, context, fault):
    try:
        serve(connection, context, fault)
    except OSError:
        connection.close()


fault = sys.argv[-1]
host, _, port = value("--listen").rpartition(":")
context = None
if sys.argv[1] == "server":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(value("--cert"), value("--key"))
listener = socket.create_server((host, int(port)), backlog=256)
print(f"listening on {host}:{listener.getsockname()[1]}", flush=True)
while True:
    accepted, _ = listener.accept()
    if fault == "hasty":
        accepted.close()
    else:
        threading.Thread(target=attempt, args=(accepted, context, fault), daemon=True).start()
