"""What holds for every test that judges a submission: public, hidden, and those of our own lab."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SUITES = sorted([*ROOT.glob("grader/suites/**/*.py"), *ROOT.glob("tests/harness/*_suite/**/*.py")])
EXPECTATIONS = {"expect": 1, "expect_same": 2}  # which of the words is the rule


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


@pytest.mark.parametrize("path", SUITES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_failure_says_what_has_happened(path: Path) -> None:
    bare = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in EXPECTATIONS:
            rule = node.args[EXPECTATIONS[node.func.attr]]
            otherwise = next((word.value for word in node.keywords if word.arg == "otherwise"), rule)
            if ast.dump(otherwise) == ast.dump(rule):
                bare.append(f"line {node.lineno}: {ast.unparse(rule)} has no sentence for when it is not so")
    assert not bare
