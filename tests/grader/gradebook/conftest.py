"""A small course whose folder is an nbgrader course, graded by a bench that follows a script."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import TOML, FakeBench, FakePlace, passing
from terms import Term, served
from typer.testing import CliRunner

import grader.cli.run
import grader.course
from grader.cli.main import app
from grader.course import Course

#: An extension of two points on top of the fifteen.
BONUS = """
[[stages]]
number = 3
title = "An extension"
points = 2
section = "Stage 3"
bonus = true

[[checks]]
id = "test_server.py::test_more"
suite = "public"
stage = 3
points = 2
section = "3.1"
rule = "Do more."
"""


@pytest.fixture
def term(course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alembic_version: str | None) -> Term:
    """A new course folder and the commands of `grader` in it."""
    if alembic_version:
        monkeypatch.setattr("nbgrader.api.get_alembic_version", lambda: alembic_version)
    (course.root / "reference" / "blocking" / "assignment.toml").write_text(
        TOML.replace("[[checks]]", BONUS.split("[[checks]]")[0] + "[[checks]]", 1)
        + "[[checks]]"
        + BONUS.split("[[checks]]")[1]
    )
    bench = FakeBench([[*passing(), {"record": "end"}]])
    monkeypatch.setattr(grader.course, "this_course", lambda: course)
    monkeypatch.setattr(grader.cli.run, "choose_place", lambda *_, **__: FakePlace(lambda: bench))
    folder = tmp_path / "term"
    made = Term(folder, course, bench, lambda words: CliRunner().invoke(app, words))
    made.does("course", "new", folder)
    return made


@pytest.fixture(scope="session")
def alembic_version() -> str | None:
    """The number that nbgrader asks a program for with each new database: asked for once."""
    try:
        from nbgrader import api
    except ImportError:
        return None
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return api.get_alembic_version()


@pytest.fixture
def postgres(server: Callable[[str], str], request: pytest.FixtureRequest) -> str:
    """The address of a database of the test's own."""
    return server(f"d{abs(hash(request.node.nodeid))}")


@pytest.fixture(scope="session")
def server() -> Iterator[Callable[[str], str]]:
    """A PostgreSQL server, run by an ordinary user in a temporary folder; makes databases and says their address."""
    where = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    folder = Path(
        subprocess.run(["mktemp", "-d", "/tmp/pg-XXXXXX"], capture_output=True, text=True, check=True).stdout.strip()
    )
    root = os.geteuid() == 0
    if root:
        subprocess.run(["chown", "postgres", folder], check=True)
    wrap = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if root else []
    settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]

    def run(*words: object) -> None:
        subprocess.run([*wrap, *map(str, words)], check=True, capture_output=True, cwd=folder)

    run(where / "initdb", "-D", folder / "data", "-A", "trust", "-U", "grader", "--no-sync")
    run(where / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", " ".join(settings), "start")
    try:

        def database(name: str) -> str:
            run(where / "createdb", "-h", folder, "-U", "grader", name)
            return f"postgresql://grader@/{name}?host={folder}"

        yield database
    finally:
        run(where / "pg_ctl", "-D", folder / "data", "-w", "-m", "immediate", "stop")
        subprocess.run(["rm", "-rf", folder], check=True)


@pytest.fixture
def jupyter(term: Term, tmp_path: Path) -> Iterator[str]:
    """A Jupyter server over the course's folder, with formgrader in it; its address."""
    formgrader = "--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}"
    with served(term.folder, tmp_path / "teacher", ["-m", "jupyter_server", formgrader]) as address:
        yield address
