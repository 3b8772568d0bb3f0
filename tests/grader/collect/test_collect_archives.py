"""The ZIP of a class from Canvas, Moodle and Gradescope; hostile ones among them."""

from __future__ import annotations

import importlib.util
import io
import json
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from grader.collect.unpack import Files, refused, unpacked
from grader.submission import SubmissionLimits
from harness.errors import SubmissionError

if TYPE_CHECKING:
    from conftest import Collecting


def zipped(files: dict[str, bytes | str], path: Path | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 10, 26, 12, 0, 0)), content, zipfile.ZIP_DEFLATED)
    if path is not None:
        path.write_bytes(out.getvalue())
    return out.getvalue()


def test_canvas(term: Collecting, tmp_path: Path) -> None:
    inner = zipped({"work/client.py": "bob", "work/lib/a.py": "a"})
    archive = tmp_path / "submissions.zip"
    zipped(
        {
            "leeann_4711_815_client-1.py": "ann",
            "leeann_4711_816_notes-1.txt": "kept as it is",
            "delacruzbob_LATE_4712_817_all.zip": inner,
            "zetacyd_4713_818_client.py": "has left",
            "stranger_999_819_client.py": "?",
        },
        archive,
    )
    said = term.collects("canvas", archive, status=1)
    assert term.has("ann") == {"client.py": "ann", "notes-1.txt": "kept as it is"}
    assert term.has("bob") == {"client.py": "bob", "lib/a.py": "a"}
    assert term.has("cyd") == {}
    assert "stranger/blocking: nobody in" in said
    assert "cyd/blocking: not in the roster as somebody who takes part" in said
    assert "blocking: 2 taken, 0 as before, 2 not taken" in said
    receipts = [json.loads(row) for row in (term.folder / "receipts.jsonl").read_text().splitlines()]
    assert [(row["student"], row["clock"], row["files"]) for row in receipts] == [
        ("ann", "canvas: not late", 2),
        ("bob", "canvas", 2),
    ]
    assert all(len(row["hash"]) == 64 for row in receipts)
    # Again without change does nothing; a second submission keeps the first.
    assert "0 taken, 2 as before" in term.collects("canvas", archive, status=1)
    zipped({"leeann_4711_900_client.py": "better"}, archive)
    term.collects("canvas", archive)
    assert term.has("ann") == {"client.py": "better"}
    (kept,) = (term.folder / "earlier" / "ann" / "blocking").iterdir()
    assert (kept / "client.py").read_text() == "ann"
    assert kept.name == receipts[0]["hash"][:16]


def test_moodle_with_the_times_of_its_worksheet(term: Collecting, tmp_path: Path) -> None:
    archive = tmp_path / "moodle.zip"
    zipped(
        {
            "Ann Lee_501_assignsubmission_file_/client.py": "ann",
            "Bob de la Cruz_502_assignsubmission_file_client.py": "bob",
            "Bob de la Cruz_502_assignsubmission_onlinetext_onlinetext.html": "hello",
        },
        archive,
    )
    sheet = tmp_path / "grades.csv"
    sheet.write_text(
        "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Last modified (submission)\n"
        'Participant 501,Ann Lee,ann@x.y,,,20,"Monday, 26 October 2026, 10:49 AM"\n'
        "Participant 502,B. Cruz,bob@x.y,,,20,-\n"
    )
    term.collects("moodle", archive, "--worksheet", sheet)
    assert term.has("ann") == {"client.py": "ann"}
    assert term.has("bob") == {"client.py": "bob", "onlinetext.html": "hello"}
    moments = [json.loads(row) for row in (term.folder / "receipts.jsonl").read_text().splitlines()]
    assert [(row["moment"], row["clock"]) for row in moments] == [
        ("2026-10-26T09:49:00+00:00", "server"),
        ("2026-10-26T11:00:00+00:00", "file"),
    ]


@pytest.mark.skipif(importlib.util.find_spec("yaml") is None, reason="yaml: it is not installed. make course")
def test_gradescope(term: Collecting, tmp_path: Path) -> None:
    archive = tmp_path / "gradescope.zip"
    about = """\
submission_11:
  :submitters:
  - :name: Ann Lee
    :sid: s1
    :email: ann@x.y
  :created_at: 2026-10-26 20:00:00.5 Z
  :score: 1.0
submission_12:
  :submitters:
  - :name: Bob
    :sid:
    :email: BOB@x.y
  :created_at: 2026-10-26 21:00:00 -07:00
"""
    zipped(
        {
            "assignment_9_export/submission_metadata.yml": about,
            "assignment_9_export/submission_11/client.py": "ann",
            "assignment_9_export/submission_12/src/client.py": "bob",
        },
        archive,
    )
    term.collects("gradescope", archive)
    assert (term.has("ann"), term.has("bob")) == ({"client.py": "ann"}, {"client.py": "bob"})
    moments = [json.loads(row)["moment"] for row in (term.folder / "receipts.jsonl").read_text().splitlines()]
    assert moments == ["2026-10-26T20:00:00+00:00", "2026-10-27T04:00:00+00:00"]


def test_an_archive_of_another_system_is_a_message(term: Collecting, tmp_path: Path) -> None:
    archive = tmp_path / "x.zip"
    zipped({"hello.txt": "x"}, archive)
    assert "the first is hello.txt" in term.collects("canvas", archive, status=2)
    archive.write_bytes(b"no zip at all")
    assert "is not a ZIP" in term.collects("moodle", archive, status=2)
    assert "does not exist" in term.collects("canvas", tmp_path / "nowhere.zip", status=2)


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/x", "a/../../x", "C:x", "a\\b", "a//b", ".git/config", "a/.GIT/hooks/x", ".git./x", "a/" * 40],
)
def test_a_name_that_leads_elsewhere_is_left_out(name: str) -> None:
    assert refused(name) is not None
    files = Files()
    unpacked("x.zip", zipped({name: "x", "ok.py": "y"}), files)
    assert list(files.contents) == ["ok.py"] and (files.notes or name.endswith("/"))


def test_links_and_devices_are_left_out() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("link/x", "y")
    files = Files()
    unpacked("x.zip", out.getvalue(), files)
    assert list(files.contents) == ["link/x"]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            row = tarfile.TarInfo(f"t{kind.decode()}")
            row.type, row.linkname = kind, "/etc/passwd"
            tar.addfile(row)
    files = Files()
    unpacked("x.tar.gz", out.getvalue(), files)
    assert not files.contents and len(files.notes) == 4


def test_a_bomb_is_stopped_by_what_comes_out_of_it() -> None:
    limits = SubmissionLimits(bytes=1_000_000, files=10)
    bomb = zipped({"a": bytes(900_000), "b": bytes(900_000)})
    assert len(bomb) < 10_000
    with pytest.raises(SubmissionError, match="larger than 1 MB"):
        unpacked("x.zip", bomb, Files(limits))
    with pytest.raises(SubmissionError, match="more than 10 files"):
        unpacked("x.zip", zipped({f"f{n}": "" for n in range(11)}), Files(limits))
    lies = bytearray(zipped({"a": bytes(3_000_000)}))
    at = lies.index(b"PK\x01\x02") + 24
    lies[at : at + 4] = (10).to_bytes(4, "little")  # says 10 bytes
    with pytest.raises(SubmissionError):
        unpacked("x.zip", bytes(lies), Files(limits))


def test_two_names_in_each_others_way_are_a_message(tmp_path: Path) -> None:
    files = Files()
    unpacked("x.zip", zipped({"a": "file", "a/b": "in a folder"}), files)
    with pytest.raises(SubmissionError, match="both a file and a folder"):
        files.write(tmp_path / "new")


def test_what_is_broken_is_a_message_for_its_author() -> None:
    whole = zipped({"a.py": "x" * 1000})
    for content in (b"", whole[:40], whole[:-30], whole.replace(b"PK\x03\x04", b"XX\x03\x04")):
        with pytest.raises(SubmissionError, match="cannot be unpacked"):
            unpacked("x.zip", content, Files())
