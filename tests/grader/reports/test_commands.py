"""Commands on pages can be pasted into a shell, whatever a student's folder is called."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from fakes import READS, report, result_of

from grader.course import Course
from grader.reports.explain import commands
from grader.reports.text import line

#: A shell in which the programs say what they were given.
SAYS = 'grader() { printf "%s\\0" "$@"; }; lab() { grader "$@"; }\n'

NAMES = ("ann", "o'hara", 'a "b" c', "-x", "--help", "a\nb", "caf\udce9", "$HOME", "back\\n", "ü")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize("student", NAMES)
@pytest.mark.parametrize("run", ["run", "my runs/$1", "-r"])
def test_a_command_says_what_it_means(course: Course, student: str, run: str) -> None:
    result = result_of(course, report(READS, "fail"), student=student)
    check = {**result["checks"][0], "bundle": "captures/public/01.json", "replay": None}
    found = []
    for command in commands(result, check, run):
        assert line(command) == command
        done = subprocess.run(["bash", "-c", SAYS + command], capture_output=True, check=True)
        found.append([word.decode("utf-8", "surrogateescape") for word in done.stdout.split(b"\0")[:-1]])
    end = ["--"] if "-" in (student[0], run[0]) else []
    whose = [run, student, "blocking", "reads"]
    assert found[:2] == [["rerun", *end, *whose], ["decide", "--because", "TEXT", *end, *whose, "pass"]]
    assert found[2:] == [[word, f"{run}/{student}/blocking/captures/public/01.json"] for word in ("trace", "replay")]
