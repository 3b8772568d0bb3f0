"""The lines of docs/farm.md for Slurm: a cluster of one machine, whose jobs are workers of ours."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from machines import Process

from tests.grading import ROOT

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch")
pytestmark = [
    pytest.mark.audit,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root starts all of Slurm"),
    pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason="no Slurm (apt install slurm-wlm munge)"),
]
CONF = """ClusterName=one
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={at}/munge.sock
SlurmUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={at}/state
SlurmdSpoolDir={at}/spool
SlurmctldPidFile={at}/slurmctld.pid
SlurmdPidFile={at}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000
PartitionName=all Nodes=ALL Default=YES State=UP
"""


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Slurm's configuration, while a cluster of this machine runs."""
    at = Path(f"/tmp/sl-slurm-{os.getpid()}")  # a socket's path is short
    for name in ("state", "spool"):
        (at / name).mkdir(parents=True)
    (at / "key").write_bytes(os.urandom(128))
    (at / "key").chmod(0o400)
    conf = at / "slurm.conf"
    conf.write_text(CONF.format(host=socket.gethostname().split(".")[0], at=at, ports=free_ports(2)))
    monkeypatch.setenv("SLURM_CONF", str(conf))
    files = [
        f"--socket={at}/munge.sock",
        f"--key-file={at}/key",
        f"--pid-file={at}/munge.pid",
        f"--seed-file={at}/seed",
    ]
    daemons = [
        ["munged", "--force", "--foreground", *files, f"--log-file={at}/munge.log"],
        ["slurmctld", "-D", "-i"],
        ["slurmd", "-D"],
    ]
    running = []
    with (tmp_path / "daemons.log").open("wb") as log:
        for words in daemons:
            running.append(subprocess.Popen(words, stdout=log, stderr=log))
    try:
        yield conf
    finally:
        subprocess.run(["scancel", "--full", "--user=root"], check=False)
        for _ in range(200):  # until their processes are gone, too
            if not subprocess.run(["squeue", "-h"], check=False, capture_output=True).stdout.strip():
                break
            time.sleep(0.2)
        for process in reversed(running):
            process.terminate()
            process.wait()
        shutil.rmtree(at)


def lines_of_the_docs() -> str:
    text = (ROOT / "docs" / "farm.md").read_text()
    return text.partition("```python\n")[2].partition("```")[0]


def test_jobs_of_slurm_are_workers(slurm: Path, tmp_path: Path) -> None:  # noqa: ARG001
    pytest.importorskip("dask_jobqueue")
    grader, farm = [sys.executable, "-m", "grader.cli"], tmp_path / "farm"
    subprocess.run([*grader, "farm", "certificates", str(farm)], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    (tmp_path / "cluster.py").write_text(lines_of_the_docs())
    words = [sys.executable, str(tmp_path / "cluster.py"), str(farm), "--lab=local", "--trust-submissions", "--labs=1"]
    cluster = Process(subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=tmp_path))
    try:
        address = cluster.says("the scheduler is at ").split()[-1]
        out = tmp_path / "run"
        command = ["run", str(ROOT / "examples" / "class"), "--student=emil", "--assignment=blocking", f"--out={out}"]
        told = ["--scheduler", address, f"--certificates={farm}"]
        done = subprocess.run([*grader, *command, *told], check=False, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr
        result = json.loads((out / "emil" / "blocking" / "result.json").read_text())
        assert (result["state"], result["points"], result["undecided"]) == ("graded", 0, 0)
        jobs = subprocess.run(["squeue", "-h", "-o", "%T"], check=True, capture_output=True, text=True).stdout.split()
        assert "RUNNING" in jobs
        cluster.kill(signal.SIGINT)
        cluster.process.wait(60)
        left = subprocess.run(["squeue", "-h", "-t", "RUNNING"], check=True, capture_output=True, text=True).stdout
        assert left == ""  # it has cancelled its jobs
    finally:
        cluster.end()
