"""reference/<assignment>/questions.md -> cells and questions. Pure; docs/notebooks.md says how one is written.

Rule 1: fences whose first word is python, toml or markdown and which name something are cells; any other is text.
Rule 2: a mistake has a line, and is found here: not when a class is graded.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from grader.questions.judge import BUILTINS
from harness.errors import SetupError

#: The file in reference/<assignment>, and the notebook's name (without its suffix).
SOURCE, NAME = "questions.md", "questions"
#: Between these stands the answer; the markers are nbgrader's.
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
#: What a cell is: text, code to run, code that students may change, an answer in code or in words, points.
Kind = Literal["text", "code", "free", "answer", "words", "graded"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
_FENCE = re.compile(r"```(python|toml|markdown)\b[ \t]*(.*?)[ \t]*$")
_KINDS: Mapping[tuple[str, str], Kind] = {
    ("python", ""): "code",
    ("python", "free"): "free",
    ("python", "answer"): "answer",
    ("markdown", "answer"): "words",
    ("toml", "graded"): "graded",
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of the notebook, in the order of the file."""

    name: str  #: unique; nbgrader's grade_id
    kind: Kind
    source: str  #: with the answer, if it is one
    line: int  #: in the file, from 1


@dataclass(frozen=True, kw_only=True)
class Question:
    """What gives points."""

    name: str  #: of its answer; the name of the cell that has the points
    answer: str  #: name of the answer's cell
    points: float
    hand: bool = False  #: graded by a person
    what: str = ""  #: which values count, in words for students
    hint: str = ""  #: for students whose answer is not right
    values: Mapping[str, str] = field(default_factory=dict)  #: name -> expression, evaluated in the student's kernel
    holds: Sequence[str] = ()  #: expressions over these values, evaluated outside


@dataclass(frozen=True, kw_only=True)
class Source:
    """A whole notebook of questions."""

    title: str
    cells: tuple[Cell, ...]
    questions: tuple[Question, ...]

    @property
    def points(self) -> float:
        """Of all questions together."""
        return sum(question.points for question in self.questions)

    def question(self, name: str) -> Question | None:
        """The question whose points a cell has."""
        return next((one for one in self.questions if one.name == name), None)


def graded_name(answer: str) -> str:
    """The name of the cell that has an answer's points."""
    return f"{answer}-points"


def read_source(text: str, file: str) -> Source:
    """The cells and questions of a questions.md. Raises SetupError."""
    reader = _Reader(file)
    for kind, name, words, body, line in _pieces(text, file):
        reader.add(kind, name, words, body, line)
    return reader.source()


def private_lines(source: Source) -> list[list[str]]:
    """What students must not read of it: the lines of each answer, and what has to hold."""
    found = []
    for cell in source.cells:
        if cell.kind == "answer":
            found.append(cell.source.partition(BEGIN)[2].partition(END)[0].splitlines())
        elif cell.kind == "words":
            found.append(cell.source.splitlines())
    return [*found, *(list(question.holds) for question in source.questions)]


def _pieces(text: str, file: str) -> Iterator[tuple[Kind, str, dict[str, str], str, int]]:
    """(kind, name, other words, source, line) of each piece; text without a name."""
    lines = text.splitlines()
    prose: list[str] = []
    begun = number = 0
    plain = ""  # the fence that is open in the text
    while number < len(lines):
        line = lines[number]
        fence = None if plain else _FENCE.match(line)
        if fence is None:
            if line.startswith("```"):
                plain = "" if plain else "```"
            if line.startswith("## ") and not plain and any(prose):
                yield "text", "", {}, "\n".join(prose), begun + 1
                prose, begun = [], number
            prose.append(line)
            number += 1
            continue
        kind, name, words = _head(fence.group(1), fence.group(2), f"{file}, line {number + 1}")
        end = next((k for k in range(number + 1, len(lines)) if lines[k].rstrip() == "```"), None)
        if end is None:
            raise SetupError(f"{file}, line {number + 1}: this cell never ends. Write ``` below it.")
        yield "text", "", {}, "\n".join(prose), begun + 1
        yield kind, name, words, "\n".join(lines[number + 1 : end]), number + 1
        prose, number = [], end + 1
        begun = number
    yield "text", "", {}, "\n".join(prose), begun + 1


def _head(language: str, rest: str, where: str) -> tuple[Kind, str, dict[str, str]]:
    """What a fence says after its language."""
    words = dict(word.partition("=")[::2] for word in rest.split())
    first = next(iter(words), "")
    kind = _KINDS.get((language, first))
    if kind is None:
        raise SetupError(
            f"{where}: a cell of {language} that says {rest or 'nothing'!r}. Write one of: ```python, ```python free,"
            " ```python answer=NAME, ```markdown answer=NAME points=2, ```toml graded=NAME points=2"
        )
    name = words.pop(first, "")
    if kind not in ("code", "free") and not _NAME.match(name):
        raise SetupError(f"{where}: {first}={name!r} is not a name of small letters, digits and dashes.")
    allowed = {"points"} if kind in ("words", "graded") else set()
    if words.keys() != allowed:
        raise SetupError(f"{where}: a cell like this says {'points=N' if allowed else 'nothing'} besides its name.")
    return kind, name, words


@dataclass
class _Reader:
    """Puts the pieces together."""

    file: str
    cells: list[Cell] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def add(self, kind: Kind, name: str, words: Mapping[str, str], body: str, line: int) -> None:
        where = f"{self.file}, line {line}"
        body = body.strip("\n")
        if kind == "text" and not body.strip():
            return
        if kind == "graded":
            self.questions.append(self._graded(name, words["points"], body, where))
            name, body = graded_name(name), ""
        elif kind == "words":
            self.questions.append(Question(name=name, answer=name, points=_points(words["points"], where), hand=True))
        elif kind == "answer":
            _check_region(body, where)
        elif not name:
            self.numbers[kind] = self.numbers.get(kind, 0) + 1
            name = f"{kind}-{self.numbers[kind]}"
        if any(cell.name == name for cell in self.cells):
            raise SetupError(f"{where}: the name {name} is there twice. Give each answer a name of its own.")
        if kind in ("code", "answer", "free"):
            _compiles(body, where)
        self.cells.append(Cell(name=name, kind=kind, source=body, line=line))

    def _graded(self, name: str, points: str, body: str, where: str) -> Question:
        if not any(cell.name == name and cell.kind == "answer" for cell in self.cells):
            raise SetupError(f"{where}: there is no answer in code named {name} above it.")
        try:
            found = tomllib.loads(body)
        except tomllib.TOMLDecodeError as error:
            raise SetupError(f"{where}: this is not TOML: {error}.") from None
        if unknown := sorted(found.keys() - {"what", "hint", "values", "holds"}):
            raise SetupError(f"{where}: {unknown[0]} means nothing here. There are: what, hint, values, holds.")
        values, holds = found.get("values"), found.get("holds")
        if not isinstance(values, dict) or not values or not _texts(values.values()) or not _texts(holds) or not holds:
            raise SetupError(
                f"{where}: a graded cell needs values.NAME = EXPRESSION, and holds, a list of expressions."
            )
        for one in values.values():
            _compiles(one, where, mode="eval")
        for one in holds:
            _known_names(one, values, where)
        what, hint = found.get("what", ""), found.get("hint", "")
        if not _texts((what, hint)) or not what:
            raise SetupError(
                f"{where}: what says in words which value counts. Students read it; it cannot be left out."
            )
        number = _points(points, where)
        return Question(
            name=graded_name(name), answer=name, points=number, what=what, hint=hint, values=values, holds=tuple(holds)
        )

    def source(self) -> Source:
        title = next((cell.source.splitlines()[0] for cell in self.cells if cell.kind == "text"), "")
        if not title.startswith("# "):
            raise SetupError(f"{self.file}: it begins with its title, such as: # Programs that wait: questions")
        answered = {question.answer for question in self.questions}
        for cell in self.cells:
            if cell.kind == "answer" and cell.name not in answered:
                raise SetupError(
                    f"{self.file}, line {cell.line}: nothing says what {cell.name} is worth. Write below it"
                    f" ```toml graded={cell.name} points=2"
                )
        return Source(title=title[2:].strip(), cells=tuple(self.cells), questions=tuple(self.questions))


def _points(text: str, where: str) -> float:
    if not re.fullmatch(r"\d{1,3}(\.\d)?", text) or not float(text):
        raise SetupError(f"{where}: points={text} is not a number of points.")
    return float(text)


def _texts(found: Any) -> bool:
    return not isinstance(found, str) and found is not None and all(isinstance(one, str) for one in found)


def _check_region(body: str, where: str) -> None:
    marks = [line.strip() for line in body.splitlines() if line.strip().startswith("### ")]
    if marks != [BEGIN, END]:
        raise SetupError(f"{where}: an answer has one region: {BEGIN}, the answer, {END}.")


def _compiles(body: str, where: str, mode: Literal["exec", "eval"] = "exec") -> None:
    try:
        compile(body, where, mode)
    except (SyntaxError, ValueError) as error:
        raise SetupError(f"{where}: this is not Python: {error}.") from None


def _known_names(expression: str, values: Mapping[str, str], where: str) -> None:
    _compiles(expression, where, mode="eval")
    tree = ast.parse(expression, mode="eval")
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in {*values, *BUILTINS, *bound}:
            raise SetupError(f"{where}: {expression!r} names {node.id}, which is none of the values of this cell.")
