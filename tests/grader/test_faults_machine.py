"""A machine that is short of something takes no points from anybody, and says of what.

| what is short | for whom | here |
|---|---|---|
| descriptors, memory, processes, local ports, disk for submissions | `grader run`: it refuses to begin | `SHORT` |
| the same, found out on the way | a tester | `IN_A_TESTER` |
| life, time, memory | the process that looks through the sources | `test_the_sources_...` |
| disk for results | `grader run`, from the start and in the middle | `test_a_full_run_folder_...` |
| descriptors while a submission is copied | the grader | `test_a_copy_...` |
| an even clock | a tester | `test_a_clock_that_steps` |

Which part of ours is killed and stopped where, and which engine, is in test_faults.py, test_faults_parts.py and
test_faults_engine.py.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faulty import DUE, Class, graded, make_course, nobody_lost

from grader.bench import local
from grader.bench.local import LocalPlace
from grader.campaign.campaign import JobEvent
from grader.course import Course
from grader.job import run as job
from grader.job.grading import Graded
from grader.record.run_folder import RunFolder
from grader.verdict.outcomes import outcomes_of
from harness.course import look
from harness.course.assignment import Limits
from harness.course.forbidden import StageRule
from harness.lab.interface import LabError
from harness.lab.local.lab import LocalNode
from tests.grading import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux can take these away"),
]
Audit = pytest.mark.audit


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def klass(course: Course, tmp_path: Path) -> Iterator[Class]:
    (tmp_path / "out").mkdir()
    with tempfile.TemporaryDirectory() as tmp:
        os.chmod(tmp, 0o711)  # what pytest gives is closed to the ordinary user of the local lab
        yield Class(course, tmp_path / "out", Path(tmp))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "MARGIN", 5.0)
    monkeypatch.setattr(local, "GRACE", 0.3)


# -- ways to take something away from a program, as words of a shell before it --


def descriptors(count: int, *, soft: bool = False) -> str:
    return f"exec prlimit --nofile={count}:{'' if soft else count}"


def memory(megabytes: int) -> str:
    return f"exec prlimit --as={megabytes << 20}:"


def file_size(count: int) -> str:
    return f"exec prlimit --fsize={count}:{count}"


def ports(count: int) -> str:
    """Of a network of its own."""
    within = f"ip link set lo up; echo 50000 {49999 + count} > /proc/sys/net/ipv4/ip_local_port_range"
    return f"""exec unshare --net sh -c '{within}; exec "$@"' sh"""


def disk(size: str, at: str = '"$TMPDIR"') -> str:
    """Of a mount of its own."""
    return f"""exec unshare --mount sh -c 'mount -t tmpfs -o size={size} tmpfs {at} && exec "$@"' sh"""


def processes(count: int) -> str:
    """Of a control group of its own; see `groups`."""
    return f"echo {count} > {PIDS}/pids.max && echo $$ > {PIDS}/cgroup.procs && exec"


def memory_of_a_group(megabytes: int) -> str:
    """Of a control group of its own: where it is full, the kernel ends one of its processes."""
    return f"echo {megabytes}M > {MEMORY}/{MOST} && echo $$ > {MEMORY}/cgroup.procs && exec"


_ROOT, _NAME = Path("/sys/fs/cgroup"), f"socketlab-faults-{os.getpid()}"
_FIRST = (_ROOT / "pids").is_dir()  # the first version, with a folder for each kind
PIDS, MEMORY = (_ROOT / kind / _NAME if _FIRST else _ROOT / _NAME for kind in ("pids", "memory"))
MOST = "memory.limit_in_bytes" if _FIRST else "memory.max"


@pytest.fixture
def groups() -> Iterator[None]:
    """Control groups that can bound processes and memory."""
    folders = {PIDS, MEMORY}
    try:
        for folder in folders:
            folder.mkdir()
        (PIDS / "pids.max").write_text("max")
        (MEMORY / MOST).write_text("1000M")
    except OSError as error:
        for folder in folders:
            with contextlib.suppress(OSError):
                folder.rmdir()
        pytest.skip(f"no control group can be made: {error.strerror}")
    yield
    for folder in folders:
        folder.rmdir()  # fails if a process is left in it


def behind(words: str, path: Path) -> Path:
    """A Python that starts behind these words."""
    path.write_text(f'#!/bin/sh\n{words} {shlex.quote(sys.executable)} "$@"\n')
    path.chmod(0o755)
    return path


# -- the grader: it says what is short before it begins --

SHORT = {
    "descriptors": (descriptors(40), "may open 40 files here, and needs up to 256: raise"),
    "memory": (memory(300), "300 MiB of memory here, and needs up to 1,280: raise"),
    "processes": (processes(30), "may start here, and a submission may need 128: raise"),
    "ports": (ports(12), "this machine has 12 local ports"),
    "disk": (disk("500k"), "has 0.5 MB left, and a submission may write 8 MB: free space there, or set TMPDIR"),
    "file size": (file_size(1_000_000), "a file may have 1.0 MB here, and a program needs up to 8"),
}


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("what", [*SHORT])
def test_a_grader_that_is_short_says_of_what(klass: Class, what: str) -> None:
    words, says = SHORT[what]
    status, said = klass.grade("sh", "-c", f'{words} "$@"', "sh")
    assert (status, klass.results()) == (2, {})
    assert says in said
    klass.nobody_lost(status, said)


@pytest.mark.audit
@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize(
    "words",
    [
        *(descriptors(count) for count in range(5, 30, 3)),
        *(memory(megabytes) for megabytes in range(20, 200, 30)),
        *(memory_of_a_group(megabytes) for megabytes in (30, 45, 60, 70, 80, 100, 150)),
        *(processes(count) for count in range(1, 12)),
        *(ports(count) for count in (1, 2, 3, 5, 8)),
        *(disk(size) for size in ("4k", "64k", "2m", "8m")),
        *(file_size(count) for count in (1, 1000, 100_000)),
    ],
)
def test_a_grader_that_is_short_loses_nothing(klass: Class, words: str) -> None:
    status, said = klass.grade("sh", "-c", f'{words} "$@"', "sh")
    if klass.results() or said.startswith("grader: "):
        klass.nobody_lost(status, said)
    else:  # Python itself could not start, or was killed
        assert status not in (0, 2)
    klass.all_decided()


def test_a_folder_that_the_ordinary_user_cannot_reach_is_named(klass: Class) -> None:
    klass.tmp.chmod(0o700)
    status, said = klass.grade()
    assert (status, klass.results()) == (2, {})
    assert f"chmod o+x {klass.tmp}, or set TMPDIR to another folder" in said
    klass.nobody_lost(status, said)


def test_a_class_without_a_fault(klass: Class) -> None:
    status, said = klass.grade(students=tuple(DUE))
    assert status == 0, said
    klass.nobody_lost(status, said, tuple(DUE))
    klass.all_decided(tuple(DUE))


# -- a tester: what it is denied makes nobody fail --

IN_A_TESTER = {
    "descriptors": [descriptors(count, soft=True) for count in (18, 12, 14, 16, 20, 22, 24, 26, 30)],
    "memory": [memory(megabytes) for megabytes in (60, 30, 50, 70, 80, 100, 120)],
    "memory of a group": [memory_of_a_group(megabytes) for megabytes in (64, 20, 30, 40, 50, 60, 70, 80, 90, 100, 120)],
    "processes": [processes(count) for count in (7, *range(1, 7), *range(8, 12))],
    "ports": [ports(count) for count in (4, 1, 2, 3, 5, 6, 8)],
    "disk": [disk(size) for size in ("600k", "4k", "40k", "80k", "900k")],
}
FIRST = [(what, rows[0]) for what, rows in IN_A_TESTER.items()]
MORE = [pytest.param(what, row, marks=Audit) for what, rows in IN_A_TESTER.items() for row in rows[1:]]


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize(("what", "words"), [*FIRST, *MORE])
def test_a_tester_that_is_short_blames_nobody(
    course: Course, tmp_path: Path, what: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as short:
        short.setattr(local, "sys", SimpleNamespace(executable=str(behind(words, tmp_path / "python"))))
        results = graded(course, tmp_path / "run", LocalPlace(ROOT))
    nobody_lost(results, what)
    if words == IN_A_TESTER[what][0]:  # so little that the fault is felt
        assert results["ann"]["state"] != "graded"
    assert graded(course, tmp_path / "run", LocalPlace(ROOT))["ann"]["points"] == DUE["ann"]


#: A tester whose wall clock jumps at every third look: back and forth by an hour.
CLOCK = """
import itertools, runpy, sys, time
real, turn = time.time, itertools.count()
time.time = lambda: real() + (0, {0}, -{0})[next(turn) % 3]
sys.argv[:] = sys.argv[3:]
runpy.run_module("harness.tester.run", run_name="__main__")
"""


@pytest.mark.parametrize("step", [3600, pytest.param(0.5, marks=Audit), pytest.param(1e9, marks=Audit)])
def test_a_clock_that_steps(course: Course, tmp_path: Path, step: float, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clock.py").write_text(CLOCK.format(step))
    python = behind(shlex.join(["exec", sys.executable, f"{tmp_path}/clock.py"]), tmp_path / "python")
    monkeypatch.setattr(local, "sys", SimpleNamespace(executable=str(python)))
    results = graded(course, tmp_path / "run", LocalPlace(ROOT), students=tuple(DUE))
    nobody_lost(results)
    assert results["ann"]["state"] == "graded"


# -- the process that looks through the sources --

ONCE = "[ -e {0}/once ] || {{ : > {0}/once; {1}; }}; exec"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("kill -KILL $$", "ended by signal 9"),
        ("kill -STOP $$", "stood still"),
        (memory(200), "raise the limit (ulimit -v)"),
        (ONCE.format("{tmp}", "kill -KILL $$"), ""),
        pytest.param("kill -TERM $$", "ended by signal 15", marks=Audit),
        pytest.param(ONCE.format("{tmp}", "kill -SEGV $$"), "", marks=Audit),
        pytest.param(ONCE.format("{tmp}", "kill -STOP $$"), "", marks=Audit),
        pytest.param(memory(40), "", marks=Audit),
        pytest.param(descriptors(5), "", marks=Audit),
    ],
)
def test_the_sources_are_looked_through_or_nobody_is_blamed(
    tmp_path: Path, words: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "ENDED_AFTER", 1.0)
    words = words.replace("{tmp}", str(tmp_path))
    if words.startswith("exec prlimit --as"):  # a hard limit, which it cannot raise
        words = words.replace(":", f":{words.partition('=')[2].partition(':')[0]}")
    python = behind(words if "exec" in words else f"{words}; exec", tmp_path / "python")
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission/client.py").write_text("import asyncio\n")
    node = LocalNode(tmp_path / "submission", Limits())
    try:
        assert node.build(None, timeout=5) is None
        monkeypatch.setattr(node, "_interpreter", str(python))
        found = {1: "Stage 1 forbids asyncio (client.py, line 1)."}
        rules = [StageRule(1, ("asyncio",), (("python3", "client.py"),))]
        try:
            looked: object = node.look(rules)
        except LabError as error:
            looked = str(error)
        if says:
            assert says in str(looked)
        elif "once" in words:
            assert looked == found
        else:  # it may find enough, or not
            assert looked == found or "cannot be looked through" in str(looked)
    finally:
        node.close()


# -- results that do not fit --


@contextlib.contextmanager
def small_disk(at: Path, size: str) -> Iterator[Path]:
    """A file system of its own."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)], capture_output=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.decode()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def fill(folder: Path, but: int) -> Path:
    """A file that leaves so many bytes on the disk."""
    path = folder / ".filler"
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while (left := shutil.disk_usage(folder).free - but) > 0:
            file.write(b"x" * min(left, 1 << 20))
    return path


def test_a_full_run_folder_is_refused_at_the_start(klass: Class) -> None:
    with small_disk(klass.out, "64k"):
        status, said = klass.grade()
        assert status == 2
        assert "cannot be used for results: the disk is full" in said
        assert "free space on it" in said
        klass.nobody_lost(status, said)


#: How much is left when a run folder fills up while the second grading of a submission runs: from nothing to a bit more
#: than what the result needs, so that the disk is full for its captures, its pages, its result, the journal's line.
LEFT = [8 << 10, *(pytest.param(count << 10, marks=Audit) for count in (0, 4, *range(12, 104, 8)))]


@pytest.mark.parametrize("left", LEFT)
def test_a_full_run_folder_keeps_the_earlier_result(course: Course, tmp_path: Path, left: int) -> None:
    out = tmp_path / "out"
    out.mkdir()

    def tree() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(out.glob("bob/small/**/*")) if path.is_file()}

    texts = []
    with small_disk(out, "8m"):
        place = LocalPlace(ROOT)
        assert graded(course, out, place, students=("bob",))["bob"]["state"] == "graded"
        before = tree()

        def see(event: JobEvent) -> None:
            if event.progress and "check" in event.progress.phase and not (out / ".filler").exists():
                fill(out, left)
            texts.append(event.text)

        results = graded(course, out, place, students=("bob",), see=see, secret="another")
        nobody_lost(results)
        if not results:  # it was not saved
            assert "the disk is full" in texts[-1]
            assert "free space on it" in texts[-1]
            assert tree() == before
        assert not list(out.rglob(".*.new"))
        (out / ".filler").unlink()
        assert graded(course, out, place, students=("bob",), secret="another")["bob"]["points"] == DUE["bob"]


def test_captures_that_do_not_fit_leave_the_earlier_ones(course: Course, tmp_path: Path) -> None:
    out, space, sizes = tmp_path / "out", 400 << 10, range(0, 460 << 10, 12 << 10)
    out.mkdir()
    saved = []
    with small_disk(out, "8m"):
        graded(course, out, LocalPlace(ROOT), students=("bob",))
        outcomes = outcomes_of(json.loads((out / "bob/small/outcomes.json").read_text()))
        assignment = course.load("small")

        def front() -> dict[str, bytes]:
            """What stands in front; what is kept behind it may be there already."""
            paths = [path for path in (out / "bob/small").rglob("*") if "history" not in path.parts]
            return {str(path): path.read_bytes() for path in paths if path.is_file()}

        with RunFolder(out) as folder:
            for number, size in enumerate(sizes):
                shutil.rmtree(out / "bob/small/history", ignore_errors=True)
                before, lines = front(), len(folder.journal.rows())
                filler = fill(out, space)
                captures = {f"captures/{name}.pcapng": bytes([number]) * (size // 2) for name in ("one", "two")}
                at = f"2026-11-30T12:00:{number:02d}+00:00"
                try:
                    folder.save(Graded(replace(outcomes, graded_at=at), assignment, captures))
                    saved.append(size)
                    assert json.loads((out / "bob/small/result.json").read_text())["graded_at"] == at
                    assert {name: (out / "bob/small" / name).read_bytes() for name in captures} == captures
                except OSError:
                    filler.unlink()
                    assert (front(), len(folder.journal.rows())) == (before, lines)
                filler.unlink(missing_ok=True)
    assert 2 < len(saved) < len(sizes) - 2  # of both kinds


def test_a_full_disk_is_said_by_the_command(klass: Class) -> None:
    with small_disk(klass.out, "8m"):
        process = klass.start()
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "ann/small: begins" in line:
                fill(klass.out, 0)
        process.stdout.close()
        status = process.wait()
        assert "Traceback" not in said, said
        assert status == 1, said
        assert "could not be saved: the disk is full" in said
        assert "index.html could not be written" in said
        (klass.out / ".filler").unlink()
        klass.all_decided()


# -- the copy of a submission --


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ENOSPC])
def test_a_copy_that_the_machine_breaks_off_refuses_nobody(
    course: Course, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refuses(path: Any, *words: Any, **more: Any) -> int:
        if path == "server.py":
            raise OSError(number, os.strerror(number), path)
        return opened(path, *words, **more)

    with monkeypatch.context() as short:
        short.setattr(os, "open", refuses)
        results = graded(course, tmp_path / "run", LocalPlace(ROOT))
    assert results["ann"]["state"] == "ours"
    assert "This machine could not do its part" in results["ann"]["message"]
