"""Finds what a release must not contain. Pure: files and secrets in, findings out.

Rule: this trusts nothing that made the files. It looks for answers, hidden tests and private files by their text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

#: Two adjacent lines that together are shorter than this prove nothing.
ENOUGH = 40
#: A single line of a starter has to be this long to prove something.
ENOUGH_ALONE = 24
#: A sentence shorter than this may appear anywhere by chance.
ENOUGH_SENTENCE = 20

_FORBIDDEN_PATHS = re.compile(
    r"(?:^|/)(?:grader|reference|suites|hidden|__pycache__|\.git)(?:/|$)|\.pyc$|(?:^|/)(?:campaign\.json|journal\.jsonl)$"
)
_WORD = re.compile(r"\w+")
_IMPORTS_GRADER = re.compile(r"^\s*(?:from|import)\s+grader\b", re.MULTILINE)


@dataclass(frozen=True)
class Secrets:
    """What a release must not contain."""

    answers: Mapping[str, list[list[str]]]  #: starter's path in the release -> the lines of each answer
    given: Mapping[str, str]  #: starter's path in the release -> the rest of the reference's text
    hidden_tests: Iterable[str] = ()  #: texts of the hidden test files
    hidden_names: frozenset[str] = frozenset()  #: functions in them
    sentences: frozenset[str] = frozenset()  #: hints and feedback of hidden checks
    private: Mapping[str, bytes] = field(default_factory=dict)  #: path in the course -> content of private files


def find_leaks(files: Mapping[str, bytes], secrets: Secrets) -> list[str]:
    """What leaks, a line each with the file's name; empty when nothing does."""
    found: list[str] = []
    # An answer's text may also be in a file that students get unchanged, above all in the harness.
    pairs = [(path, set(_pairs(answer))) for path, answers in secrets.answers.items() for answer in answers]
    hidden = {pair for text in secrets.hidden_tests for pair in _pairs(text.splitlines())}
    known = {pair for text in secrets.given.values() for pair in _pairs(text.splitlines())}
    in_tests = _pairs_of_tests(files)
    sentences = sorted(_plain(sentence) for sentence in secrets.sentences if len(sentence) >= ENOUGH_SENTENCE)
    private = {data: path for path, data in secrets.private.items() if data.strip()}
    for path, data in files.items():
        if _FORBIDDEN_PATHS.search(path):
            found.append(f"{path}: nothing of this name belongs in a release")
        if data in private:
            found.append(f"{path}: it is {private[data]}")
        text = _text(path, data)
        if _IMPORTS_GRADER.search(text):
            found.append(f"{path}: it imports the grader")
        here = set(_pairs(text.splitlines()))
        for source, answer in pairs:
            if common := (here & answer) - known:
                found.append(f"{path}: it has lines of the answer to {source}: {_shown(common)}")
        if common := (here & hidden) - known - in_tests:
            found.append(f"{path}: it has lines of a hidden test: {_shown(common)}")
        named = secrets.hidden_names.intersection(_WORD.findall(text))
        found += [f"{path}: it names the hidden test {name}" for name in sorted(named)]
        plain = _plain(text)
        told = [sentence for sentence in sentences if sentence in plain]
        found += [f"{path}: it has the text of a hidden check: {sentence[:60]!r}" for sentence in told]
    return found + list(_single_lines(files, secrets))


def _text(path: str, data: bytes) -> str:
    """A file as it is read: of a notebook what stands in its cells."""
    text = data.decode("utf-8", "replace")
    if not path.endswith(".ipynb"):
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


def _single_lines(files: Mapping[str, bytes], secrets: Secrets) -> Iterator[str]:
    """In a starter itself, one line of its own answer is enough."""
    for path, answers in secrets.answers.items():
        rest = {_plain(line) for line in secrets.given.get(path, "").splitlines()}
        lines = {_plain(line) for line in _text(path, files.get(path, b"{}")).splitlines()}
        for answer in answers:
            for line in map(_plain, answer):
                if len(line) >= ENOUGH_ALONE and line in lines and line not in rest:
                    yield f"{path}: it has a line of its answer: {line!r}"


def _plain(line: str) -> str:
    return " ".join(line.split())


def _pairs(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every pair of adjacent lines that is long enough to prove something, without blank lines and imports."""
    before = ""
    for line in map(_plain, lines):
        if not line or line.startswith(("import ", "from ")):
            continue
        if before and len(before) + len(line) >= ENOUGH:
            yield before, line
        before = line


def _pairs_of_tests(files: Mapping[str, bytes]) -> set[tuple[str, str]]:
    """Hidden tests may repeat what the public ones say."""
    texts = [data.decode("utf-8", "replace") for path, data in files.items() if "/tests/" in f"/{path}"]
    return {pair for text in texts for pair in _pairs(text.splitlines())}


def _shown(pairs: set[tuple[str, str]]) -> str:
    return repr(" / ".join(min(pairs)))[:120]
