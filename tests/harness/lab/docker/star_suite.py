"""A suite run in a star of the Docker lab against a submission: what was said of each of its checks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.course.assignment import load_assignment
from harness.lab.docker import containers, images
from harness.lab.docker.star import Session, Star, TesterExit
from harness.tester.border.job import Job, LocalLab

HERE = Path(__file__).resolve().parent

_CHECK = """[[checks]]
id = "{file}::{name}"
suite = "hidden"
stage = 1
points = 1
section = "1"
rule = "The lab keeps its promise."
feedback = "The lab does not keep its promise."
timeout = {timeout}
"""
_STAGE = """[[stages]]
number = 1
title = "The lab"
points = {points}
section = "1"
"""


def write_assignment(folder: Path, file: str, names: Sequence[str], tables: str, *, timeout: int = 20) -> Path:
    """Write assignment.toml and its handout: one check of a point per name; `tables`: [programs], [limits] and such."""
    (folder / "handout.md").write_text("# The lab's own tests\n\n## 1\n")
    head = '[assignment]\nschema = 1\nname = "one"\ntitle = "The lab\'s own tests"\nhandout = "handout.md"\n'
    checks = "".join(_CHECK.format(file=file, name=name, timeout=timeout) for name in names)
    path = folder / "assignment.toml"
    path.write_text(f"{head}{tables}{_STAGE.format(points=len(names))}{checks}")
    return path


def job_of(path: Path, suite: Path) -> tuple[Job, dict[str, Path], Any]:
    """A job of all checks of an assignment (for `run`), the code that its star needs, and the assignment."""
    assignment = load_assignment(path)
    job = Job(
        lab=LocalLab(Path("the star's")),
        assignment=Path("/code/one/assignment.toml"),
        suites={"hidden": Path("/code/one/suite")},
        checks=[check.id for check in assignment.checks],
        programs=assignment.programs,
        build=assignment.build is not None,
        seed="00ff",
    )
    return job, {"one/assignment.toml": path, "one/suite": suite}, assignment


def run(session: Session, job: Job, on_record: Callable[[Any], None], within: float) -> TesterExit:
    """Run a job in the lab of a session, for `within` seconds at most."""
    deadline = time.monotonic() + within
    return session.run_tester(replace(job, lab=session.lab).to_json(), on_record, deadline)


def reports_of(path: Path, suite: Path, submission: Path, *, worker: int) -> dict[str, dict[str, Any]]:
    """What the tester said of each check, by the test's name; what was inconclusive is tried again, as in a grading."""
    job, code, assignment = job_of(path, suite)
    found: dict[str, dict[str, Any]] = {}
    with Star.start(images.ensure_images(containers.DockerEngine()), code=code, worker=worker) as star:
        wanted = job.checks
        for _ in range(2):
            records: list[dict[str, Any]] = []
            with star.session(submission, assignment.limits) as session:
                left = run(session, replace(job, checks=wanted), records.append, 180)
            assert left.status == 0, left.complaints
            assert records[-1] == {"record": "end"}
            found.update({row["check"]: row for row in records if row["record"] == "report"})
            wanted = [check for check in wanted if found[check]["outcome"] == "inconclusive"]
            if not wanted:
                break
    return {check.partition("::")[2]: report for check, report in found.items()}


def passed(report: dict[str, Any]) -> None:
    """Fail with the story if a check did not pass; skip it if a machine with too much to do did not let it."""
    told = [report["message"], str(report["seen"] or ""), *(step["what"] for step in report["story"])]
    if report["message"].startswith("the link was not as asked") and os.getloadavg()[0] > 2 * (os.cpu_count() or 1):
        pytest.skip(report["message"])
    assert report["outcome"] == "pass", "\n".join(told)
