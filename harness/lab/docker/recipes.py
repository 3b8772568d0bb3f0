"""What each node of a star is made of and may do, as plain data. Pure. docker/README.md gives the reasons.

Rule 1: a node has no network but its wires, no capability it does not need, and a read-only root file system.
Rule 2: a student node has a limit on everything it can use up.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.lab.interface import LabError

#: The ordinary users in the student's image (docker/prepare-student.sh), in blocks: each star takes a block that no
#: other star of this engine has, each new node of it the next user of the block.
FIRST_USER, USERS, BLOCK = 40000, 1024, 8
#: The label of a star's containers that says which block it has.
USERS_LABEL = "socketlab.users"
#: The student nodes that a star can have, as their wires are called (harness/lab/node/warden.py).
STUDENTS = ("student", "second")
#: What the agent reserves for itself of a student node's memory (MiB) and processes.
AGENT_MEMORY, AGENT_PROCESSES = 24, 4
#: Memory that files cannot take (MiB), so that the agent survives when they are full.
NOT_FOR_FILES = 32
#: Folders of a student node besides /work and /build: path, MiB, whether they are the student's, mode.
SMALL_FOLDERS = (("/tmp", 32, True, "1777"), ("/dev/shm", 16, True, "1777"), ("/files", 32, False, "0755"))
#: Files, folders and links in one folder of a student node, at most.
INODES = 16384
#: Descriptors per process of our own nodes: 11,000 connections go through one star, and some engines may allow fewer.
OUR_FILES = 16384
#: Bytes of a core dump, at most: too few for a file, and the one number with which the kernel starts no program of the
#: host for it either (core(5), a pattern that begins with |; 0 does not keep it from that).
NO_CORE = 1
#: Memory of a tester node with its files: 11,000 connections take 0.2 GiB, a simulation 0.3.
TESTER_MEMORY = "2g"
#: Where the code is in our nodes, and the agent's code in the student's.
CODE, AGENT_CODE = "/code", "/lab"

_IPV6 = {
    "net.ipv6.conf.all.disable_ipv6": "0",
    "net.ipv6.conf.default.disable_ipv6": "0",
    "net.ipv6.conf.default.accept_ra": "0",
    "net.ipv6.conf.default.accept_dad": "0",
}
_LINK_SYSCTLS = {
    **_IPV6,
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
    # The router's packets come out of tun0 with a student's address: no reverse path check, no redirects.
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
}
#: No connection leaves anything behind for the next one to the same address (ip-tcp_metrics(8)).
_FORGETS = {"net.ipv4.tcp_no_metrics_save": "1", "net.ipv4.tcp_fastopen": "0"}
_STUDENT_SYSCTLS = {
    **_FORGETS,
    "net.ipv4.ping_group_range": "1 0",  # nobody: no kernel bounds the answers to a flood of pings
    # At most 64 KiB of a connection's output wait in the kernel, so that programs meet partial sends.
    "net.ipv4.tcp_wmem": "4096 16384 65536",
    **_IPV6,
    # System V memory ends with its processes; otherwise it would fill the node's memory and survive kills.
    "kernel.shm_rmid_forced": "1",
    "kernel.shmall": "4096",
    "kernel.msgmni": "16",
    "fs.mqueue.queues_max": "8",
}


class LimitsLike(Protocol):
    """What one submission may use (harness.course.assignment.Limits)."""

    @property
    def memory_mb(self) -> int: ...
    @property
    def processes(self) -> int: ...
    @property
    def open_files(self) -> int: ...
    @property
    def file_mb(self) -> int: ...
    @property
    def disk_mb(self) -> int: ...
    @property
    def cpus(self) -> float: ...
    @property
    def nodes(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A container, in the words of the engine's API."""

    image: str
    command: list[str]
    host: dict[str, Any]  #: arguments of create_host_config, without ulimits and log configuration
    limits: dict[str, int]  #: ulimit name -> value
    environment: dict[str, str] = field(default_factory=dict)
    spoken: bool = False  #: whether its standard streams are a conversation with the host


@dataclass(frozen=True)
class Volumes:
    """Names of a star's volumes."""

    trusted: str  #: sockets and captures: link, tester, warden
    agent: str  #: the agent's socket: tester and student node, root only
    code: str  #: the code that our nodes run
    agent_code: str  #: the code of the student node's agent


def free_block(taken: Container[int], wanted: int) -> int:
    """A block of users: the first from `wanted` on that is not taken. Raises LabError."""
    blocks = USERS // BLOCK
    for step in range(blocks):
        block = (wanted + step) % blocks
        if block not in taken:
            return block
    raise LabError(f"all {blocks} blocks of users are in use by other labs on this engine: run fewer workers")


def user_of(block: int, number: int) -> int:
    """The user of a star's node, counted over all that the star has had."""
    return FIRST_USER + block * BLOCK + number % BLOCK


def folders(limits: LimitsLike, user: int) -> list[dict[str, Any]]:
    """The folders of a student node, as the warden takes them. Raises LabError if they do not fit in its memory."""
    rows: list[dict[str, Any]] = [
        {"path": path, "mb": limits.disk_mb, "inodes": INODES, "uid": user, "mode": "0755"}
        for path in ("/work", "/build")
    ]
    for path, mb, students, mode in SMALL_FOLDERS:
        rows.append({"path": path, "mb": mb, "inodes": INODES, "uid": user if students else 0, "mode": mode})
    most = limits.memory_mb + AGENT_MEMORY - NOT_FOR_FILES
    if sum(row["mb"] for row in rows) > most:
        room = (most - sum(mb for _, mb, _, _ in SMALL_FOLDERS)) // 2
        raise LabError(
            f"limits: files are memory in a student's node, and disk_mb = {limits.disk_mb} does not fit into "
            f"memory_mb = {limits.memory_mb}: set disk_mb to {max(room, 0)} or less, or raise memory_mb"
        )
    return rows


def link(images_node: str, volumes: Volumes, engine: str = "router") -> Recipe:
    """The link: sees every packet, has a TUN device, and no limit on CPU.

    `engine` is router, netem (the kernel's, nothing else), or auto (the kernel's where it can, else the router).
    """
    program = ["harness.lab.router.tun"] if engine == "router" else ["harness.lab.netem.router", "--engine", engine]
    return Recipe(
        image=images_node,
        command=["python3", "-m", program[0], "--control", "/trusted/router.sock", *program[1:]],
        environment=_python_environment(),
        host={
            **_ours(volumes),
            "cap_add": ["NET_ADMIN", "SYS_NICE"],
            "devices": ["/dev/net/tun:/dev/net/tun:rwm"],
            "sysctls": _LINK_SYSCTLS,
        },
        limits={"nofile": OUR_FILES, "core": NO_CORE},
        spoken=True,
    )


def tester(images_node: str, volumes: Volumes) -> Recipe:
    """Where the tests run. Root without capabilities, so that it can open the root-only sockets."""
    host = _ours(volumes)
    host["binds"] = {**host["binds"], volumes.agent: {"bind": "/agent", "mode": "rw"}}
    return Recipe(
        image=images_node,
        command=["python3", "-m", "harness.tester.nursery"],
        environment=_python_environment(),
        # Without swap: a test that takes more ends with its tester, and takes nothing from the labs beside it.
        host={**host, "sysctls": {**_IPV6, **_FORGETS}, "mem_limit": TESTER_MEMORY, "memswap_limit": TESTER_MEMORY},
        limits={"nofile": OUR_FILES, "core": NO_CORE},
        spoken=True,
    )


def warden(images_node: str, volumes: Volumes) -> Recipe:
    """The one privileged node; it also receives the code for the others."""
    host = _ours(volumes)
    host["binds"] = {
        **host["binds"],
        volumes.code: {"bind": CODE, "mode": "rw"},
        volumes.agent_code: {"bind": AGENT_CODE, "mode": "rw"},
    }
    return Recipe(
        image=images_node,
        command=["python3", "-m", "harness.lab.node.warden"],
        environment=_python_environment(),
        host={
            **host,
            "pid_mode": "host",
            "cap_add": ["NET_ADMIN", "NET_RAW", "SETGID", "SETUID", "SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE"],
            "security_opt": ["no-new-privileges", "apparmor=unconfined"],
        },
        limits={"nofile": 4096, "core": NO_CORE},
        spoken=True,
    )


def processors(count: int, cpus: float, worker: int) -> str | None:
    """The processors a student node may use of a machine's `count`: never the first, which is reserved for the link.

    None (any) if there are too few. Each worker gets different ones, as far as they last.
    """
    if count < 2:
        return None
    wanted = min(math.ceil(cpus), count - 1)
    return ",".join(str(1 + (worker * wanted + number) % (count - 1)) for number in range(wanted))


def student(
    image: str,
    volumes: Volumes,
    submission: str,
    limits: LimitsLike,
    socket: str,
    *,
    user: int,
    runtime: str | None = None,
    processors: str | None = None,
) -> Recipe:
    """The submission's node. `submission` is a path of the engine's host, `socket` where its agent listens."""
    tmpfs = {
        row["path"]: f"rw,exec,nosuid,nodev,size={row['mb']}m,nr_inodes={row['inodes']},"
        f"mode={row['mode']},uid={row['uid']},gid={row['uid']}"
        for row in folders(limits, user)
        if row["path"] != "/dev/shm"
    }
    memory = f"{limits.memory_mb + AGENT_MEMORY}m"
    return Recipe(
        image=image,
        command=["python3", "-I", "-B", f"{AGENT_CODE}/agent", socket],
        environment={"STUDENT_UID": str(user)},
        host={
            "network_mode": "none",
            "ipc_mode": "private",
            "shm_size": "16m",
            "cap_drop": ["ALL"],
            "cap_add": ["SETUID", "SETGID", "KILL", "CHOWN"],
            "security_opt": ["no-new-privileges"],
            "read_only": True,
            "tmpfs": tmpfs,
            "mem_limit": memory,
            "memswap_limit": memory,
            "pids_limit": limits.processes + AGENT_PROCESSES,
            "nano_cpus": int(limits.cpus * 1e9),
            "sysctls": _STUDENT_SYSCTLS,
            "cpuset_cpus": processors,
            "runtime": runtime,
            # A mount, not a bind: with a bind the engine would create a missing folder.
            "mounts": [{"Type": "bind", "Source": submission, "Target": "/submission", "ReadOnly": True}],
            "binds": {
                volumes.agent: {"bind": "/agent", "mode": "rw"},
                volumes.agent_code: {"bind": AGENT_CODE, "mode": "ro"},
            },
        },
        limits={"nofile": limits.open_files, "fsize": limits.file_mb * 1_000_000, "core": NO_CORE},
    )


def notebook(image: str, code: str, submission: str, limits: LimitsLike, *, user: int) -> Recipe:
    """A node in which a notebook runs: a student's node without wires, whose first process has a kernel.

    `code`: the volume with what is at CODE, the harness among it; `submission` is a path of the engine's host.
    """
    base = student(image, Volumes("", "", "", ""), submission, limits, "", user=user)
    return Recipe(
        image=image,
        command=["python3", "-I", "-B", f"{CODE}/keeper"],
        environment=base.environment,
        host={**base.host, "binds": {code: {"bind": CODE, "mode": "ro"}}},
        limits=base.limits,
        spoken=True,
    )


def _ours(volumes: Volumes) -> dict[str, Any]:
    return {
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "read_only": True,
        "tmpfs": {"/tmp": "rw,nosuid,nodev,size=256m"},
        "binds": {volumes.trusted: {"bind": "/trusted", "mode": "rw"}, volumes.code: {"bind": CODE, "mode": "ro"}},
    }


def _python_environment() -> dict[str, str]:
    from harness.lab.docker.images import PACKAGES_AT

    return {
        "PYTHONPATH": f"{CODE}:{PACKAGES_AT}",
        "PYTHONDONTWRITEBYTECODE": "1",  # it comes with the image and with the code
        "PYTHONUNBUFFERED": "1",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
    }
