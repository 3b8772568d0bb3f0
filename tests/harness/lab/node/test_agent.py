"""Parts of the agent that need no container. The rest is tried for real: test_labs_docker.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

if sys.platform != "linux":
    pytest.skip("the agent runs on Linux", allow_module_level=True)

from harness.lab.node import agent as agent_module
from harness.lab.node import agent_kernel
from harness.lab.node.agent import Agent
from harness.lab.node.agent_child import copy_tree, read_until, watch
from harness.lab.node.reply import Refused, decode


@pytest.fixture
def agent() -> Agent:
    """An agent that was never started: it answers, but does not serve."""
    return Agent.__new__(Agent)


@pytest.mark.parametrize(
    "packet",
    [b"", b"\xff", b"[]", b"null", b"{}", b'{"op": 1}', b'{"op": "__init__"}', b'{"op": "start"}', b"[" * 60000],
)
def test_a_malformed_request_is_answered(agent: Agent, packet: bytes) -> None:
    answer, descriptors = agent._answer(packet)
    with pytest.raises(Refused) as refused:
        decode(answer)
    assert (refused.value.kind, descriptors) == ("request", [])


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd"])
def test_a_given_file_has_a_plain_name(agent: Agent, name: str) -> None:
    answer, _ = agent._answer(json.dumps({"op": "listen_unix", "name": name}).encode())
    with pytest.raises(Refused) as refused:
        decode(answer)
    assert refused.value.kind == "request"


@pytest.mark.parametrize(
    ("share", "kind", "says"), [(0.5, "start", "the kernel is busy ending them"), (0.05, "node", "do not end: [7]")]
)
def test_who_takes_long_to_die_is_to_blame_if_it_took_the_processor(
    agent: Agent, share: float, kind: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += 100 * seconds

    monkeypatch.setattr(agent_module, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    monkeypatch.setattr(agent_module, "cpu_used", lambda: share * now[0])
    monkeypatch.setattr(agent_module, "students_processes", lambda: [(7, 1)])
    monkeypatch.setattr(agent_module.os, "kill", lambda *_: None)
    monkeypatch.setattr(agent, "_collect", lambda: False)
    with pytest.raises(Refused) as refused:
        agent._kill_all()
    assert (refused.value.kind, says in str(refused.value)) == (kind, True), refused.value


def test_a_tree_is_copied_as_it_is(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "folder").mkdir(parents=True)
    target.mkdir()
    (source / "folder" / "run").write_bytes(b"x" * 100_000)
    (source / "folder" / "run").chmod(0o755)
    os.utime(source / "folder" / "run", ns=(10**18, 10**18))
    (source / "empty").write_bytes(b"")
    (source / "away").symlink_to("/nowhere")
    os.mkfifo(source / "fifo")
    copy_tree(str(source), str(target))
    assert sorted(path.name for path in target.iterdir()) == ["away", "empty", "folder"]
    copied = target / "folder" / "run"
    assert copied.read_bytes() == b"x" * 100_000
    assert (copied.stat().st_mode & 0o777, copied.stat().st_mtime_ns) == (0o755, 10**18)
    assert os.readlink(target / "away") == "/nowhere"


def test_a_tree_may_be_deep(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "target").mkdir()
    path = tmp_path / "source"
    for _ in range(1200):
        path = path / "d"
        path.mkdir()
    copy_tree(str(tmp_path / "source"), str(tmp_path / "target"))
    assert (tmp_path / "target" / "/".join(["d"] * 1200)).is_dir()
    subprocess.run(["rm", "-rf", tmp_path / "source", tmp_path / "target"], check=True)  # pytest's own way recurses


def child(source: str, output: int) -> int:
    pid = os.fork()
    if pid == 0:
        os.dup2(output, 1)
        os.execv(sys.executable, [sys.executable, "-c", source])
    os.close(output)
    return pid


def test_a_watched_child_is_not_kept_by_what_it_left_running() -> None:
    told, tells = os.pipe()
    source = "import os, time\nprint('x' * 50, flush=True)\nif os.fork() == 0: time.sleep(3)\nos._exit(3)"
    begun = time.monotonic()
    assert watch(child(source, tells), told, begun + 10, 11) == (3, b"x" * 10 + b"\n")
    assert time.monotonic() - begun < 2.5


def test_a_watched_child_that_is_late_has_no_status() -> None:
    told, tells = os.pipe()
    pid = child("import time; print('here', flush=True); time.sleep(60)", tells)
    status, tail = watch(pid, told, time.monotonic() + 0.5, 100)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    assert (status, tail) == (None, b"here\n")


def test_reading_stops_at_the_end_or_in_time() -> None:
    told, tells = os.pipe()
    os.write(tells, b"abc")
    assert read_until(told, time.monotonic() + 0.05) == b"abc"
    os.close(tells)
    told, tells = os.pipe()
    os.write(tells, b"abc")
    os.close(tells)
    assert read_until(told, time.monotonic() + 60) == b"abc"


def test_figures_of_both_kinds_of_control_groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(agent_kernel, "_CG", str(tmp_path))
    for name in ("memory", "cpuacct", "pids"):
        (tmp_path / name).mkdir()
    (tmp_path / "memory" / "memory.stat").write_text("rss 1\ntotal_rss 900000000000\ntotal_shmem 1000\ncache 5\n")
    (tmp_path / "cpuacct" / "cpuacct.usage").write_text("5000000000000\n")
    (tmp_path / "memory" / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    (tmp_path / "pids" / "pids.events").write_text("max 3\n")
    first = (agent_kernel.memory_used(), agent_kernel.cpu_used(), agent_kernel.interventions())
    assert 0 < first[0] <= 900_000_001_000
    assert 4000 < first[1] <= 5000
    assert first[2] == (2, 3)
    for name in ("memory", "cpuacct", "pids"):
        (tmp_path / name).rename(tmp_path / f"not {name}")
    (tmp_path / "memory.stat").write_text("anon 900000000000\nfile 7\nshmem 1000\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 5000000000\nuser_usec 1\n")
    (tmp_path / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    (tmp_path / "pids.events").write_text("max 3\n")
    second = (agent_kernel.memory_used(), agent_kernel.cpu_used(), agent_kernel.interventions())
    assert second[2] == first[2]
    assert second[:2] == pytest.approx(first[:2], rel=0.01)
