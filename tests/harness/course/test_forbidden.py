"""Forbidden names: what counts as a use, which files are read, what is left alone."""

from __future__ import annotations

import ast
import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from harness.course.assignment import parse_assignment
from harness.course.forbidden import ForbiddenUse, find_forbidden, forbidden_message, uses
from harness.course.programs import load_programs

TOML = """\
[assignment]
schema = 1
name = "blocking"
title = "t"
handout = "handout.md"
[programs]
server = ["python3", "server.py"]
[[stages]]
number = 1
title = "t"
points = 1
section = "1"
programs = ["server"]
forbidden = ["asyncio", "os.fork", "sendall", "concurrent.futures"]
[[checks]]
id = "test_a.py::test_a"
suite = "public"
stage = 1
points = 1
section = "1"
rule = "r"
"""
ASSIGNMENT = parse_assignment(TOML, Path("assignment.toml"))


def in_stage_1(folder: Path, programs: Mapping[str, Sequence[str]] | None = None) -> list[ForbiddenUse]:
    """What the only stage's programs use."""
    programs = load_programs(ASSIGNMENT.programs, folder) if programs is None else programs
    return find_forbidden(ASSIGNMENT.rules(programs), folder).get(1, [])


def found(code: str, *names: str) -> list[tuple[str, int]]:
    return list(uses(ast.parse(code), names))


@pytest.mark.parametrize(
    "code",
    [
        "import asyncio",
        "import asyncio as a",
        "import asyncio.streams",
        "from asyncio import run",
        "from asyncio.streams import StreamReader",
        "__import__('asyncio')",
        "import importlib\nimportlib.import_module('asyncio.streams')",
        "def f():\n    import asyncio",
        "try:\n    import asyncio\nexcept ImportError:\n    pass",
    ],
)
def test_a_module_is_found_however_it_is_imported(code: str) -> None:
    assert [name for name, _ in found(code, "asyncio")] == ["asyncio"]


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.fork()",
        "import os as o\no.fork()",
        "from os import fork",
        "from os import fork as f",
        "import os\ngetattr(os, 'fork')()",
        "from os import *\nfork()",
    ],
)
def test_a_member_is_found_under_any_alias(code: str) -> None:
    assert [name for name, _ in found(code, "os.fork")] == ["os.fork"]


@pytest.mark.parametrize(
    "code", ["s.sendall(b'')", "send = sock.sendall", "socket.socket.sendall(s, b'')", "getattr(s, 'sendall')"]
)
def test_an_attribute_is_found_on_anything(code: str) -> None:
    assert [name for name, _ in found(code, "sendall")] == ["sendall"]


def test_a_builtin_is_found() -> None:
    assert found("x = 1\neval('x')", "eval") == [("eval", 2)]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("# asyncio\n'''asyncio'''\nprint('asyncio')", "asyncio"),
        ("import asyncio_like", "asyncio"),
        ("from .asyncio import run", "asyncio"),
        ("import os\nos.forkpty()", "os.fork"),
        ("table.fork()", "os.fork"),
        ("selector.select()", "select"),
        ("def sendall(sock, data): ...\nsendall(s, b'')", "sendall"),
        ("class C:\n    def sendall(self): ...\n    def f(self): self.sendall()", "sendall"),
    ],
)
def test_what_only_looks_alike_is_left_alone(code: str, name: str) -> None:
    assert found(code, name) == []


def test_local_modules_are_followed_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("from framing import read\nimport package.inner\n")
    (tmp_path / "framing.py").write_text("\nimport asyncio\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("from . import sibling\n")
    (tmp_path / "package" / "inner.py").write_text("import os\nos.fork()\n")
    (tmp_path / "package" / "sibling.py").write_text("s.sendall(b'')\ns.sendall(b'')\n")
    (tmp_path / "unused.py").write_text("import asyncio\n")
    assert in_stage_1(tmp_path) == [
        ForbiddenUse("asyncio", "framing.py", 2),
        ForbiddenUse("os.fork", "package/inner.py", 2),
        ForbiddenUse("sendall", "package/sibling.py", 1),
    ]


def test_the_submissions_own_programs_table_counts(tmp_path: Path) -> None:
    (tmp_path / "programs.toml").write_text('[programs]\nserver = ["./mine"]\n')
    (tmp_path / "mine").write_text("#!/usr/bin/env python3\nimport asyncio\n")
    assert in_stage_1(tmp_path) == [ForbiddenUse("asyncio", "mine", 2)]


@pytest.mark.parametrize("argv", [["python3", "-m", "mine"], ["python3", "-B", "mine.py"], ["./mine.py"]])
def test_a_program_is_found_however_it_is_started(tmp_path: Path, argv: list[str]) -> None:
    (tmp_path / "mine.py").write_text("import asyncio\n")
    assert in_stage_1(tmp_path, {"server": argv})


@pytest.mark.parametrize("data", [b"\x7fELF import asyncio", b"import asyncio(", b"\0", b"(" * 5000])
def test_what_python_cannot_read_has_no_names_unless_python_starts_it(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "server.py").write_bytes(data)
    (found,) = in_stage_1(tmp_path)
    assert "cannot read it" in found.unread
    assert in_stage_1(tmp_path, {"server": ["./server.py"]}) == []  # the kernel starts it, and may know what it is
    (tmp_path / "more.py").write_bytes(data)
    (tmp_path / "server.py").write_text("import more\n")
    assert in_stage_1(tmp_path) == []  # it cannot be imported either


def test_an_archive_is_not_looked_through_whatever_is_in_front_of_it(tmp_path: Path) -> None:
    """Python runs __main__.py of a file that ends in a ZIP archive, and takes the text before it for nothing."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("__main__.py", "import asyncio\n")
    (tmp_path / "server.py").write_bytes(b"import socket\n" + archive.getvalue())
    (found,) = in_stage_1(tmp_path)
    assert "it is an archive" in found.unread


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"import asyncio\n" + b"#" * 1_000_000, "its sources are larger than 1,000,000 bytes"),
        (b"x = " + b"-" * 100_000 + b"1\nimport asyncio\n", "it is nested too deeply"),
    ],
    ids=["large", "deep"],
)
def test_what_cannot_be_looked_through_gives_no_points(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "server.py").write_text("import more\n")
    (tmp_path / "more.py").write_bytes(data)
    (found,) = in_stage_1(tmp_path)
    message = forbidden_message(1, [found])
    assert message == f"Stage 1 forbids some names, and more.py cannot be looked through: {why}."


def test_many_files_together_have_a_bound(tmp_path: Path) -> None:
    names = [f"part{number}" for number in range(5)]
    (tmp_path / "server.py").write_text("".join(f"import {name}\n" for name in names))
    for name in names:
        (tmp_path / f"{name}.py").write_bytes(b"#" * 999_990)
    found = in_stage_1(tmp_path)
    assert found and all(one.unread for one in found)


def test_whatever_stands_behind_python3_is_python(tmp_path: Path) -> None:
    (tmp_path / "daytime_server").write_text("import asyncio\n")
    for argv in (["python3", "daytime_server"], ["/usr/bin/python3", "-u", "daytime_server", "--port", "1"]):
        assert in_stage_1(tmp_path, {"server": argv})


def test_a_name_of_many_dots_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("import " + ".".join("a" * 30_000) + "\nimport asyncio\n")
    assert [found.name for found in in_stage_1(tmp_path)] == ["asyncio"]


@pytest.mark.parametrize("options", [["-X", "dev"], ["-W", "error"], ["-IB"], ["-X", "dev", "-u"]])
def test_options_do_not_hide_the_program(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "app").write_text("import asyncio\n")
    (tmp_path / "settings.ini").write_text("[not python")
    assert [found.name for found in in_stage_1(tmp_path, {"server": ["python3", *options, "app", "settings.ini"]})] == [
        "asyncio"
    ]


def test_what_comes_after_too_many_modules_is_not_unseen(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("".join(f"import a{number}\n" for number in range(2_600)) + "import more\n")
    (tmp_path / "more.py").write_text("import asyncio\n")
    assert any(found.unread for found in in_stage_1(tmp_path))


def test_links_are_followed_as_python_does(tmp_path: Path) -> None:
    """What is handed in has none; a build may make some."""
    (tmp_path / "elsewhere.txt").write_text("import asyncio\n")
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "server.py").symlink_to("../elsewhere.txt")
    assert [found.name for found in in_stage_1(inside)] == ["asyncio"]


def test_nothing_outside_the_folder_and_no_pipe_is_read(tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("import asyncio\n")
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "server.py").write_text("__import__('/outside')\nimport pipe\nimport os\n")
    os.mkfifo(inside / "pipe.py")
    assert in_stage_1(inside) == []
    for argv in (["python3", "../outside.py"], ["python3", str(tmp_path / "outside.py")]):
        assert in_stage_1(inside, {"server": argv}) == []


def test_the_message_names_each_use_once() -> None:
    findings = [ForbiddenUse("asyncio", f"f{n}.py", n) for n in range(7)]
    message = forbidden_message(2, findings)
    assert message.startswith("Stage 2 forbids asyncio (f0.py, line 0), ")
    assert message.endswith("and 2 more.")


@pytest.mark.parametrize(
    "argv",
    [
        ("python3", "/work/client.py"),
        ("python3", "./x/../client.py"),
        ("/usr/bin/python3", "-B", "/build/client.py"),
        ("sh", "-c", "exec python3 $PWD/client.py"),
        ("env", "python3", "-c", "import client"),
    ],
    ids=" ".join,
)
def test_no_way_to_start_a_program_hides_what_it_uses(tmp_path: Path, argv: tuple[str, ...]) -> None:
    (tmp_path / "client.py").write_text("import asyncio\n")
    (tmp_path / "x").mkdir()
    assert in_stage_1(tmp_path, {"server": argv})
