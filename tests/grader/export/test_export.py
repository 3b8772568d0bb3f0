"""`grader export` and `grader grade`: nothing hidden is told to a student, and a status says whose turn it is."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from fakes import ALL, END, READS, SECRET, FakeBench, FakePlace, Runs, hand_in, passing, report, story
from typer.testing import CliRunner, Result

import grader.cli.grade
from grader.bench.local import Ended
from grader.cli.main import app
from grader.course import Course
from grader.export.convert import result_of
from grader.reports.view import instructor_view, student_view
from harness.errors import SetupError
from harness.formats.choose import FORMATS
from harness.tester.border.outcome import Outcome

#: In every text of a hidden check, and none of what a student may read.
HIDDEN = "SECRET-PAYLOAD"


def failing() -> list[object]:
    rows = [
        report(
            check, "fail", message=f"{HIDDEN} {check}", expected=HIDDEN, seen=HIDDEN, story=story(HIDDEN), crashed=True
        )
        for check in (SECRET, ALL[3])
    ]
    public = report(READS, "pass"), report(ALL[2], "fail", message="nothing came", story=story("connects"))
    return [*public, *rows, END]


@pytest.fixture
def graded(runs: Runs) -> Runs:
    """A run with one submission that failed two hidden checks and a public one."""
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [failing()]
    runs.go()
    return runs


def typed(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


#: Classroom 50 grades public checks only, so it gets no result of the grader.
OF_THE_GRADER = [name for name in FORMATS if name != "classroom50"]


@pytest.mark.parametrize("name", OF_THE_GRADER)
def test_no_format_tells_a_student_what_is_hidden(name: str, graded: Runs) -> None:
    said = typed("export", graded.out, "ann", "blocking", "--format", name)
    assert said.exit_code == 0 and HIDDEN not in said.stdout
    for text in ("test_secretly_reads", "test_survives", "The rule of a hidden check", "The hint of a hidden check"):
        assert text not in said.stdout
    told = typed("export", graded.out, "ann", "blocking", "--format", name, "--instructor")
    if name != "gitlab-codequality":  # it has what is at a line of the submission, and here nothing is
        assert HIDDEN in told.stdout and "nothing came" in said.stdout


def test_a_student_reads_of_a_hidden_check_what_its_author_wrote(graded: Runs) -> None:
    saved = graded.result("ann")
    result = result_of(student_view(saved), student="ann")
    assert (result.points, result.possible) == (2.0, 15.0)
    hidden = [check for check in result.checks if check.suite == "hidden"]
    assert [check.id for check in hidden] == ["hidden 1.2 (1)", "hidden 2.2 (1)"]
    assert hidden[0].message.endswith("Read section 1.2 again.") and not hidden[0].story and not hidden[0].seconds
    everything = result_of(instructor_view(saved))
    assert [check.id for check in everything.checks] == list(ALL)
    assert everything.checks[1].seen == HIDDEN


def test_a_failed_build_and_a_forbidden_name_stand_on_top(runs: Runs) -> None:
    hand_in(runs.submitted, "ann", Makefile="all:\n")
    hand_in(runs.submitted, "bob")
    runs.bench.build_says = "make: *** no rule\x1b[2J"
    runs.bench.forbidden = {2: "Stage 2 forbids asyncio (server.py, line 3)."}
    results = runs.go()
    built = result_of(student_view(results["ann"]))
    assert built.message.startswith("The build failed. No check was run.") and "make: *** no rule" in built.message
    forbidden = result_of(student_view(results["bob"]))
    assert forbidden.message == "" and forbidden.stages[1].message == "Stage 2 forbids asyncio (server.py, line 3)."
    assert not forbidden.stages[1].complete and forbidden.stages[0].complete


def test_what_is_undecided_fails_nobody(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [[*[report(check, "inconclusive") for check in ALL], END]]
    result = result_of(student_view(runs.go()["ann"]))
    assert {check.outcome for check in result.checks} == {Outcome.INCONCLUSIVE}
    assert result.undecided == 15.0 and "wait for a person" in result.remark


def test_a_result_that_is_not_there_is_named(graded: Runs, tmp_path: Path) -> None:
    for words, text in (
        ((tmp_path, "ann", "blocking"), "is not a run"),
        ((graded.out, "anm", "blocking"), 'no student "anm". Did you mean "ann"?'),
        ((graded.out, "ann", "transport"), 'no assignment "transport"'),
        ((graded.out, "..", "blocking"), 'no student ".."'),
        ((graded.out, "ann/../ann", "blocking"), "no student"),
    ):
        said = typed("export", *words)
        assert said.exit_code == 2 and text in said.stderr.replace("\n", " ")
    (graded.out / "ann/blocking/result.json").write_text("{")
    assert "missing or damaged" in typed("export", graded.out, "ann", "blocking").stderr


def test_a_format_goes_into_a_file_and_a_leaderboard_only_where_there_is_one(graded: Runs, tmp_path: Path) -> None:
    file = tmp_path / "made/results.json"
    said = typed("export", graded.out, "ann", "blocking", "--format", f"gradescope={file}", "--leaderboard")
    assert said.exit_code == 0 and json.loads(file.read_text())["leaderboard"][0]["value"] == 2.0
    assert typed("export", graded.out, "ann", "blocking", "--leaderboard").exit_code == 2


# -- grader grade ------------------------------------------------------------------------------------------------------


@pytest.fixture
def bench(course: Course, monkeypatch: pytest.MonkeyPatch) -> FakeBench:
    made = FakeBench([[*passing(), END]])
    monkeypatch.setattr(grader.course, "this_course", lambda: course)
    monkeypatch.setattr(grader.cli.grade, "choose_place", lambda *_, **__: FakePlace(lambda: made))
    return made


def archive_of(tmp_path: Path, **files: str) -> Path:
    path = tmp_path / "handed-in.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            row = tarfile.TarInfo(f"blocking/{name}")
            row.size = len(text)
            tar.addfile(row, io.BytesIO(text.encode()))
    return path


def grade(path: Path, *words: str) -> Result:
    return typed("grade", "--archive", path, "--assignment", "blocking", *words)


def test_a_submission_that_passes_ends_with_0(bench: FakeBench, tmp_path: Path) -> None:
    said = grade(archive_of(tmp_path, **{"client.py": "x"}), "--json")
    told = json.loads(said.stdout)
    assert (said.exit_code, told["verdict"], told["points"], told["possible"]) == (0, "passed", 15.0, 15.0)
    assert [check["outcome"] for check in told["checks"]] == ["pass"] * 4 and bench.closed


@pytest.mark.usefixtures("bench")
def test_a_submission_that_fails_ends_with_1_and_tells_nothing_hidden(bench: FakeBench, tmp_path: Path) -> None:
    bench.scripts = [failing()]
    path = archive_of(tmp_path, **{"client.py": "x"})
    said = grade(path, "--json", "--format", f"junit={tmp_path / 'out.xml'}")
    assert (said.exit_code, json.loads(said.stdout)["verdict"]) == (1, "failed")
    assert HIDDEN not in said.stdout and HIDDEN not in (tmp_path / "out.xml").read_text()
    assert HIDDEN in grade(path, "--json", "--instructor").stdout
    assert "2 of 15 points" in grade(path).stdout


def test_a_build_that_fails_is_the_submissions(bench: FakeBench, tmp_path: Path) -> None:
    bench.build_says = "no"
    said = grade(archive_of(tmp_path, Makefile="all:"), "--json")
    assert said.exit_code == 1 and json.loads(said.stdout)["message"].startswith("The build failed.")


@pytest.mark.usefixtures("bench")
def test_what_cannot_be_taken_in_ends_with_3(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(b"PK\x03\x04 and no more")
    said = grade(damaged, "--json")
    told = json.loads(said.stdout)
    assert (said.exit_code, told["verdict"]) == (3, "refused") and "damaged" in told["message"]
    empty = grade(archive_of(tmp_path), "--json")
    assert (empty.exit_code, json.loads(empty.stdout)["verdict"]) == (3, "refused")
    assert "damaged" in grade(damaged).stdout


def test_what_is_ours_ends_with_4(bench: FakeBench, tmp_path: Path) -> None:
    bench.scripts = [[END], [END]]
    bench.endings = [Ended(status=None, stopped="the engine went away")] * 9
    said = grade(archive_of(tmp_path, **{"client.py": "x"}), "--json")
    assert (said.exit_code, json.loads(said.stdout)["verdict"]) == (4, "ours")


def test_what_waits_for_a_person_ends_with_5(bench: FakeBench, tmp_path: Path) -> None:
    bench.scripts = [[*[report(check, "inconclusive") for check in ALL], END]]
    said = grade(archive_of(tmp_path, **{"client.py": "x"}), "--json")
    assert (said.exit_code, json.loads(said.stdout)["verdict"]) == (5, "undecided")


def test_what_was_not_graded_at_all_ends_with_2(
    bench: FakeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive_of(tmp_path, **{"client.py": "x"})
    for words in (("--student", "../ann"), ("--student", "index.html"), ("--format", "junti"), ("--format", "junit=")):
        said = grade(path, *words)
        assert said.exit_code == 2 and not said.stdout
    assert grade(tmp_path / "nothing.zip").exit_code == 2
    assert typed("grade", "--archive", path, "--assignment", "bloking").exit_code == 2

    def no_lab(*_: object, **__: object) -> None:
        raise SetupError("no engine is within reach")

    monkeypatch.setattr(grader.cli.grade, "choose_place", no_lab)
    said = grade(path, "--json")
    assert said.exit_code == 2 and not said.stdout and "no engine" in said.stderr
    assert not bench.tasks


def test_the_run_is_kept_where_that_was_asked_for(bench: FakeBench, tmp_path: Path) -> None:
    path = archive_of(tmp_path, **{"client.py": "x"})
    out = tmp_path / "runs"
    assert grade(path, "--out", str(out), "--student", "ann", "--seed", "s").exit_code == 0
    assert (out / "ann/blocking/student.html").is_file()
    first = len(bench.tasks)
    assert grade(path, "--out", str(out), "--student", "ann", "--seed", "s").exit_code == 0
    assert len(bench.tasks) == first  # the same submission is not graded twice
