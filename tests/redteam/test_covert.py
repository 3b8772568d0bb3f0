"""Ways around the link between a submission's two nodes, graded for real: none of them earns a point in stage 8."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.bench.docker import DockerPlace
from grader.bench.local import Bench
from grader.course import this_course
from tests.grading import grade
from tests.mutants import copy_reference

pytestmark = [pytest.mark.docker, pytest.mark.slow]

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


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    place = DockerPlace(this_course(), ["transport"], engine="router", say=lambda _: None)
    made = place.bench()
    yield made
    made.close()
    place.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_way_around_the_link_earns_nothing(way: str, tmp_path: Path, bench: Bench) -> None:
    sending, receiving = WAYS[way]
    (tmp_path / "rdt_send.py").write_text(SENDER.replace("WAY\n", sending))
    (tmp_path / "rdt_recv.py").write_text(RECEIVER.replace("WAY\n", receiving))
    (tmp_path / "connection.py").write_text("")
    tmp_path.chmod(0o755)  # pytest makes it for its own user alone
    graded = grade(bench, tmp_path, "transport", only=CHECKS)
    outcomes = [graded.reports[check]["outcome"] for check in CHECKS]
    assert outcomes[0] in ("fail", "timeout"), graded.lost  # it ran, and was caught
    assert outcomes[1] == "skipped"
    assert outcomes[2] in ("fail", "timeout"), graded.lost


def test_who_goes_over_the_link_is_believed(tmp_path: Path, bench: Bench) -> None:
    copy_reference("transport", tmp_path)
    tmp_path.chmod(0o755)
    assert grade(bench, tmp_path, "transport", only=CHECKS).lost == {}
