"""The ZIP of a class from Canvas, Moodle and Gradescope; hostile ones among them."""

from __future__ import annotations

import importlib.util
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from grader.collect.files import Files, refused
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
    assert not files.expects(name, 1)
    assert len(files.notes) == 1


def test_hostile_archives_are_a_line_each_and_the_others_are_collected(term: Collecting, tmp_path: Path) -> None:
    link = io.BytesIO()
    with tarfile.open(fileobj=link, mode="w:gz") as tar:
        row = tarfile.TarInfo("link")
        row.type, row.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(row)
    archive = tmp_path / "submissions.zip"
    zipped({"leeann_4711_1_x.tar.gz": link.getvalue(), "delacruzbob_4712_2_client.py": "bob"}, archive)
    said = term.collects("canvas", archive, status=1)
    assert "ann/blocking: link is a link." in said
    assert (term.has("ann"), term.has("bob")) == ({}, {"client.py": "bob"})
    for content, says in (
        (zipped({"../../x": "x"}), "a name that leads out of it"),
        (zipped({"a": bytes(129_000_000)}), "larger than 128 MB"),
        (b"no zip", "is damaged"),
    ):
        zipped({"leeann_4711_1_x.zip": content}, archive)
        assert says in term.collects("canvas", archive, status=1)
    assert not (tmp_path / "x").exists()


def test_what_is_too_much_is_not_taken() -> None:
    limits = SubmissionLimits(bytes=1_000, files=10)
    with pytest.raises(SubmissionError, match=r"larger than 0\.001 MB"):
        Files(limits).expects("x", 1_001)
    with pytest.raises(SubmissionError, match=r"larger than 0\.001 MB"):
        Files(limits).add("x", bytes(1_001))
    files = Files(limits)
    for number in range(10):
        files.add(f"f{number}", b"")
    with pytest.raises(SubmissionError, match="more than 10 files"):
        files.add("g", b"")


def test_two_names_in_each_others_way_are_a_message(tmp_path: Path) -> None:
    files = Files()
    files.add("a", b"a file")
    files.add("a/b", b"in a folder")
    files.add("a", b"again")
    assert files.notes == ["a is there twice; the first one was taken"]
    with pytest.raises(SubmissionError, match="both a file and a folder"):
        files.write(tmp_path / "new")
