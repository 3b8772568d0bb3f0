"""What whoever starts the grader leaves to it, or does to it, takes no points from anybody.

| what is odd | here |
|---|---|
| signals that are blocked or ignored (cron, services, runners of CIs) | `test_signals_that_do_not_come` |
| no HOME, umask, locale, closed or full streams, Python's variables, no tty | `ODD` |
| TMPDIR and OUT on odd file systems, no network, no names, no users, a full /dev/shm | `ODD` |
| two runs of one folder at once, the terminal that hangs up | `test_two_...`, `test_a_terminal_...` |
| an engine that hangs, or answers rubbish | `test_an_engine_that_...` |
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty import DUE, Class, make_course

from grader.course import Course
from tests.grading import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux can make these odd"),
]
Audit = pytest.mark.audit
ALL = tuple(DUE)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def klass(course: Course, tmp_path: Path) -> Iterator[Class]:
    (tmp_path / "out").mkdir()
    with tempfile.TemporaryDirectory() as tmp:
        os.chmod(tmp, 0o711)  # what pytest gives is closed to the ordinary user of the local lab
        yield Class(course, tmp_path / "out", Path(tmp), env={"OUT": str(tmp_path / "out")})


# -- signals --

SIGNALS = """import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
    signal.signal(each, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
os.execvp(sys.argv[1], sys.argv[1:])
"""
TERMINATED = """
from harness.lab.signals import hear_all_signals
hear_all_signals()
from grader.bench.local import LocalBench
from tests.grading import ROOT, grade
bench = LocalBench(ROOT)
graded = grade(bench, ROOT / "reference/blocking", "blocking", only=["test_2_daytime_server.py::test_ends_at_sigterm"])
bench.close()
print(graded.lost)
"""


def test_signals_that_do_not_come(klass: Class) -> None:
    status, said = klass.grade(sys.executable, "-c", SIGNALS)
    klass.nobody_lost(status, said)
    assert status == 0, said


def test_a_server_hears_what_its_grader_cannot() -> None:
    words = [sys.executable, "-c", SIGNALS, sys.executable, "-c", TERMINATED]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "{}\n"


# -- the rest of what is inherited --


def shell(words: str) -> list[str]:
    return ["sh", "-c", f'{words} "$@"', "sh"]


def mounted(words: str) -> list[str]:
    return ["unshare", "--mount", *shell(f"{words}; exec")]


#: Name -> (words before the grader, its environment).
ODD: dict[str, tuple[list[str], dict[str, str]]] = {
    "no HOME": (["env", "--unset=HOME"], {}),
    "a HOME that is nowhere": ([], {"HOME": "/nowhere/at/all"}),
    "umask 077": (shell("umask 077; exec"), {}),
    "umask 777": (shell("umask 777; exec"), {}),
    "ASCII": ([], {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}),
    "no standard input": (shell("exec <&-; exec"), {}),
    "no standard output": (shell("exec >&-; exec"), {}),
    "no stream at all": (shell("exec <&- >&- 2>&-; exec"), {}),
    "TMPDIR without exec": (mounted('mount -t tmpfs -o noexec,nosuid,nodev,mode=711 tmpfs "$TMPDIR"'), {}),
    "no network": (["unshare", "--net", *shell("ip link set lo up; exec")], {}),
    "no names": (mounted("for each in resolv.conf hosts nsswitch.conf; do mount -B /dev/null /etc/$each; done"), {}),
    "no users": (mounted("for each in passwd group; do mount -B /dev/null /etc/$each; done"), {}),
    "a full /dev/shm": (mounted("mount -t tmpfs -o size=4k tmpfs /dev/shm; head -c 4096 /dev/zero > /dev/shm/x"), {}),
    "a small stack": (["prlimit", "--stack=262144:262144"], {}),
    "a time zone that is none": ([], {"TZ": ":/etc/passwd"}),
    "Python's variables": ([], {"PYTHONOPTIMIZE": "2", "PYTHONSTARTUP": "/etc/passwd", "PYTHONHASHSEED": "7"}),
}


@pytest.mark.parametrize("what", [pytest.param(what, marks=Audit) for what in ODD])
def test_what_is_odd_around_it_changes_nothing(klass: Class, what: str) -> None:
    before, klass.env = ODD[what][0], {**klass.env, **ODD[what][1]}
    status, said = klass.grade(*before, students=ALL)
    klass.nobody_lost(status, said, ALL)
    assert status == 0, said


REFUSED = {
    "a run folder that is read-only": (
        mounted('mount -B "$OUT" "$OUT" && mount -o remount,bind,ro "$OUT"'),
        "the file system can only be read",
    ),
    "a loopback that is down": (["unshare", "--net"], "this machine's loopback interface is down: ip link set lo up"),
    "a standard output that is full": (shell("exec > /dev/full; exec"), "the disk is full"),
}


@pytest.mark.parametrize("what", [pytest.param(what, marks=Audit) for what in REFUSED])
def test_what_cannot_do_is_refused_by_its_name(klass: Class, what: str) -> None:
    before, says = REFUSED[what]
    status, said = klass.grade(*before)
    assert (status, klass.results()) == (2, {}), said
    assert says in said
    klass.nobody_lost(status, said)


# -- who comes in between --


@Audit
def test_two_runs_of_one_folder_are_one_after_the_other_or_refused(klass: Class) -> None:
    runs = [klass.start(students=ALL) for _ in range(2)]
    ended = [(run.communicate(timeout=200)[0], run.returncode) for run in runs]
    assert sorted(status for _, status in ended) in ([0, 0], [0, 2]), ended
    for said, status in ended:
        assert "Traceback" not in said
        assert status == 0 or "another" in said, said
    klass.nobody_lost(0, "", ALL)
    klass.all_decided(ALL)


@Audit
@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_hangs_up_loses_nothing(klass: Class, signum: signal.Signals) -> None:
    process = klass.start(students=ALL)
    assert process.stdout is not None
    for line in process.stdout:
        if "ann/small: begins" in line:
            process.send_signal(signum)
            break
    said = process.stdout.read()
    process.stdout.close()
    assert process.wait(timeout=100) != 0
    assert "Traceback" not in said, said
    klass.nothing_left()
    klass.all_decided(ALL)


# -- an engine that is none --


@Audit
@pytest.mark.parametrize(
    "answer", [b"", b"\x00\xff" * 500, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnot", b"HTTP/1.1 500 No\r\n\r\n"]
)
def test_an_engine_that_answers_rubbish_is_named(klass: Class, answer: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/sock")
        listening.listen(8)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        klass.lab, klass.env = "docker", {"DOCKER_HOST": f"unix://{folder}/sock"}
        status, said = klass.grade()
        listening.shutdown(socket.SHUT_RDWR)
    assert (status, klass.results()) == (2, {}), said
    assert f"no Docker engine answers at DOCKER_HOST={shlex.quote(klass.env['DOCKER_HOST'])}" in said
    klass.nobody_lost(status, said)
