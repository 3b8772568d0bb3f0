"""What a compiled program uses is read from its file: real programs of cc, and of Go by what its linker leaves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.course.forbidden import StageRule
from harness.course.look import compiled
from harness.course.native import Unreadable, used

FUNCTIONS, PACKAGES = ("pthread_create", "fork"), ("net/http", "os/exec")
THREADS = """
#include <pthread.h>
static void *nothing(void *none) { return none; }
int main(void) { pthread_t thread; return pthread_create(&thread, 0, nothing, 0); }
"""
HARMLESS = '#include <stdio.h>\nint main(void) { return puts("fork and pthread_create are mentioned only") < 0; }\n'

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


def program(folder: Path, source: str, *options: str) -> Path:
    (folder / "program.c").write_text(source)
    subprocess.run(["cc", "program.c", "-o", "program", *options], cwd=folder, check=True)
    return folder / "program"


@needs_cc
@pytest.mark.parametrize("options", [(), ("-s",), ("-no-pie",), ("-Wl,--hash-style=sysv",)])
def test_what_a_program_wants_from_its_libraries_is_seen(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert used(program(tmp_path, THREADS, *options), FUNCTIONS, PACKAGES) == ["pthread_create"]
    assert used(program(tmp_path, HARMLESS, *options), FUNCTIONS, PACKAGES) == []


@needs_cc
def test_a_static_program_says_nothing_and_that_is_told(tmp_path: Path) -> None:
    static = program(tmp_path, HARMLESS, "-static")
    with pytest.raises(Unreadable, match="linked statically"):
        used(static, FUNCTIONS, PACKAGES)
    assert used(static, (), PACKAGES) == []


def test_a_package_of_go_is_there_if_a_function_of_it_is(tmp_path: Path) -> None:
    runtime = b"".join(b"runtime.f%d\0" % number for number in range(1500))
    image = b"\x7fELF\2\1" + bytes(58) + b"\xff Go buildinf:" + bytes(9) + runtime
    (tmp_path / "with").write_bytes(image + b"main.main\0net/http.(*Client).Do\0")
    (tmp_path / "without").write_bytes(
        image + b"main.main\0fmt.Println\0" + b"text about net/http.Get\0os/exec is nice\0"
    )
    assert used(tmp_path / "with", FUNCTIONS, PACKAGES) == ["net/http"]
    assert used(tmp_path / "without", FUNCTIONS, PACKAGES) == []


#: A mark of Go's linker, which makes no program of C one of Go; it is in no list of names either.
MARKED = THREADS + 'char mark[] = "\\xff Go buildinf:", runtime[] = "\\0runtime.main\\0runtime.goexit";\n'


@needs_cc
def test_who_says_that_he_is_a_program_of_go_is_looked_through_all_the_same(tmp_path: Path) -> None:
    assert used(program(tmp_path, MARKED), FUNCTIONS, PACKAGES) == ["pthread_create"]
    with pytest.raises(Unreadable, match="linked statically"):
        used(program(tmp_path, MARKED, "-static"), FUNCTIONS, PACKAGES)


@needs_cc
def test_a_program_of_go_that_has_libraries_is_asked_for_them_too(tmp_path: Path) -> None:
    names = "".join(f"\\0runtime.f{number}" for number in range(1500))
    source = MARKED + f'char names[] = "{names}\\0net/http.Get";\n'
    assert used(program(tmp_path, source), FUNCTIONS, PACKAGES) == ["net/http", "pthread_create"]


@pytest.mark.parametrize("damage", range(0, 400, 7))
def test_headers_that_lie_are_no_program(tmp_path: Path, damage: int) -> None:
    image = bytearray(b"\x7fELF\2\1" + bytes(394))
    image[32:40], image[54:58] = (64).to_bytes(8, "little"), (56).to_bytes(2, "little") + b"\xff\xff"
    image[64:68] = (2).to_bytes(4, "little")
    image[max(6, damage)] = 0xFF
    (tmp_path / "lies").write_bytes(image)
    with pytest.raises(Unreadable):
        used(tmp_path / "lies", FUNCTIONS, PACKAGES)


def test_what_is_not_a_program_uses_nothing(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\nexec pthread_create\n")
    assert used(tmp_path / "script", FUNCTIONS, PACKAGES) == used(tmp_path / "missing", FUNCTIONS, PACKAGES) == []


@needs_cc
def test_a_stage_says_what_it_forbids_and_which_program_uses_it(tmp_path: Path) -> None:
    program(tmp_path, THREADS)
    rule = StageRule(4, ("asyncio",), (("./program", "--fast"), ("python3", "main.py")), FUNCTIONS, PACKAGES)
    assert compiled([rule], tmp_path) == {4: "Stage 4 forbids pthread_create (program uses it)."}
    assert compiled([StageRule(4, (), (("./program",),), ("fork",))], tmp_path) == {}
    assert compiled([StageRule(4, (), (("../program",),), FUNCTIONS)], tmp_path / "elsewhere") == {}
