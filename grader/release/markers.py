"""Solutions out, stubs in: what is between `### BEGIN SOLUTION` and `### END SOLUTION` is the answer. Pure.

In C and Go the markers begin with `//`.

Rule 1: nothing between the markers leaves this file by way of a stub.
Rule 2: a line that is almost a marker is an error with file and line, not ordinary text.
Rule 3: a stub imports, and fails where it is called, with a sentence that says what to do.

The markers are nbgrader's. Text after BEGIN SOLUTION is for the student: it becomes the stub's sentence.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import SetupError

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
#: In a file that students get as it is; the line itself is taken out.
GIVEN = "### GIVEN TO STUDENTS"
#: Longest line of a placeholder.
MOST_COLUMNS = 110

_BEGIN = re.compile(r"^(\s*)(?:###|//) BEGIN SOLUTION(?::?\s+(\S.*?))?\s*$")
_END = re.compile(r"^\s*(?:###|//) END SOLUTION\s*$")
_NEARLY = re.compile(r"(?:#+|//+|/\*+)\s*(begin|end)\W*(the\s+)?solutions?\b", re.IGNORECASE)
_GIVEN = re.compile(r"^(?:###|//) GIVEN TO STUDENTS$")
#: How a program in another language says, where it is called, that a part of it is still to be written.
_NOT_WRITTEN = {".c": "not_written({});", ".go": "panic({})"}


@dataclass(frozen=True)
class Region:
    """One answer."""

    begin: int  #: line of the begin marker, from 1
    end: int  #: line of the end marker
    indent: str  #: in front of the begin marker
    task: str  #: what the marker says after BEGIN SOLUTION; may be empty


def regions(text: str, file: str) -> list[Region]:
    """The answers in a file, in order. Raises SetupError."""
    found: list[Region] = []
    opened: Region | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if begin := _BEGIN.match(line):
            if opened:
                raise SetupError(
                    f"{file}, line {number}: a solution begins inside the one of line {opened.begin}. "
                    f"Write {END} above it."
                )
            opened = Region(number, 0, begin.group(1), begin.group(2) or "")
        elif _END.match(line):
            if not opened:
                raise SetupError(
                    f"{file}, line {number}: a solution ends here that never began. Write {BEGIN} above it."
                )
            found.append(Region(opened.begin, number, opened.indent, opened.task))
            opened = None
        elif _NEARLY.search(line):
            raise SetupError(
                f"{file}, line {number}: this is nearly a marker. Write {BEGIN} or {END}, alone on its line."
            )
    if opened:
        raise SetupError(f"{file}, line {opened.begin}: this solution never ends. Write {END} below it.")
    return found


def answers(text: str, file: str) -> list[list[str]]:
    """The lines between the markers, answer by answer. Raises SetupError."""
    lines = text.splitlines()
    return [lines[region.begin : region.end - 1] for region in regions(text, file)]


def is_given(text: str) -> bool:
    """Whether students get the file unchanged."""
    return any(_GIVEN.match(line.strip()) for line in text.splitlines()[:10])


def stub(text: str, file: str, *, where: str = "") -> str:
    """What students get of a file. Raises SetupError.

    `where` says which part of the assignment the file belongs to, such as "stage 1"; it goes into the sentences.
    """
    lines = text.splitlines()
    found = regions(text, file)
    if not found and not is_given(text):
        raise SetupError(
            f"{file}: it has no solution in it. Put the answer between {BEGIN} and {END}, "
            f"or write {GIVEN} in its first lines if students get it as it is."
        )
    scopes = _scopes(text, file)
    kept: list[str] = []
    after = 0
    for region in found:
        kept += lines[after : region.begin - 1]
        if file.endswith(tuple(_NOT_WRITTEN)):
            made = _in_braces(region, file, where)
        else:
            made = _placeholder(region, _enclosing(scopes, lines, region), where)
        kept += [region.indent + line for line in made]
        after = region.end
    kept += lines[after:]
    text = "\n".join(line for line in kept if not _GIVEN.match(line.strip())).lstrip("\n") + "\n"
    if file.endswith(".py"):
        try:
            ast.parse(text)
        except SyntaxError as error:
            raise SetupError(
                f"{file}: without its solutions it is no longer Python ({error.msg}, at "
                f"{(error.text or '').strip()!r}). Move the markers so that what is left is whole."
            ) from None
    return text


def _in_braces(region: Region, file: str, where: str) -> list[str]:
    """The line that replaces an answer in C or Go: in a function, which is indented, it ends the program."""
    sentence = _sentence(region.task or "your code here", where)
    pattern = _NOT_WRITTEN["." + file.rpartition(".")[2]]
    if not region.indent:
        return [f"// {sentence[0].upper()}{sentence[1:]}."]
    return [pattern.format('"' + sentence.replace("\\", "\\\\").replace('"', '\\"') + '"')]


def _sentence(task: str, where: str) -> str:
    return f"{where}: {task}" if where and not task.lower().startswith("stage") else task


def _placeholder(region: Region, scope: ast.AST | None, where: str) -> list[str]:
    """The lines that replace an answer, in a function, a class, or at the top level (None)."""
    function = isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef)
    name = scope.name if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef) else ""
    task = region.task or (f"{name} is yours to write" if function else "your code here")
    sentence = _sentence(task, where)
    if function:
        return _raising(sentence, MOST_COLUMNS - len(region.indent))
    comment = f"# {sentence[0].upper()}{sentence[1:]}."
    return [comment, "pass"] if isinstance(scope, ast.ClassDef) else [comment]


def _raising(sentence: str, columns: int) -> list[str]:
    """The statement that raises it, on one line if it fits."""
    line = f"raise NotImplementedError({_quoted(sentence)})"
    if len(line) <= columns:
        return [line]
    words = textwrap.wrap(sentence, columns - 16)
    parts = [_quoted(f"{part} ") for part in words[:-1]] + [_quoted(words[-1])]
    return ["raise NotImplementedError(", *[f"    {part}" for part in parts], ")"]


def _quoted(text: str) -> str:
    """A Python string literal, with the quotes that need the fewest backslashes."""
    quote = "'" if '"' in text and "'" not in text else '"'
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


def _scopes(text: str, file: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Functions and classes of a module, inner ones after the outer ones. Raises SetupError."""
    if not file.endswith(".py"):
        return []
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise SetupError(f"{file}, line {error.lineno}: this is not Python ({error.msg}).") from None
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]


def _enclosing(
    scopes: Sequence[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef], lines: Sequence[str], region: Region
) -> ast.AST | None:
    """The innermost function or class around a region, None at the top level."""
    code = [number for number in range(region.begin + 1, region.end) if lines[number - 1].strip()]
    inside = code[0] if code else region.begin
    around = [
        scope
        for scope in scopes
        if scope.lineno < region.begin and (scope.end_lineno or 0) >= inside and scope.col_offset < len(region.indent)
    ]
    return around[-1] if around else None
