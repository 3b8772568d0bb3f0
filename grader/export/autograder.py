"""Autograders for others: Gradescope's is a ZIP with `setup.sh`, `run_autograder` and what they run.

    setup.sh, run_autograder    what Gradescope asks for
    grade.py, assignment        what is run, and for which assignment
    requirements.txt            of the environment that setup.sh makes
    packages                    Debian packages of the course's languages, which setup.sh brings where they are missing
    course/                     the students' repository, as far as this assignment needs it
    judge/                      with hidden checks instead: the grader, this assignment's suites and reference, a secret

Classroom 50's is a folder with `autograder.py` and the same `assignment`, `requirements.txt` and `course/`.

Rule: without hidden checks nothing goes in but what a release would give to students, searched for leaks.
"""

from __future__ import annotations

import io
import secrets
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from grader.course import HARNESS, Course
from grader.release.repository import build
from grader.release.starters import files_of
from harness.course.languages import DEFAULT, packages

_HERE = Path(__file__).resolve().parent
_TEMPLATES = _HERE / "gradescope"
_PROGRAMS = ("setup.sh", "run_autograder")
#: Debian packages that checks need besides those that build: certificates are made, and pages are fetched.
_OF_CHECKS = ("openssl", "ca-certificates", "curl")
#: What the grader needs besides what students need.
_OF_THE_GRADER = "jinja2>=3.1\ndocker>=7\nrequests>=2.31\n"


def gradescope(
    course: Course, name: str, *, hidden: bool = False, secret: str = "", languages: Sequence[str] = DEFAULT
) -> dict[str, bytes]:
    """The files of the archive: path -> content; `secret` is the course's, else a new one. Raises CommandError."""
    course.load(name)
    files = {program: (_TEMPLATES / program).read_bytes() for program in _PROGRAMS}
    files["grade.py"] = (_TEMPLATES / f"grade_{'hidden' if hidden else 'public'}.py").read_bytes()
    files["packages"] = "".join(f"{each}\n" for each in (*packages(languages, "build"), *_OF_CHECKS)).encode()
    files |= _public(course, name)
    if not hidden:
        return files
    files["requirements.txt"] += _OF_THE_GRADER.encode()
    kept = {path: data for path, data in files.items() if not path.startswith("course/")}
    return kept | _judge(course, name, secret or secrets.token_hex(32))


def classroom50(course: Course, name: str) -> dict[str, bytes]:
    """The files of an autograder for Classroom 50: path -> content. Raises CommandError."""
    course.load(name)
    return {"autograder.py": (_HERE / "classroom50" / "autograder.py").read_bytes(), **_public(course, name)}


def _public(course: Course, name: str) -> dict[str, bytes]:
    """What a release would give to students, as far as one assignment needs it."""
    released = build(course)
    wanted = ("harness/", f"{name}/", *(f"{part}/term.toml" for part in course.parts(name)))
    return {
        "assignment": f"{name}\n".encode(),
        "requirements.txt": released["requirements.txt"],
        **{f"course/{path}": data for path, data in released.items() if path.startswith(wanted)},
    }


def _judge(course: Course, name: str, secret: str) -> dict[str, bytes]:
    """A checkout of the course with one assignment."""
    files = {f"harness/{path}": data for path, data in files_of(HARNESS).items()}
    files |= {f"reference/{name}/{path}": data for path, data in files_of(course.reference(name)).items()}
    for part, folder in course.parts(name).items():
        files |= {f"reference/{name}/{part}/{path}": data for path, data in files_of(folder).items()}
    for path, data in files_of(HARNESS.parent / "grader").items():
        if not path.startswith(("suites/", "release/student/", "export/gradescope/", "export/classroom50/")):
            files[f"grader/{path}"] = data
    for suite, folder in course.suites(name).items():
        files |= {f"grader/suites/{name}/{suite}/{path}": data for path, data in files_of(folder).items()}
    files["secret"] = f"{secret}\n".encode()
    return {f"judge/{path}": data for path, data in files.items()}


def archive_of(files: Mapping[str, bytes]) -> bytes:
    """The ZIP; the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for path, data in sorted(files.items()):
            row = zipfile.ZipInfo(path)
            row.compress_type = zipfile.ZIP_DEFLATED
            row.external_attr = (0o100755 if path in _PROGRAMS else 0o100644) << 16
            made.writestr(row, data)
    return out.getvalue()
