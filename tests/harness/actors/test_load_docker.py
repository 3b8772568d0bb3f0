"""The load generator and the measurements in the Docker lab: the suite in load_suite/ runs in a star."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.harness.lab.docker import star_suite

pytestmark = [pytest.mark.docker, pytest.mark.slow]

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
TABLES = """
[programs]
server = ["python3", "echo.py"]
[limits]
open_files = 12288
processes = 64
seconds = 120
"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the tester said of each check; one session for all."""
    path = star_suite.write_assignment(
        tmp_path_factory.mktemp("assignment"), "test_scale.py", CHECKS, TABLES, timeout=60
    )
    here = Path(__file__).resolve().parent
    return star_suite.reports_of(path, here / "load_suite/hidden", here / "load_submission", worker=91)


@pytest.mark.parametrize("name", CHECKS)
def test_in_the_lab(name: str, reports: dict[str, dict[str, Any]]) -> None:
    star_suite.passed(reports[name])
