"""The filter of the student's programs: what it is made of, and what it does to a process of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("seccomp is Linux's", allow_module_level=True)

from harness.lab.node.seccomp import program

ROOT = Path(__file__).parents[4]
_SOURCE = """
import json, os, socket, sys
from harness.lab.node.seccomp import close_what_nobody_needs
def attempt(*words):
    try: socket.socket(*words).close(); return "made"
    except OSError as error: return os.strerror(error.errno)
tried = [(1, 1, 0), (2, 1, 0), (2, 2, 0), (10, 1, 6), (16, 3, 0)]
tried += [(38, 5, 0), (40, 1, 0), (2, 1, 262), (2, 2, 136), (10, 1, 132)]
close_what_nobody_needs()
child = os.fork()
if child == 0:  # and nothing that it starts gets around it
    print(json.dumps([attempt(*words) for words in tried]), flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


def test_sockets_that_are_none_of_the_courses_cannot_be_made() -> None:
    said = subprocess.run([sys.executable, "-c", _SOURCE], cwd=ROOT, capture_output=True, text=True, check=True)
    family, protocol = "Address family not supported by protocol", "Protocol not supported"
    assert json.loads(said.stdout) == ["made"] * 5 + [family] * 2 + [protocol] * 3


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_jump_lands_on_an_answer_the_next_row_or_where_a_block_begins(machine: str) -> None:
    rows = program(machine)
    answers = [at for at, row in enumerate(rows) if row[0] == 0x06]
    assert answers == list(range(len(rows) - 5, len(rows)))
    blocks = [at for at, row in enumerate(rows) if row[0] == 0x20]
    for at, (_, true, false, _) in enumerate(rows):
        for jump in (true, false):
            assert jump == 0 or at + 1 + jump in answers + blocks


_LIMITS = """
import resource
from harness.lab.node.seccomp import close_what_nobody_needs
resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
close_what_nobody_needs()
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.prlimit(0, resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_NOFILE, (77, 77))
print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_no_crash_starts_a_program_of_the_host() -> None:
    said = subprocess.run([sys.executable, "-c", _LIMITS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "(1, 1) (77, 77)\n"


def test_a_machine_whose_numbers_are_not_known_is_left_as_it_is() -> None:
    assert program("riscv64") == []
