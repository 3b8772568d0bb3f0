"""`grader run` in the Docker lab, from folder to report, and what is left when it is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fakes import hand_in

from grader.course import Course
from grader.record.journal import Journal

ROOT = Path(__file__).resolve().parents[2]

CLIENT = """\
import socket, sys
host, _, port = sys.argv[1].rpartition(":")
sock = socket.create_connection((host, int(port)))
while data := sock.recv(100):
    sys.stdout.buffer.write(data)
"""

SERVER = """\
import socket, sys
host, _, port = sys.argv[1].rpartition(":")
server = socket.create_server((host, int(port)))
print("listening on %s:%d" % server.getsockname()[:2], flush=True)
while True:
    client, _ = server.accept()
    with client:
        try:
            client.sendall(b"now\\n")
        except OSError:
            pass
"""

SUITES = {
    "public/test_client.py": """\
def test_reads(lab):
    server = lab.listens()
    client = lab.runs("client", server.address)
    peer = server.accepts()
    peer.sends(b"Sat", b"urday", b"\\n", apart=0.02)
    peer.ends()
    client.prints(b"Saturday\\n")
    client.exits(0)
""",
    "hidden/test_client.py": """\
def test_secretly_reads(lab):
    server = lab.listens()
    client = lab.runs("client", server.address)
    peer = server.accepts()
    peer.ends()
    client.prints(b"")
    client.exits(0)
""",
    "public/test_server.py": """\
def test_serves(lab):
    peer = lab.connects(lab.serves("server", at="0.0.0.0:0"))
    lab.expect(peer.reads_to_end(within=3) == b"now\\n", "it tells the time", otherwise="it told something else")
""",
    "hidden/test_server.py": """\
def test_survives(lab):
    server = lab.serves("server", at="0.0.0.0:0")
    lab.connects(server).closes()
    answer = lab.connects(server).reads_to_end(within=3)
    lab.expect(answer == b"now\\n", "it tells the time again", otherwise="it told something else")
""",
}


@pytest.fixture
def command(course: Course, tmp_path: Path) -> list[str]:
    """`grader run` for the small course, with tests that run for real, and three submissions."""
    for name, text in SUITES.items():
        (course.root / "grader" / "suites" / "blocking" / name).write_text(text)
    submitted = tmp_path / "in"
    hand_in(submitted, "ann", **{"client.py": CLIENT, "server.py": SERVER})
    hand_in(submitted, "bob", **{"client.py": CLIENT.replace("while data := ", "if data := "), "server.py": SERVER})
    hand_in(submitted, "eve", **{"client.py": "import time\ntime.sleep(60)\n", "server.py": "1 / 0\n"})
    script = (
        "import sys; from pathlib import Path; import grader.course\n"
        "from grader.cli.main import main; from grader.course import Course\n"
        f"grader.course.this_course = lambda: Course(Path({str(course.root)!r}))\n"
        "main()"
    )
    options = ["--out", str(tmp_path / "out"), "--lab", "docker", "--workers", "1"]  # one after the other
    return [sys.executable, "-c", script, "run", str(submitted), *options]


def start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(process: subprocess.Popen[str], within: float = 300) -> str:
    said, _ = process.communicate(timeout=within)
    return said


def left_by(pid: int) -> list[Any]:
    """Containers of a grader that are still there."""
    import docker

    client = docker.from_env()
    try:
        return list(client.api.containers(all=True, filters={"label": f"socketlab.pid={pid}"}))
    finally:
        client.close()


def points(out: Path) -> dict[str, float]:
    return {path.parts[-3]: json.loads(path.read_text())["points"] for path in out.glob("*/blocking/result.json")}


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read what it says until a line has the text."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"it ended without saying {text!r}")


@pytest.mark.docker
@pytest.mark.slow
def test_a_class_is_graded_and_nothing_is_left(command: list[str], tmp_path: Path) -> None:
    process = start(command)
    said = finish(process)
    assert process.returncode == 0, said
    # bob reads once, so the public check of stage 1 fails and the hidden one that builds on it is skipped.
    assert points(tmp_path / "out") == {"ann": 15, "bob": 10, "eve": 0}
    result = json.loads((tmp_path / "out" / "bob" / "blocking" / "result.json").read_text())
    failed = next(check for check in result["checks"] if check["outcome"] == "fail")
    assert (tmp_path / "out" / "bob" / "blocking" / failed["pcapng"]).stat().st_size > 100
    assert result["link"]["engine"] == "router"
    assert result["link"]["packets"] > 0
    assert left_by(process.pid) == []


#: Built from C by a name, with a library and a link, as people make them.
MAKEFILE = """\
all: client latest
client: client.c libmark.so
\t$(CC) -o $@ client.c -L. -lmark -Wl,-rpath,.
libmark.so: mark.c
\t$(CC) -shared -fPIC -o $@ mark.c
mark.c:
\techo 'int mark(void) { return 0; }' > mark.c
latest: client
\tln -s client latest
"""
CLIENT_C = """\
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int mark(void);
int main(int argc, char **argv) {
  char *colon = strrchr(argv[1], ':'), data[100];
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(colon + 1))};
  *colon = 0;
  inet_pton(AF_INET, argv[1], &to.sin_addr);
  int sock = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(sock, (struct sockaddr *)&to, sizeof to)) return 3;
  for (ssize_t n; (n = read(sock, data, sizeof data)) > 0;)
    if (write(1, data, n) != n) return 4;
  return mark();
}
"""


@pytest.mark.docker
@pytest.mark.slow
def test_what_is_built_is_built_once_and_runs_in_every_node(command: list[str], tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "in")
    programs = '[programs]\nclient = ["./latest"]\nserver = ["python3", "server"]\n'
    forbidden = "import asyncio\n" + SERVER
    files = {"client.c": CLIENT_C, "programs.toml": programs}
    hand_in(tmp_path / "in", "ann", **{**files, "Makefile": MAKEFILE, "server": SERVER})
    makes = MAKEFILE.replace("all:", "all: server").replace("latest: client", "server:\n\tcp data $@\nlatest: client")
    hand_in(tmp_path / "in", "bob", **{**files, "Makefile": makes, "data": forbidden})
    finish(start(command))
    results = {
        student: json.loads((tmp_path / "out" / student / "blocking/result.json").read_text())
        for student in ("ann", "bob")
    }
    assert [stage["points"] for stage in results["ann"]["stages"]] == [5, 10]
    assert results["bob"]["stages"][1]["forbidden"] == "Stage 2 forbids asyncio (server, line 1)."
    assert [stage["points"] for stage in results["bob"]["stages"]] == [5, 0]


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_goes_on_where_it_was(command: list[str], tmp_path: Path, how: signal.Signals) -> None:
    process = start(command)
    wait_for(process, "eve/blocking: begins")
    process.send_signal(how)
    finish(process)
    assert process.returncode in ((130,) if how is not signal.SIGKILL else (-9,))
    if how is not signal.SIGKILL:
        assert left_by(process.pid) == []
    assert [row["student"] for row in Journal(tmp_path / "out" / "journal.jsonl").rows()] == ["ann", "bob"]
    again = start(command)
    said = finish(again)
    assert again.returncode == 0, said
    assert "ann/blocking: was done already" in said
    assert left_by(process.pid) + left_by(again.pid) == []
    assert [row["student"] for row in Journal(tmp_path / "out" / "journal.jsonl").rows()] == ["ann", "bob", "eve"]


# -- a student's node that ends before its time ------------------------------------------------------------------------

#: Stands still until the test has looked at it.
WAITING = """\
import time
print("waiting", flush=True)
time.sleep(60)
"""
#: Stands still and is small.
SMALL = 'import os\nos.execvp("sleep", ["sleep", "60"])\n'
#: Takes all memory there is.
HUNGRY = "eaten = []\nwhile True: eaten.append(bytes(range(256)) * 4096)"


def students_node(process: subprocess.Popen[str]) -> Any:
    """The container that a grader's submission runs in, once a program of it runs there."""
    import docker

    client = docker.from_env()
    for _ in range(1000):
        for container in client.containers.list(filters={"label": f"socketlab.pid={process.pid}"}):
            if container.attrs["Config"]["Hostname"] == "student" and len(programs_in(container)) == 1:
                return container
        time.sleep(0.01)
    pytest.fail("no program of the submission was seen")


def programs_in(container: Any) -> list[int]:
    """Process ids, on this machine, of a submission's programs in a container."""
    import docker

    try:
        rows = container.top(ps_args="-eo pid,uid,args")["Processes"]
    except docker.errors.APIError:
        return []
    # What looks through its sources is the student's process, too, and the agent's child that will be either.
    return [int(pid) for pid, uid, args in rows if 40000 <= int(uid) < 41024 and " /lab/" not in args]


def one_submission(tmp_path: Path, client: str) -> Path:
    """Let ann hand in this client, and nobody else anything; where her result will be."""
    shutil.rmtree(tmp_path / "in")
    hand_in(tmp_path / "in", "ann", **{"client.py": client, "server.py": SERVER})
    return tmp_path / "out" / "ann" / "blocking" / "result.json"


def let_it_wait(course: Path) -> None:
    """Give the first check so much time that its node's memory is full before, however busy the machine is."""
    rubric = course / "reference" / "blocking" / "assignment.toml"
    first = 'id = "test_client.py::test_reads"\n'
    rubric.write_text(rubric.read_text().replace(first, f"{first}timeout = 30\n"))
    suite = course / "grader" / "suites" / "blocking" / "public" / "test_client.py"
    suite.write_text(suite.read_text().replace("server.accepts()", "server.accepts(within=29)"))


@pytest.mark.docker
@pytest.mark.slow
def test_a_killed_node_is_ours_and_the_checks_run_again_in_a_fresh_one(command: list[str], tmp_path: Path) -> None:
    result_at = one_submission(tmp_path, WAITING + CLIENT)
    process = start(command)
    students_node(process).kill()
    killed = time.monotonic()
    again = students_node(process)
    # Each of the four checks would have waited 10 s for the node.
    assert time.monotonic() - killed < 15, "it went on waiting for the node that was killed"
    again.kill()
    killed = time.monotonic()
    said = finish(process)
    assert time.monotonic() - killed < 15
    result = json.loads(result_at.read_text())
    assert result["state"] == "ours", said
    assert {check["outcome"] for check in result["checks"]} == {"inconclusive"}
    assert any("the student's node ended while it was needed" in note for note in result["notes"])
    assert result["attempts"] == 2
    assert left_by(process.pid) == []


@pytest.mark.docker
@pytest.mark.slow
def test_one_that_memory_ended_is_the_submissions_own_doing(command: list[str], tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make the kernel choose the node's first process before others")
    result_at = one_submission(tmp_path, SMALL)
    let_it_wait(tmp_path / "course")
    process = start(command)
    node = students_node(process)
    Path(f"/proc/{node.attrs['State']['Pid']}/oom_score_adj").write_text("1000")
    node.exec_run(["python3", "-c", HUNGRY], user="root", detach=True)  # the last to go: the kernel thinks it ours
    said = finish(process)
    result = json.loads(result_at.read_text())
    assert result["state"] == "graded", said
    outcomes = {check["id"]: check["outcome"] for check in result["checks"]}
    # Whoever learns of it first, the grader or the tester: the check that ran is blamed, not one that came after.
    assert outcomes == {
        "test_client.py::test_reads": "error",
        "test_client.py::test_secretly_reads": "skipped",
        "test_server.py::test_serves": "pass",
        "test_server.py::test_survives": "pass",
    }
    assert "filled its memory" in result["checks"][0]["message"]
    assert result["attempts"] == 2
    assert left_by(process.pid) == []


@pytest.mark.docker
@pytest.mark.slow
def test_an_interrupt_after_a_killed_node_is_prompt(command: list[str], tmp_path: Path) -> None:
    one_submission(tmp_path, WAITING + CLIENT)
    process = start(command)
    students_node(process).kill()
    process.send_signal(signal.SIGINT)
    said = finish(process, within=30)  # the submission would wait longer
    assert process.returncode == 130, said
    assert left_by(process.pid) == []
