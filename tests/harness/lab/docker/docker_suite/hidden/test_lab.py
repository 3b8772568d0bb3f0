"""Run inside the lab, by harness.tester.run in a tester node: what a submission can do there, and what it cannot.

The program `run` takes Python source. tests/harness/lab/docker/test_docker_lab.py reads the verdicts outside.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time

import pytest

from harness.testing import Broken, CannotStart, Mangle, Profile

#: The beginning of a client: where it is told to connect.
CONNECT = "import socket, sys\nh, p = sys.argv[1].rsplit(':', 1)\n"


def told(lab, source, *words):
    """What a program prints as JSON."""
    program = lab.runs("run", source, *words)
    program.exits(0, within=15)
    return json.loads(program.stdout)


# -- who a program is ----------------------------------------------------------------------------------------------


def test_a_program_is_an_ordinary_user_without_capabilities(lab):
    seen = told(
        lab,
        """
import json, os, signal
rows = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
os.umask(mask := os.umask(0))
print(json.dumps({"uids": rows["Uid"].split(), "gids": rows["Gid"].split(), "groups": os.getgroups(),
  "caps": [rows[k] for k in ("CapInh", "CapPrm", "CapEff", "CapAmb")], "new": rows["NoNewPrivs"],
  "seccomp": rows["Seccomp"], "env": sorted(set(os.environ) - {"LC_CTYPE"}), "cwd": os.getcwd(), "mask": mask,
  "leader": os.getsid(0) == os.getpid(), "files": sorted(map(int, os.listdir("/proc/self/fd")))[:3],
  "count": len(os.listdir("/proc/self/fd")), "adj": open("/proc/self/oom_score_adj").read().strip(),
  "ignored": int(rows["SigIgn"], 16), "blocked": int(rows["SigBlk"], 16)}))
""",
    )
    assert set(seen["uids"]) == set(seen["gids"]) and {40000 <= int(uid) < 41024 for uid in seen["uids"]} == {True}
    assert seen["groups"] == []
    assert {int(caps, 16) for caps in seen["caps"]} == {0}
    assert (seen["new"], seen["seccomp"]) == ("1", "2")
    assert seen["env"] == ["HOME", "LANG", "LOGNAME", "PATH", "USER"]
    assert (seen["cwd"], seen["mask"], seen["leader"]) == ("/work", 0o022, True)
    assert (seen["files"], seen["count"]) == ([0, 1, 2], 4)  # the fourth lists the folder
    assert (seen["adj"], seen["blocked"]) == ("1000", 0)
    assert seen["ignored"] & ~(1 << 12 | 1 << 24) == 0  # Python itself ignores SIGPIPE and SIGXFSZ


def test_nothing_but_its_own_folders_can_be_written(lab):
    seen = told(
        lab,
        """
import json, os
wrote = []
for folder in ("/", "/usr", "/etc", "/submission", "/build", "/files", "/lab", "/agent", "/dev", "/proc/sys/net",
               "/sys", "/run", "/var/tmp", "/work", "/tmp", "/dev/shm"):
    try:
        open(folder + "/x", "w").close()
        wrote.append(folder)
    except OSError:
        pass
print(json.dumps(wrote))
""",
    )
    assert seen == ["/work", "/tmp", "/dev/shm"]


def test_secrets_and_the_agent_are_out_of_reach(lab):
    seen = told(
        lab,
        """
import glob, json, os
def attempt(what, *words):
    try: return repr(what(*words))
    except OSError as error: return error.strerror
print(json.dumps({
  "agent": attempt(os.listdir, "/agent"), "code": os.path.exists("/code"), "trusted": os.path.exists("/trusted"),
  "kill": attempt(os.kill, 1, 9), "environment": attempt(open, "/proc/1/environ"),
  "memory": attempt(open, "/proc/1/mem"),
  "descriptors": attempt(os.listdir, "/proc/1/fd"), "root": attempt(os.listdir, "/proc/1/root"),
  "docker": attempt(os.stat, "/var/run/docker.sock"), "others": len(glob.glob("/proc/[0-9]*")),
  "in common": [n for path in ("/lab", "/submission") for n in os.listdir(path)],
  "setuid": [os.path.join(f, n) for f, _, names in os.walk("/usr") for n in names
             if os.lstat(os.path.join(f, n)).st_mode & 0o6000]}))
""",
    )
    assert (
        seen["agent"]
        == seen["environment"]
        == seen["memory"]
        == seen["descriptors"]
        == seen["root"]
        == "Permission denied"
    )
    assert seen["kill"] == "Operation not permitted"
    assert (seen["code"], seen["trusted"], seen["docker"]) == (False, False, "No such file or directory")
    assert seen["others"] == 2
    assert seen["setuid"] == []
    assert seen["in common"] == []


def test_the_network_is_the_wire_and_nothing_else(lab):
    seen = told(
        lab,
        """
import ctypes, json, socket, subprocess
libc = ctypes.CDLL(None, use_errno=True)
def attempt(what):
    try: return repr(what())
    except OSError as error: return type(error).__name__
def connect(host, port, kind=socket.AF_INET):
    with socket.socket(kind) as s:
        s.settimeout(0.3); s.connect((host, port)); return "connected"
def resolve():
    socket.setdefaulttimeout(0.2); return socket.gethostbyname("localhost.invalid")
libc.syscall.restype = ctypes.c_long
print(json.dumps({
  "interfaces": sorted(n for _, n in socket.if_nameindex()),
  "raw": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
  "ping": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)),
  "packet": attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
  "user namespace": libc.unshare(0x10000000), "network namespace": libc.unshare(0x40000000),
  "mount": libc.mount(b"tmpfs", b"/work", b"tmpfs", 0, None),
  "link v4": attempt(lambda: connect("10.77.2.1", 22)), "link far": attempt(lambda: connect("10.77.1.1", 22)),
  "link v6": attempt(lambda: connect("fd77:2::1", 22, socket.AF_INET6)),
  "bridge": attempt(lambda: connect("172.17.0.1", 22)), "metadata": attempt(lambda: connect("169.254.169.254", 80)),
  "internet": attempt(lambda: connect("192.0.2.1", 53)), "name": attempt(resolve),
}))
""",
    )
    assert seen["interfaces"] == ["eth0", "lo"]
    assert (seen["raw"], seen["ping"], seen["packet"]) == ("PermissionError", "PermissionError", "OSError")
    assert seen["user namespace"] == seen["network namespace"] == seen["mount"] == -1
    for name in ("link v4", "link far", "link v6", "bridge", "metadata", "internet"):
        assert seen[name] in ("TimeoutError", "OSError", "ConnectionRefusedError"), name
    assert seen["name"] == "gaierror"


def test_only_the_sockets_of_the_course_can_be_made(lab):
    seen = told(
        lab,
        """
import ctypes, json, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def attempt(*words):
    try: socket.socket(*words).close(); return "made"
    except OSError as error: return error.errno
def call(number):
    ctypes.set_errno(0)
    return [libc.syscall(number, 1, None, 0, None, 0), ctypes.get_errno()]
families = {f: attempt(f, socket.SOCK_DGRAM, 0) for f in range(46) if attempt(f, socket.SOCK_DGRAM, 0) == "made"}
families.update({f: "made" for f in range(46) if attempt(f, socket.SOCK_STREAM, 0) == "made"})
print(json.dumps({
  "families": sorted(families), "pair": len(socket.socketpair()),
  "vsock": attempt(40, socket.SOCK_STREAM, 0), "alg": attempt(38, socket.SOCK_SEQPACKET, 0),
  "mptcp": attempt(socket.AF_INET, socket.SOCK_STREAM, 262), "lite": attempt(socket.AF_INET6, socket.SOCK_DGRAM, 136),
  "sctp": attempt(socket.AF_INET, socket.SOCK_STREAM, 132), "tcp": attempt(socket.AF_INET, socket.SOCK_STREAM, 6),
  "udp": attempt(socket.AF_INET, socket.SOCK_DGRAM, 17), "ring": [call(number) for number in (425, 426, 427)]}))
""",
    )
    assert seen["families"] == [1, 2, 10, 16]
    assert seen["vsock"] == seen["alg"] == 97  # EAFNOSUPPORT
    assert seen["mptcp"] == seen["lite"] == seen["sctp"] == 93  # EPROTONOSUPPORT
    assert (seen["tcp"], seen["udp"], seen["pair"]) == ("made", "made", 2)
    assert seen["ring"] == [[-1, 38]] * 3  # ENOSYS


def test_a_program_whose_file_is_held_is_an_error_soon(lab):
    source = """
import fcntl, os, shutil, signal, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
shutil.copy("/bin/true", "held")
os.chmod("held", 0o755)
fcntl.fcntl(os.open("held", os.O_RDWR), fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
time.sleep(60)
"""
    holder = lab.runs("run", source)
    holder.prints_line()
    begun = time.monotonic()
    with pytest.raises(CannotStart, match="did not start within 5 s: the submission itself holds its file"):
        lab.runs("held")
    assert time.monotonic() - begun < 10
    assert told(lab, "print('1')") == 1


def test_the_route_cannot_be_changed(lab):
    source = """
import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
s.bind((0, 0))
# rtnetlink(7): RTM_DELROUTE of the default route, then RTM_SETLINK eth0 down
route, down = struct.pack("BBBBBBBBI", 2, 0, 0, 0, 254, 0, 0, 1, 0), struct.pack("BBHiII", 0, 0, 0, 2, 0, 1)
for kind, body in ((25, route), (19, down)):
    s.send(struct.pack("IHHII", 16 + len(body), kind, 5, 1, 0) + body)
    answer = s.recv(4096)
    print(struct.unpack("i", answer[16:20])[0])
"""
    program = lab.runs("run", source)
    program.prints(b"-1\n-1\n")


# -- what it can use up --------------------------------------------------------------------------------------------


def test_a_fork_bomb_is_survived(lab):
    bomb = "import os, signal\nsignal.signal(15, signal.SIG_IGN)\nwhile True:\n  try: os.fork()\n  except OSError: pass"
    lab.runs("run", bomb)
    assert lab.waits_until(lambda: lab.node.trouble() is not None, within=5)
    assert "refused to start" in lab.node.trouble()
    assert lab.kernel.usage().processes >= 32
    with pytest.raises(CannotStart, match="full of the submission's processes"):
        for _ in range(20):
            lab.node.start(["true"])
    lab.node.fresh()
    assert lab.kernel.usage().processes == 0
    assert lab.node.trouble() is None
    assert told(lab, "print(1)") == 1


def test_a_memory_hog_is_ended_and_the_reason_known(lab):
    program = lab.runs("run", "b = []\nwhile True: b.append(bytearray(b'x' * 1000000))")
    program.exits(-9, within=15)
    assert "memory limit of 256 MB" in lab.node.trouble()
    lab.node.fresh()
    assert lab.node.trouble() is None
    assert told(lab, "print(1)") == 1


def test_no_program_moves_the_memory_killer_on_to_the_agent(lab):
    source = (
        "try:\n    open('/proc/self/oom_score_adj', 'w').write('0')\nexcept OSError as e:\n    print(e.strerror)\n"
        "print(open('/proc/self/oom_score_adj').read(), end='')"
    )
    lab.runs("run", source).prints(b"Read-only file system\n1000\n")


def test_usage_is_told_whatever_a_process_calls_itself(lab):
    name = "import ctypes, time\nctypes.CDLL(None).prctl(15, b'\\xff\\xfe', 0, 0, 0)\n"
    lab.runs("run", name + "print('on', flush=True)\ntime.sleep(60)").prints_line()
    assert lab.kernel.usage().processes == 1


def test_full_folders_leave_the_agent_alive(lab):
    source = """
import os, sys
def fill(folder):
    try:
        for n in range(100):
            with open(f"{folder}/{n}", "wb") as f:
                for _ in range(7): f.write(b"x" * 1000000)
    except OSError as error: print(folder, error.strerror)
for folder in ("/work", "/tmp", "/dev/shm"): fill(folder)
b = []
sys.stdout.flush()
while True: b.append(bytearray(b'x' * 1000000))
"""
    program = lab.runs("run", source)
    program.exits(-9, within=15)
    assert program.stdout.count(b"No space left on device") == 3
    assert lab.node.put_file("given", b"x" * 1000) == "/files/given"
    lab.node.fresh()
    assert told(lab, "print(1)") == 1


def test_inodes_run_out_before_the_machine_does(lab):
    source = """
import os
try:
    for n in range(10**6): os.mkdir(f"/work/{n}")
except OSError as error: print(error.strerror)
"""
    program = lab.runs("run", source)
    program.exits(0, within=15)
    assert program.stdout == b"No space left on device\n"


def test_limits_of_files_and_their_size(lab):
    seen = told(
        lab,
        """
import json, os, resource
files = []
try:
    while True: files.append(os.open("/dev/null", 0))
except OSError as error: many = error.strerror
for f in files: os.close(f)
try:
    with open("/work/big", "wb") as f:
        for _ in range(20): f.write(b"x" * 1000000)
except OSError as error: big = error.strerror
print(json.dumps([len(files), many, big, resource.getrlimit(resource.RLIMIT_CORE)]))
""",
    )
    assert 245 <= seen[0] <= 253
    assert seen[1:] == ["Too many open files", "File too large", [1, 1]]


def test_a_flood_of_output_ends_the_program_only(lab):
    program = lab.runs("run", "import os\nwhile True: os.write(1, b'x' * 65536)")
    assert lab.waits_until(lambda: not program.runs(), within=10)
    assert len(program.stdout) == 1_000_000
    assert told(lab, "print(1)") == 1


def test_spinning_programs_do_not_make_the_agent_deaf(lab):
    for _ in range(16):
        lab.runs("run", "while True: pass")
    assert lab.waits_until(lambda: lab.kernel.usage().cpu_seconds > 1.0, within=10)
    begun = lab.now()
    lab.node.fresh()
    assert lab.now() - begun < 2.0
    assert lab.kernel.usage().processes == 0


# -- what is left afterwards ---------------------------------------------------------------------------------------


def test_a_daemon_does_not_outlive_its_test(lab):
    source = """
import os, signal, socket, sys, time
s = socket.create_server(("0.0.0.0", 7777))
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
print("there", flush=True)
while True: time.sleep(100)
"""
    daemon = lab.runs("run", source)
    assert daemon.prints_line() == b"there"
    assert lab.waits_until(lambda: lab.kernel.usage().processes == 1)  # its parents have ended
    with socket.create_connection(("10.77.2.2", 7777), 3):
        pass
    lab.node.fresh()
    assert lab.kernel.usage().processes == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("10.77.2.2", 7777), 3)


#: A launcher that takes the signals, and a daemon that serves on. Both ends of a session apart.
LAUNCHER = """
import os, signal, socket, sys, time
s = socket.create_server(("0.0.0.0", 0))
if os.fork() == 0:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    print("listening on 0.0.0.0:%d" % s.getsockname()[1], flush=True)
    while True:
        c, _ = s.accept()
        c.sendall(b"here")
        c.close()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while True: signal.pause()
"""


def test_who_stops_a_program_stops_all_of_it(lab):
    server = lab.serves("run", flags=[LAUNCHER])
    assert lab.connects(server).reads(4) == b"here"
    server.signal(signal.SIGSTOP)
    silent = lab.connects(server)
    with pytest.raises(Broken):
        silent.reads(4, within=0.3)
    server.signal(signal.SIGCONT)
    assert silent.reads(4) == b"here"


def test_a_program_has_ended_when_all_of_it_has(lab):
    server = lab.serves("run", flags=[LAUNCHER])
    with pytest.raises(Broken, match="ended, but not all of it"):
        server.terminates()


def test_another_program_is_none_of_its_family(lab):
    other = lab.serves("echo")
    server = lab.serves("echo")
    server.signal(signal.SIGSTOP)
    peer = lab.connects(other)
    peer.sends(b"still")
    assert peer.reads(5) == b"still"
    server.signal(signal.SIGTERM)
    server.signal(signal.SIGCONT)
    server.exits(-signal.SIGTERM)


def test_a_flood_ends_the_capture_of_its_own_test(lab):
    sink = lab.listens_udp()
    source = (
        CONNECT
        + """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((h.removeprefix("udp:"), int(p)))
while True:
    try: s.send(bytes(1400))
    except OSError: pass
"""
    )
    lab.runs("run", source, sink.address)
    assert lab.waits_until(lab.network.flooded, within=60.0)


def test_a_flood_is_forgotten_in_the_next_test(lab):
    assert not lab.network.flooded()
    server = lab.serves("echo", at="udp:0.0.0.0:0")
    udp = lab.datagrams(server)
    udp.sends(b"heard")
    udp.receives()
    assert lab.waits_until(lambda: len(lab.network.packets(lab.since, time.time())) == 2)


def test_what_waits_in_pipes_and_unix_sockets_is_memory(lab):
    source = """
import fcntl, os, socket, time
held = []
for _ in range(8):
    reading, writing = os.pipe()
    fcntl.fcntl(writing, 1031, 1 << 20)  # F_SETPIPE_SZ
    os.set_blocking(writing, False)
    held.append((reading, writing, os.write(writing, bytes(1 << 20))))
print(sum(row[2] for row in held), flush=True)
input()
held = [socket.socketpair() for _ in range(40)]
total = 0
for one, _ in held:
    one.setblocking(False)
    try:
        while True: total += one.send(bytes(16384))
    except BlockingIOError: pass
print(total, flush=True)
time.sleep(60)
"""
    before = lab.kernel.usage().memory_bytes
    program = lab.runs("run", source)
    piped = int(program.prints_line())
    assert lab.kernel.usage().memory_bytes - before > piped * 0.75
    program.stdin_sends(b"\n")
    assert lab.waits_until(lambda: program.stdout.count(b"\n") == 2)
    queued = int(program.stdout.split()[1])
    assert lab.kernel.usage().memory_bytes - before > queued * 0.75


def test_pages_that_are_only_in_a_pipe_are_memory(lab):
    source = """
import fcntl, os, time
held = []
for number in range(8):
    file = os.open(f"/work/f{number}", os.O_RDWR | os.O_CREAT)
    os.write(file, bytes(1 << 20))
    reading, writing = os.pipe()
    fcntl.fcntl(writing, 1031, 1 << 20)  # F_SETPIPE_SZ
    os.splice(file, writing, 1 << 20, offset_src=0, flags=2)  # SPLICE_F_NONBLOCK
    os.ftruncate(file, 0)
    held.append((reading, writing))
print("held", flush=True)
time.sleep(60)
"""
    before = lab.kernel.usage().memory_bytes
    lab.runs("run", source).prints_line()
    assert lab.kernel.usage().memory_bytes - before > 5 << 20


def test_what_connections_hold_in_the_kernel_is_bounded(lab):
    """cgroup v2 counts it as memory of the node; v1 counts it apart, and only where there is a limit."""
    source = """
import json, os, socket
folder = "/sys/fs/cgroup/memory/memory.kmem.tcp."
def told(name): return int(open(folder + name).read()) if os.path.exists(folder + name) else None
server = socket.create_server(("127.0.0.1", 0))
held = []
for _ in range(40):
    held.append(socket.create_connection(server.getsockname()))
    held.append(server.accept()[0])
    held[-2].setblocking(False)
    try:
        while True: held[-2].send(bytes(65536))
    except BlockingIOError: pass
print(json.dumps([told("limit_in_bytes"), told("usage_in_bytes")]))
"""
    limit, used = told(lab, source)
    assert limit in (None, 256 << 20)
    assert limit is None or 40 * 65536 < used <= limit


def test_a_process_whose_first_thread_has_ended_is_seen(lab):
    source = """
import ctypes, os, socket, sys, threading, time
s = socket.create_server(("0.0.0.0", 0))
def serve():
    print("listening on 0.0.0.0:%d" % s.getsockname()[1], flush=True)
    while True:
        c, _ = s.accept()
        c.sendall(b"here")
        c.close()
for _ in range(3): threading.Thread(target=serve if not _ else lambda: time.sleep(60)).start()
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)  # exit(2): this thread only
"""
    server = lab.serves("run", flags=[source])
    assert lab.connects(server).reads(4) == b"here"
    seen = lab.kernel.usage()
    assert (seen.processes, seen.open_files >= 4, tuple(seen.runtimes)) == (1, True, ("python",))
    server.signal(signal.SIGSTOP)
    silent = lab.connects(server)
    with pytest.raises(Broken):
        silent.reads(4, within=0.3)
    server.signal(signal.SIGCONT)
    assert silent.reads(4) == b"here"


def test_idle_connections_and_threads_are_no_hidden_memory(lab):
    source = """
import socket, threading, time
s = socket.create_server(("127.0.0.1", 0), backlog=200)
held = [(socket.create_connection(s.getsockname()), s.accept()[0]) for _ in range(100)]
for _ in range(30): threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
import resource
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, flush=True)
time.sleep(60)
"""
    before = lab.kernel.usage().memory_bytes
    resident = int(lab.runs("run", source).prints_line())
    assert lab.kernel.usage().memory_bytes - before <= resident


def test_no_file_outlives_its_test(lab):
    source = """
import ctypes, os
for folder in ("/work", "/tmp", "/dev/shm"): open(folder + "/left", "w").close()
libc = ctypes.CDLL(None, use_errno=True)
assert libc.shmget(77, 4096, 0o1600) >= 0 and libc.semget(77, 1, 0o1600) >= 0 and libc.msgget(77, 0o1600) >= 0
librt = ctypes.CDLL("librt.so.1", use_errno=True)
assert librt.mq_open(b"/left", 0o102, 0o600, None) >= 0, os.strerror(ctypes.get_errno())
"""
    lab.runs("run", source).exits(0)
    assert lab.kind_of("/tmp/left") == "file"
    lab.put_file("given", b"x")
    lab.node.fresh()
    seen = told(
        lab,
        """
import json, os
folders = ("/work", "/tmp", "/dev/shm", "/files", "/dev/mqueue")
print(json.dumps([*map(os.listdir, folders),
  [len(open(f"/proc/sysvipc/{k}").readlines()) for k in ("shm", "sem", "msg")]]))
""",
    )
    assert seen == [["echo.py"], [], [], [], [], [1, 1, 1]]


def test_no_connection_outlives_its_test(lab):
    server = lab.serves("echo")
    peers = [lab.connects(server, quietly=True) for _ in range(3)]
    lab.link(up=Profile(loss=1.0), down=Profile(loss=1.0))
    peers[0].sends(b"lost for ever")
    lab.node.fresh()
    with open("/proc/net/tcp") as file:
        assert not [row for row in file if "02024D0A" in row.split()[2]]  # 10.77.2.2, as the kernel writes it
    lab.link("clean")
    assert not lab.waits_until(lambda: lab.network.counters().packets, within=0.5)


# -- programs ------------------------------------------------------------------------------------------------------


def test_endings_are_told(lab):
    lab.runs("run", "raise SystemExit(7)").exits(7)
    lab.runs("run", "import os; os.abort()").exits(-6)
    sleeper = lab.runs("run", "import time; print(flush=True); time.sleep(100)")
    sleeper.prints_line()
    assert sleeper.runs()
    sleeper.signal(10)
    sleeper.exits(-10)
    sleeper.signal(10)  # no error


def test_standard_streams_are_the_testers(lab):
    program = lab.runs(
        "run",
        "import sys; d = sys.stdin.buffer.read(); open('/dev/stdout', 'wb').write(d[::-1]); sys.stderr.write('e')",
    )
    program.stdin_sends(b"abc")
    program.stdin_ends()
    program.prints(b"cba")
    program.exits(0)
    assert program.stderr == b"e"


def test_a_program_that_cannot_start_says_why(lab):
    with pytest.raises(CannotStart, match=r"\./nothing cannot be started \(No such file or directory\)"):
        lab.node.start(["./nothing"])
    with pytest.raises(CannotStart, match=r"missing.py is missing"):
        lab.node.start(["python3", "missing.py"])
    with pytest.raises(CannotStart, match="Permission denied"):
        lab.node.start(["./echo.py"])


def test_the_environment_is_what_the_test_adds(lab):
    program = lab.runs("run", "import os; print(os.environ['EXTRA'], 'SECRET' in os.environ)", env={"EXTRA": "yes"})
    program.prints(b"yes False\n")


def test_usage_counts_what_the_kernel_counts(lab):
    before = lab.kernel.usage()
    assert (before.processes, before.threads, before.open_files) == (0, 0, 0)
    source = """
import os, threading, time
files = [os.open("/dev/null", 0) for _ in range(10)]
for _ in range(4): threading.Thread(target=time.sleep, args=(100,)).start()
memory = bytearray(b"x" * 50_000_000)
if os.fork() == 0: time.sleep(100)
while time.process_time() < 0.3: pass
print("now", flush=True)
"""
    lab.runs("run", source).prints_line()
    now = lab.kernel.usage()
    assert (now.processes, now.threads) == (2, 6)
    assert now.open_files == 2 * 13
    assert 50_000_000 <= now.memory_bytes - before.memory_bytes < 80_000_000
    assert now.cpu_seconds - before.cpu_seconds >= 0.3


# -- files and Unix sockets ----------------------------------------------------------------------------------------


def test_given_files_are_read_not_written(lab):
    data = lab.random_bytes(300_000)
    path = lab.put_file("given", data)
    program = lab.runs(
        "run", "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read()); open(sys.argv[1], 'a')", path
    )
    program.exits(1)
    assert program.stdout == data
    assert b"Permission denied" in program.stderr


def test_private_files_are_the_students_own(lab):
    lab.put_file("key", b"older")  # it is put anew, whatever stood there
    for data in (b"old", b"new"):
        path = lab.put_file("key", data, mode=0o600)
    seen = told(
        lab,
        """
import json, os, sys
now = os.stat(sys.argv[1])
print(json.dumps([open(sys.argv[1]).read(), oct(now.st_mode), now.st_uid == os.getuid(), now.st_gid == os.getgid()]))
""",
        path,
    )
    assert seen == ["new", "0o100600", True, True]
    lab.put_file("key", b"for all")
    seen = told(lab, "import json, os, sys; print(json.dumps(oct(os.stat(sys.argv[1]).st_mode)))", path)
    assert seen == "0o100644"


def test_kinds_are_seen_with_the_students_rights(lab):
    source = "import os\nos.symlink('/agent', 'l')\nos.mkdir('d')\nos.mkfifo('f')\nos.symlink('/agent', 'd/a')"
    lab.runs("run", source).exits(0)
    assert [lab.kind_of(p) for p in ("echo.py", "d", "l", "f", "nope", "/agent/agent.sock")] == [
        "file",
        "folder",
        "other",
        "other",
        "missing",
        "missing",
    ]


def test_unix_sockets_both_ways(lab):
    server = lab.serves("echo", at="unix:s.sock")
    peer = lab.connects(server)
    peer.sends(b"abc")
    peer.ends()
    assert peer.reads_to_end() == b"abc"
    assert lab.kind_of("s.sock") == "socket"
    listener = lab.listens(kind="unix")
    client = lab.runs(
        "run",
        "import socket, struct, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1][5:]); s.sendall(b'hi')\n"
        "print(struct.unpack('3i', s.getsockopt(1, 17, 12))[1])",
        listener.address,
    )
    assert listener.accepts().reads_to_end() == b"hi"
    client.prints(b"0\n")  # SO_PEERCRED: not the student itself
    with pytest.raises(ConnectionError, match="No such file"):
        lab.node.connect_unix("nobody.sock", 1.0)


def test_a_nodes_own_loopback_is_reached_without_the_link(lab):
    lab.link("nothing arrives", up=Profile(loss=1.0), down=Profile(loss=1.0))
    listening, port = lab.node.listen_tcp(4)
    client = lab.runs(
        "run",
        "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.sendall(b'from inside')\n"
        "t = socket.create_server(('::1', 0), family=socket.AF_INET6); print(t.getsockname()[1], flush=True)\n"
        "print(t.accept()[0].recv(100))",
        port,
    )
    with listening:
        inside, _ = listening.accept()
    with inside:
        assert inside.recv(100) == b"from inside"
    with lab.node.connect_tcp(int(client.prints_line()), 6, 5.0) as outside:
        outside.sendall(b"from outside")
        client.exits(0)
    assert client.stdout.endswith(b"b'from outside'\n")
    with pytest.raises(ConnectionError, match="refused"):
        lab.node.connect_tcp(1, 4, 1.0)


# -- the link ------------------------------------------------------------------------------------------------------


def test_tcp_and_udp_cross_the_link(lab):
    cross(lab, 4)


def test_tcp_and_udp_cross_the_link_in_ipv6(lab):
    cross(lab, 6)


def cross(lab, family):
    host = "[::]" if family == 6 else "0.0.0.0"
    lab.link(up=Profile(delay=0.02), down=Profile(delay=0.02))
    server = lab.serves("echo", at=f"{host}:0")
    begun = lab.now()
    peer = lab.connects(server)
    peer.sends(b"x" * 100_000)
    peer.ends()
    assert peer.reads_to_end() == b"x" * 100_000
    assert 0.08 <= lab.now() - begun < 1.5
    client, _ = lab.five_tuple(peer)
    assert client.host in ("10.77.1.2", "fd77:1::2")
    assert lab.waits_until(lambda: str(client.port).encode() in server.stdout)
    udp = lab.datagrams(lab.serves("echo", at=f"udp:{host}:0"))
    udp.sends(b"datagram")
    assert udp.receives()[0] == b"datagram"
    counters = lab.network.counters()
    assert counters.packets > 20
    assert counters.engine_drops == 0


def test_a_students_client_reaches_the_tester(lab):
    listener = lab.listens()
    source = CONNECT + "s = socket.create_connection((h, int(p))); s.sendall(b'hello')"
    client = lab.runs("run", source, listener.address)
    assert listener.accepts().reads_to_end() == b"hello"
    client.exits(0)
    source = CONNECT + "try: socket.create_connection((h, int(p)))\nexcept OSError as e: print(e.strerror)"
    lab.runs("run", source, lab.nobody()).prints(b"Connection refused\n")


def test_a_mangled_connection_is_cut_in_pieces(lab):
    server = lab.serves("echo")
    peer = lab.connects(server, mangle=Mangle(slices=(1, 2), pause=0.01))
    peer.sends(b"abcdef")
    peer.ends()
    assert peer.reads_to_end() == b"abcdef"
    client, _ = lab.five_tuple(peer)
    assert lab.waits_until(lambda: str(client.port).encode() in server.stdout)
    listener = lab.listens(mangle=Mangle(reset_at=3))
    source = (
        CONNECT
        + """s = socket.create_connection((h, int(p)))
try:
    while s.recv(1): pass
except OSError as e: print(e.strerror)"""
    )
    client = lab.runs("run", source, listener.address)
    listener.accepts().sends(b"abcdef")
    client.exits(0)
    assert client.stdout.endswith(b"Connection reset by peer\n")


def test_lost_packets_are_told_by_the_capture(lab):
    import io
    import time

    from dpkt import pcapng

    server = lab.serves("echo", at="udp:0.0.0.0:0")
    udp = lab.datagrams(server)
    lab.link(up=Profile(), down=Profile(drop=(1,)))
    begun = time.time()
    for number in range(3):
        udp.sends(b"number %d" % number)
        if number != 1:
            udp.receives()
    packets = lab.network.capture(begun, time.time())
    blocks = io.BytesIO(packets)
    assert sum(1 for _ in pcapng.Reader(blocks)) == 9  # five over the tester's wire, four over the student's
    assert packets.count(b"lost by the link") == 1


# -- the lab's own conversation ------------------------------------------------------------------------------------


MALFORMED = [
    b"\xff\x00",
    b"[]",
    b"{}",
    b'"x"',
    b'{"op": 1}',
    b'{"op": "nope"}',
    b'{"op": "start"}',
    b'{"op": "start", "argv": []}',
    b'{"op": "start", "argv": ["a\\u0000b"]}',
    b'{"op": "signal", "pid": -1, "signum": 9}',
    b'{"op": "put_file", "name": "../x"}',
    b"{" * 60000,
]


def test_malformed_requests_do_not_end_the_agent(lab):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as agent:
        agent.settimeout(5)
        agent.connect(lab.node._agent._path)
        for packet in MALFORMED:
            socket.send_fds(agent, [packet], [0, 1, 2])
            answer = json.loads(agent.recv(65536))
            assert answer["ok"] is (packet.startswith(b'{"op": "signal"'))
    reply, _ = lab.node._ask("hello")
    assert (reply["uid"], reply["capabilities"]) == (0, 1 << 0 | 1 << 5 | 1 << 6 | 1 << 7)
    assert os.getuid() == 0


def test_the_tester_has_no_capabilities_either(lab):
    with open("/proc/self/status") as file:
        assert "CapEff:\t0000000000000000" in file.read()
    assert sorted(name for _, name in socket.if_nameindex()) == ["eth0", "lo"]
    with socket.socket(socket.AF_UNIX) as warden:
        warden.connect("/trusted/warden.sock")
        warden.sendall(b'{"op": "unwire"}\n')
        assert json.loads(warden.recv(4096))["ok"] is False
    assert lab.kind_of("echo.py") == "file"


# -- the second student node ---------------------------------------------------------------------------------------

#: Waits for a datagram and prints who sent it and what; then answers with it reversed.
MIRROR = """
import json, socket, sys
family = socket.AF_INET6 if sys.argv[1].startswith("udp:[") else socket.AF_INET
udp = socket.socket(family, socket.SOCK_DGRAM)
udp.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))
print("listening on " + sys.argv[1].rpartition(":")[0] + ":%d" % udp.getsockname()[1], flush=True)
while True:
    data, source = udp.recvfrom(2048)
    print(json.dumps([source[0], data.decode()]), flush=True)
    udp.sendto(data[::-1], source)
"""

#: Sends a word to an address and prints what comes back within so many seconds.
CALL = """
import json, socket, sys
host, port = sys.argv[1].removeprefix("udp:").rsplit(":", 1)
udp = socket.socket(socket.AF_INET6 if "[" in host else socket.AF_INET, socket.SOCK_DGRAM)
udp.settimeout(float(sys.argv[3]))
try:
    udp.sendto(sys.argv[2].encode(), (host.strip("[]"), int(port)))
    print(json.dumps(udp.recv(100).decode()))
except OSError:
    print(json.dumps(None))
"""


def mirror(lab, at, node):
    return lab.serves("run", at=at, flags=[MIRROR], node=node)


def called(lab, address, word, node="first", within=8):
    program = lab.runs("run", CALL, address, word, str(within), node=node)
    program.exits(0, within=10 + within)
    return json.loads(program.stdout)


def callers(lab, *servers):
    """Who sent each of them its last word."""
    assert lab.waits_until(lambda: all(server.stdout.count(b"\n") == 2 for server in servers))
    return [json.loads(server.stdout.splitlines()[-1])[0] for server in servers]


def test_the_two_student_nodes_reach_each_other_over_the_link(lab):
    second, first = (mirror(lab, "udp:0.0.0.0:0", node) for node in ("second", "first"))
    assert called(lab, lab.address_of(second), "hello") == "olleh"
    assert called(lab, lab.address_of(first), "back", node="second") == "kcab"
    assert callers(lab, second, first) == ["10.77.2.2", "10.77.3.2"]
    packets = lab.network.packets(lab.since, time.time())
    assert [(packet.direction, packet.data) for packet in packets] == [
        ("up", b"hello"),
        ("down", b"olleh"),
        ("down", b"back"),
        ("up", b"kcab"),
    ]
    assert lab.network.counters().packets == 4


def test_the_two_student_nodes_speak_ipv6(lab):
    second, first = (mirror(lab, "udp:[::]:0", node) for node in ("second", "first"))
    assert called(lab, lab.address_of(second), "hello") == "olleh"
    assert called(lab, lab.address_of(first), "back", node="second") == "kcab"
    assert callers(lab, second, first) == ["fd77:2::2", "fd77:3::2"]


def test_the_link_between_them_is_impaired_both_ways(lab):
    second = mirror(lab, "udp:0.0.0.0:0", "second")
    lab.link("deaf", up=Profile(loss=1.0), down=Profile())
    assert called(lab, lab.address_of(second), "lost", within=1) is None
    assert second.stdout.count(b"\n") == 1  # the line that says where it listens
    lab.link("dumb", up=Profile(), down=Profile(loss=1.0))
    assert called(lab, lab.address_of(second), "heard", within=1) is None
    assert b"heard" in second.prints_at_least(50)
    assert [packet.fate for packet in lab.network.packets(lab.since, time.time())] == ["lost", "delivered", "lost"]


def test_the_second_node_reaches_nobody_else(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((lab.network.tester_host(4), 0))
        udp.settimeout(0.5)
        tester = f"udp:{lab.network.tester_host(4)}:{udp.getsockname()[1]}"
        assert called(lab, tester, "to the tester", node="second", within=1) is None
        with pytest.raises(TimeoutError):
            udp.recv(100)
        assert called(lab, tester, "to the tester", within=1) is None  # the control: the first node may
        assert udp.recv(100) == b"to the tester"
        second = mirror(lab, "udp:0.0.0.0:0", "second")
        udp.sendto(b"from the tester", lab.address_of(second).pair)
        with pytest.raises(TimeoutError):
            udp.recv(100)
        assert b"from the tester" not in second.stdout


SHARED = """
import fcntl, json, os, socket, sys
found, held = [], []
for folder in ("/tmp", "/dev/shm", "/work", "/files", "/build", "/agent", "/lab", "/submission"):
    path = folder + "/shared"
    for place in [folder, *(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)]:
        try:
            held.append(os.open(place, os.O_RDONLY))
            fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found.append("lock of " + place)
        except OSError:
            pass
    try:
        if sys.argv[1] == "write":
            open(path, "w").write("x")
        elif os.path.exists(path):
            found.append(path)
    except OSError:
        pass
unix = socket.socket(socket.AF_UNIX)
try:
    if sys.argv[1] == "write":
        unix.bind("\\0shared")
        unix.listen()
        print("ready", flush=True)
        unix.accept()
    else:
        unix.connect("\\0shared")
        found.append("abstract socket")
except OSError:
    pass
print(json.dumps(found))
"""


def test_the_two_student_nodes_have_users_of_their_own(lab):
    """What the kernel counts by user, over all containers: pipes, locks, inotify instances."""
    one = lab.runs("run", "import os; print(os.getuid())")
    other = lab.runs("run", "import os; print(os.getuid())", node="second")
    assert one.prints_line() != other.prints_line()


def test_the_two_student_nodes_share_nothing(lab):
    writer = lab.runs("run", SHARED, "write")
    assert writer.prints_line() == b"ready"
    reader = lab.runs("run", SHARED, "read", node="second")
    reader.exits(0)
    assert json.loads(reader.stdout) == []
    control = lab.runs("run", SHARED, "read")
    control.exits(0)
    seen = [row for row in json.loads(control.stdout) if not row.startswith("lock of /work/")]
    folders = ("/tmp", "/dev/shm", "/work")
    shared = [row for folder in folders for row in (f"lock of {folder}", f"{folder}/shared")]
    assert [row for row in seen if row in shared] == shared
    assert seen[-1] == "abstract socket"


def test_a_second_node_that_is_left_dirty(lab):
    program = lab.runs("run", "import time\nopen('/tmp/old', 'w')\nprint(1, flush=True)\ntime.sleep(60)", node="second")
    assert program.prints_line() == b"1"
    assert lab.second.usage().processes == 1


def test_the_second_node_is_fresh_in_the_next_test(lab):
    assert lab.second.usage().processes == 0
    program = lab.runs("run", "import os\nprint(os.path.exists('/tmp/old'), os.listdir('.'))", node="second")
    program.exits(0)
    assert program.stdout.startswith(b"False ['")
