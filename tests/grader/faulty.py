"""A small class whose points are known, to be graded while something of ours or of the machine's is broken."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from grader.bench.local import Place
from grader.campaign.campaign import Campaign, JobEvent
from grader.campaign.plan import make_plan
from grader.course import Course
from grader.record.journal import Journal
from grader.record.run_folder import RunFolder
from tests.grading import ROOT

Results = Mapping[str, Mapping[str, Any]]

TOML = """[assignment]
schema = 1
name = "small"
title = "Small"
handout = "handout.md"
[programs]
client = ["python3", "client.py"]
server = ["python3", "server.py"]
[build]
file = "Makefile"
command = ["make"]
timeout = 10
[limits]
seconds = 6
open_files = 256
disk_mb = 8
file_mb = 8
[[stages]]
number = 1
title = "One"
points = {points}
section = "1"
programs = ["client", "server"]
forbidden = ["asyncio"]
"""
CHECK = """[[checks]]
id = "test_1.py::test_{0}"
suite = "public"
stage = 1
points = 1
section = "1"
rule = "It {0}."
timeout = 4
"""
#: Each uses something that a machine may be out of: processes, ports and descriptors, disk.
TESTS = {
    "says": """
    lab.runs("client", "says", "hello").prints(b"hello")
""",
    "fetches": """
    server = lab.listens()
    client = lab.runs("client", "fetches", server.address)
    peer = server.accepts()
    peer.sends(b"one")
    peer.ends()
    client.prints(b"one")
""",
    "serves": """
    server = lab.serves("server", at="0.0.0.0:0")
    for _ in range(4):
        peer = lab.connects(server)
        lab.expect(peer.reads_to_end(within=2) == b"now", "it says now", otherwise="it said something else")
""",
    "answers": """
    server = lab.serves("server", at="udp:0.0.0.0:0")
    peer = lab.datagrams(server)
    peer.sends(b"who")
    lab.expect(peer.receives(within=2)[0] == b"WHO", "it answers", otherwise="it answered something else")
""",
    "keeps": """
    lab.runs("client", "keeps", "1000000").prints(b"1000000")
""",
    "opens": """
    lab.runs("client", "opens", "100").prints(b"100")
""",
    "holds": """
    lab.runs("client", "holds", "40000000").prints(b"40000000")
""",
    "splits": """
    lab.runs("client", "splits", "3").prints(b"3")
""",
}
CLIENT = """import os, socket, sys
what, word = sys.argv[1:]
if what == "says":
    print(word, end="")
elif what == "fetches":
    host, _, port = word.rpartition(":")
    with socket.create_connection((host, int(port))) as sock:
        while data := sock.recv(4096):
            sys.stdout.buffer.write(data)
elif what == "keeps":
    with open("kept", "wb") as file:
        file.write(b"x" * int(word))
    print(os.stat("kept").st_size, end="")
elif what == "opens":
    print(len([open("/dev/null") for _ in range(int(word))]), end="")
elif what == "holds":
    print(len(bytearray(int(word))), end="")
elif what == "splits":
    for _ in range(int(word)):
        if os.fork() == 0:
            os._exit(0)
    print(sum(os.wait()[1] == 0 for _ in range(int(word))), end="")
"""
SERVER = """import socket, sys
udp = sys.argv[1].startswith("udp:")
host, _, port = sys.argv[1].removeprefix("udp:").rpartition(":")
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
server.bind((host, int(port)))
if not udp:
    server.listen()
print("listening on " + "udp:" * udp + "%s:%d" % server.getsockname()[:2], flush=True)
while True:
    if udp:
        data, whence = server.recvfrom(100)
        server.sendto(data.upper(), whence)
        continue
    with server.accept()[0] as client:
        client.sendall(b"now")
"""
#: What each submission is due.
DUE = {"ann": float(len(TESTS)), "bob": len(TESTS) - 3.0}
SOURCES = {
    "ann": {"client.py": CLIENT, "server.py": SERVER},
    "bob": {
        "client.py": CLIENT.replace("print(word", "print(1"),
        "server.py": SERVER.replace("now", "nil").replace("upper", "lower"),
    },
}
SCRIPT = """import sys
from pathlib import Path
import grader.course
from grader.cli.main import main
from grader.job import run as job
from grader.course import Course
grader.course.this_course = lambda: Course(Path({root!r}))
job.MARGIN = {margin}
main()
"""


def make_course(root: Path) -> Course:
    """The course, and the class in its folder `in`."""
    (root / "reference/small").mkdir(parents=True)
    toml = TOML.format(points=len(TESTS)) + "".join(CHECK.format(name) for name in TESTS)
    (root / "reference/small/assignment.toml").write_text(toml)
    for suite in ("public", "hidden"):
        (root / "grader/suites/small" / suite).mkdir(parents=True)
    text = "".join(f"def test_{name}(lab):{body}\n" for name, body in TESTS.items())
    (root / "grader/suites/small/public/test_1.py").write_text(text)
    for student, files in SOURCES.items():
        (root / "in" / student / "small").mkdir(parents=True)
        for name, source in files.items():
            (root / "in" / student / "small" / name).write_text(source)
    return Course(root)


def nobody_lost(results: Results, said: object = "") -> None:
    """No point is lost or given, whatever broke: what is decided is right, the rest waits."""
    for student, result in results.items():
        told = f"{student}: {result['state']}, {result['points']}, {result['message']}, {result['notes']}\n{said}"
        assert result["state"] in ("graded", "undecided", "ours"), told
        assert result["points"] <= DUE[student] <= result["points"] + result["undecided"], told
        assert result["state"] != "graded" or result["points"] == DUE[student], told
        right = DUE[student] == len(TESTS)
        for check in result["checks"]:
            assert not right or check["outcome"] in ("pass", "inconclusive"), f"{check}\n{told}"


def graded(
    course: Course,
    out: Path,
    place: Place,
    students: Sequence[str] = ("ann",),
    see: Callable[[JobEvent], None] = lambda _: None,
    secret: str = "secret",
) -> dict[str, dict[str, Any]]:
    """Grade some of the class in this process; what came of each in this call."""
    found = {}
    with RunFolder(out) as folder:
        campaign = Campaign(course, folder, place, folder.secret(secret), again=True)
        for event in campaign.events(make_plan(course, course.root / "in", students=students).jobs):
            see(event)
            if event.kind == "ends" and event.result is not None:
                found[event.job.student] = event.result
    return found


@dataclass
class Class:
    """The class, a run folder, and a temporary folder that has to be empty afterwards, for `grader run`."""

    course: Course
    out: Path
    tmp: Path
    lab: str = "local"
    env: dict[str, str] = field(default_factory=dict)
    margin: float = 5.0  #: seconds that a grading may take on top of its own limit

    def start(
        self, *before: str, students: Sequence[str] = ("ann",), more: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Start it for some students, behind some words (prlimit, unshare ...)."""
        script = SCRIPT.format(root=str(self.course.root), margin=self.margin)
        words = ["run", str(self.course.root / "in"), "--out", str(self.out), "--lab", self.lab, "--trust-submissions"]
        words += [*(f"--student={name}" for name in students), "--again", *more]
        return subprocess.Popen(
            [*before, sys.executable, "-B", "-c", script, *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.tmp), "COLUMNS": "200", **self.env},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def grade(self, *before: str, **options: Any) -> tuple[int, str]:
        """Run it to its end: its status, and what it said."""
        process = self.start(*before, **options)
        said, _ = process.communicate(timeout=200)
        return process.returncode, said

    def results(self) -> dict[str, dict[str, Any]]:
        """The results that are on the disk."""
        return {path.parts[-3]: json.loads(path.read_text()) for path in self.out.glob("*/small/result.json")}

    def nobody_lost(self, status: int, said: str, students: Sequence[str] = ("ann",)) -> None:
        """What holds whatever broke, when `grader run` has ended with that status and said that."""
        assert "Traceback" not in said, said
        results = self.results()
        nobody_lost(results, said)
        decided = [student for student, result in results.items() if result["state"] == "graded"]
        assert status in ((0,) if set(students) <= set(decided) else (1, 2)), (status, said)
        self.nothing_left()

    def nothing_left(self) -> None:
        """No process, no file."""
        here = (str(self.tmp), str(self.out))
        for each in psutil.process_iter(["cmdline", "cwd"]):
            words = [each.info["cwd"] or "", *(each.info["cmdline"] or ())]
            assert not any(word.startswith(here) for word in words), each.info
        assert [path.name for path in self.tmp.iterdir()] == []
        assert [path for path in self.out.rglob(".*") if path.name not in (".lock", ".copies", ".remarks.json")] == []

    def all_decided(self, students: Sequence[str] = ("ann",)) -> None:
        """Without the fault the same command decides what was left open, and no result is there twice."""
        status, said = self.grade(students=students)
        found = {name: result["points"] for name, result in self.results().items()}
        assert (found, status) == ({name: DUE[name] for name in students}, 0), said
        rows = Journal(self.out / "journal.jsonl").rows()
        graded = [row for row in rows if row["state"] == "graded" and row["kind"] == "run"]
        assert sorted(row["student"] for row in graded) == sorted(students)


def local_testers() -> list[psutil.Process]:
    """The testers that this process has started."""
    return [child for child in psutil.Process().children() if _words(child)[-1:] == ["harness.tester.run"]]


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):  # it has just ended
        return process.cmdline()
    return []
