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
    assert answers == list(range(len(rows) - 7, len(rows)))
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


_SHARED = """
import ctypes, fcntl, json, os, socket, struct, tempfile
from harness.lab.node.seccomp import close_what_nobody_needs
libc = ctypes.CDLL(None, use_errno=True)
def attempt(call):
    try: return str(call())
    except OSError as error: return errno_of(error.errno)
def errno_of(number):
    return os.strerror(number)
def raw(number, *words):
    return "done" if libc.syscall(number, *words) == 0 else errno_of(ctypes.get_errno())
close_what_nobody_needs()
file = tempfile.TemporaryFile()
file.write(b"kept")
file.flush()
code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
option = struct.pack("HxxxxxxP", 1, ctypes.addressof(code))
sock = socket.socket()
lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 1, 0)
print(json.dumps({
    "record locks": [attempt(lambda: fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)),
                     attempt(lambda: fcntl.fcntl(file, 37, lock))],
    "whole locks": attempt(lambda: fcntl.flock(file, fcntl.LOCK_EX)),
    "flags": attempt(lambda: fcntl.fcntl(file, fcntl.F_GETFD)),
    "filters": [attempt(lambda number=number: sock.setsockopt(1, number, option)) for number in (26, 50, 51, 52)],
    "options": attempt(lambda: sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)),
    "another level": attempt(lambda: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)),
    "disk": [attempt(os.sync), attempt(lambda: os.fsync(file.fileno())), attempt(lambda: os.fdatasync(file.fileno())),
             attempt(lambda: os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED))],
    "reading": attempt(lambda: os.preadv(file.fileno(), [bytearray(4)], 0)),
    "peeping": attempt(lambda: os.preadv(file.fileno(), [bytearray(4)], 0, os.RWF_NOWAIT)),
    "cachestat": raw(451, file.fileno(), 0, 0, 0),
}))
"""


def test_what_all_share_cannot_be_used_up_or_looked_into() -> None:
    said = subprocess.run([sys.executable, "-c", _SHARED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == {
        "record locks": ["No locks available"] * 2,
        "whole locks": "None",
        "flags": "1",
        "filters": ["Protocol not available"] * 4,
        "options": "None",
        "another level": "None",
        "disk": ["None"] * 4,
        "reading": "4",
        "peeping": "Operation not supported",
        "cachestat": "Function not implemented",
    }


def test_a_machine_whose_numbers_are_not_known_is_left_as_it_is() -> None:
    assert program("riscv64") == []
