"""assignments/<name>: made from reference/<name> and the public tests, and compared with what is committed.

Rule: the handout and the files in `handout/` are written by hand; everything else is made here. A handout that
is in reference/<name> is a template (grader/release/term.py), and the one for students is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from grader.course import Course
from grader.questions.source import SOURCE
from grader.release.diagram import draw_states
from grader.release.markers import GIVEN, stub
from grader.release.notebooks import NOTEBOOK, released
from grader.release.public_view import public_view
from grader.release.term import load_term, render_handout, term_module
from harness.course.assignment import Assignment
from harness.course.forbidden import files_of_programs
from harness.errors import SetupError

#: The folder of the public tests in a student's copy.
TESTS = "tests"
#: What is in reference/<name> and never leaves it.
_PRIVATE = frozenset({"README.md", "assignment.toml", SOURCE})
#: What changes from term to term, and the module made from it.
TERM, TERM_MODULE = "term.toml", "term.py"


def generate(course: Course, name: str) -> dict[str, bytes]:
    """The made files of assignments/<name>: path (with "/") -> content.

    Raises UsageError, SetupError.
    """
    assignment = course.load(name)
    made = files_of_term(course, assignment)
    files = {"assignment.toml": public_view(assignment).encode("utf-8"), **made}
    folder = course.reference(name)
    imported = {  # stage -> the files that its programs are made of
        stage.number: frozenset(files_of_programs(folder, [assignment.programs[each] for each in stage.programs]))
        for stage in assignment.stages
    }
    for path, data in files_of(folder).items():
        if path in _PRIVATE or path in made:
            continue
        where = f"reference/{name}/{path}"
        files[path] = stub(_text(data, where), where, where=_where(assignment, imported, path)).encode("utf-8")
    for path, data in files_of(course.suites(name)["public"]).items():
        files[f"{TESTS}/{path}"] = data
    if (source := course.questions(name)) is not None:
        files[NOTEBOOK] = released(source, course.released(name) / NOTEBOOK)
    return files


def files_of_term(course: Course, assignment: Assignment) -> dict[str, bytes]:
    """What is made from templates, the term's parameters and the table of states: path -> content.

    Raises SetupError.
    """
    folder = course.reference(assignment.name)
    term = load_term(folder / TERM) if (folder / TERM).is_file() else None
    files = {}
    if term:
        files = {TERM: (folder / TERM).read_bytes(), TERM_MODULE: term_module(term).encode("utf-8")}
    template = folder / assignment.handout
    if template.is_file():
        text = render_handout(template.read_text(encoding="utf-8"), assignment, term)
        files[assignment.handout] = text.encode("utf-8")
    if (folder / "states.py").is_file():
        files["states.svg"] = draw_states(folder / "states.py").encode("utf-8")
    return files


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SetupError(
            f"{where}: it is not text, so it cannot say whether students get it. Keep it elsewhere."
        ) from None


def _where(assignment: Assignment, imported: Mapping[int, frozenset[str]], path: str) -> str:
    """The stages that a file belongs to, in words: those of its program, or the first one that imports it."""
    own = {name for name, argv in assignment.programs.items() if path in argv}
    numbers = [stage.number for stage in assignment.stages if own & set(stage.programs)]
    if numbers:
        return f"stage{'s' if len(numbers) > 1 else ''} {' and '.join(map(str, numbers))}"
    first = next((number for number, files in imported.items() if path in files), None)
    return "" if first is None else f"stage {first}"


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder except caches and hidden ones: path relative to it -> content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not _ignored(path.relative_to(folder))
    }


def _ignored(path: Path) -> bool:
    return path.suffix == ".pyc" or any(part == "__pycache__" or part.startswith(".") for part in path.parts)


def is_handwritten(path: str, handout: str) -> bool:
    """Whether a file of assignments/<name> is not made here."""
    return path == handout or path.startswith("handout/")


def differences(course: Course, name: str) -> list[str]:
    """What is missing, extra or different in assignments/<name>, a line each; empty when it is up to date."""
    made, handout = generate(course, name), course.load(name).handout
    folder = course.released(name)
    there = files_of(folder) if folder.is_dir() else {}
    where = f"assignments/{name}"
    lines = [f"{where}/{path}: missing" for path in made if path not in there]
    lines += [f"{where}/{path}: stale" for path in made if path in there and there[path] != made[path]]
    extra = [path for path in there if path not in made and not is_handwritten(path, handout)]
    lines += [f"{where}/{path}: extra; nothing makes it" for path in extra]
    if _own_term_module(course, name, made) is not None:
        lines.append(f"reference/{name}/{TERM_MODULE}: stale")
    if handout not in there and handout not in made:
        lines.append(f"{where}/{handout}: missing; it is written by hand")
    return sorted(lines)


def write_starters(course: Course, name: str) -> list[str]:
    """Bring assignments/<name> up to date; the paths that changed. What is written by hand is left alone."""
    made, folder, handout = generate(course, name), course.released(name), course.load(name).handout
    there = files_of(folder) if folder.is_dir() else {}
    changed = [path for path in made if there.get(path) != made[path]]
    write_files(folder, {path: made[path] for path in changed})
    for path in there:
        if path not in made and not is_handwritten(path, handout):
            (folder / path).unlink()
            changed.append(path)
    paths = [f"assignments/{name}/{path}" for path in changed]
    if module := _own_term_module(course, name, made):
        write_files(course.reference(name), {TERM_MODULE: module})
        paths.append(f"reference/{name}/{TERM_MODULE}")
    return sorted(paths)


def _own_term_module(course: Course, name: str, made: Mapping[str, bytes]) -> bytes | None:
    """The reference's own term.py as it ought to be, if it is not."""
    if TERM_MODULE not in made:
        return None
    path = course.reference(name) / TERM_MODULE
    wanted = f"{GIVEN}\n".encode() + made[TERM_MODULE]
    return None if path.is_file() and path.read_bytes() == wanted else wanted


def write_files(folder: Path, files: Mapping[str, bytes], *, programs: frozenset[str] = frozenset()) -> None:
    """Write files below a folder; `programs` are made executable."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o755 if path in programs else 0o644)
