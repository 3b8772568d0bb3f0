"""The repository that students clone: starters, handouts, public tests, the harness, and `lab` to run them.

Rule 1: it is made in memory, searched for leaks, and only then written.
Rule 2: a folder that is not a release is not written to; in one that is, only what a release put there is replaced.
"""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import jinja2

from grader.course import HARNESS, Course
from grader.questions.cells import unanswered
from grader.questions.source import SOURCE, private_lines, read_source
from grader.release.leaks import Secrets, find_leaks
from grader.release.markers import answers, is_given, regions
from grader.release.notebooks import NOTEBOOK
from grader.release.starters import differences, files_of, files_of_term
from harness.course.assignment import Assignment
from harness.course.languages import DEFAULT, TOLD_IN, Grader, promised
from harness.errors import SetupError, UsageError

#: Marks a folder as a release and lists the files that it put there.
MANIFEST = ".release.json"
_ROOT = Path(__file__).resolve().parent / "student"
_PROGRAMS = frozenset({"lab"})
#: Names in student/ that get their dot in a release: with it they would be obeyed here.
_HIDDEN = ("git", "forgejo")
#: Pages of docs/ that students need.
_PAGES = ("guest.md",)


def build(course: Course, grader: Grader | None = None) -> dict[str, bytes]:
    """Every file of the student repository: path -> content. Raises SetupError.

    `grader`: what the machine that grades has, if it is not the usual.
    """
    grader = grader or Grader()
    names = course.names()
    stale = [line for name in names for line in differences(course, name)]
    if stale:
        raise SetupError("\n".join(["assignments/ is out of date; run: grader release", *stale]))
    assignments = [course.load(name) for name in names]
    files = _root_files(assignments)
    files.update({f"harness/{path}": data for path, data in files_of(HARNESS).items()})
    files.update({f"docs/{page}": (HARNESS.parent / "docs" / page).read_bytes() for page in _PAGES})
    for name in names:
        files.update({f"{name}/{path}": data for path, data in files_of(course.released(name)).items()})
    files[TOLD_IN] = grader.to_json().encode()
    for name, assignment in zip(names, assignments, strict=True):
        handout = f"{name}/{assignment.handout}"
        files[handout] = files[handout].replace(promised(DEFAULT).encode(), promised(grader.languages).encode())
    leaks = find_leaks(files, secrets_of(course, names))
    if leaks:
        raise SetupError("\n".join(["the release would show what it must not, so nothing was written:", *leaks]))
    return files


def _root_files(assignments: list[Assignment]) -> dict[str, bytes]:
    """The files at the top; README.md is a template."""
    files = {}
    for path, data in files_of(_ROOT).items():
        name = f".{path}" if path.startswith(_HIDDEN) else path
        if name.endswith(".j2"):
            template = jinja2.Template(data.decode("utf-8"), undefined=jinja2.StrictUndefined, trim_blocks=True)
            name, data = (name.removesuffix(".j2"), (template.render(assignments=assignments) + "\n").encode("utf-8"))
        files[name] = data
    files.update({_also(path): data for path, data in files.items() if path.startswith(".forgejo/")})
    return files


def _also(path: str) -> str:
    """Where Gitea looks for what Forgejo finds at a path."""
    return path.replace(".forgejo/", ".gitea/", 1)


def secrets_of(course: Course, names: list[str]) -> Secrets:
    """Everything of these assignments that students must not read."""
    found_answers: dict[str, list[list[str]]] = {}
    given: dict[str, str] = {}
    hidden_tests: list[str] = []
    hidden: set[str] = set()
    public: set[str] = set()
    sentences: set[str] = set()
    said: set[str] = set()
    private: dict[str, bytes] = {}
    for name in names:
        assignment = course.load(name)
        for path, data in _private_files(course, assignment).items():
            text = data.decode("utf-8", "replace")
            private_file = f"reference/{name}/{path}"
            if regions(text, private_file):
                where = f"{name}/{NOTEBOOK if path == SOURCE else path}"
                found_answers[where], given[where] = _apart(path, text, private_file)
            if not is_given(text):
                private[private_file] = data
        suites = {suite: files_of(folder) for suite, folder in course.suites(name).items()}
        hidden_tests += [data.decode("utf-8", "replace") for data in suites["hidden"].values()]
        hidden |= _functions(suites["hidden"])
        public |= _functions(suites["public"])
        shared = set(suites["public"].values())
        hidden_files = {path: data for path, data in suites["hidden"].items() if data not in shared}
        private.update({f"grader/suites/{name}/hidden/{path}": data for path, data in hidden_files.items()})
        for check in assignment.checks:
            # A rule is in the handout, so it may be read; how it is tested may not.
            texts = {check.hint, check.feedback} - {""}
            (sentences if check.suite == "hidden" else said).update(texts)
    private.update({f"grader/{path}": data for path, data in _grader_files(course).items()})
    return Secrets(
        answers=found_answers,
        given=given,
        hidden_tests=hidden_tests,
        hidden_names=frozenset(hidden - public),
        sentences=frozenset(sentences - said),
        private=private,
    )


def _private_files(course: Course, assignment: Assignment) -> dict[str, bytes]:
    """The reference's files, except templates and what is made from them: those are for students."""
    made = files_of_term(course, assignment)
    files = files_of(course.reference(assignment.name))
    return {path: data for path, data in files.items() if path not in made}


def _apart(path: str, text: str, file: str) -> tuple[list[list[str]], str]:
    """The answers in a file of the reference, and the rest of it."""
    if path == SOURCE:
        source = read_source(text, file)
        return private_lines(source), _text_of(unanswered(source))
    return answers(text, file), _rest(text, file)


def _text_of(notebook: bytes) -> str:
    return "\n".join(cell["source"] for cell in json.loads(notebook)["cells"])


def _rest(text: str, file: str) -> str:
    """A reference file without its answers."""
    lines = text.splitlines()
    for region in reversed(regions(text, file)):
        del lines[region.begin - 1 : region.end]
    return "\n".join(lines)


def _functions(files: Mapping[str, bytes]) -> set[str]:
    """The names of the tests in some files."""
    names = set()
    for path, data in files.items():
        if path.endswith(".py"):
            tree = ast.parse(data)
            names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith("test_")}


def _grader_files(course: Course) -> dict[str, bytes]:
    """The grader's own files, except those that are meant for students."""
    files = files_of(course.root / "grader")
    return {path: data for path, data in files.items() if not path.startswith(("suites/", "release/student/"))}


def write(files: Mapping[str, bytes], out: Path) -> None:
    """Put a release into a folder. Raises UsageError if it holds something else."""
    manifest = out / MANIFEST
    before: list[str] = []
    if manifest.is_file():
        before = list(json.loads(manifest.read_text(encoding="utf-8"))["files"])
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} holds something that is not a release. Give a new or an empty folder as --out.")
    for path in before:
        if path not in files and _inside(path):
            (out / path).unlink(missing_ok=True)
    for path, data in files.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o755 if path in _PROGRAMS else 0o644)
    hashes = {path: hashlib.sha256(data).hexdigest() for path, data in sorted(files.items())}
    manifest.write_text(json.dumps({"schema": 1, "files": hashes}, indent=1) + "\n", encoding="utf-8")
    for cache in out.rglob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)


def _inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")
