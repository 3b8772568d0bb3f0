"""Sizes that keep the code readable: modules up to 400 lines, references up to 250, functions up to 40."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = sorted([*ROOT.glob("harness/**/*.py"), *ROOT.glob("grader/**/*.py"), *ROOT.glob("reference/**/*.py")])


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(name, lines of its body without the docstring) of every function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            assert body[-1].end_lineno is not None
            yield node.name, body[-1].end_lineno - body[0].lineno + 1


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    text = path.read_text()
    most = 250 if path.is_relative_to(ROOT / "reference") else 400
    assert len(text.splitlines()) <= most
    long = [f"{name}: {lines} lines" for name, lines in functions(ast.parse(text)) if lines > 40]
    assert not long


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_in_its_first_line(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text))
