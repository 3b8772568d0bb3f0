"""From nbgrader's exchange and from a folder, and a roster from a file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from fakes import hand_in

from grader.course import Course
from grader.term.receipts import parse

if TYPE_CHECKING:
    from conftest import Collecting


def test_the_exchange_keeps_all_and_the_last_one_counts(term: Collecting, tmp_path: Path) -> None:
    inbound = tmp_path / "exchange" / "networks" / "inbound"
    for name, text in (
        ("ann+blocking+2026-10-26 10:00:00.123456 UTC+abcd", "first"),
        ("ann+blocking+2026-10-26 11:00:00.123456 UTC", "second"),
        ("ann+transport+2026-10-26 12:00:00 UTC", "another"),
        ("nonsense", "x"),
    ):
        (inbound / name).mkdir(parents=True)
        (inbound / name / "client.py").write_text(text)
        (inbound / name / "timestamp.txt").write_text(name)  # as nbgrader's submit writes it
    term.collects("exchange", inbound)
    assert term.has("ann") == {"client.py": "second"}
    stamp = term.folder / "submitted" / "ann" / "blocking" / "timestamp.txt"
    assert stamp.read_text() == "2026-10-26 11:00:00 UTC\n"  # what formgrader compares with the gradebook's
    stamp.unlink()
    assert "1 as before" in term.collects("exchange", inbound)
    assert stamp.read_text() == "2026-10-26 11:00:00 UTC\n"
    (receipt,) = parse((term.folder / "receipts.jsonl").read_text())
    assert (receipt.moment.isoformat(), receipt.clock) == ("2026-10-26T11:00:00+00:00", "server")


def test_from_a_folder_and_what_lay_there_without_a_receipt_is_kept(term: Collecting, tmp_path: Path) -> None:
    hand_in(term.folder / "submitted", "ann", **{"client.py": "by hand"})
    hand_in(tmp_path / "in", "ann", **{"client.py": "new"})
    (tmp_path / "in" / "bob").mkdir()
    (tmp_path / "in" / "bob" / "client.py").write_text("flat")
    (tmp_path / "in" / "dan").mkdir()
    said = term.collects("folder", tmp_path / "in", status=1)
    assert (term.has("ann"), term.has("bob")) == ({"client.py": "new"}, {"client.py": "flat"})
    assert "dan/blocking: not in the roster" in said
    (kept,) = (term.folder / "earlier" / "ann" / "blocking").iterdir()
    assert (kept / "client.py").read_text() == "by hand"
    assert "where submissions are taken to" in term.collects("folder", term.folder / "submitted", status=2)


def test_a_torn_ledger_loses_its_torn_line_only(term: Collecting, tmp_path: Path) -> None:
    hand_in(tmp_path / "in", "ann")
    hand_in(tmp_path / "in", "bob", **{"client.py": "other"})
    term.collects("folder", tmp_path / "in")
    file = term.folder / "receipts.jsonl"
    file.write_bytes(file.read_bytes()[:-30])
    assert len(parse(file.read_text())) == 1
    term.collects("folder", tmp_path / "in")
    assert [one.student for one in parse(file.read_text())] == ["ann", "bob"]
    assert all(json.loads(row) for row in file.read_text().splitlines()[-1:])


def test_a_roster_is_brought_up_to_date(term: Collecting, tmp_path: Path) -> None:
    (tmp_path / "canvas.csv").write_text(
        'Student,ID,SIS Login ID,Section\n    Points Possible,,,\n"Lee, Ann",4711,ann,B\n"New, Eve",9,eve,B\n'
    )
    said = term.does("roster", term.folder, tmp_path / "canvas.csv", "--complete")
    assert "2 take part" in said and "2 have left: bob, cyd" in said
    assert f"{term.folder.parent}/ann.git" in (term.folder / "roster.csv").read_text()
    (tmp_path / "canvas.csv").write_text("id\n../x\n")
    assert "line 2" in term.does("roster", term.folder, tmp_path / "canvas.csv", status=2)


def test_a_folder_of_another_assignment_is_not_taken_for_this_one(
    term: Collecting, course: Course, tmp_path: Path
) -> None:
    shutil.copytree(course.reference("blocking"), course.reference("transport"))
    hand_in(tmp_path / "in", "ann", "transport")
    assert "0 taken, 0 as before, 0 not taken" in term.collects("folder", tmp_path / "in")


def test_collecting_from_git_needs_a_repository(term: Collecting) -> None:
    (term.folder / "roster.csv").write_text("id\nann\n")
    assert "nobody in" in term.collects("git", status=2)
