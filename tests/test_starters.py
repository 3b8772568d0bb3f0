"""The starters start: what students get imports, and stops with a sentence about what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader.course import Course, this_course
from harness.course.languages import ENVIRONMENT

COURSE: Course = this_course()
PROGRAMS = [
    pytest.param(name, words[-1], id=f"{name}: {program}")
    for name in COURSE.names()
    for program, words in COURSE.load(name).programs.items()
]


@pytest.mark.parametrize("name", COURSE.names())
def test_every_starter_can_be_imported(name: str) -> None:
    folder = COURSE.released(name)
    modules = sorted(path.stem for path in folder.glob("*.py"))
    words = [sys.executable, "-B", "-c", "".join(f"import {module}\n" for module in modules)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=30)
    assert modules and done.returncode == 0, done.stderr


@pytest.mark.parametrize("folder", ["blocking/c", "blocking/go"])
def test_starters_in_other_languages_are_built_and_say_what_is_to_be_done(folder: str, tmp_path: Path) -> None:
    tool = "go" if folder.endswith("go") else "cc"
    if shutil.which(tool) is None or shutil.which("make") is None:
        pytest.skip(f"there is no {tool}, or no make")
    shutil.copytree(COURSE.root / "assignments" / folder, tmp_path / "copy")
    environment = {**os.environ, **ENVIRONMENT, "GOCACHE": str(tmp_path / "cache")}
    built = subprocess.run(["make"], cwd=tmp_path / "copy", env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    if tool == "go":
        assert not subprocess.run(["gofmt", "-l", "."], cwd=tmp_path / "copy", capture_output=True).stdout
    done = subprocess.run(
        ["./daytime_client", "127.0.0.1:1"], cwd=tmp_path / "copy", capture_output=True, text=True, timeout=30
    )
    assert done.returncode != 0 and "stage 1: " in done.stderr
    for path in (COURSE.root / "reference" / folder).rglob("*.*"):
        assert len(path.read_text().splitlines()) <= 250


@pytest.mark.parametrize(("name", "file"), PROGRAMS)
def test_every_program_starts_and_complains_of_nothing_but_its_words(name: str, file: str) -> None:
    words = [sys.executable, "-B", file]
    done = subprocess.run(words, cwd=COURSE.released(name), capture_output=True, text=True, timeout=30)
    last = (done.stderr.strip().splitlines() or [""])[-1]
    # 0: a module that the guest imports, and no program.
    assert done.returncode in (0, 2) or last.startswith("NotImplementedError: stage"), done.stderr
