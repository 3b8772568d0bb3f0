"""The Docker lab for real: the suite in docker_suite/ runs in a star, and every verdict is a test here."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from docker_suite import make_assignment

from harness import containers, images
from harness.assignment import load_assignment
from harness.star import Star

pytestmark = [pytest.mark.docker, pytest.mark.slow]

HERE = Path(__file__).resolve().parent / "docker_suite"


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the tester said of each check of the suite; one session for all."""
    folder = tmp_path_factory.mktemp("assignment")
    assignment = load_assignment(make_assignment.write(folder))
    made = images.ensure_images(containers.Engine())
    records: list[dict[str, Any]] = []
    code = {"lab": folder, "suite": HERE / "hidden"}
    with (
        Star.start(made, code=code, worker=90) as star,
        star.session(HERE / "submission", assignment.limits) as session,
    ):
        job = {
            "assignment": "/code/lab/assignment.toml",
            "suites": {"hidden": "/code/suite"},
            "checks": [check.id for check in assignment.checks],
            "programs": {name: list(argv) for name, argv in assignment.programs.items()},
            "seed": "00ff",
            "private_view": True,
        }
        left = session.run_tester(job, lambda line: records.append(json.loads(line)), time.monotonic() + 120)
    assert left.status == 0, left.complaints
    assert records[-1] == {"record": "end"}
    return {row["check"]: row for row in records if row["record"] == "report"}


@pytest.mark.parametrize("name", make_assignment.checks())
def test_in_the_lab(name: str, reports: dict[str, dict[str, Any]]) -> None:
    report = reports[f"test_lab.py::{name}"]
    assert report["outcome"] == "pass", "\n".join(
        [report["message"], *(step["what"] for step in report["story"])]
    )
