"""Stars from outside: they start, they stop, and nothing of a dead owner stays. The end of it needs no engine."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
from dataclasses import dataclass, replace
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.lab import doctor
from harness.lab.docker import code_tar as parcel
from harness.lab.docker import containers, images, owner
from harness.lab.docker import recipes as nodes
from harness.lab.docker.phases import Phases
from harness.lab.docker.star import Star, filled
from harness.lab.interface import LabError
from harness.lab.node.captures import LARGE
from harness.lab.tools import TOOLS
from harness.tester.border.job import Job
from tests.harness.lab.docker import star_suite


@dataclass(frozen=True)
class Limits:
    memory_mb: int = 256
    processes: int = 64
    open_files: int = 256
    file_mb: int = 8
    disk_mb: int = 48
    cpus: float = 1.0
    nodes: int = 1


@pytest.fixture(scope="module")
def made() -> images.Images:
    return images.ensure_images(containers.DockerEngine())


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "hello.py").write_text("print('hello')\n")
    return folder


def ours(identity: str) -> list[str]:
    """Names of the containers and volumes of an owner, as Docker has them."""
    with containers.DockerEngine() as engine:
        rows = [*engine.containers(), *engine.volumes()]
    return sorted(name for name, labels in rows if labels.get(owner.OWNER) == identity or identity in name)


@pytest.mark.docker
def test_the_images_have_what_the_handouts_say(made: images.Images) -> None:
    with containers.DockerEngine() as engine:
        runs, builds = images.tools_of(engine, made.student), images.tools_of(engine, made.build)
        assert engine.size(made.student) < 500_000_000
    assert list(runs) == ["system", "python", "openssl"]  # no compiler where a submission runs
    assert list(builds) == [name for name in TOOLS if name not in ("rust", "java")]
    assert runs.items() <= builds.items()
    versions = {name: tuple(map(int, re.findall(r"\d+", version)[:2])) for name, version in builds.items()}
    assert versions["python"] >= (3, 11) and versions["gcc"] >= (12,) and versions["go"] >= (1, 19)
    assert versions["make"] >= (4, 3) and versions["openssl"] >= (3,)
    assert "Debian" in builds["system"]
    assert not ours(owner.this_owner().identity)


TABLES = """
[programs]
hello = ["./hello"]
[limits]
memory_mb = 256
processes = 64
open_files = 256
file_mb = 8
disk_mb = 48
cpus = 1.0
output_mb = 1
seconds = 60
"""


def job(tmp_path: Path, test: str, *, build: str = "") -> tuple[Job, dict[str, Path], Any]:
    """A job of one check, the code it needs, and its assignment."""
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "test_one.py").write_text(test)
    path = star_suite.write_assignment(tmp_path, "test_one.py", ["test_one"], TABLES + build)
    return star_suite.job_of(path, tmp_path / "suite")


def run(
    made: images.Images, tmp_path: Path, submission: Path, test: str, *, build: str = "", within: float = 60
) -> tuple[Any, list[dict[str, Any]], Phases]:
    wanted, code, assignment = job(tmp_path, test, build=build)
    records: list[dict[str, Any]] = []
    limits, builds = assignment.limits, bool(build)
    with Star.start(made, code=code) as star, star.session(submission, limits, builds=builds) as session:
        left = star_suite.run(session, wanted, records.append, within)
    return left, records, session.phases


BUILD = '[build]\nfile = "Makefile"\ncommand = ["make"]\ntimeout = 5\n'


@pytest.mark.docker
@pytest.mark.slow
class TestStars:
    def test_a_submission_in_c_is_built_in_its_node(
        self, made: images.Images, tmp_path: Path, submission: Path
    ) -> None:
        (submission / "hello.c").write_text('#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n')
        (submission / "Makefile").write_text("hello: hello.c\n\tcc -o hello hello.c\n")
        test = "def test_one(lab):\n    lab.runs('hello').prints(b'hello\\n')\n"
        _, records, phases = run(made, tmp_path, submission, test, build=BUILD)
        outcomes = [row["outcome"] for row in records if row["record"] == "report"]
        assert outcomes == ["pass"], records
        assert list(phases) == ["node", "wires", "tester", "teardown"]
        assert sum(seconds for name, seconds in phases.items() if name != "tester") < 2.0

    @pytest.mark.parametrize(
        ("makefile", "told"),
        [
            ("hello:\n\t@echo no compiler today; exit 3\n", "`make` ended with status 2:\nno compiler today"),
            ("hello:\n\t@echo waiting; sleep 100\n", "`make` did not end within 5 s:\nwaiting"),
            ("hello:\n\t@(sleep 100 &) ; ln -s /etc/passwd hello\n", "hello cannot be started (Permission denied)"),
        ],
    )
    def test_a_build_that_fails_says_why(
        self, made: images.Images, tmp_path: Path, submission: Path, makefile: str, told: str
    ) -> None:
        (submission / "Makefile").write_text(makefile)
        _, records, _ = run(made, tmp_path, submission, "def test_one(lab):\n    lab.runs('hello')\n", build=BUILD)
        [report] = [row for row in records if row["record"] == "report"]
        assert report["outcome"] == "error"
        assert told in (report["seen"] or report["message"])

    def test_a_submission_larger_than_its_disk_is_told_so(
        self, made: images.Images, tmp_path: Path, submission: Path
    ) -> None:
        for number in range(8):
            (submission / f"{number}.bin").write_bytes(bytes(7_000_000))
        _, records, _ = run(made, tmp_path, submission, "def test_one(lab):\n    lab.runs('hello')\n")
        [report] = [row for row in records if row["record"] == "report"]
        assert report["outcome"] == "error"
        assert "cannot be copied into its node: No space left on device" in report["seen"]

    def test_a_job_is_stopped_at_its_deadline(self, made: images.Images, tmp_path: Path, submission: Path) -> None:
        test = "def test_one(lab):\n    import signal\n    signal.setitimer(0, 0)\n    while True: pass\n"
        wanted, code, assignment = job(tmp_path, test)
        with Star.start(made, code=code) as star:
            for _ in range(2):  # and the star is as good as before
                records: list[dict[str, Any]] = []
                with star.session(submission, assignment.limits) as session:
                    left = star_suite.run(session, wanted, records.append, 1.0)
                assert left.status is None
                assert any(row["record"] == "start" for row in records)

    @pytest.mark.parametrize("node", ["link", "tester"])
    def test_a_part_of_ours_that_stands_still_at_the_deadline_is_named(
        self, made: images.Images, tmp_path: Path, submission: Path, node: str
    ) -> None:
        test = "def test_one(lab):\n    import signal\n    signal.setitimer(0, 0)\n    while True: pass\n"
        wanted, code, assignment = job(tmp_path, test)
        with Star.start(made, code=code) as star, star.session(submission, assignment.limits) as session:
            first = psutil.Process(containers.DockerEngine().pid(star._ours[node]))

            def stop(row: dict[str, Any]) -> None:
                if row["record"] == "start":
                    victim = first.children()[0] if node == "tester" else first  # the nursery's child runs the job
                    victim.suspend()

            left = star_suite.run(session, wanted, stop, 3.0)
        assert left.status is None
        assert left.stopped == f"the lab's {node} node has a process that was stopped by a signal"

    def test_a_star_whose_job_was_interrupted_serves_nobody_any_more(
        self, made: images.Images, tmp_path: Path, submission: Path
    ) -> None:
        wanted, code, assignment = job(tmp_path, "def test_one(lab):\n    while True: pass\n")

        def interrupt(_: object) -> None:
            raise KeyboardInterrupt

        with Star.start(made, code=code) as star:
            with pytest.raises(KeyboardInterrupt), star.session(submission, assignment.limits) as session:
                star_suite.run(session, wanted, interrupt, 60)
            assert ours(owner.this_owner().identity) == []
            with pytest.raises(LabError, match="this lab was stopped"), star.session(submission, assignment.limits):
                pass
        assert ours(owner.this_owner().identity) == []

    def test_nothing_stays_after_a_star(self, made: images.Images, submission: Path) -> None:
        with Star.start(made, code={}) as star, star.session(submission, Limits()):
            assert len(ours(owner.this_owner().identity)) == 8
        assert ours(owner.this_owner().identity) == []
        star.stop()  # a second time is no harm

    def test_what_a_killed_owner_left_is_swept_and_what_lives_is_not(
        self, made: images.Images, submission: Path
    ) -> None:
        source = f"""
import sys, signal
from importlib.util import cache_from_source
from pathlib import Path
from harness.lab.docker import images, owner
from harness.lab.docker.star import Star, filled
from harness.course.assignment import Limits
star = Star.start(images.Images({made.student!r}, {made.node!r}, {made.build!r}), code={{}})
with star.session(Path({str(submission)!r}), Limits()):
    owner.owned_folder()
    print(owner.this_owner().identity, flush=True)
    signal.pause()
"""
        root = Path(__file__).parents[4]
        victim = subprocess.Popen([sys.executable, "-c", source], cwd=root, stdout=subprocess.PIPE, text=True)
        assert victim.stdout is not None
        identity = victim.stdout.readline().strip()
        with Star.start(made, code={}):
            mine = ours(owner.this_owner().identity)
            assert len(ours(identity)) == 8
            containers.sweep()
            assert len(ours(identity)) == 8
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            victim.stdout.close()
            assert containers.sweep() >= 9  # four containers, four volumes, one folder
            assert ours(identity) == []
            assert ours(owner.this_owner().identity) == mine
        assert not (owner._root() / identity).exists()

    def test_limits_that_do_not_fit_are_told_before_anything_starts(
        self, made: images.Images, submission: Path
    ) -> None:
        with (
            Star.start(made, code={}) as star,
            pytest.raises(LabError, match="disk_mb = 200 does not fit into memory_mb = 256: set disk_mb to 84"),
            star.session(submission, replace(Limits(), disk_mb=200)),
        ):
            pass

    def test_a_submission_that_is_not_there_is_no_traceback(self, made: images.Images, tmp_path: Path) -> None:
        with (
            Star.start(made, code={}) as star,
            pytest.raises(LabError, match=r"the student node cannot be made: .* does not exist.*on another machine"),
            star.session(tmp_path / "nobody", Limits()),
        ):
            pass


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "signum", "told"),
    [
        ("link", signal.SIGKILL, "the lab's link node has ended"),
        ("warden", signal.SIGKILL, "the lab's warden node has ended"),
        ("link", signal.SIGSTOP, "the lab's link node has a process that was stopped by a signal"),
        ("warden", signal.SIGSTOP, "the lab's warden node has a process that was stopped by a signal"),
    ],
)
@pytest.mark.parametrize("delay", [0.0, pytest.param(1.0, marks=pytest.mark.audit)])
def test_a_part_that_serves_nobody_ends_the_job_before_its_time(
    made: images.Images, tmp_path: Path, submission: Path, part: str, signum: signal.Signals, told: str, delay: float
) -> None:
    """The check would pass, had it the time. One that asks for something then is told that nobody is there."""
    wanted, code, assignment = job(tmp_path, "def test_one(lab):\n    lab.pauses(17)\n")
    records: list[dict[str, Any]] = []
    with Star.start(made, code=code) as star, star.session(submission, assignment.limits) as session:

        def on_record(record: dict[str, Any]) -> None:
            records.append(record)
            if record["record"] == "start":
                threading.Timer(delay, os.kill, [star._docker.pid(star._ours[part]), signum]).start()

        left = star_suite.run(session, wanted, on_record, 300)
    assert left.stopped == told
    assert {record["outcome"] for record in records if record["record"] == "report"} <= {"inconclusive"}


FLOODS = """import socket, sys
host, _, port = sys.argv[1].rpartition(":")
with socket.create_connection((host, int(port))) as sock:
    for _ in range(int(sys.argv[2])):
        sock.sendall(bytes(1 << 20))
    sock.recv(1)
"""
FILLS = """
def test_one(lab):
    server = lab.listens()
    lab.runs("hello", server.address, "{0}")
    peer, left = server.accepts(), {0} << 20
    while left:
        left -= len(peer._socket.recv(min(left, 1 << 20)))
    b"x" * (1 << 29)
"""


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize(("megabytes", "whose"), [(160, "the submission's"), (1, "ours")])
def test_whose_it_is_that_the_testers_memory_is_full(
    made: images.Images, tmp_path: Path, submission: Path, monkeypatch: pytest.MonkeyPatch, megabytes: int, whose: str
) -> None:
    monkeypatch.setattr(nodes, "TESTER_MEMORY", "384m")
    (submission / "hello").write_text(f"#!/usr/bin/env python3\n{FLOODS}")
    (submission / "hello").chmod(0o755)
    left, records, _ = run(made, tmp_path, submission, FILLS.format(megabytes))
    assert left.status == -signal.SIGKILL
    assert records[-1]["record"] == "start"
    if whose == "ours":
        assert left.died is None
    else:
        assert left.died is not None and left.died.by_memory
        (carried,) = re.findall(r"full, after (\d+) MB on its wire", left.died.text)  # with headers and repetitions
        assert int(carried) > megabytes


# -- without an engine ---------------------------------------------------------------------------------------------


def test_no_engine_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    info = containers.find_engine()
    assert not info.usable
    assert info.why_not is not None
    assert "no Docker engine answers" in info.why_not
    assert not info.forbidden
    with pytest.raises(LabError, match="no Docker engine answers"):
        containers.sweep()


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ConnectionError("Remote end closed connection without response"), "Remote end closed connection without resp"),
        (OSError("Max retries exceeded (Caused by " + "a proxy that nobody knows, " * 9 + ")"), "Max retries exceeded"),
        (OSError("((("), "OSError"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "Connection refused"),
    ],
)
def test_what_keeps_an_engine_away_is_told_without_open_brackets(
    monkeypatch: pytest.MonkeyPatch, raised: OSError, told: str
) -> None:
    def fails(*_: object) -> None:
        raise raised

    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    monkeypatch.setattr("docker.transport.unixconn.UnixHTTPConnection.connect", fails)
    said = containers.find_engine().obstacle
    assert f"({told}" in said
    assert len(said) < 220
    assert said.endswith(")")
    assert said.count("(") == said.count(")")


def test_an_engine_that_this_user_may_not_talk_to_is_told_from_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    monkeypatch.setattr("docker.transport.unixconn.UnixHTTPConnection.connect", refused)
    assert containers.find_engine().forbidden
    monkeypatch.setattr(doctor, "_seen", {})
    assert "usermod -aG docker" in doctor.look("docker").remedy


def test_an_engine_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(LabError, match="router, netem, auto"):
        Star.start(images.Images("a", "b", "c"), code={}, engine="relay")


def test_an_archive_holds_files_of_root_and_no_links(tmp_path: Path) -> None:
    (tmp_path / "code" / "__pycache__").mkdir(parents=True)
    (tmp_path / "code" / "a.py").write_text("a")
    (tmp_path / "code" / "__pycache__" / "a.pyc").write_text("a")
    (tmp_path / "code" / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "code" / "fifo")
    with tarfile.open(fileobj=io.BytesIO(parcel.archive({"x/y": tmp_path / "code"}))) as archive:
        rows = {row.name: (row.uid, row.mode, row.type) for row in archive}
    bytecode = cache_from_source("x/y/a.py")  # made for it; what lay beside the file is not taken
    file = (0, 0o644, tarfile.REGTYPE)
    assert rows == {"x/y": (0, 0o755, tarfile.DIRTYPE), "x/y/a.py": file, bytecode: file}
    with pytest.raises(LabError, match="nobody cannot be copied into the lab"):
        parcel.archive({"x": tmp_path / "nobody"})


def test_code_in_the_lab_is_compiled_already(tmp_path: Path) -> None:
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "good.py").write_text("print('from bytecode')")
    (tmp_path / "suite" / "bad.py").write_text("print(")
    (tmp_path / "suite" / "other.py").symlink_to(tmp_path / "suite" / "good.py")

    def unpacked(to: str) -> Path:
        with tarfile.open(fileobj=io.BytesIO(parcel.archive({"suite": tmp_path / "suite"}))) as archive:
            archive.extractall(tmp_path / to, filter="data")
        return tmp_path / to / "suite"

    first = unpacked("first")
    assert {path.name for path in first.rglob("*.pyc")} == {Path(cache_from_source("good.py")).name}
    (first / "good.py").write_text("print('from its source')")  # only bytecode does not know of it
    said = subprocess.run([sys.executable, "-c", "import good"], cwd=first, capture_output=True, text=True, check=True)
    assert said.stdout == "from bytecode\n"
    (tmp_path / "suite" / "good.py").write_text("print('a later version')")
    second = unpacked("second")
    said = subprocess.run([sys.executable, "-c", "import good"], cwd=second, capture_output=True, text=True, check=True)
    assert said.stdout == "a later version\n"


VOLUMES = nodes.Volumes("t", "a", "c", "l")


def test_no_node_has_a_network_or_a_root_it_can_write() -> None:
    recipes = [nodes.link("n", VOLUMES), nodes.tester("n", VOLUMES), nodes.warden("n", VOLUMES)]
    recipes.append(nodes.student("s", VOLUMES, "/sub", Limits(), "/agent/x.sock", user=40000))
    for recipe in recipes:
        assert recipe.host["network_mode"] == "none"
        assert recipe.host["cap_drop"] == ["ALL"]
        assert recipe.host["read_only"] is True
        assert "no-new-privileges" in recipe.host["security_opt"]
        assert recipe.limits["nofile"]


def test_the_student_node_sees_no_volume_of_ours_but_the_agents() -> None:
    recipe = nodes.student("s", VOLUMES, "/sub", Limits(), "/agent/x.sock", user=40000, runtime="runsc", processors="1")
    assert recipe.host["mounts"] == [{"Type": "bind", "Source": "/sub", "Target": "/submission", "ReadOnly": True}]
    assert recipe.host["binds"] == {"a": {"bind": "/agent", "mode": "rw"}, "l": {"bind": "/lab", "mode": "ro"}}
    assert recipe.host["mem_limit"] == recipe.host["memswap_limit"] == "280m"
    assert recipe.host["pids_limit"] == 68
    assert recipe.host["runtime"] == "runsc"
    assert recipe.environment == {"STUDENT_UID": "40000"}


@pytest.mark.parametrize(
    ("count", "cpus", "worker", "which"),
    [(1, 1.0, 0, None), (2, 1.0, 0, "1"), (2, 4.0, 3, "1"), (8, 1.5, 0, "1,2"), (8, 2.0, 3, "7,1"), (0, 1.0, 0, None)],
)
def test_students_leave_the_first_processor_to_the_link(
    count: int, cpus: float, worker: int, which: str | None
) -> None:
    assert nodes.processors(count, cpus, worker) == which


@pytest.fixture
def folder_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(owner, "_root", lambda: tmp_path)
    return tmp_path


def test_folders_of_dead_owners_are_swept(folder_root: Path) -> None:
    mine = owner.owned_folder()
    dead = folder_root / "dead"
    dead.mkdir()
    (dead / "owner.json").write_text(json.dumps({**owner.this_owner().labels, owner.STARTED: "1"}))
    (folder_root / "unknown").mkdir()
    assert owner.sweep_folders() == 1
    assert sorted(path.name for path in folder_root.iterdir()) == sorted([mine.name, "unknown"])
    owner.forget_folder()
    assert not mine.exists()


def test_who_is_dead() -> None:
    labels = owner.this_owner().labels
    assert not owner.is_dead(labels)
    assert owner.is_dead({**labels, owner.STARTED: "1"})  # the process number was given to another process
    assert owner.is_dead({**labels, owner.PROCESS: str(2**22 + 1)})
    boot, namespace = labels[owner.MACHINE].split("/", 1)
    assert not owner.is_dead({**labels, owner.MACHINE: f"{boot}/another namespace", owner.STARTED: "1"})
    assert owner.is_dead({**labels, owner.MACHINE: f"an earlier boot/{namespace}"})


@pytest.mark.parametrize(
    ("row", "whose"), [({}, "ours"), ({"carried": 2 * LARGE - 1}, "ours"), ({"carried": 2 * LARGE}, "")]
)
def test_a_wire_is_loud_from_more_than_any_check_needs(row: dict[str, Any], whose: str) -> None:
    assert (filled({"nursery": "done", "status": -9, **row}) is None) == (whose == "ours")
