import signal
import socket
import sys

import program
from addresses import parse_address

line = program.CommandLine("Send everything back.")
line.add_argument("address", type=parse_address)
line.add_argument("--idle", type=program.seconds, default=300.0)
options = line.parse_args()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
listener = socket.socket(options.address.family, socket.SOCK_STREAM)
if options.address.kind == "tcp":
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(options.address.target)
listener.listen()
listener.setblocking(False)
program.announce(options.address.bound_as(listener))
clients = []
while True:
    try:
        sock, _ = listener.accept()
        sock.setblocking(False)
        clients.append(sock)
    except BlockingIOError:
        pass
    for sock in list(clients):
        try:
            data = sock.recv(4096)
            if data:
                sock.send(data)
                continue
        except BlockingIOError:
            continue
        except OSError:
            pass
        clients.remove(sock)
        sock.close()
