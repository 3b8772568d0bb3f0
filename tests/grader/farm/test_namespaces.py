"""Three workers in network namespaces, each with a Docker engine of its own: one is killed, one is cut off."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from machines import Process

from grader.bench.choose import make_images
from tests.grading import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.tun, pytest.mark.audit]

#: Documentation addresses (RFC 5737): nobody else's are met.
HERE, NET = "198.51.100.1", "198.51.100"


def run(*words: str) -> None:
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


class Machine:
    """A network namespace with a wire to this one, and an engine in it."""

    def __init__(self, number: int, folder: Path) -> None:
        self.name, self.folder = f"sl-farm-{number}", folder
        self.wire = f"slfarm{number}"
        folder.mkdir(parents=True)
        # In memory: a disk takes minutes to take and to remove so many small files.
        run("mount", "-t", "tmpfs", "-o", "size=2600m", "tmpfs", str(folder))
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.wire, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "link", "set", self.wire, "master", "slfarm", "up")
        for words in ("link set lo up", "link set eth0 up", f"addr add {NET}.{10 + number}/24 dev eth0"):
            run("ip", "-n", self.name, *words.split())
        paths = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
        quiet = ["--bridge=none", "--iptables=false", "--ip-forward=false"]
        with (folder / "log").open("wb") as log:
            self.engine = subprocess.Popen(
                [*self.inside, "dockerd", f"--host={self.socket}", *paths, *quiet], stdout=log, stderr=log
            )
        self.worker: Process | None = None

    @property
    def inside(self) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self.name}"]

    @property
    def socket(self) -> str:
        return f"unix://{self.folder}/d.sock"

    def load(self, images: Path) -> None:
        """Wait for the engine, and bring it the lab's images."""
        from docker.errors import DockerException

        from docker import DockerClient

        deadline = time.monotonic() + 60
        while True:
            try:
                engine = DockerClient(self.socket, timeout=120)
                break
            except DockerException:  # its socket's file is there before it listens
                assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
                assert self.engine.poll() is None, (self.folder / "log").read_text()[-2000:]
        with contextlib.closing(engine), images.open("rb") as file:
            engine.images.load(file)

    def work(self, address: str, certificates: Path) -> None:
        command = [sys.executable, "-m", "grader.cli", "worker", address, f"--certificates={certificates}"]
        self.worker = Process(
            subprocess.Popen(
                [*self.inside, *command, f"--name={self.name}", "--labs=4"],
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env={**os.environ, "DOCKER_HOST": self.socket},
            )
        )
        self.worker.says("working ")

    def close(self) -> None:
        from docker import DockerClient

        if self.worker is not None:
            self.worker.end()
        with contextlib.suppress(Exception), contextlib.closing(DockerClient(self.socket)) as engine:
            for container in engine.containers.list(all=True):
                container.remove(force=True)
        self.engine.terminate()
        self.engine.wait()
        run("ip", "netns", "del", self.name)
        run("umount", "--recursive", "--lazy", str(self.folder))
        self.folder.rmdir()


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[list[Machine]]:
    names = [image.name for image in make_images(print)]
    images, made = tmp_path / "images.tar", []
    with images.open("wb") as file:
        subprocess.run(["docker", "save", *names], check=True, stdout=file)
    run("ip", "link", "add", "slfarm", "type", "bridge")
    try:
        run("ip", "addr", "add", f"{HERE}/24", "dev", "slfarm")
        run("ip", "link", "set", "slfarm", "up")
        for number in range(3):
            made.append(Machine(number, Path(f"/tmp/sl-farm-{os.getpid()}-{number}")))
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda machine: machine.load(images), made))
        yield made
    finally:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(Machine.close, made))
        run("ip", "link", "del", "slfarm")


def test_what_two_lost_machines_had_the_third_one_does(machines: list[Machine], tmp_path: Path) -> None:
    certificates, submitted = tmp_path / "farm", tmp_path / "submitted"
    for student in ("ann",):
        shutil.copytree(ROOT / "reference" / "blocking", submitted / student / "blocking")
    grader = [sys.executable, "-m", "grader.cli"]
    run(*grader, "farm", "certificates", str(certificates))
    told = f"--certificates={certificates}"
    listen = [*grader, "farm", "scheduler", f"tls://{HERE}:0", told, "--lost-after=5"]
    scheduler = Process(subprocess.Popen(listen, stdout=subprocess.PIPE, text=True, cwd=ROOT))
    try:
        address = scheduler.says("the scheduler is at ").split()[4].rstrip(";")
        for machine in machines:
            machine.work(address, certificates)
        command = [*grader, "run", str(submitted), f"--out={tmp_path / 'run'}", "--scheduler", address, told]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as grading:
            journal = tmp_path / "run" / ".work"
            deadline = time.monotonic() + 60
            while not list(journal.glob("*")) and time.monotonic() < deadline:
                assert grading.poll() is None
            from docker import DockerClient

            for machine in machines[:2]:  # each of them is testing when it is lost
                with contextlib.closing(DockerClient(machine.socket)) as engine:
                    while len(engine.containers.list()) < 4:  # link, tester, warden, and then a student's node
                        assert grading.poll() is None
            worker = machines[0].worker
            assert worker is not None
            worker.kill(signal.SIGKILL)
            run("ip", "link", "set", machines[1].wire, "down")
            said = grading.communicate()[0]
        assert grading.returncode == 0, said
    finally:
        scheduler.end()
    rows = [json.loads(line) for line in (tmp_path / "run" / "journal.jsonl").read_text().splitlines()]
    assert sorted(row["student"] for row in rows) == ["ann"]
    for row in rows:
        result = json.loads((tmp_path / "run" / row["student"] / "blocking" / "result.json").read_text())
        assert (result["points"], result["undecided"], result["lab"]["engine"]) == (100, 0, "router")
