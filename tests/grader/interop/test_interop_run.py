"""`grader interop` on a run, in the local lab: a mutant among correct solutions, the pages, and the same again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from grader.cli.main import app
from grader.interop import play
from grader.interop.entrants import OPT_IN
from grader.record.meetings import MeetingsFolder
from tests.grader.interop.runs import COURSE, kept
from tests.harness.transport.pairs import alternate, mutant

BUG = "lost FIN never repeated"


def interop(run: Path, *words: str) -> Result:
    lab = ["--lab", "local", "--trust-submissions", "--workers", "2", "--seed", "the same misfortunes each time"]
    return CliRunner().invoke(app, ["interop", str(run), *lab, *words], catch_exceptions=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ann has a bug, bea goes back n and wants to be on no board, cem has no connection at all."""
    folder = tmp_path_factory.mktemp("meetings")
    empty = folder / "empty"
    empty.mkdir()
    (empty / "segment.py").write_text("")
    there = {"ann": mutant(BUG, folder), "bea": alternate("go back n", folder), "cem": empty}
    kept(folder / "run", there)
    return folder / "run"


def table(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "interop/transport/interop.json").read_bytes())
    return found


def test_a_class_meets(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = interop(run)
    assert done.exit_code == 0, done.output
    assert "cem takes no part: it has no connection.py." in done.output
    found = table(run)
    names = [one["student"] for one in found["entrants"]]
    assert names == ["ann", "bea"]
    assert [(row["first"], row["second"]) for row in found["meetings"]] == [(0, None), (0, 1), (1, None)]
    failing = [(row, cell) for row in found["meetings"] for cell in row["cells"] if cell["state"] != "well"]
    assert "F" in {cell["letter"] for _, cell in failing}
    for row, cell in failing:
        assert cell["state"] == "fails"
        assert [names[row[part["side"]]] for part in cell["parts"]] == ["ann"]
        assert [part["rule"] for part in cell["parts"]] in (["3.13"], ["3.7"]), "sent once, or given up"
        name = f"{cell['letter']}-{cell['role']}"
        page = run / f"interop/transport/meetings/{row['key']}/{name}.html"
        assert "broke rule 3." in page.read_text()
        assert page.with_name(f"{name}.ladder.svg").is_file()
    met = {row["second"] for row, cell in failing if cell["letter"] == "F"}
    assert met == {None, 1}, "with the course's own, and with bea"
    assert {one["points"] for one in found["entrants"]} == {0.0}
    assert not (run / "interop/transport/points.csv").exists()
    assert not (run / "interop/transport/leaderboard.html").exists(), "nobody asked"

    own = run / "interop/transport/students"
    assert sorted(path.name for path in own.iterdir()) == ["ann", "bea"]
    assert len(list((own / "ann").glob("*.ladder.svg"))) == len(failing)
    assert list((own / "bea").glob("*.svg")) == []
    assert "ann" not in (own / "bea/index.html").read_text()
    assert all("bea" not in path.read_text() for path in (own / "ann").glob("*.html"))
    assert any("rule 3.13" in path.read_text() for path in (own / "ann").glob("*F-*.ladder.svg"))

    def never(*_: object) -> None:
        raise AssertionError("it was played before")

    monkeypatch.setattr(play, "run_tester", never)
    again = interop(run)
    assert again.exit_code == 0, again.output
    assert [row["cells"] for row in table(run)["meetings"]] == [row["cells"] for row in found["meetings"]]


def test_an_estimate_plays_nothing(run: Path) -> None:
    done = interop(run, "--all", "--estimate")
    assert done.exit_code == 0
    assert done.output.startswith("3 submissions of transport, 6 meetings at most, ")


def test_a_copy_that_was_changed_takes_no_part(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/interop", ignore_errors=True)
    for copy in (tmp_path / "run/.copies").iterdir():
        (copy / "connection.py").write_text("")
    done = interop(tmp_path / "run")
    assert done.exit_code == 2
    assert "its copy is not what was graded" in done.output


def test_an_assignment_without_meetings_says_so(run: Path) -> None:
    done = CliRunner().invoke(app, ["interop", str(run), "--assignment", "blocking"])
    assert done.exit_code == 2
    assert 'submissions of "blocking" do not meet each other' in done.output


def test_a_file_asks_for_the_leaderboard() -> None:
    assert OPT_IN == "leaderboard.txt"
    assert COURSE.meeting_version("transport")
    assert COURSE.meeting_version("blocking") == ""


def test_what_is_kept_is_whole_or_not_there(tmp_path: Path) -> None:
    folder = MeetingsFolder(tmp_path, "transport")
    folder.keep("k", {"a": 1}, {"D-client.ladder.svg": b"x"})
    assert folder.known("k") == {"a": 1}
    (tmp_path / "interop/transport/meetings/k/meeting.json").write_bytes(b"{")
    assert folder.known("k") is None
    folder.put_table({}, set())
    assert list((tmp_path / "interop/transport/meetings").iterdir()) == []
