"""Answers each line of text with "ok", anything else with "error" and the end: lines.py ADDRESS [patient]."""

import socket
import sys
import threading

MOST = 0 if "patient" in sys.argv else 4096


def talk(sock: socket.socket) -> None:
    pending = b""
    with sock:
        while data := sock.recv(65_536):
            *lines, pending = (pending + data).split(b"\n")
            if MOST and len(pending) > MOST:
                return
            for line in lines:
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError:
                    sock.sendall(b"error\n")
                    return
                sock.sendall(b"ok\n")


host, _, port = sys.argv[1].rpartition(":")
listener = socket.create_server((host, int(port)))
print(f"listening on {host}:{listener.getsockname()[1]}", flush=True)
while True:
    threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()
