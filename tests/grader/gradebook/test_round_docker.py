"""A term with real gradings in the Docker lab: a roster of twelve, collected, graded, and in the gradebook."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from fakes import hand_in
from terms import Term
from test_run_docker import CLIENT, SERVER, SUITES

import grader.cli.run
from grader.bench.choose import choose_place
from grader.gradebook import book as books
from grader.gradebook.stages import Given

MORE = """

def test_more(lab):
    peer = lab.connects(lab.serves("server", at="0.0.0.0:0"))
    lab.expect(peer.reads_to_end(within=3) == b"now\\n", "it tells the time", otherwise="it told something else")
"""


@pytest.mark.docker
@pytest.mark.nbgrader
@pytest.mark.slow
def test_a_term_with_real_gradings(term: Term, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grader.cli.run, "choose_place", choose_place)
    for name, text in SUITES.items():
        more = MORE if name == "public/test_server.py" else ""
        (term.course.root / "grader" / "suites" / "blocking" / name).write_text(text + more)
    term.roster()
    source = tmp_path / "in"
    hand_in(source, "ann", **{"client.py": CLIENT, "server.py": SERVER})
    hand_in(source, "cyd", **{"client.py": CLIENT.replace("while data := ", "if data := "), "server.py": SERVER})
    assert "2 taken" in term.does("collect", "folder", term.folder, "blocking", source)
    term.grades("--lab", "docker", "--workers", 1)
    term.does("gradebook", "sync", term.folder)
    points = term.points()
    # cyd reads once: stage 1 is lost, and the extension makes up for two points of it.
    assert (points["ann"], points["cyd"], points["leo"]) == ("15", "12", "0")
    with books.opened(term.folder, f"sqlite:///{term.folder / 'gradebook.db'}", "term") as book:
        book.give("blocking", "cyd", {"stage-1": Given(1.0, None, "it reads the first part")})
    assert "cyd/blocking, stage 1: 1 points (it reads the first part)" in term.brings()

    # cyd hands in again, and it is right; leo leaves.
    hand_in(tmp_path / "again", "cyd", **{"client.py": CLIENT, "server.py": SERVER})
    assert "1 taken" in term.does("collect", "folder", term.folder, "blocking", tmp_path / "again")
    term.roster(leo="no")
    term.grades("--lab", "docker", "--workers", 1)
    said = term.does("gradebook", "sync", term.folder)
    assert "A person gave points for Stage 1: Reading: they stand, and wait for a second look" in said
    points = term.points("--undecided", "zero")
    assert (points["cyd"], "leo" in points) == ("13", False)
    term.does("gradebook", "feedback", term.folder)
    assert "it reads the first part" in (term.folder / "feedback" / "cyd" / "blocking" / "checks.html").read_text()
    rows = {row["student_id"]: row for row in csv.DictReader(io.StringIO(term.nbgraders_table()))}
    assert float(rows["cyd"]["score"]) == 13
