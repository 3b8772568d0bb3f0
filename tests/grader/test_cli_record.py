"""An instructor is asked why: from a student's mail to the packet, and a word on what the lab could not tell."""

from __future__ import annotations

import re
import shutil
import tarfile
from pathlib import Path

import pytest
from fakes import END, SURVIVES, FakeBench, FakePlace, hand_in, passing, report, story
from typer.testing import CliRunner, Result

import grader.cli.record
import grader.cli.rerun
import grader.cli.run
from grader.cli.main import app
from grader.course import Course
from grader.record.run_folder import RunFolder


@pytest.fixture
def bench(course: Course, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeBench:
    """A class of two that is graded: ann's last check is undecided, bob's is failed with a traceback."""
    made = FakeBench([[*passing()[:3], report(SURVIVES, "inconclusive", message="the machine was busy"), END]])
    monkeypatch.setattr(grader.course, "this_course", lambda: course)
    for module in (grader.cli.run, grader.cli.rerun):
        monkeypatch.setattr(module, "choose_place", lambda *_, **__: FakePlace(lambda: made))
    grader.cli.record._rubric.cache_clear()
    hand_in(tmp_path / "in", "ann")
    run("run", tmp_path / "in", "--out", tmp_path / "out", "--seed", "s", status=1)
    seen = 'Traceback\n  File "client.py", line 41, in <module>\nOSError'
    failed = report(SURVIVES, "fail", message="it ended", seen=seen, story=story("it starts", "it ends"), crashed=True)
    made.scripts = [[*passing()[:3], failed, END]]
    made.tasks.clear()
    hand_in(tmp_path / "in", "bob", **{"client.py": "print(2)\n"})
    run("run", tmp_path / "in", "--out", tmp_path / "out", "--seed", "s", status=1)
    made.tasks.clear()
    return made


def run(*words: object, status: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert "Traceback (most recent" not in result.output
    assert result.exit_code == status, result.output
    return result


@pytest.mark.usefixtures("bench")
def test_why_did_i_lose_points(tmp_path: Path) -> None:
    out = tmp_path / "out"
    shown = run("show", out, "bob", "blocking").output
    assert "9 of 15 points" in shown
    short = re.findall(r"  ([a-z2-7]{8})  in front", shown)[0]
    assert run("appeal", short, "--run", out).output.startswith("bob, Programs that wait")
    told = run("appeal", f"{short}.4", "--run", out).output
    for text in (
        "Section 2.2 of the handout; hidden check test_server.py::test_survives",
        "The student reads: Think of clients that vanish.",
        "fail: 0 of 6 points. it ended",
        "0.010 s  student  it ends",
        "client.py:41",
        "Lab fake, link engine none, image image-1",
        f"grader rerun {out} bob blocking survives",
        "report.html#check-4",
    ):
        assert text in told, told
    assert (
        told.partition("The rule")[2]
        == run("explain", out, "bob", "blocking", "survives").output.partition("The rule")[2]
    )
    # "Why did I lose points in stage 2?", as the mail has it: the causes, and what each rests on.
    for words in (("explain", out, "bob", "blocking", "stage 2"), ("appeal", f"{short}.stage 2", "--run", out)):
        told = run(*words).output
        assert "Stage 2, Serving: 4 of 10 points\n  -6  check 4: Survive.\n" in told
        assert "Check 4\nThe rule" in told and "report.html#check-4" in told
    assert "Nothing was lost." in run("explain", out, "bob", "blocking", "stage 1").output
    assert "The stages are 1, 2." in run("explain", out, "bob", "blocking", "stage 3", status=2).output


@pytest.mark.usefixtures("bench")
def test_what_waits_is_a_queue_and_a_word_settles_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    queue = run("queue", out).output
    assert "ann/blocking  test_server.py::test_survives: 6 points" in queue
    assert "the machine was busy" in queue
    assert f"grader decide --because TEXT {out} ann blocking survives pass" in queue
    words = ("decide", out, "ann", "blocking", "survives")
    said = run(*words, "pass", "--because", "works on my machine", "--by", "maria").output
    assert "9 -> 15 of 15 points" in said
    assert "Nothing waits for a person." in run("queue", out).output
    assert "maria: test_server.py::test_survives: pass, because works on my machine" in run(
        "show", out, "ann", "blocking", "--history"
    ).output.replace("\n", " ")
    run("run", tmp_path / "in", "--out", out, "--seed", "s")  # nothing waits any more
    run(*words, "undo", "--because", "no, it does not")
    assert "1 to decide." in run("queue", out).output


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("survives", "maybe", "--because", "x"), "'maybe' is not pass, fail or a number of points"),
        (("survives", "nan", "--because", "x"), "'nan' is not pass, fail"),
        (("survives", "--because", "x", "--", "-3"), "'-3' is not pass, fail"),
        (("survives", "pass", "--because", " "), "--because is empty"),
        (("survive", "pass", "--because", "x"), 'Did you mean "survives"?'),
        (("stage 9", "pass", "--because", "x"), "The stages are 1, 2."),
        (("stage 1", "undo", "--because", "x"), "nothing to undo"),
    ],
)
def test_a_word_that_is_none_is_refused(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    before = (tmp_path / "out/ann/blocking/result.json").read_bytes()
    assert says in run("decide", tmp_path / "out", "ann", "blocking", *words, status=2).output
    assert (tmp_path / "out/ann/blocking/result.json").read_bytes() == before


def test_a_grading_is_done_again_and_compared(bench: FakeBench, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = run("rerun", out, "bob", "blocking", "--times", 2, "--seed", "s").output
    assert said.count("agrees in 4 checks") == 2
    bench.scripts = [[report(SURVIVES), END]]
    bench.tasks.clear()
    said = run("rerun", out, "bob", "blocking", "survives", "--seed", "s", status=1).output
    assert [list(task.checks) for task in bench.tasks] == [[SURVIVES]]
    assert "differs in 1 of 1 check" in said
    assert "test_server.py::test_survives: fail, and now pass" in said
    history = run("show", out, "bob", "blocking", "--history").output
    assert (history.count("  rerun "), history.count("in front")) == (3, 1)
    assert "9 of 15 points" in run("show", out, "bob", "blocking").output  # a person decides what that means
    assert "the secret is another" in run("rerun", out, "bob", "blocking", "--seed", "x", status=2).output
    assert "0 copies removed, 3 reruns forgotten" in run("prune", out, "--reruns").output
    (copy,) = (path for path in (out / ".copies").iterdir() if (path / "client.py").read_text() == "print(2)\n")
    (copy / "client.py").write_text("print(3)\n")
    assert "is not what was graded" in run("rerun", out, "bob", "blocking", "--seed", "s", status=2).output


def test_every_verdict_of_a_class_is_repeated(bench: FakeBench, tmp_path: Path) -> None:
    """Started again it does what is left; what a class's own file calls a race is no surprise."""
    out, expected = tmp_path / "out", tmp_path / "expected.toml"
    undecided = report(SURVIVES, "inconclusive", message="the machine was busy")
    bench.scripts = [[*passing()[:3], undecided, END]]  # as ann's was; bob's said fail
    said = run("rerun", out, "--seed", "s", status=1).output
    assert "ann/blocking: agrees in 4 checks\n" in said
    assert "bob/blocking: differs in 1 of 4 checks\n  test_server.py::test_survives: fail, and now inconcl" in said
    figures = "2 submissions, 8 verdicts repeated: 7 agree, {} differ in stages of races, {} differ elsewhere; 0 sub"
    assert figures.format(0, 1) in said
    assert "9 of 15 points" in run("show", out, "bob", "blocking").output  # what stands in front is as it was
    assert run("show", out, "bob", "blocking", "--history").output.count("  rerun ") == 1
    assert not (out / ".work").exists()
    bench.tasks.clear()
    expected.write_text('[blocking]\n[blocking.bob]\nwhy = "luck"\nstages = [5, [0, 10]]\n')
    said = run("rerun", out, "--seed", "s", "--races", expected).output
    assert not bench.tasks and "  a race: test_server.py::test_survives: fail, and now inconcl" in said
    assert figures.format(1, 0) in said
    run("rerun", out, "bob", "blocking", "survives", "--seed", "s", status=1)  # one check: no repetition of all of it
    bench.tasks.clear()
    assert "1 submission, 8 verdicts" in run("rerun", out, "ann", "--seed", "s", "--times", 2).output
    assert {task.student for task in bench.tasks} == {"ann"}
    assert "another secret" in run("rerun", out, "--seed", "x", status=2).output
    assert "has nothing of eve" in run("rerun", out, "eve", "--seed", "s", status=2).output
    expected.write_text("[blocking]\nbob = 3\n")
    assert "does not say which stages" in run("rerun", out, "--races", expected, status=2).output
    (copy,) = (path for path in (out / ".copies").iterdir() if (path / "client.py").read_text() == "print(2)\n")
    shutil.rmtree(copy)
    assert "bob/blocking: its copy is not kept any more" in run("rerun", out, "--seed", "s", status=1).output


@pytest.mark.usefixtures("bench")
def test_a_rubric_is_corrected_after_grading(course: Course, tmp_path: Path) -> None:
    toml = course.reference("blocking") / "assignment.toml"
    toml.write_text(toml.read_text().replace("points = 4", "points = 7").replace("points = 6", "points = 3"))
    said = run("rescore", tmp_path / "out").output
    assert "ann/blocking: 9 -> 12 of 15 (3 undecided)" in said
    assert "bob/blocking: 9 -> 12 of 15" in said
    assert "2 of 2 results have other points." in said


@pytest.mark.usefixtures("bench")
def test_one_writer_at_a_time_and_it_is_named(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "out"):
        for words in (("rescore",), ("decide", "ann", "blocking", "1", "pass", "--because", "x"), ("prune",)):
            command, *rest = words
            said = run(command, tmp_path / "out", *rest, status=2).output
            assert re.search(r"is in use by .*process \d+ on .*, since .*Wait for it", said.replace("\n", " ")), said
    run("rescore", tmp_path / "out", "--wait", 5)


@pytest.mark.usefixtures("bench")
def test_a_backup_holds_all_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    to = tmp_path / "kept.tar.gz"
    run("backup", tmp_path / "out", to)
    with tarfile.open(to) as tar:
        names = tar.getnames()
    for name in ("out/journal.jsonl", "out/campaign.json", "out/ann/blocking/outcomes.json"):
        assert name in names
    assert not any(".work" in name for name in names)
    assert to.stat().st_mode & 0o077 == 0
    assert "cannot be written" in run("backup", tmp_path / "out", to, status=2).output
    assert "is inside" in run("backup", tmp_path / "out", tmp_path / "out/x.tar.gz", status=2).output


@pytest.mark.usefixtures("bench")
def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    for command in ("queue", "rescore", "prune"):
        assert "is not the folder of a run" in run(command, tmp_path / "in", status=2).output


def test_a_course_folder_needs_no_options(bench: FakeBench, tmp_path: Path) -> None:
    assert bench
    folder = tmp_path / "networks"
    assert "course.toml" in run("course", "new", folder).output
    hand_in(folder / "submitted", "ann")
    run("run", folder)
    assert (folder / "run/ann/blocking/report.html").is_file()
    assert "9 of 15 points" in run("show", folder, "ann", "blocking").output
    assert "Nothing waits" in run("queue", folder).output
    assert "--out is missing" in run("run", tmp_path / "in", status=2).output
    assert "MB" in run("backup", folder, tmp_path / "networks.tar.gz").output
    with tarfile.open(tmp_path / "networks.tar.gz") as tar:
        assert "networks/.secret" in tar.getnames()


@pytest.mark.usefixtures("bench")
def test_the_runs_of_a_folder_have_an_index(tmp_path: Path) -> None:
    assert "1 run" in run("runs", tmp_path).output
    page = (tmp_path / "index.html").read_text()
    assert "./out/index.html" in page
    assert "is a run itself" in run("runs", tmp_path / "out", status=2).output
    assert "holds no runs" in run("runs", tmp_path / "in", status=2).output
