"""`grader` as it is typed: exit statuses, and messages without tracebacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes import END, FakeBench, FakePlace, hand_in, passing, report
from typer.testing import CliRunner, Result

import grader.cli.run
from grader.bench.choose import choose_place
from grader.cli.main import app
from grader.course import Course
from harness.errors import SetupError, UsageError
from harness.lab import doctor
from harness.text.printable import printable


@pytest.fixture
def bench(course: Course, monkeypatch: pytest.MonkeyPatch) -> FakeBench:
    """`grader` in the small course, with a bench that follows a script."""
    made = FakeBench([[*passing(), END]])
    monkeypatch.setattr(grader.course, "this_course", lambda: course)
    monkeypatch.setattr(grader.cli.run, "choose_place", lambda *_, **__: FakePlace(lambda: made))
    return made


def run(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.mark.usefixtures("bench")
def test_a_class_is_graded(tmp_path: Path) -> None:
    hand_in(tmp_path / "in", "ann")
    hand_in(tmp_path / "in", "bob")
    result = run("run", tmp_path / "in", "--out", tmp_path / "out", "--seed", "s", "--workers", 2)
    assert result.exit_code == 0
    for text in ("ann/blocking: begins", "ann/blocking: 15 of 15 points", "Report: ", "out/index.html"):
        assert text in result.output
    again = run("run", tmp_path / "in", "--out", tmp_path / "out", "--seed", "s")
    assert again.exit_code == 0
    assert "ann/blocking: 15 of 15" not in again.output


def test_what_waits_for_a_person_shows_in_the_status(bench: FakeBench, tmp_path: Path) -> None:
    bench.scripts = [[*[report(record["check"], "inconclusive") for record in passing()], END]]
    hand_in(tmp_path / "in", "ann")
    result = run("run", tmp_path / "in", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "waits for a person" in result.output


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["{in}/nowhere"], "is not a folder"),
        (["{empty}"], "holds no submissions"),
        (["{in}", "--assignment", "bloking"], 'there is no assignment "bloking". Did you mean "blocking"?'),
        (["{in}", "--student", "an"], 'no student "an". Did you mean "ann"?'),
        (["{in}", "--out", "{in}/out"], "results among submissions"),
        (["{in}", "--out", "/dev/null/x"], "cannot be made"),
    ],
)
def test_bad_words_end_with_status_2_and_one_message(tmp_path: Path, words: list[str], says: str) -> None:
    hand_in(tmp_path / "in", "ann")
    (tmp_path / "empty").mkdir()
    filled = [word.format(**{"in": tmp_path / "in", "empty": tmp_path / "empty"}) for word in words]
    if "--out" not in filled:
        filled += ["--out", str(tmp_path / "out")]
    result = run("run", *filled)
    assert result.exit_code == 2
    assert result.output.startswith("grader: ")
    assert says in result.output


@pytest.mark.usefixtures("bench")
def test_a_mistake_in_the_assignment_is_named(course: Course, tmp_path: Path) -> None:
    path = course.reference("blocking") / "assignment.toml"
    path.write_text(path.read_text().replace("points = 5", "points = 6"))
    hand_in(tmp_path / "in", "ann")
    result = run("run", tmp_path / "in", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "stage 1 gives 6 points, but its checks add up to 5" in result.output


@pytest.mark.usefixtures("bench")
def test_submissions_that_cannot_be_run_do_not_spoil_the_status(tmp_path: Path) -> None:
    (tmp_path / "in" / "ann" / "blocking").mkdir(parents=True)
    result = run("run", tmp_path / "in", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "The folder is empty" in result.output


def test_an_interrupt_says_how_to_go_on(bench: FakeBench, tmp_path: Path) -> None:
    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    bench.scripts = [[*passing(), END]]
    hand_in(tmp_path / "in", "ann")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grader.cli.run.Display, "see", interrupted)
        result = run("run", tmp_path / "in", "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert "the same command again does the rest" in result.output
    assert "<b>Interrupted: 1 submission is left.</b>" in (tmp_path / "out" / "index.html").read_text()
    assert run("run", tmp_path / "in", "--out", tmp_path / "out").exit_code == 0
    assert "Interrupted" not in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.usefixtures("bench")
def test_no_name_of_a_folder_drives_a_terminal_or_a_page(tmp_path: Path) -> None:
    """Students choose their names, and what they call an assignment's folder: both are shown, and not obeyed."""
    bad = ("\x1b[2J", "\n", "\r", "\x07", "\u202e", "\u200f", "\udce9")
    for sign in bad:
        hand_in(tmp_path / "in", f"a{sign}b")
        (tmp_path / "in" / "ann" / f"block{sign}ing").mkdir(parents=True)
        (tmp_path / "in" / f"empty{sign}").mkdir()
        (tmp_path / "in" / f"link{sign}").symlink_to("/")
    result = run("run", tmp_path / "in", "--out", tmp_path / "out", "--assignment", "blocking")
    rest = run("run", tmp_path / "in", "--out", tmp_path / "rest")
    typed = run("run", tmp_path / "in\x1b[2J", "--out", tmp_path / "rest")
    page = (tmp_path / "out" / "index.html").read_bytes().decode("utf-8")
    for text in (result.output, rest.output, typed.output, page):
        assert not [sign for sign in bad if sign != "\n" and sign in text]
    for text in (result.output, page):
        assert all(f"a{printable(sign)}b" in text for sign in bad)
    assert 'there is no assignment "block\\u202eing"' in rest.output


# --- which lab ---


def place(course: Course, submitted: Path, **options: Any) -> Any:
    words: dict[str, Any] = {"lab": "auto", "engine": "auto", "trusted": False, "assignments": ["blocking"]}
    return choose_place(course, submitted=submitted, say=lambda _: None, **{**words, **options})


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = doctor.Capability("docker", False, "no Docker engine answers", "sudo apt-get install docker.io")
    monkeypatch.setattr(doctor, "look", lambda _: finding)


@pytest.mark.usefixtures("no_docker")
def test_without_docker_only_trusted_code_is_run(course: Course, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--trust-submissions"):
        place(course, tmp_path)
    with pytest.raises(UsageError, match="--trust-submissions"):
        place(course, tmp_path, lab="local")
    assert place(course, tmp_path, trusted=True).kind == "local"
    bundled = course.root / "examples" / "class"
    bundled.mkdir(parents=True)
    (tmp_path / "link").symlink_to(bundled)
    assert place(course, tmp_path / "link").kind == "local"
    assert "trusted code only" in place(course, bundled).unprotected


@pytest.mark.usefixtures("no_docker")
def test_docker_that_is_asked_for_and_missing_names_the_remedy(course: Course, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"to have it: sudo apt-get install docker\.io"):
        place(course, tmp_path, lab="docker", trusted=True)
    with pytest.raises(UsageError, match="the engine router needs the Docker lab"):
        place(course, tmp_path, engine="router", trusted=True)


# --- release ---


def test_release_and_its_check(course: Course, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(grader.course, "this_course", lambda: course)
    (course.reference("blocking") / "client.py").write_text(
        "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n"
    )
    course.released("blocking").mkdir(parents=True)
    (course.released("blocking") / "handout.md").write_text("x\n")
    stale = run("release", "--check")
    assert stale.exit_code == 1
    assert "assignments/blocking/client.py: missing" in stale.output
    assert run("release").exit_code == 0
    fresh = run("release", "--check")
    assert (fresh.exit_code, fresh.output) == (0, "assignments/ is fresh: blocking\n")
    written = run("release", "--out", tmp_path / "students")
    assert written.exit_code == 0, written.output
    manifest = json.loads((tmp_path / "students" / ".release.json").read_text())
    assert "lab" in manifest["files"]
    assert run("release", "--out", course.root).exit_code == 2
