"""The load generator and the measurements in the Docker lab: the suite in load_suite/ runs in a star."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from harness import containers, images
from harness.assignment import load_assignment
from harness.star import Star

pytestmark = [pytest.mark.docker, pytest.mark.slow]

HERE = Path(__file__).resolve().parent
CHECKS = (
    "test_eleven_thousand_clients",
    "test_a_busy_loop_is_found[busy]",
    "test_a_busy_loop_is_found[polling]",
    "test_helpers_are_found[threads]",
    "test_helpers_are_found[forks]",
    "test_memory_of_a_server_whose_client_never_reads[bounded]",
    "test_memory_of_a_server_whose_client_never_reads[unbounded]",
    "test_greedy_clients_at_full_speed[works]",
    "test_greedy_clients_at_full_speed[drains]",
    "test_a_storm_of_resets_over_the_router",
)
HEAD = """[assignment]
schema = 1
name = "load"
title = "Load"
handout = "handout.md"
[programs]
server = ["python3", "echo.py"]
[limits]
open_files = 12288
processes = 64
seconds = 120
[[stages]]
number = 1
title = "Load"
points = {points}
section = "1"
programs = ["server"]
"""
CHECK = """[[checks]]
id = "test_scale.py::{name}"
suite = "hidden"
stage = 1
points = 1
section = "1"
rule = "The lab keeps its promise."
feedback = "The lab does not keep its promise."
timeout = 60
"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the tester said of each check; one session for all."""
    folder = tmp_path_factory.mktemp("assignment")
    (folder / "handout.md").write_text("# Load\n\n## 1\n")
    text = HEAD.format(points=len(CHECKS)) + "".join(CHECK.format(name=name) for name in CHECKS)
    (folder / "assignment.toml").write_text(text)
    assignment = load_assignment(folder / "assignment.toml")
    made = images.ensure_images(containers.Engine())
    records: list[dict[str, Any]] = []
    code = {"lab": folder, "suite": HERE / "load_suite" / "hidden"}
    with (
        Star.start(made, code=code, worker=91) as star,
        star.session(HERE / "load_submission", assignment.limits) as session,
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
    return {row["check"]: row for row in records if row["record"] == "report"}


@pytest.mark.parametrize("name", CHECKS)
def test_in_the_lab(name: str, reports: dict[str, dict[str, Any]]) -> None:
    report = reports[f"test_scale.py::{name}"]
    told = "\n".join([report["message"], str(report["seen"]), *(step["what"] for step in report["story"])])
    assert report["outcome"] == "pass", told
