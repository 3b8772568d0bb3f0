"""Gradescope's autograder: what is in it, and what its two programs make of a submission."""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

import grader.course
from grader.cli.main import app
from grader.course import Course
from grader.export import autograder as made
from grader.export.autograder import archive_of, classroom50, gradescope
from grader.release.starters import write_starters
from harness.errors import SetupError, SubmissionError
from harness.formats.result import Result

ROOT = Path(__file__).parents[3]


@pytest.fixture
def course(course: Course) -> Course:
    """The small course, released once."""
    (course.reference("blocking") / "client.py").write_text("### GIVEN TO STUDENTS\n")
    (course.suites("blocking")["hidden"] / "test_hidden_ones.py").write_text("def test_secretly(lab): ...\n")
    course.released("blocking").mkdir(parents=True)
    (course.released("blocking") / "handout.md").write_text("# Programs that wait\n")
    write_starters(course, "blocking")
    return course


def test_without_hidden_checks_nothing_private_is_in_it(course: Course) -> None:
    files = gradescope(course, "blocking")
    assert {path.split("/")[0] for path in files} == {
        "setup.sh", "run_autograder", "grade.py", "assignment", "requirements.txt", "packages", "course",
    }  # fmt: skip
    assert "course/blocking/tests/test_client.py" in files and "course/harness/cli/check.py" in files
    assert not [path for path in files if {"hidden", "reference", "grader", "judge"} & set(path.split("/"))]
    assert not [path for path, data in files.items() if b"test_secretly" in data or b"import grader" in data]


def test_what_the_courses_languages_are_built_with_comes_along(course: Course) -> None:
    assert {"gcc", "golang-go", "openssl", "curl"} <= set(gradescope(course, "blocking")["packages"].decode().split())
    without_go = gradescope(course, "blocking", languages=("python", "c"))["packages"].decode().split()
    assert "gcc" in without_go and "golang-go" not in without_go


def test_with_hidden_checks_the_judge_comes_along_and_no_other_assignment(course: Course) -> None:
    files = gradescope(course, "blocking", hidden=True, secret="course secret")
    assert files["judge/secret"] == b"course secret\n"
    assert "judge/grader/suites/blocking/hidden/test_hidden_ones.py" in files
    assert "judge/grader/cli/grade.py" in files and "judge/harness/tester/run.py" in files
    assert not [path for path in files if path.startswith(("course/", "judge/grader/suites/transport"))]
    assert gradescope(course, "blocking", hidden=True)["judge/secret"] != files["judge/secret"]


def test_the_archive_is_the_same_each_time_and_its_programs_are_at_its_root(course: Course) -> None:
    data = archive_of(gradescope(course, "blocking"))
    assert data == archive_of(gradescope(course, "blocking"))
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        for name in ("setup.sh", "run_autograder"):
            row = opened.getinfo(name)
            assert row.external_attr >> 16 == 0o100755 and opened.read(name).startswith(b"#!/usr/bin/env bash\n")


def test_the_command_asks_for_what_it_needs(course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grader.course, "this_course", lambda: course)
    file = tmp_path / "autograder.zip"
    said = CliRunner().invoke(app, ["release", "--gradescope", str(file), "--assignment", "blocking"])
    assert said.exit_code == 0 and zipfile.is_zipfile(file)
    folder = tmp_path / "autograders/blocking"
    said = CliRunner().invoke(app, ["release", "--classroom50", str(folder), "--assignment", "blocking"])
    assert said.exit_code == 0 and (folder / "autograder.py").is_file()
    assert CliRunner().invoke(app, ["release", "--classroom50", str(folder), "--assignment", "blocking"]).exit_code == 0
    for words in (["--gradescope", str(file)], ["--assignment", "blocking"], ["--hidden"]):
        assert CliRunner().invoke(app, ["release", *words]).exit_code == 2
    words = ["--gradescope", str(tmp_path), "--assignment", "blocking"]
    assert CliRunner().invoke(app, ["release", *words]).exit_code == 2


def test_hidden_data_are_those_of_the_course_or_it_is_said(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grader.course, "this_course", lambda: course)
    monkeypatch.delenv("SOCKETLAB_SECRET", raising=False)
    (term := tmp_path / "a term").mkdir()
    (term / "course.toml").write_text(
        '[course]\nschema = 1\nname = "networks"\nzone = "Europe/Berlin"\nsecret = "env:OURS"\n'
    )
    file = tmp_path / "auto grader.zip"
    words = ["release", "--gradescope", str(file), "--assignment", "blocking", "--hidden"]

    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0 and "which gives up to 15 points" in said.output and "--course" in said.output
    said = CliRunner().invoke(app, [*words, "--course", str(term)], env={"OURS": "of the course"})
    assert said.exit_code == 0 and "--course" not in said.output
    with zipfile.ZipFile(file) as opened:
        assert opened.read("judge/secret") == b"of the course\n"
    said = CliRunner().invoke(app, words[:-1])
    assert said.exit_code == 0 and "which gives up to 6 points" in said.output  # the public ones


def test_classroom_50_gets_the_public_checks_and_no_more(course: Course) -> None:
    files = classroom50(course, "blocking")
    assert {path.split("/")[0] for path in files} == {"autograder.py", "assignment", "requirements.txt", "course"}
    assert (
        files["course/blocking/tests/test_client.py"]
        == gradescope(course, "blocking")["course/blocking/tests/test_client.py"]
    )


# -- grade_public.py ---------------------------------------------------------------------------------------------------


def program(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """One of the two programs, as if it stood in a folder of Gradescope's."""
    monkeypatch.setenv("AUTOGRADER", str(root))
    spec = importlib.util.spec_from_file_location(name, Path(made.__file__).parent / "gradescope" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that Gradescope calls /autograder."""
    root = tmp_path / "autograder"
    for folder in ("source/judge", "submission", "results"):
        (root / folder).mkdir(parents=True)
    (root / "source/course").symlink_to(ROOT / "assignments")
    (root / "source/assignment").write_text("blocking\n")
    (root / "source/judge/secret").write_text("s\n")
    (root / "submission/daytime_client.py").write_text("print('mine')\n")
    return root


def results(root: Path) -> dict[str, object]:
    data: dict[str, object] = json.loads((root / "results/results.json").read_text())
    return data


def checked_as(*undecided: float) -> Callable[[object], Result]:
    """Runs whose undecided points are these, one after the other."""
    left = list(undecided)

    def checked(_: object) -> Result:
        return Result(
            assignment="blocking", title="t", points=1.0, possible=2.0, undecided=left.pop(0), stages=(), checks=()
        )

    return checked


def test_a_run_with_undecided_checks_is_repeated_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = program("grade_public", root, monkeypatch)
    for undecided, told in (((0.0,), False), ((1.0, 0.0), False), ((1.0, 1.0), True)):
        monkeypatch.setattr(public, "checked", checked_as(*undecided))
        assert public.main() == 0
        assert ("Undecided, through no fault" in str(results(root)["output"])) is told


def test_what_is_the_submissions_is_a_result_and_what_is_ours_is_none(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = program("grade_public", root, monkeypatch)

    def raises(error: Exception) -> Callable[[object], Result]:
        def checked(_: object) -> Result:
            raise error

        return checked

    monkeypatch.setattr(public, "checked", raises(SetupError("no processor")))
    assert public.main() == 1 and not (root / "results/results.json").exists()
    monkeypatch.setattr(public, "checked", raises(SubmissionError("programs.toml: line 1")))
    assert public.main() == 0
    told = results(root)
    assert told["score"] == 0.0 and str(told["output"]).startswith("programs.toml: line 1")


def test_a_folder_that_a_zip_adds_is_taken_off(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = program("grade_public", root, monkeypatch)
    folder = root / "submission"
    assert public.unwrapped(folder) == folder
    (folder / "daytime_client.py").unlink()
    (folder / "work").mkdir()
    (folder / "__MACOSX").mkdir()
    assert public.unwrapped(folder) == folder / "work"
    (folder / "work").rmdir()
    (folder / "work").symlink_to("/")
    assert public.unwrapped(folder) == folder


# -- grade_hidden.py ---------------------------------------------------------------------------------------------------


def test_who_handed_in_has_the_same_name_each_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = program("grade_hidden", root, monkeypatch)
    assert hidden.student() == "submission"
    for users, name in (
        ([{"id": 7, "name": "../../x"}, {"id": 3}], "user-3-7"),
        ([{"id": "nobody"}], "submission"),
        ({}, "submission"),
    ):
        (root / "submission_metadata.json").write_text(json.dumps({"users": users}))
        assert hidden.student() == name


@pytest.mark.parametrize(
    ("status", "stands", "writes"),
    [
        (0, True, True), (1, True, True), (3, True, True), (5, True, True), (2, False, True), (4, False, True),
        (-9, False, True), (1, False, False),
    ],
)  # fmt: skip
def test_only_what_is_decided_becomes_a_result(
    status: int, stands: bool, writes: bool, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = program("grade_hidden", root, monkeypatch)
    asked: list[list[str]] = []

    class Done:
        returncode = status

    def run(command: list[str], **more: object) -> Done:
        asked.append(command)
        assert more["cwd"] == root / "source/judge" and more["env"]["SOCKETLAB_SECRET"] == "s"  # type: ignore[index]
        if writes:
            (root / "results/results.json").write_text("{}")
        return Done()

    monkeypatch.setattr(hidden.subprocess, "run", run)
    assert hidden.main() == (0 if stands else 1)
    assert (root / "results/results.json").exists() is stands
    assert asked[0][asked[0].index("--assignment") + 1] == "blocking"
