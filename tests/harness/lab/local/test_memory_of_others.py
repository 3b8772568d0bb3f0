"""Whom the kernel has ended for want of memory: what happened in another's control group excuses nothing here."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.lab.local.machine import ended_for_memory


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """The kernel's tables of a machine on which 400 processes of containers have been ended."""
    folder = tmp_path / "proc"
    (folder / "self").mkdir(parents=True)
    (folder / "vmstat").write_text("pgfault 7\noom_kill 400\n")
    return folder


@pytest.mark.parametrize(
    ("mine", "file", "text"),
    [
        ("4:memory:/grader\n0::/\n", "memory/grader/memory.oom_control", "oom_kill_disable 0\noom_kill 3\n"),
        ("4:cpu,memory:/docker/17\n", "memory/memory.oom_control", "under_oom 0\noom_kill 3\n"),
        ("0::/user.slice/one.scope\n", "user.slice/one.scope/memory.events", "oom 9\noom_kill 3\n"),
        ("0::/\n", "memory.events", "oom 9\noom_kill 3\n"),
    ],
    ids=["v1", "v1 in a container", "v2", "v2 in a container"],
)
def test_only_those_of_our_own_group_count(proc: Path, tmp_path: Path, mine: str, file: str, text: str) -> None:
    groups = tmp_path / "cgroup"
    (groups / file).parent.mkdir(parents=True)
    (groups / file).write_text(text)
    (proc / "self/cgroup").write_text(mine)
    assert ended_for_memory(proc, groups) == 3


def test_the_machines_count_where_no_group_is_told(proc: Path, tmp_path: Path) -> None:
    (proc / "self/cgroup").write_text("0::/\n")  # the root of cgroup v2 has no such table
    assert ended_for_memory(proc, tmp_path / "cgroup") == 400


def test_none_on_other_systems(tmp_path: Path) -> None:
    assert ended_for_memory(tmp_path, tmp_path) == 0
