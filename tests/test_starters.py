"""The starters start: what students get imports, and stops with a sentence about what to do."""

from __future__ import annotations

import subprocess
import sys

import pytest

from grader.course import Course, this_course

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


@pytest.mark.parametrize(("name", "file"), PROGRAMS)
def test_every_program_starts_and_complains_of_nothing_but_its_words(name: str, file: str) -> None:
    words = [sys.executable, "-B", file]
    done = subprocess.run(words, cwd=COURSE.released(name), capture_output=True, text=True, timeout=30)
    last = (done.stderr.strip().splitlines() or [""])[-1]
    # 0: a module that the guest imports, and no program.
    assert done.returncode in (0, 2) or last.startswith("NotImplementedError: stage"), done.stderr
