"""Hostile submissions of the transport assignment: programs that answer calls by themselves, and ways around the link.

Each is what was tried against the grader. `grader audit redteam` grades them, too.
"""

from __future__ import annotations

from typing import Any

#: A program that answers each step with what `answer(now)` gives.
PROGRAM = """import json, sys
{}
for line in sys.stdin:
    call = json.loads(line)
    said = answer(call.get("now", 0)) if call["do"] == "step" else "{{}}"
    print(said, flush=True)
"""

#: Datagrams as large as they may be, as many at once as fit, for ever.
FLOOD = """flood = ",".join(['"%s"' % ("A" * 87_340)] * 40)
def answer(now):
    return '{"datagrams": [%s], "timer": %.9f}' % (flood, now + 1e-6)
"""
#: No answer; threads that all wake together for a moment wait for each other, and so for a processor.
QUEUE = """import threading, time
def burn():
    while True:
        if time.monotonic() % 0.25 > 0.01:
            time.sleep(0.25 - time.monotonic() % 0.25)
def answer(now):
    for _ in range(50):
        threading.Thread(target=burn, daemon=True).start()
    time.sleep(100)
"""

#: Announces a UDP port, waits for the data on a way of its own, and prints it.
RECEIVER = """\
import os, socket, sys, time
FOLDERS = ("/tmp", "/dev/shm", "/files", "/build", "/agent", "/lab", "/submission", "/var/tmp")
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("0.0.0.0", 0))
port = udp.getsockname()[1]
WAY
print(f"listening on udp:0.0.0.0:{port}", file=sys.stderr, flush=True)
deadline = time.monotonic() + 2
data = None
while data is None and time.monotonic() < deadline:
    data = look()
while data:
    data = data[os.write(1, data) :]
"""

#: Has all of its input and the receiver's host and port, and takes it there on a way of its own.
SENDER = """\
import os, socket, sys, time
FOLDERS = ("/tmp", "/dev/shm", "/files", "/build", "/agent", "/lab", "/submission", "/var/tmp")
data = sys.stdin.buffer.read()
host, _, port = sys.argv[1].removeprefix("udp:").rpartition(":")
WAY
"""

#: What it is -> the sender's part, the receiver's.
WAYS = {
    "the kernel's own TCP": (
        """\
with socket.create_connection((host, int(port)), 5) as tcp:
    tcp.sendall(data)
""",
        """\
server = socket.create_server(('0.0.0.0', port))
def look():
    tcp, found = server.accept()[0], b''
    while piece := tcp.recv(65536):
        found += piece
    return found
""",
    ),
    "datagrams that are no segments": (
        """\
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for at in range(0, len(data), 1000):
    udp.sendto(at.to_bytes(4, 'big') + data[at : at + 1000], (host, int(port)))
    time.sleep(0.001)
udp.sendto(b'', (host, int(port)))
""",
        """\
pieces = {}
def look():
    piece = udp.recv(2048)
    pieces[piece[:4]] = piece[4:]
    return b''.join(pieces[at] for at in sorted(pieces)) if not piece else None
""",
    ),
    "files, wherever one can be written": (
        """\
for folder in FOLDERS:
    try:
        with open(folder + '/covert', 'wb') as file:
            file.write(data)
    except OSError:
        pass
time.sleep(2)
""",
        """\
def look():
    for folder in FOLDERS:
        try:
            with open(folder + '/covert', 'rb') as file:
                return file.read()
        except OSError:
            time.sleep(0.01)
""",
    ),
    "an abstract Unix socket": (
        """\
unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
for _ in range(200):
    try:
        unix.connect('\\0covert')
        unix.sendall(data)
        break
    except OSError:
        time.sleep(0.01)
""",
        """\
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind('\\0covert')
server.listen()
server.settimeout(2)
def look():
    tcp, found = server.accept()[0], b''
    while piece := tcp.recv(65536):
        found += piece
    return found
""",
    ),
}


#: Those in which a submission talks with itself.
CHECKS = [
    f"test_8_real_sockets.py::{name}"
    for name in ("test_a_file_arrives", "test_segments_are_lost", "test_against_itself")
]
#: The check that a program which only answers calls meets first.
CALLED = "test_3_retransmission.py::test_both_directions"


def _answers(source: str) -> dict[str, bytes]:
    command = b'[programs]\nconnection = ["python3", "evil.py"]\n'
    return {"evil.py": PROGRAM.format(source).encode(), "programs.toml": command}


def _goes(sending: str, receiving: str) -> dict[str, bytes]:
    programs = {"rdt_send.py": SENDER.replace("WAY\n", sending), "rdt_recv.py": RECEIVER.replace("WAY\n", receiving)}
    return {**{name: text.encode() for name, text in programs.items()}, "connection.py": b""}


ASSIGNMENT = "transport"
#: Name -> `seeks`: what success would look like; `files`: what is handed in; `checks`: those that meet it.
ATTACKS: dict[str, dict[str, Any]] = {
    "datagrams without end": {
        "seeks": "A tester that runs out of memory over one answer.",
        "files": _answers(FLOOD),
        "checks": [CALLED],
    },
    "threads that queue": {
        "seeks": "A failure that is undecided, since all its threads want a processor at one moment.",
        "files": _answers(QUEUE),
        "checks": [CALLED],
    },
    **{
        f"around the link by {way}": {
            "seeks": "Points for data that never came over the link.",
            "files": _goes(*programs),
            "checks": CHECKS,
        }
        for way, programs in WAYS.items()
    },
}
