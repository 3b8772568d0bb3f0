"""The Docker lab for real: the suite in docker_suite/ runs in a star, and every verdict is a test here."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from tests.harness.lab.docker import star_suite

pytestmark = [pytest.mark.docker, pytest.mark.slow]

HERE = star_suite.HERE / "docker_suite"
TABLES = """
[programs]
echo = ["python3", "echo.py"]
run = ["python3", "-c"]
nothing = ["./nothing"]
held = ["./held"]
[limits]
memory_mb = 256
processes = 64
open_files = 256
file_mb = 8
disk_mb = 48
cpus = 1.0
output_mb = 1
seconds = 120
nodes = 2
"""


def checks() -> list[str]:
    """The names of the suite's tests, in order, found in its source."""
    tree = ast.parse((HERE / "hidden" / "test_lab.py").read_text())
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in functions if name.startswith("test_")]


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the tester said of each check of the suite; one session for all."""
    path = star_suite.write_assignment(tmp_path_factory.mktemp("assignment"), "test_lab.py", checks(), TABLES)
    return star_suite.reports_of(path, HERE / "hidden", HERE / "submission", worker=90)


@pytest.mark.parametrize("name", checks())
def test_in_the_lab(name: str, reports: dict[str, dict[str, Any]]) -> None:
    star_suite.passed(reports[name])
