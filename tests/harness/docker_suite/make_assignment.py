"""The assignment.toml of the lab's own suite: one check per test function, found in its source."""

from __future__ import annotations

import ast
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUITE = HERE / "hidden" / "test_lab.py"

_HEAD = """[assignment]
schema = 1
name = "lab"
title = "The lab's own tests"
handout = "handout.md"
[programs]
echo = ["python3", "echo.py"]
run = ["python3", "-c"]
nothing = ["./nothing"]
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
[[stages]]
number = 1
title = "The lab"
points = {points}
section = "1"
programs = ["echo"]
forbidden = []
"""

_CHECK = """[[checks]]
id = "test_lab.py::{name}"
suite = "hidden"
stage = 1
points = 1
section = "1"
rule = "The lab keeps its promise."
hint = "See harness/agent.py and docker/README.md."
feedback = "The lab does not keep its promise."
timeout = 20
"""


def checks() -> list[str]:
    """The names of the tests, in order."""
    tree = ast.parse(SUITE.read_text())
    return [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def write(folder: Path) -> Path:
    """Write assignment.toml and its handout into a folder; the path of the former."""
    names = checks()
    (folder / "handout.md").write_text("# The lab's own tests\n\n## 1\n")
    path = folder / "assignment.toml"
    path.write_text(_HEAD.format(points=len(names)) + "".join(_CHECK.format(name=name) for name in names))
    return path
