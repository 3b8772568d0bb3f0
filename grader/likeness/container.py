"""The node in which sources are compared: no network, no capability but to change its user, everything bounded."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from grader.likeness import inside
from harness.lab.docker import owner
from harness.lab.docker.channel import Channel
from harness.lab.docker.containers import DockerEngine, find_engine, sweep
from harness.lab.docker.images import ensure_likeness
from harness.lab.docker.recipes import Recipe
from harness.lab.interface import LabError

#: What the node may use: memory, processors, processes, descriptors; seconds for all of it.
MEMORY, PROCESSORS, PROCESSES, FILES, SECONDS = "1536m", 1.0, 64, 1024, 600.0


def recipe(image: str, sources: Path) -> Recipe:
    """The node; `sources` is a path of the engine's host, which it can read and not write."""
    script = Path(inside.__file__).read_text(encoding="utf-8")
    return Recipe(
        image=image,
        command=["python3", "-I", "-B", "-X", "utf8", "-c", script],
        host={
            "network_mode": "none",
            "ipc_mode": "private",
            "cap_drop": ["ALL"],
            "cap_add": ["SETUID", "SETGID"],
            "security_opt": ["no-new-privileges"],
            "read_only": True,
            "tmpfs": {"/tmp": "rw,nosuid,nodev,noexec,size=16m"},
            "mem_limit": MEMORY,
            "memswap_limit": MEMORY,
            "pids_limit": PROCESSES,
            "nano_cpus": int(PROCESSORS * 1e9),
            "mounts": [{"Type": "bind", "Source": str(sources), "Target": inside.PLACE, "ReadOnly": True}],
        },
        limits={"nofile": FILES, "fsize": 1_000_000, "core": 0},
        spoken=True,
    )


def compared(sources: Path, asked: Mapping[str, object], say: Callable[[str], None]) -> Iterator[object]:
    """What the node says of the sources in a folder, line by line, not believed yet. Raises LabError."""
    if (why := find_engine().why_not) is not None:
        raise LabError(f"sources are compared in a container only, since they may be hostile: {why}")
    sweep()
    with DockerEngine() as engine:
        image = ensure_likeness(engine, say)
        name = f"socketlab-likeness-{secrets.token_hex(4)}"
        identity = engine.create(
            recipe(image, sources), name=name, hostname="likeness", labels=owner.this_owner().labels
        )
        try:
            channel = Channel(engine.attach(identity), "likeness")
            try:
                engine.start(identity)
                channel.say(asked)
                yield from _heard(channel, time.monotonic() + SECONDS)
            finally:
                channel.close()
        finally:
            engine.remove(identity)


def _heard(channel: Channel, deadline: float) -> Iterator[object]:
    while True:
        said = channel.hear(deadline - time.monotonic())
        if said is None:
            raise LabError(f"comparing took longer than {SECONDS:g} s, and was ended: leave students out (--student)")
        if isinstance(said, dict) and said.get("end") is True:
            return
        yield said
