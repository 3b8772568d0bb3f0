"""A submission made alike on purpose: each name of its own is another one, its functions stand in another order."""

from __future__ import annotations

import ast
import builtins
import io
import keyword
import tokenize
from pathlib import Path

_KEPT = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "self"}


def write_twin(original: Path, folder: Path) -> None:
    """Write the twin of a submission in Python into a new folder."""
    folder.mkdir(parents=True)
    for path in sorted(original.glob("*.py")):
        (folder / f"my_{path.name}").write_text(renamed(reordered(path.read_text(encoding="utf-8"))), encoding="utf-8")


def renamed(text: str) -> str:
    """The source with other names, and no comments.

    >>> renamed("count = len(rows)  # of them")
    'mine_tnuoc = len(mine_swor)'
    """
    rows = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            continue
        if token.type == tokenize.NAME and token.string not in _KEPT:
            rows.append((token.type, f"mine_{token.string[::-1]}"))
        else:
            rows.append((token.type, token.string))
    return "\n".join(line.rstrip() for line in _laid_out(rows).splitlines())


def _laid_out(rows: list[tuple[int, str]]) -> str:
    return tokenize.untokenize(rows).replace(" (", "(").replace("( ", "(").replace(" )", ")")


def reordered(text: str) -> str:
    """The source with the methods of its classes, and its functions, in the opposite order."""
    tree = ast.parse(text)

    def turned(body: list[ast.stmt]) -> list[ast.stmt]:
        functions = [row for row in body if isinstance(row, ast.FunctionDef)]
        swapped = iter(reversed(functions))
        return [next(swapped) if isinstance(row, ast.FunctionDef) else row for row in body]

    tree.body = turned(tree.body)
    for row in tree.body:
        if isinstance(row, ast.ClassDef):
            row.body = turned(row.body)
    return ast.unparse(tree)
