"""assignment.toml -> Assignment: what is asked and what each check is worth. Pure but for one read.

Rule 1: every mistake is named with file and line, and says what to write instead; the first found is raised.
Rule 2: what passes here is trusted everywhere else: points add up, names are known, needs point backwards.
Rule 3: the format is public. The copy that students get has `public = true` and no hidden rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast

from harness.course.forbidden import StageRule
from harness.errors import SetupError
from harness.text.nearest import nearest
from harness.text.toml_rows import Row, TomlFile, TomlMistake

Suite = Literal["public", "hidden"]
SUITES: tuple[Suite, ...] = ("public", "hidden")

#: The only version of the format so far.
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Build:
    """How a submission that has a certain file is built, in a node of its own, and what it may use there."""

    file: str  #: built only if the submission has this file at its root
    command: tuple[str, ...]  #: argument vector
    timeout: float = 60.0  #: seconds
    memory_mb: int = 1024  #: memory without swap, files included
    processes: int = 256  #: processes and threads together
    disk_mb: int = 256  #: everything it writes; what is built may have what [limits] says

    def limits(self, limits: Limits) -> Limits:
        """Of the node that builds, for an assignment with these limits."""
        return replace(
            limits,
            memory_mb=self.memory_mb,
            processes=self.processes,
            disk_mb=self.disk_mb,
            file_mb=self.disk_mb,
            open_files=max(limits.open_files, 1024),
            nodes=1,
        )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one submission may use while it is graded."""

    memory_mb: int = 256  #: memory without swap
    processes: int = 128  #: processes and threads together
    open_files: int = 1024  #: descriptors per process
    file_mb: int = 64  #: largest file
    disk_mb: int = 64  #: everything it writes
    cpus: float = 1.0  #: cores
    nodes: int = 1  #: student nodes: 1, or 2 if a submission talks to itself over the link; limits are per node
    output_mb: int = 16  #: per stream of a program; more is cut and the program ended
    seconds: float = 120.0  #: one grading, all checks


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of the assignment that gives points of its own."""

    number: int  #: from 1, ascending
    title: str
    points: float  #: what its checks add up to
    section: str  #: of the handout
    programs: tuple[str, ...] = ()  #: names in the programs table whose sources the forbidden names are looked for in
    forbidden: tuple[str, ...] = ()  #: modules, builtins or attributes these sources must not use
    forbidden_c: tuple[str, ...] = ()  #: functions that these programs, compiled, must not want from libraries
    forbidden_go: tuple[str, ...] = ()  #: packages that must not be in them if they are Go's
    bonus: bool = False  #: an extension: its points make up for lost ones, the total stays the same


@dataclass(frozen=True, kw_only=True)
class Check:
    """One test that must report, and what it is worth."""

    id: str  #: pytest's node id, relative to the suite's folder
    suite: Suite
    stage: int  #: number of its stage
    points: float
    needs: tuple[str, ...] = ()  #: ids of earlier checks that must pass, else this one is skipped
    section: str  #: of the handout
    rule: str  #: what a correct program does, one sentence
    hint: str = ""  #: for public failures and the instructor
    feedback: str = ""  #: all that a student reads when this hidden check fails
    timeout: float = 10.0  #: seconds
    takes: float = 0.3  #: seconds that it takes a correct program, about: to plan with, it decides nothing
    alone: str = ""  #: why it has to run when nothing else does; empty if it may run beside others

    @property
    def file(self) -> str:
        """The test file, relative to the suite's folder."""
        return self.id.partition("::")[0]


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A whole assignment.toml, validated."""

    name: str  #: the folder's name
    title: str
    handout: str  #: file name of the handout, next to the student's copy
    programs: Mapping[str, tuple[str, ...]]  #: name -> argument vector in the folder of the submission
    build: Build | None
    limits: Limits
    stages: tuple[Stage, ...]
    checks: tuple[Check, ...]  #: in the order in which they run
    path: Path  #: the file this was read from
    public: bool = False  #: the students' copy, without hidden checks

    @property
    def points(self) -> float:
        """What the whole assignment is worth; extensions come on top of what was lost, not of this."""
        return math.fsum(stage.points for stage in self.stages if not stage.bonus)

    def build_of(self, folder: Path) -> Build | None:
        """How the submission in a folder is built: None unless it has the file that asks for it."""
        return self.build if self.build is not None and (folder / self.build.file).is_file() else None

    def rules(self, programs: Mapping[str, Sequence[str]] | None = None) -> list[StageRule]:
        """What each stage forbids, if anything; `programs`: how they are started, default as the assignment says."""
        table = self.programs if programs is None else programs
        return [
            StageRule(
                stage.number,
                stage.forbidden,
                tuple(tuple(table[name]) for name in stage.programs if name in table),
                stage.forbidden_c,
                stage.forbidden_go,
            )
            for stage in self.stages
            if stage.forbidden or stage.forbidden_c or stage.forbidden_go
        ]

    def stage(self, number: int) -> Stage:
        """The stage of that number. Raises KeyError."""
        for stage in self.stages:
            if stage.number == number:
                return stage
        raise KeyError(number)

    def check(self, check_id: str) -> Check:
        """The check of that id. Raises KeyError."""
        for check in self.checks:
            if check.id == check_id:
                return check
        raise KeyError(check_id)

    def checks_of(self, stage: int | None = None, suite: Suite | None = None) -> tuple[Check, ...]:
        """The checks of a stage, of a suite, of both, in order."""
        return tuple(check for check in self.checks if stage in (None, check.stage) and suite in (None, check.suite))


def load_assignment(path: Path) -> Assignment:
    """Read and validate an assignment.toml. Raises SetupError."""
    if not path.exists():
        raise SetupError(f"{path}: there is no such file. An assignment is described by its assignment.toml.")
    try:
        return _read(TomlFile.read(path), path)
    except TomlMistake as mistake:
        raise SetupError(str(mistake)) from None


def parse_assignment(text: str, path: Path) -> Assignment:
    """Validate the text of an assignment.toml; `path` is for messages. Raises SetupError."""
    try:
        return _read(TomlFile(text, path), path)
    except TomlMistake as mistake:
        raise SetupError(str(mistake)) from None


# --- one function per table, top to bottom as in the file ---

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_CHECK_ID = re.compile(r"(?:[\w-]+/)*test_\w+\.py(?:::\w+)+(?:\[[\w.,:= +-]+\])?")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_TABLES = ("assignment", "programs", "build", "limits", "stages", "checks")


def _read(file: TomlFile, path: Path) -> Assignment:
    for table in file.data:
        if table not in _TABLES:
            file.wrong(table, 0, table, f"unknown table [{table}]", nearest(table, _TABLES))
    head = file.row("assignment", ("schema", "name", "title", "handout", "public"))
    if head.data.get("schema") != SCHEMA:
        head.wrong("schema", "the version of the format is missing or not known", f"Write: schema = {SCHEMA}")
    name = head.text("name", example='"blocking"')
    if not _NAME.fullmatch(name):
        head.wrong("name", f"{name!r} cannot name a folder", "Use small letters, digits, - and _.")
    public = head.flag("public")
    programs = _programs(file.row("programs"))
    limits = _limits(file.row("limits", tuple(Limits.__dataclass_fields__)))
    stages = _stages(file, programs)
    checks = _checks(file, stages, limits, public)
    _points_add_up(file, stages, checks, public)
    return Assignment(
        name=name,
        title=head.text("title"),
        handout=head.file_name("handout", example='"handout.md"'),
        programs=MappingProxyType(programs),
        build=_build(file.row("build", tuple(Build.__dataclass_fields__))) if "build" in file.data else None,
        limits=limits,
        stages=stages,
        checks=checks,
        path=path,
        public=public,
    )


def _programs(row: Row) -> dict[str, tuple[str, ...]]:
    if not row.data:
        row.wrong(None, "[programs] is missing or empty", 'Add: name = ["python3", "name.py"]')
    for name in row.data:
        if not re.fullmatch(r"\w+", name):
            row.wrong(name, f"{name!r} cannot name a program", "Use letters, digits and _.")
    return {name: row.words(name, required=True) for name in row.data}


def _build(row: Row) -> Build:
    return Build(
        file=row.file_name("file", example='"Makefile"'),
        command=row.words("command", required=True),
        timeout=row.number("timeout", Build.timeout),
        **{key: row.whole(key, getattr(Build, key)) for key in ("memory_mb", "processes", "disk_mb")},
    )


def _limits(row: Row) -> Limits:
    whole = ("memory_mb", "processes", "open_files", "file_mb", "disk_mb", "output_mb")
    return Limits(
        **{key: row.whole(key, getattr(Limits, key)) for key in whole},
        cpus=row.number("cpus", Limits.cpus),
        nodes=_nodes(row),
        seconds=row.number("seconds", Limits.seconds),
    )


def _nodes(row: Row) -> int:
    count = row.whole("nodes", Limits.nodes)
    if count > 2:
        row.wrong("nodes", f"a lab has 1 or 2 student nodes, not {count}", "Write: nodes = 2")
    return count


def _stages(file: TomlFile, programs: Mapping[str, object]) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    for row in file.rows("stages", tuple(Stage.__dataclass_fields__)):
        number = row.whole("number")
        if stages and number <= stages[-1].number:
            row.wrong("number", f"stage {number} follows stage {stages[-1].number}", "Number them 1, 2, 3, ...")
        needed, forbidden = row.words("programs"), row.words("forbidden")
        others = {key: row.words(key) for key in ("forbidden_c", "forbidden_go")}
        for name in needed:
            if name not in programs:
                row.wrong("programs", f'no program "{name}" in [programs]', nearest(name, programs))
        for name in forbidden:
            if not _DOTTED.fullmatch(name):
                row.wrong("forbidden", f"{name!r} is not a Python name", 'Write it as "asyncio" or "os.fork".')
        if (forbidden or any(others.values())) and not needed:
            row.wrong("forbidden", "forbidden names, but no program to look in", "Add: programs = [...]")
        stages.append(
            Stage(
                number=number,
                title=row.text("title"),
                points=row.number("points"),
                section=row.text("section"),
                programs=needed,
                forbidden=forbidden,
                **others,
                bonus=row.flag("bonus"),
            )
        )
    return tuple(stages)


def _checks(file: TomlFile, stages: Sequence[Stage], limits: Limits, public: bool) -> tuple[Check, ...]:
    checks: dict[str, Check] = {}
    numbers = [stage.number for stage in stages]
    for row in file.rows("checks", tuple(Check.__dataclass_fields__)):
        check = _check(row, checks, public)
        if check.stage not in numbers:
            row.wrong("stage", f"there is no stage {check.stage}", f"The stages are {numbers}.")
        if check.timeout > limits.seconds:
            what = f"a check of {check.timeout:g} s in a grading of {limits.seconds:g} s"
            row.wrong("timeout", what, "Lower it, or raise seconds in [limits].")
        checks[check.id] = check
    return tuple(checks.values())


def _check(row: Row, before: Mapping[str, Check], public: bool) -> Check:
    check = Check(
        id=row.text("id", example='"test_file.py::test_name"'),
        suite=cast(Suite, row.text("suite", example='"public"')),
        stage=row.whole("stage"),
        points=row.number("points"),
        needs=row.words("needs"),
        section=row.text("section"),
        rule=row.text("rule"),
        hint=row.text("hint", ""),
        feedback=row.text("feedback", ""),
        timeout=row.number("timeout", Check.timeout),
        takes=row.number("takes", Check.takes),
        alone=row.text("alone", ""),
    )
    if not _CHECK_ID.fullmatch(check.id):
        row.wrong("id", f"{check.id!r} is not a test", 'Write: id = "test_file.py::test_name", from the suite on.')
    if check.id in before:
        row.wrong("id", f"{check.id!r} is there twice", "Give each check one row.")
    if check.suite not in SUITES:
        row.wrong("suite", f"there is no suite {check.suite!r}", 'Write "public" or "hidden".')
    if check.suite == "hidden" and public:
        row.wrong("suite", "a hidden check in the students' copy", "Remove the row.")
    if check.suite == "hidden" and not check.feedback:
        row.wrong(None, f"the hidden check {check.id!r} has no feedback", 'Add: feedback = "for the student"')
    for need in check.needs:
        if need not in before:
            row.wrong("needs", f"needs {need!r}, which is not a check above", nearest(need, before))
        if check.suite == "public" and before[need].suite == "hidden":
            row.wrong("needs", f"a public check needs the hidden {need!r}", "Let it need public checks only.")
    return check


def _points_add_up(file: TomlFile, stages: Sequence[Stage], checks: Sequence[Check], public: bool) -> None:
    for nth, stage in enumerate(stages):
        total = math.fsum(check.points for check in checks if check.stage == stage.number)
        if math.isclose(total, stage.points, abs_tol=1e-6) or (public and total < stage.points):
            continue
        what = f"stage {stage.number} gives {stage.points:g} points, but its checks add up to {total:g}"
        file.wrong("stages", nth, "points", what, f"Change its checks, or write: points = {total:g}")
