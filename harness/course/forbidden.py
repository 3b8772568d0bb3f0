"""Forbidden names, read from Python's syntax tree: what a stage's programs import, call or touch.

Rule 1: names are judged in the tree, never in the text: a comment that mentions `asyncio` is harmless.
Rule 2: nothing of the submission is imported or run. Links are followed as Python follows them: a build may make some.
Rule 3: this teaches, it does not guard: `exec` of a built string gets by. Tests ask the kernel about threads and more.
Rule 4: it is run by the Python that will run the programs (`look.py`), so that what that one cannot read cannot run.

What a forbidden name means:
- a standard module, such as `asyncio` or `concurrent.futures`: importing it, or anything below or from it;
- a dotted name that begins with a module, such as `os.fork`: that member, also by `from os import fork`;
- any other name, such as `sendall` or `eval`: the attribute of anything, or the builtin.
"""

from __future__ import annotations

import ast
import io
import os
import posixpath
import re
import stat
import sys
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

#: Files larger than this, and more than this altogether, are not read; a program that people wrote is smaller.
MOST_BYTES, MOST_TOGETHER = 1_000_000, 4_000_000
#: Parts of a dotted name that are looked at: a submission's folders are not nested deeper.
MOST_PARTS = 16
#: At most this many places are looked at for the modules of one submission.
MOST_PROBES = 5_000


@dataclass(frozen=True)
class StageRule:
    """What one stage forbids, and to whom."""

    number: int  #: of the stage
    names: tuple[str, ...]  #: forbidden
    programs: tuple[tuple[str, ...], ...]  #: argument vectors of the programs in whose sources they are looked for
    functions: tuple[str, ...] = ()  #: of C's libraries, forbidden to compiled programs (native.py)
    packages: tuple[str, ...] = ()  #: of Go's


@dataclass(frozen=True)
class ForbiddenUse:
    """One use of a forbidden name."""

    name: str  #: as the assignment forbids it
    file: str  #: relative to the submission's folder, with "/"
    line: int  #: from 1
    unread: str = ""  #: why the file's names cannot be known; then `name` says nothing

    def __str__(self) -> str:
        if self.unread:
            return f"{self.file} cannot be looked through: {self.unread}"
        return f"{self.file}, line {self.line}: uses {self.name}"


def find_forbidden(rules: Sequence[StageRule], folder: Path) -> dict[int, list[ForbiddenUse]]:
    """Stage number -> its findings by file and line, where there are any; one finding per name and file.

    Each file is read once, whatever the number of rules.
    """
    reader, found = _Folder(folder), {}
    for rule in rules:
        findings: dict[tuple[str, str], ForbiddenUse] = {}
        for source in reader.sources(rule.programs):
            if source.unread:
                findings.setdefault((source.file, ""), ForbiddenUse("", source.file, 1, source.unread))
            for name, line in source.module.uses(rule.names):
                findings.setdefault((source.file, name), ForbiddenUse(name, source.file, line))
        if findings:
            found[rule.number] = sorted(findings.values(), key=lambda one: (one.file, one.line, one.name))
    return found


def forbidden_message(number: int, findings: Sequence[ForbiddenUse]) -> str:
    """One sentence for all findings of a stage.

    >>> forbidden_message(5, [ForbiddenUse("asyncio", "server.py", 3)])
    'Stage 5 forbids asyncio (server.py, line 3).'
    """
    unread = [found for found in findings if found.unread]
    if unread:  # whatever else it uses: what nobody can look through gives no points
        return f"Stage {number} forbids some names, and {unread[0]}."
    shown = [f"{found.name} ({found.file}, line {found.line})" for found in findings[:5]]
    more = f" and {len(findings) - 5} more" if len(findings) > 5 else ""
    return f"Stage {number} forbids {', '.join(shown)}{more}."


def files_of_programs(folder: Path, programs: Sequence[Sequence[str]]) -> list[str]:
    """The Python files that some argument vectors start, and the local modules these import; relative, with "/"."""
    return [source.file for source in _Folder(folder).sources(programs)]


# --- one tree ---


def uses(tree: ast.AST, names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """(forbidden name, line) for each use in a module's tree, in the order of `ast.walk`."""
    return _Module(tree).uses(names)


#: The nodes that can use a name.
_TELLING = (ast.Import, ast.ImportFrom, ast.Call, ast.Attribute, ast.Name)


def _meaning(name: str) -> str:
    """What kind of name is forbidden: "module", "member" (of a module) or "plain"."""
    first, dot, _ = name.partition(".")
    if first not in sys.stdlib_module_names:
        return "plain"
    return "module" if not dot or name in _SUBMODULES else "member"


#: Dotted names that are modules themselves.
_SUBMODULES = frozenset({"concurrent.futures", "multiprocessing.pool", "multiprocessing.connection", "http.server"})


def _below(path: str, name: str) -> bool:
    return path == name or path.startswith(name + ".")


class _Module:
    """What one module's names stand for."""

    def __init__(self, tree: ast.AST) -> None:
        nodes = list(ast.walk(tree))
        self.nodes = [node for node in nodes if isinstance(node, _TELLING)]
        self._aliases: dict[str, str] = {}  # local name -> dotted path of what was imported
        self._stars: set[str] = set()  # modules of which everything was imported
        self._own: set[str] = set()  # names defined here, so that a program may define a `send_all` of its own
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    self._aliases[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    if alias.name == "*":
                        self._stars.add(node.module)
                    self._aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self._own.add(node.name)
            elif isinstance(node, ast.arg):
                self._own.add(node.arg)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self._own.add(node.id)

    def uses(self, names: Sequence[str]) -> Iterator[tuple[str, int]]:
        modules, members, plain = (
            [name for name in names if _meaning(name) == kind] for kind in ("module", "member", "plain")
        )
        for node in self.nodes:
            imported, mentioned = self.imported(node), self.mentioned(node)
            touched = [*imported, *self.touched(node)]
            hits = [name for name in modules if any(_below(path, name) for path in imported)]
            hits += [name for name in members if any(_below(path, name) for path in touched)]
            hits += [name for name in plain if name in mentioned]
            for name in hits:
                yield name, getattr(node, "lineno", 1)

    def imported(self, node: ast.AST) -> list[str]:
        """Dotted paths that the node imports: `from a import b` gives a and a.b."""
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        if isinstance(node, ast.Call) and self._called(node) in ("__import__", "import_module") and node.args:
            return _constant(node.args[0])
        return []

    def touched(self, node: ast.AST) -> list[str]:
        """The dotted path of an attribute of an imported module, as in `o.fork` after `import os as o`.

        And of a name that may have come with `from os import *`.
        """
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in self._own:
            return [f"{module}.{node.id}" for module in self._stars]
        if isinstance(node, ast.Attribute):
            parts = [node.attr]
            value: ast.expr = node.value
            while isinstance(value, ast.Attribute):
                parts.append(value.attr)
                value = value.value
            if isinstance(value, ast.Name) and value.id in self._aliases:
                return [".".join([self._aliases[value.id], *reversed(parts)])]
        if isinstance(node, ast.Call) and self._called(node) == "getattr" and len(node.args) > 1:
            owner = node.args[0]
            if isinstance(owner, ast.Name) and owner.id in self._aliases:
                return [f"{self._aliases[owner.id]}.{name}" for name in _constant(node.args[1])]
        return []

    def mentioned(self, node: ast.AST) -> list[str]:
        """Plain names that the node uses: an attribute, a builtin, what is imported by name."""
        if isinstance(node, ast.Attribute):
            itself = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            return [] if itself and node.attr in self._own else [node.attr]
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            return [] if node.id in self._own else [node.id]
        if isinstance(node, ast.ImportFrom):
            return [alias.name for alias in node.names]
        if isinstance(node, ast.Call) and self._called(node) == "getattr" and len(node.args) > 1:
            return _constant(node.args[1])
        return []

    @staticmethod
    def _called(node: ast.Call) -> str:
        """The last part of the name of what is called."""
        if isinstance(node.func, ast.Attribute):
            return node.func.attr
        return node.func.id if isinstance(node.func, ast.Name) else ""


def _constant(node: ast.expr) -> list[str]:
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


# --- the files of a program ---


@dataclass(frozen=True)
class _Source:
    file: str  # relative to the folder, with "/"
    module: _Module
    imports: tuple[PurePosixPath, ...] = ()  # where the modules it imports would be if they were the submission's own
    unread: str = ""  # why it cannot be looked through


class _Folder:
    """The Python files of a submission, each read and parsed once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[PurePosixPath, _Source | None] = {}
        self._started: set[PurePosixPath] = set()  # by Python itself, so that it is Python or cannot run
        self._together = 0

    def sources(self, programs: Sequence[Sequence[str]]) -> Iterator[_Source]:
        """The sources of some programs and of the local modules they import, each once.

        A module that is not Python has none, since it cannot be imported either.
        """
        todo: deque[PurePosixPath] = deque()
        for argv in programs:
            for file, by_python in _starts(self._folder, argv):
                todo.append(file)
                if by_python:
                    self._started.add(file)
        seen: set[PurePosixPath] = set()
        while todo and len(self._known) < MOST_PROBES:
            file = todo.popleft()
            if file in seen:
                continue
            seen.add(file)
            if (source := self._source(file)) is not None:
                yield source
                todo.extend(source.imports)
        if todo:
            yield _unread(todo[0], f"it has more than {MOST_PROBES:,} modules, or names of such")

    def _source(self, file: PurePosixPath) -> _Source | None:
        if file not in self._known:
            self._known[file] = self._parse(file)
        return self._known[file]

    def _parse(self, file: PurePosixPath) -> _Source | None:
        data = _read(self._folder, file)
        if data is None:
            return None
        self._together += len(data)
        if len(data) > MOST_BYTES or self._together > MOST_TOGETHER:
            return _unread(file, f"its sources are larger than {MOST_BYTES:,} bytes")
        if file in self._started and zipfile.is_zipfile(io.BytesIO(data)):
            return _unread(file, "it is an archive, and Python runs what is in it")  # whatever text is in front of it
        try:
            # Bytes, so that the file's own coding line counts, as it does when the program runs.
            module = _Module(ast.parse(data))
        except (RecursionError, MemoryError):
            return _unread(file, "it is nested too deeply")
        except (SyntaxError, ValueError) as error:
            if file not in self._started:
                return None
            where = f" (line {error.lineno}: {error.msg})" if isinstance(error, SyntaxError) and error.lineno else ""
            return _unread(file, f"Python {sys.version_info[0]}.{sys.version_info[1]} cannot read it{where}")
        return _Source(file.as_posix(), module, tuple(_local_imports(module, file.parent)))


#: What a file has that cannot be looked through.
_NOTHING = _Module(ast.Module([], []))


def _unread(file: PurePosixPath, why: str) -> _Source:
    return _Source(file.as_posix(), _NOTHING, unread=why)


#: Folders that hold a submission's copy in a node: a path below them is a path in the submission.
_NODE_FOLDERS = ("/work/", "/build/", "/submission/")
#: Programs whose arguments say little about what they start: a shell, env, an interpreter reading standard input.
_PYTHON = re.compile(r"(?:.*/)?python[\d.]*$")
_STARTERS = re.compile(r"(?:.*/)?(?:python[\d.]*|sh|bash|dash|env|exec|nice|nohup|timeout|xargs|make)$")


def _starts(folder: Path, argv: Sequence[str]) -> Iterator[tuple[PurePosixPath, bool]]:
    """The Python files that an argument vector starts, and whether it is Python that starts them.

    A script, `-m module`, or a file with #!...python on top.

    If the arguments name no file (`sh -c`, `python3 -c`), it may be any Python file of the submission.
    """
    found = False
    script = _script(argv)
    for before, word in zip(("", *argv), argv, strict=False):
        if before == "-m":
            found = True
            yield from ((path, False) for path in _candidates(PurePosixPath(), word))
            continue
        file = _within(word)
        data = None if file is None else _read(folder, file)
        if file is None or data is None:
            continue
        by_python = word == script or _is_python(data)
        if by_python or file.suffix in (".py", ".pyw"):
            found = True
            yield file, by_python
    if not found and argv and _STARTERS.match(argv[0]):
        for number, path in enumerate(sorted(folder.rglob("*.py"))):
            if number >= MOST_PROBES:
                return
            yield PurePosixPath(path.relative_to(folder).as_posix()), False


def _script(argv: Sequence[str]) -> str:
    """The file that a Python is told to run, after its options; empty if it is no Python, or runs something else."""
    words = iter(argv[1:] if argv and _PYTHON.match(argv[0]) else ())
    for word in words:
        if word in ("-X", "-W", "--check-hash-based-pycs"):
            next(words, None)
        elif not word.startswith("-") or word == "-":
            return word
        elif not word.startswith("--") and word[-1] in "cm":  # -c, -m, -Im
            return ""
    return ""


def _within(word: str) -> PurePosixPath | None:
    """The path inside the submission that an argument names, or None."""
    for prefix in _NODE_FOLDERS:
        if word.startswith(prefix):
            word = word[len(prefix) :]
    clean = PurePosixPath(posixpath.normpath(word))
    return None if clean.is_absolute() or ".." in clean.parts or not clean.parts else clean


def _is_python(data: bytes) -> bool:
    return data.startswith(b"#!") and b"python" in data.split(b"\n", 1)[0]


def _local_imports(module: _Module, here: PurePosixPath) -> Iterator[PurePosixPath]:
    """Where the modules that a file in `here` imports would be if they were the submission's own."""
    for node in module.nodes:
        bases = {here, PurePosixPath()}
        if isinstance(node, ast.ImportFrom) and node.level:
            up = here
            for _ in range(node.level - 1):
                up = up.parent
            paths = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)] if node.module else []
            bases, names = {up}, [*paths, *(alias.name for alias in node.names)]
        else:
            names = module.imported(node)
        for name in names:
            for base in bases:
                yield from _candidates(base, name or "")


def _candidates(base: PurePosixPath, name: str) -> Iterator[PurePosixPath]:
    """The files a dotted module name may be, its packages included."""
    parts = [part for part in name.split(".", MOST_PARTS)[:MOST_PARTS] if part]
    if not all(part.isidentifier() for part in parts):
        return
    for end in range(1, len(parts) + 1):
        path = base.joinpath(*parts[:end])
        yield path.with_name(path.name + ".py")
        yield path / "__init__.py"
    if parts:
        yield base.joinpath(*parts) / "__main__.py"


def _read(folder: Path, file: PurePosixPath) -> bytes | None:
    """The bytes of a regular file of the submission, none but the first MOST_BYTES + 1; None if it is anything else."""
    try:
        opened = os.open(folder.joinpath(file), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe would block it
    except (OSError, ValueError):
        return None
    with open(opened, "rb") as source:
        return source.read(MOST_BYTES + 1) if stat.S_ISREG(os.fstat(opened).st_mode) else None
