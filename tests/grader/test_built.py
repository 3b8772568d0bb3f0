"""What a build made comes out of a node that nobody trusts."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from grader.job.built import MOST_ENTRIES, take_built
from harness.errors import SubmissionError
from harness.lab.node.packing import pack_tree

MOST = 1_000_000


def tar(*rows: tuple[str, bytes, str]) -> io.BytesIO:
    """A tar of (type, content or target of a link, name)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", errors="surrogateescape") as opened:
        for kind, data, name in rows:
            row = tarfile.TarInfo(name)
            row.type = getattr(tarfile, kind)
            if kind == "REGTYPE":
                row.size = len(data)
            else:
                row.linkname = data.decode()
            opened.addfile(row, io.BytesIO(data))
    out.seek(0)
    return out


def test_what_was_built_arrives_as_it_was(tmp_path: Path) -> None:
    source, target = tmp_path / "build", tmp_path / "built"
    (source / "lib").mkdir(parents=True)
    (source / "server").write_bytes(b"#!/bin/sh\n")
    (source / "server").chmod(0o755)
    (source / "lib" / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"1")
    (source / "latest").symlink_to("lib")
    (source / "python").symlink_to("/usr/bin/python3")
    os.link(source / "server", source / "same")
    os.utime(source / "server", (1_000_000_000, 1_000_000_000))
    os.mkfifo(source / "pipe")
    packed = io.BytesIO()
    pack_tree(str(source), packed)
    packed.seek(0)
    take_built(packed, target, MOST)
    assert sorted(os.listdir(target)) == ["latest", "lib", "python", "same", "server"]
    assert (target / "server").read_bytes() == (target / "same").read_bytes() == b"#!/bin/sh\n"
    assert os.access(target / "server", os.X_OK)
    assert (target / "server").stat().st_mtime == 1_000_000_000
    assert [os.readlink(target / name) for name in ("latest", "python")] == ["lib", "/usr/bin/python3"]
    assert os.listdir(os.fsencode(target / "lib")) == [b"caf\xe9.txt"]


@pytest.mark.parametrize(
    "rows",
    [
        [("REGTYPE", b"x", "../outside")],
        [("REGTYPE", b"x", "/tmp/outside-absolute")],
        [("SYMTYPE", b"..", "up"), ("REGTYPE", b"x", "up/outside")],
        [("SYMTYPE", b"../outside", "up"), ("REGTYPE", b"x", "up")],
        [("REGTYPE", b"x" * (MOST + 1), "large")],
        [("REGTYPE", b"x" * (MOST // 2 + 1), name) for name in ("half", "other")],
        [("REGTYPE", b"", f"file{number}") for number in range(MOST_ENTRIES + 1)],
        [("DIRTYPE", b"", "/".join("a" * count)) for count in range(1, 60)],
        [("REGTYPE", b"x", "twice"), ("REGTYPE", b"y", "twice")],
        [("SYMTYPE", b"..", "up"), ("SYMTYPE", b"/etc/passwd", "up/outside")],
        [("SYMTYPE", b"x" * 5000, "long")],
        [("REGTYPE", b"x", "n" * 300)],
    ],
    ids=[
        "up",
        "absolute",
        "through a link",
        "over a link",
        "large",
        "large together",
        "many",
        "deep",
        "twice",
        "a link through a link",
        "a link to far",
        "a long name",
    ],
)
def test_what_leaves_its_bounds_is_refused(tmp_path: Path, rows: list[tuple[str, bytes, str]]) -> None:
    before = set(os.listdir("/tmp"))
    with pytest.raises(SubmissionError, match="what was built"):
        take_built(tar(*rows), tmp_path / "built", MOST)
    assert os.listdir(tmp_path) == ["built"]
    assert "outside-absolute" not in set(os.listdir("/tmp")) - before


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100, tar(("REGTYPE", b"x" * 5000, "a")).getvalue()[:1000]])
def test_half_a_tar_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SubmissionError, match="what was built cannot be copied"):
        take_built(io.BytesIO(data), tmp_path / "built", MOST)


def test_a_tar_that_was_cut_between_two_files_is_refused(tmp_path: Path) -> None:
    whole = tar(("REGTYPE", b"x" * 512, "a"), ("REGTYPE", b"y" * 512, "b")).getvalue()
    with pytest.raises(SubmissionError, match="it was cut on the way"):
        take_built(io.BytesIO(whole[:1024]), tmp_path / "built", MOST)


def test_the_students_user_may_read_it_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        take_built(tar(("DIRTYPE", b"", "lib"), ("REGTYPE", b"x", "lib/a")), tmp_path / "built", MOST)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / "built" / name).stat().st_mode) for name in (".", "lib", "lib/a")]
    assert modes == [0o755, 0o755, 0o644]


def test_bytecode_is_left_out(tmp_path: Path) -> None:
    """A stale .pyc is run in the place of the source that was looked through (PEP 552, unchecked)."""
    rows = [("DIRTYPE", b"", "__pycache__"), ("REGTYPE", b"x", "__pycache__/a.pyc"), ("REGTYPE", b"x", "b.pyc")]
    take_built(tar(*rows, ("REGTYPE", b"x", "a.py")), tmp_path / "built", MOST)
    assert os.listdir(tmp_path / "built") == ["a.py"]
