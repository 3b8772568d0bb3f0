"""A server for the lab's own tests: answers what it reads, over TCP, UDP or a Unix socket."""

import socket
import sys

kind, _, rest = sys.argv[1].partition(":")
if kind == "unix":
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(rest)
else:
    udp = kind == "udp"
    host, _, port = (rest if udp else sys.argv[1]).rpartition(":")
    family = socket.AF_INET6 if "[" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    listening.bind((host.strip("[]"), int(port)))
    number = listening.getsockname()[1]
if kind == "udp":
    print(f"listening on udp:{host}:{number}", flush=True)
    while True:
        data, sender = listening.recvfrom(65536)
        listening.sendto(data, sender)
listening.listen()
print(f"listening on {sys.argv[1] if kind == 'unix' else f'{host}:{number}'}", flush=True)
while True:
    connection, sender = listening.accept()
    print(sender, flush=True)
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()
