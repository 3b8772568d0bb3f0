"""Peers that take small segments: what a program cannot get rid of stays in the program, and not in the kernel."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.harness.tester.local_scene import local_scenes

#: Sends as much as is taken at once, on a connection that it accepts or makes, and says how much that was.
TALKER = """
import socket, sys
role, *words = sys.argv[1:]
if role == "accepts":
    listener = socket.create_server(("0.0.0.0", 0))
    print("listening on 0.0.0.0:%d" % listener.getsockname()[1], flush=True)
    sock, _ = listener.accept()
else:
    host, port = words[0].rsplit(":", 1)
    sock = socket.create_connection((host, int(port)))
sock.settimeout(0.3)
taken = 0
try:
    while True:
        taken += sock.send(bytes(65_536))
except TimeoutError:
    print(taken, flush=True)
sys.stdin.read()
"""

#: More than 20 segments of 536 bytes and what the kernel needs for each, in bytes.
LITTLE = 80_000


@pytest.mark.skipif(sys.platform != "linux", reason="how the kernel makes room is Linux's")
def test_the_kernel_keeps_little_for_a_peer_of_small_segments(tmp_path: Path) -> None:
    (tmp_path / "talker.py").write_text(TALKER)
    with local_scenes(tmp_path, {"talker": ["python3", "talker.py"]}) as make:
        lab = make()
        server = lab.serves("talker", flags=["accepts"])
        lab.connects(server, receive_buffer=2048, segment=536)
        assert lab.waits_until(lambda: server.stdout.count(b"\n") == 2)
        assert int(server.stdout.split()[-1]) < LITTLE
        listener = lab.listens(receive_buffer=2048, segment=536)
        client = lab.runs("talker", "connects", listener.address)
        listener.accepts()
        assert int(client.prints_line()) < LITTLE
        listener = lab.listens(receive_buffer=2048)
        client = lab.runs("talker", "connects", listener.address)
        listener.accepts()
        assert int(client.prints_line()) > 3 * LITTLE  # what the word is for
