"""A Docker engine that is not there, ends, comes back, stands still or has no disk left takes no points from anybody.

The engine is one of these tests' own, with a data root in memory and its own socket: nobody else's is touched.

| what | here |
|---|---|
| DOCKER_HOST wrong, unreachable | `test_an_engine_that_is_named_wrongly` |
| DOCKER_HOST on another machine | `test_an_engine_on_another_machine` |
| killed and started again in the middle | `test_an_engine_that_is_started_again` |
| killed for good | `test_an_engine_that_is_gone` |
| stopped for a while | `test_an_engine_that_stands_still_for_a_while` |
| its disk full from the start, in the middle | `test_an_engine_without_disk` |
| its disk full while an image is loaded | `test_what_the_engine_says_goes_before_what_tar_says` |
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import psutil
import pytest
from faulty import DUE, Class, graded, make_course, nobody_lost

import docker
from grader.bench.docker import DockerPlace
from grader.bench.local import Place, closing
from grader.campaign.campaign import JobEvent
from grader.course import Course
from grader.job import run as job
from harness.lab.docker import containers, images, owner
from harness.lab.interface import LabError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux can start an engine"),
]


class Engine:
    """A Docker engine of our own, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix://{folder}/sock"
        self.data = folder / "data"
        self.bridge = f"slengine{os.getpid() % 10**7}"
        self._process: subprocess.Popen[bytes] | None = None
        self._below: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        (self.folder / "pid").unlink(missing_ok=True)
        self._start_below()
        roots = ["--data-root", self.data, "--exec-root", self.folder / "exec", "--pidfile", self.folder / "pid"]
        roots += ["--containerd", self.folder / "containerd.sock"]
        # One that is told to have no bridge deletes docker0, which is another engine's.
        quiet = [f"--bridge={self.bridge}", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]
        with (self.folder / "log").open("ab") as file:
            self._process = subprocess.Popen(
                ["dockerd", *map(str, roots), "-H", self.address, *quiet], stdout=file, stderr=file
            )
        last = Exception("it ended")
        for _ in range(200):
            try:
                docker.DockerClient(self.address, timeout=5).ping()
                return
            except Exception as error:
                last = error
            try:
                self._process.wait(0.1)
                break
            except subprocess.TimeoutExpired:
                pass
        pytest.skip(
            f"no Docker engine of our own can be started here: {last}; {(self.folder / 'log').read_text()[-300:]}"
        )

    def _start_below(self) -> None:
        """What runs the containers; it outlives an engine that is killed, as it does where systemd starts both."""
        if self._below is not None:
            return
        words = ["--address", self.folder / "containerd.sock", "--root", self.data / "containerd"]
        words += ["--state", self.folder / "state", "--log-level", "error"]
        with (self.folder / "log").open("ab") as file:
            self._below = subprocess.Popen(["containerd", *map(str, words)], stdout=file, stderr=file)

    def signal(self, signum: signal.Signals) -> None:
        """Send it a signal; a killed one is collected."""
        assert self._process is not None
        self._process.send_signal(signum)
        if signum is signal.SIGKILL:
            self._process.wait()

    def stop(self) -> None:
        """End it with all that it runs."""
        for process in (self._process, self._below):
            if process is not None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
        for each in psutil.process_iter(["cmdline"]):
            if any(str(self.folder) in word for word in each.info["cmdline"] or ()):
                each.kill()

    def containers(self) -> list[str]:
        """Names of all its containers."""
        client = docker.DockerClient(self.address)
        return [row["Names"][0] for row in client.api.containers(all=True)]

    def fill(self, but: int = 0) -> Path:
        """Fill its disk but for some bytes; the file that does it."""
        path = self.data / "filler"
        with path.open("wb", buffering=0) as file:
            while (left := shutil.disk_usage(self.data).free - but) > 4096:
                file.write(b"x" * min(left, 1 << 22))
        return path


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One with the lab's images."""
    if shutil.which("dockerd") is None:
        pytest.skip("there is no dockerd")
    wanted = images.ensure_images(containers.DockerEngine())
    with tempfile.TemporaryDirectory(prefix="engine-") as name:  # a socket's path is short
        made = Engine(Path(name))
        made.data.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2600m", "tmpfs", str(made.data)]).returncode:
            pytest.skip("nothing can be mounted here")
        try:
            for words in (f"add {made.bridge} type bridge", f"set {made.bridge} up"):
                subprocess.run(["ip", "link", *words.split()], check=True)
            # An address for documentation (RFC 5737): nobody's network is hidden by it.
            subprocess.run(["ip", "address", "add", "192.0.2.1/24", "dev", made.bridge], check=True)
            made.start()
            here = docker.from_env()
            there = docker.DockerClient(made.address, timeout=120)
            for tag in (wanted.node, wanted.student, wanted.build):
                there.api.load_image(here.api.get_image(tag))
            yield made
        finally:
            made.stop()
            subprocess.run(["ip", "link", "delete", made.bridge], check=False)
            subprocess.run(["umount", "--recursive", "--lazy", str(made.data)], check=False)
            for line in Path("/proc/mounts").read_text().splitlines():
                if name in line.split()[1]:
                    subprocess.run(["umount", "--lazy", line.split()[1]], check=False)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def klass(course: Course, tmp_path: Path) -> Class:
    for name in ("out", "tmp"):
        (tmp_path / name).mkdir()
    return Class(course, tmp_path / "out", tmp_path / "tmp", lab="docker", margin=10.0)


# -- the wrong one --


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("unix:///nowhere/docker.sock", "No such file or directory"),
        ("tcp://127.0.0.1:9", "Connection refused"),
        ("carrier-pigeon://home", "Invalid bind address"),
        pytest.param("tcp://nobody.invalid:2375", "DOCKER_HOST=tcp://nobody.invalid:2375", marks=pytest.mark.audit),
    ],
)
def test_an_engine_that_is_named_wrongly(klass: Class, host: str, why: str) -> None:
    klass.env["DOCKER_HOST"] = host
    status, said = klass.grade()
    assert (status, klass.results()) == (2, {})
    assert f"no Docker engine answers at DOCKER_HOST={host}" in said
    assert why in said
    assert "correct DOCKER_HOST, or unset" in said
    assert "systemctl" not in said
    klass.nobody_lost(status, said)


def test_an_engine_on_another_machine(klass: Class) -> None:
    klass.env["DOCKER_HOST"] = "ssh://me@nobody.invalid"
    status, said = klass.grade()
    assert (status, klass.results()) == (2, {})
    assert "the Docker engine at DOCKER_HOST=ssh://me@nobody.invalid is on another machine" in said
    assert "unset DOCKER_HOST for the engine of this machine" in said
    klass.nobody_lost(status, said)


# -- one that breaks --


@pytest.fixture
def ours(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine of our own, for this process."""
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    monkeypatch.setattr(containers, "BACK_WITHIN", 20.0)
    monkeypatch.setattr(job, "MARGIN", 10.0)
    return engine


def nobody_loses(course: Course, out: Path, place: Place, see: object) -> dict[str, object]:
    results = graded(course, out, place, see=see)  # type: ignore[arg-type]
    nobody_lost(results)
    again = graded(course, out, place, students=tuple(DUE))
    assert {name: result["points"] for name, result in again.items()} == DUE
    return results["ann"]


@pytest.mark.docker
@pytest.mark.audit
@pytest.mark.parametrize("at", range(1, 8))
def test_an_engine_that_is_started_again(ours: Engine, course: Course, tmp_path: Path, at: int) -> None:
    done = []

    def see(event: JobEvent) -> None:
        if event.progress and event.progress.phase.startswith(f"check {at} ") and not done:
            ours.signal(signal.SIGKILL)
            done.append(threading.Timer(0.5, ours.start))
            done[0].start()

    place = DockerPlace(course, ["small"], engine="router", say=lambda _: None)
    with closing(place):
        result = nobody_loses(course, tmp_path / "run", place, see)
    done[0].join()
    assert result["state"] == "graded", result["notes"]  # the second try waited for it
    containers.sweep(mine=True)
    assert not [name for name in ours.containers() if owner.this_owner().identity in name]


@pytest.mark.docker
@pytest.mark.audit
def test_an_engine_that_stands_still_for_a_while(ours: Engine, course: Course, tmp_path: Path) -> None:
    done = []

    def see(event: JobEvent) -> None:
        if event.progress and event.progress.phase.startswith("check 3 ") and not done:
            ours.signal(signal.SIGSTOP)
            done.append(threading.Timer(15, ours.signal, [signal.SIGCONT]))
            done[0].start()

    place = DockerPlace(course, ["small"], engine="router", say=lambda _: None)
    with closing(place):
        nobody_loses(course, tmp_path / "run", place, see)
    done[0].join()


@pytest.mark.docker
@pytest.mark.audit
def test_an_engine_that_is_gone(engine: Engine, klass: Class) -> None:
    klass.env["DOCKER_HOST"] = engine.address
    process = klass.start(students=tuple(DUE))
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "ann/small: begins" in line:
            engine.signal(signal.SIGKILL)
    status = process.wait()
    process.stdout.close()
    engine.start()
    assert status == 1, said
    assert "no Docker engine answers at DOCKER_HOST=" in said or "did the Docker engine end" in said, said
    klass.nobody_lost(status, said, tuple(DUE))
    assert {result["state"] for result in klass.results().values()} == {"ours"}
    klass.all_decided(tuple(DUE))
    assert engine.containers() == []  # the second run has swept up


@pytest.mark.docker
@pytest.mark.audit
@pytest.mark.parametrize("when", ["start", "begins"])
@pytest.mark.parametrize("left", [0, 100 << 10, 1 << 20, 3 << 20])
def test_an_engine_without_disk(engine: Engine, klass: Class, when: str, left: int) -> None:
    klass.env["DOCKER_HOST"] = engine.address
    filler = engine.fill(left) if when == "start" else None
    process = klass.start()
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "ann/small: begins" in line and filler is None:
            filler = engine.fill(left)
    status = process.wait()
    process.stdout.close()
    assert filler is not None
    filler.unlink()
    klass.nobody_lost(status, said)
    if "no space left" in said:
        assert "docker system df" in said, said
    klass.all_decided()
    assert engine.containers() == []


# -- images --


class Full:
    """An engine that takes the first bytes of an image and has no room for the rest."""

    def has_image(self, tag: str) -> bool:  # noqa: ARG002
        return False

    def pull(self, tag: str, timeout: float) -> str | None:  # noqa: ARG002
        return "no registry"

    def build(self, folder: Path, target: str, tag: str, arguments: Mapping[str, str]) -> None: ...

    def size(self, tag: str) -> int: ...  # type: ignore[empty-body]

    def load_rootfs(self, tar: IO[bytes], tag: str) -> None:
        tar.read(100)
        raise LabError(f"loading {tag} into the engine failed: no space left on device")


def test_what_the_engine_says_goes_before_what_tar_says(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 4_000_000)
    with pytest.raises(LabError, match="no space left on device"):
        images._load(Full(), tmp_path, "node", "tag:1")
