"""Archives that somebody sent: what is ordinary comes out, what is hostile or damaged is refused and leaves nothing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.archive import ArchiveLimits, unpack
from harness.errors import SubmissionError

SMALL = ArchiveLimits(packed=200_000, unpacked=100_000, entries=50, deep=5)


def tar_with(*rows: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for row in rows:
            if isinstance(row, tarfile.TarInfo):
                tar.addfile(row, io.BytesIO(bytes(row.size)))
            else:
                info = tarfile.TarInfo(row[0])
                info.size = len(row[1])
                tar.addfile(info, io.BytesIO(row[1]))
    return out.getvalue()


def zip_with(*rows: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in rows:
            made.writestr(name, data)
    return out.getvalue()


def odd(name: str, kind: bytes, **more: object) -> tarfile.TarInfo:
    row = tarfile.TarInfo(name)
    row.type = kind
    for key, value in more.items():
        setattr(row, key, value)
    return row


def zipped_as(name: str, mode: int, **more: object) -> zipfile.ZipInfo:
    row = zipfile.ZipInfo(name)
    row.external_attr = mode << 16
    for key, value in more.items():
        setattr(row, key, value)
    return row


def unpacked(data: bytes, tmp_path: Path, limits: ArchiveLimits = SMALL) -> dict[str, bytes]:
    archive = tmp_path / "archive"
    archive.write_bytes(data)
    unpack(archive, tmp_path / "out", limits)
    return {
        p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()
    }


def test_damage_that_the_system_notices_is_the_archives_not_the_machines(tmp_path: Path) -> None:
    middle = bytearray(bz2.compress(tar_with(("a", bytes(range(256)) * 40))))
    middle[60:64] = b"\xff\xff\xff\xff"
    before = bytearray(zip_with(("a.py", b"print(1)\n")))
    row = before.index(b"PK\x01\x02")
    before[row + 42 : row + 46] = b"\xff\xff\xff\xff"  # where its file begins
    before[-6:-2] = b"\xff\xff\xff\x7f"  # where the table begins
    for number, data in enumerate((middle, before)):
        (tmp_path / str(number)).mkdir()
        with pytest.raises(SubmissionError, match="damaged"):
            unpacked(bytes(data), tmp_path / str(number))


FILES = {"blocking/server.py": b"serve\n" * 100, "blocking/deep/er/x.py": b"", "blocking/na\u00efve.py": b"x"}


@pytest.mark.parametrize(
    "pack",
    [
        lambda rows: zip_with(*rows),
        lambda rows: zip_with(*rows, method=zipfile.ZIP_STORED),
        lambda rows: tar_with(*rows),
        lambda rows: gzip.compress(tar_with(*rows)),
        lambda rows: bz2.compress(tar_with(*rows)),
        lambda rows: lzma.compress(tar_with(*rows)),
    ],
    ids=["zip", "stored zip", "tar", "tar.gz", "tar.bz2", "tar.xz"],
)
def test_every_usual_archive_comes_out_as_it_went_in(
    pack: Callable[[list[tuple[str, bytes]]], bytes], tmp_path: Path
) -> None:
    assert unpacked(pack(list(FILES.items())), tmp_path) == FILES


def test_programs_stay_programs(tmp_path: Path) -> None:
    row = odd("run", tarfile.REGTYPE, mode=0o4777)
    unpacked(tar_with(row, ("plain", b"")), tmp_path)
    assert stat.S_IMODE((tmp_path / "out/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "out/plain").stat().st_mode) == 0o644


def test_what_tools_leave_behind_is_not_even_unpacked(tmp_path: Path) -> None:
    rows = [("a/server.py", b"x"), ("a/.git/hooks/post-checkout", b"evil"), ("__MACOSX/a/._server.py", b"x")]
    assert unpacked(zip_with(*rows), tmp_path) == {"a/server.py": b"x"}


BOMB = bytes(10_000_000)
HOSTILE = {
    "a name that climbs": tar_with(("a/../../x", b"x")),
    "an absolute name": tar_with(("/tmp/x", b"x")),
    "a name that climbs in a ZIP": zip_with(("../x", b"x")),
    "a name of Windows": zip_with(("a\\..\\..\\x", b"x")),
    "a symbolic link": tar_with(odd("a", tarfile.SYMTYPE, linkname="/etc"), ("a/passwd", b"x")),
    "a symbolic link in a ZIP": zip_with((zipped_as("a", stat.S_IFLNK | 0o777), b"/etc/passwd")),
    "a hard link": tar_with(odd("a", tarfile.LNKTYPE, linkname="/etc/passwd")),
    "a device": tar_with(odd("a", tarfile.CHRTYPE, devmajor=1, devminor=5)),
    "a pipe": tar_with(odd("a", tarfile.FIFOTYPE)),
    "a device in a ZIP": zip_with((zipped_as("a", stat.S_IFCHR | 0o666), b"")),
    "a name twice": tar_with(("a", b"1"), ("a", b"2")),
    "a file that is a folder too": tar_with(("a", b"1"), ("a/b", b"2")),
    "a name that is too long": tar_with(("a" * 300, b"1")),
    "too many files": tar_with(*[(f"f{n}", b"") for n in range(51)]),
    "too many rows of a ZIP": zip_with(*[(f"f{n}", b"") for n in range(51)]),
    "too many folders inside each other": tar_with(("/".join("abcdefg"), b"")),
    "a bomb in a ZIP": zip_with(("a", BOMB)),
    "a bomb in gzip": gzip.compress(tar_with(("a", BOMB))),
    "a bomb in bzip2": bz2.compress(tar_with(("a", BOMB))),
    "a bomb in xz": lzma.compress(tar_with(("a", BOMB))),
    "more than is taken": os.urandom(300_000),
    "another compression": zip_with(("a", b"x"), method=zipfile.ZIP_LZMA),
    "nothing": b"",
    "something else": b"#!/bin/sh\nrm -rf /\n",
    "a ZIP that was cut": zip_with(("a", b"x" * 100))[:-30],
    "a tar that was cut": gzip.compress(tar_with(("a", b"x" * 5000)))[:-30],
    "a tar with a wrong sum": b"a" * 512 + tar_with(("a", b"x"))[512:],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_or_damaged_is_refused(name: str, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(SubmissionError) as refused:
        unpacked(HOSTILE[name], inside)
    assert str(refused.value).endswith((".", ")")) or "name" in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert {path.name for path in inside.iterdir()} <= {"archive", "out"}
    assert not [path for path in inside.rglob("*") if path.is_symlink() or path.name == "passwd"]


def test_a_checksum_that_is_wrong_is_damage(tmp_path: Path) -> None:
    data = bytearray(zip_with(("a", b"hello world"), method=zipfile.ZIP_STORED))
    data[data.index(b"hello")] ^= 1
    with pytest.raises(SubmissionError, match="damaged"):
        unpacked(bytes(data), tmp_path)


def test_an_encrypted_zip_is_told(tmp_path: Path) -> None:
    data = bytearray(zip_with(("a", b"hello")))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 1
    with pytest.raises(SubmissionError, match="without a password"):
        unpacked(bytes(data), tmp_path)


def test_a_header_that_claims_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    row = odd("././@PaxHeader", tarfile.XHDTYPE, size=8 << 30)
    header = row.tobuf(tarfile.GNU_FORMAT)
    before = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        with pytest.raises(SubmissionError):
            unpacked(header + bytes(1024), tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        if not before:
            tracemalloc.stop()


def test_a_full_disk_is_nobodys_submission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    (tmp_path / "archive").touch()
    with pytest.raises(OSError, match="No space"):
        unpack(tmp_path / "archive", tmp_path / "out")
