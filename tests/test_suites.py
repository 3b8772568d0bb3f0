"""What holds for every test that judges a submission: public, hidden, and those of our own lab."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SUITES = sorted([*ROOT.glob("grader/suites/**/*.py"), *ROOT.glob("tests/harness/*_suite/**/*.py")])


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@pytest.mark.parametrize("path", SUITES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_suite_knows_one_page_of_the_harness(path: Path) -> None:
    ours = {name for name in imported(ast.parse(path.read_text())) if name.split(".")[0] in ("harness", "grader")}
    assert ours <= {"harness.testing"}
