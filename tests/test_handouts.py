"""The handouts, which are written by hand, agree with the rubric."""

from __future__ import annotations

import re
import runpy
from types import SimpleNamespace

import pytest

from grader.course import Course, this_course
from grader.submission import LEFT_OUT
from harness.course.languages import DEFAULT, promised
from harness.lab.docker.images import BASE, debian

COURSE: Course = this_course()


@pytest.mark.parametrize("name", COURSE.names())
def test_every_check_points_to_a_rule_that_is_there(name: str) -> None:
    assignment = COURSE.load(name)
    rules = set(re.findall(r"^- \*\*(\d\.\d+)\*\*", _text(name), re.MULTILINE))
    assert {check.section for check in assignment.checks} <= rules


@pytest.mark.parametrize("name", COURSE.names())
def test_the_points_are_those_of_the_rubric(name: str) -> None:
    text = _text(name)
    for stage in COURSE.load(name).stages:
        assert re.search(rf"^## {stage.section}: .* \({stage.points:g} points\)$", text, re.MULTILINE)
        public = COURSE.load(name).checks_of(stage=stage.number, suite="public")
        (file,) = {check.file for check in public}
        worth = sum(check.points for check in public)
        row = rf"^\| {stage.number} \|.*\| {stage.points:g} \| `tests/{file}`, {worth:g} points \|$"
        assert re.search(row, text, re.MULTILINE), row


@pytest.mark.parametrize("name", COURSE.names())
def test_what_is_forbidden_is_told(name: str) -> None:
    text = _text(name)
    for stage in COURSE.load(name).stages:
        assert all(f"`{word}`" in text for word in (*stage.forbidden, *stage.forbidden_c, *stage.forbidden_go))


@pytest.mark.parametrize("name", COURSE.names())
def test_the_limits_are_those_of_the_rubric(name: str) -> None:
    limits = COURSE.load(name).limits
    (told,) = re.findall(r"^.*\*\*Limits\*\*.*$", _text(name), re.MULTILINE)
    processors = f"{limits.cpus:g} processor" + ("" if limits.cpus == 1 else "s")
    assert told.count(f"{limits.memory_mb} MB of memory") == told.count(processors) == 1
    assert f"{limits.processes} processes and threads together, {limits.open_files:,} open files" in told
    assert limits.file_mb == limits.disk_mb and f"files of {limits.disk_mb} MB in all" in told
    assert f"{limits.seconds:g} s for all checks" in told
    assert (limits.nodes == 2) == ("for each of two nodes" in told)


@pytest.mark.parametrize("name", COURSE.names())
def test_the_machine_that_grades_is_the_image(name: str) -> None:
    recipe = (COURSE.root / "docker/Dockerfile").read_text()
    assert not debian("student")
    assert set(debian("build")) == {"gcc", "golang-go", "libc6-dev", "libssl-dev", "make"}
    python = BASE.partition(":")[2].partition("-")[0]
    assert f"ARG BASE={BASE}\n" in recipe
    told = _text(name).partition("**The machine that grades** ")[2].partition("\n\n")[0]
    assert " ".join(told.split()).startswith(f"{promised(DEFAULT)} Count on nothing else there")
    assert f"Python {python} (on Debian 12: 3.11," in told


@pytest.mark.parametrize("name", COURSE.names())
def test_what_is_left_out_is_told(name: str) -> None:
    told = _text(name).partition("**Hand in** this folder")[2]
    assert all(f"`{word}`" in told for word in LEFT_OUT)
    assert {"`*.pyc`", "`*.pyo`"} <= set(told.replace(",", " ").split())


def test_as_many_clients_are_told_as_come() -> None:
    path = COURSE.suites("nonblocking")["hidden"] / "test_4_scale.py"
    idle, active = runpy.run_path(str(path))["crowd"](SimpleNamespace(engine="router"))
    together, said = f"{idle + active:,}", _text("nonblocking")
    assert f"- **4.1** {together} clients may be connected at the same time, {active:,} of them busy" in said
    assert f"when you are graded it is {together}." in said
    (check,) = (check for check in COURSE.load("nonblocking").checks if check.id.endswith("::test_ten_thousand"))
    assert check.rule.startswith(f"{idle:,} idle and {active:,} active") and f"{together} clients" in check.feedback


def _text(name: str) -> str:
    return (COURSE.released(name) / COURSE.load(name).handout).read_text()
