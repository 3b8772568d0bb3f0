"""Code on its way into the lab: the files a node gets, as a tar. Links and special files are left out."""

from __future__ import annotations

import compileall
import io
import marshal
import os
import tarfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
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
    """The harness for our own nodes, as a tar; made once in a process, with bytecode that this machine keeps."""
    compileall.compile_dir(HARNESS, quiet=2)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        _add(tar, "harness", HARNESS, kept=True)
    return out.getvalue()


def archive(code: Mapping[str, Path]) -> bytes:
    """A tar of folders and files under new names, owned by root, without links and special files.

    With bytecode of every module: a node whose Python is like this one compiles nothing; any other Python takes no
    notice, since the bytecode's name has the version in it. Of this machine's folders nothing is changed.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, path in code.items():
            _add(tar, name, path, kept=False)
            for module, source in _modules(name, path):
                if (data := _bytecode(source, source.stat().st_mtime_ns)) is not None:
                    row = tarfile.TarInfo(cache_from_source(module))
                    row.size, row.mode = len(data), 0o644
                    tar.addfile(row, io.BytesIO(data))
    return out.getvalue()


def _add(tar: tarfile.TarFile, name: str, path: Path, *, kept: bool) -> None:
    """`kept`: with the bytecode that Python has left beside the sources."""

    def tidy(row: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if (not kept and row.name.endswith(("__pycache__", ".pyc"))) or not (row.isfile() or row.isdir()):
            return None
        row.uid = row.gid = 0
        row.uname = row.gname = ""
        row.mode = 0o755 if row.isdir() else 0o644
        return row

    try:
        tar.add(path, arcname=name, filter=tidy)
    except OSError as error:
        raise LabError(f"{path} cannot be copied into the lab: {error.strerror}") from None


def _modules(name: str, path: Path) -> Iterator[tuple[str, Path]]:
    """Python's files of a folder, or the file: their names in the tar, and where they are. No links."""
    if path.is_file() and name.endswith(".py"):
        yield name, path
    for at, folders, files in os.walk(path):
        folders.sort()
        for file in (Path(at, each) for each in sorted(files) if each.endswith(".py")):
            if file.is_file() and not file.is_symlink():
                yield f"{name}/{file.relative_to(path).as_posix()}", file


@cache
def _bytecode(source: Path, changed: int) -> bytes | None:  # noqa: ARG001 - a file that has changed is another one
    """A pyc file that is not compared with its source (PEP 552: unchecked hash); None if it does not compile."""
    text = source.read_bytes()
    try:
        code = compile(text, source.name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    return MAGIC_NUMBER + (1).to_bytes(4, "little") + source_hash(text) + marshal.dumps(code)
