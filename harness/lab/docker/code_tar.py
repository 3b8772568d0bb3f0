"""Code on its way into the lab: the files a node gets, as a tar. Links and special files are left out."""

from __future__ import annotations

import compileall
import io
import tarfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from harness.lab.interface import LabError

HARNESS = Path(__file__).resolve().parents[2]


def agent_code() -> dict[str, Path]:
    """What is readable in a student node: the agent, what looks through sources, what these import; nothing else."""
    modules = ("agent", "agent_child", "agent_kernel", "packing", "proc", "reply", "seccomp")
    agent = ("__init__", "lab/__init__", "lab/node/__init__", *(f"lab/node/{name}" for name in modules))
    look = ("__init__", "course/__init__", "course/forbidden", "course/native")
    return {
        "agent/__main__.py": HARNESS / "lab/node/agent.py",
        **{f"agent/harness/{name}.py": HARNESS / f"{name}.py" for name in agent},
        "look/__main__.py": HARNESS / "course/look.py",
        **{f"look/harness/{name}.py": HARNESS / f"{name}.py" for name in look},
    }


def keeper_code() -> dict[str, Path]:
    """What the first process of a notebook's node is made of (harness/lab/node/kernel.py)."""
    modules = ("lab/__init__", "lab/node/__init__", "text/__init__", "text/lines")
    own = (f"lab/node/{name}" for name in ("agent_child", "agent_kernel", "packing", "proc", "reply", "seccomp"))
    return {
        "keeper/__main__.py": HARNESS / "lab/node/kernel.py",
        **{f"keeper/harness/{name}.py": HARNESS / f"{name}.py" for name in ("__init__", *modules, *own)},
    }


@cache
def harness_tar() -> bytes:
    """The harness for our own nodes, with its bytecode, as a tar; made once in a process.

    A node whose Python is like this one need not compile it (1 s of processor for each node); any other Python takes no
    notice, since the bytecode's name has the version in it. Where it cannot be written, each node compiles for itself.
    """
    compileall.compile_dir(HARNESS, quiet=2)
    return archive({"harness": HARNESS}, bytecode=True)


def archive(code: Mapping[str, Path], *, bytecode: bool = False) -> bytes:
    """A tar of folders and files under new names, owned by root, without links and special files.

    `bytecode`: with what Python keeps beside its sources.
    """
    out = io.BytesIO()

    def tidy(row: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if (not bytecode and row.name.endswith(("__pycache__", ".pyc"))) or not (row.isfile() or row.isdir()):
            return None
        row.uid = row.gid = 0
        row.uname = row.gname = ""
        row.mode = 0o755 if row.isdir() else 0o644
        return row

    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, path in code.items():
            try:
                tar.add(path, arcname=name, filter=tidy)
            except OSError as error:
                raise LabError(f"{path} cannot be copied into the lab: {error.strerror}") from None
    return out.getvalue()
