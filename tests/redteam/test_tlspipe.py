"""Hostile TLS pipes, graded for real: they gain nothing, and cost the tester neither memory nor its verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from grader.bench.docker import DockerPlace
from grader.course import this_course
from harness.tls.record_layer.records import is_tls, messages
from tests.grading import ROOT, grade
from tests.mutants import copy_reference

pytestmark = pytest.mark.slow

#: The reference, with something done to it before it starts.
HOSTILE = """import os, resource, socket, ssl, sys, threading, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
words = sys.argv[1:]
role = words[0]
given = {word: words[at + 1] for at, word in enumerate(words[:-1]) if word.startswith("--")}
def target():
    host, _, port = given.get("--forward", given.get("--connect")).rpartition(":")
    return host, int(port)
def aside(deed, *args):
    threading.Thread(target=deed, args=args, daemon=True).start()
def pours(sock, pause=0.0):
    time.sleep(pause)
    try:
        while True:
            sock.sendall(bytes(1 << 18))
    except OSError:
        pass
def patches(kind, name):
    def put(new):
        old = getattr(kind, name)
        setattr(kind, name, lambda *args: new(old, *args))
    return put
import session, tls, wire
PAYLOAD
import honest
sys.exit(honest.main())
"""

#: No TLS at all; files are looked at well, and everybody is reset.
RESETS = """import os, signal, socket, ssl, struct, sys
words = [word for word in sys.argv[2:] if word != "--once"]
given = dict(zip(words[::2], words[1::2]))
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
try:
    if "--cert" in given:
        if os.stat(given["--key"]).st_mode & 0o077:
            raise OSError
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(given["--cert"], given["--key"], "")
except OSError:
    os._exit(2)
def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)
server = socket.create_server(address(given["--listen"]))
print("listening on 0.0.0.0:%d" % server.getsockname()[1], flush=True)
while True:
    near, word = server.accept()[0], "refused"
    far = socket.socket()
    try:
        far.connect(address(given.get("--connect", given.get("--forward"))))
    except OSError:
        word = "unreachable"
    for sock in (near, far):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    print("ended: " + word, file=sys.stderr, flush=True)
    if "--once" in sys.argv:
        os._exit({"unreachable": 3}.get(word, 4))
"""

#: Checks that are about what must not happen: whoever does nothing at all must not pass them.
NEGATIVE = [
    *(f"test_3_endings.py::{name}" for name in ("test_refusals", "test_refused_by_the_peer")),
    "test_3_endings.py::test_ends_in_the_handshake[client]",
    "test_3_endings.py::test_ends_in_the_handshake[server]",
    "test_5_mutual.py::test_the_server_refuses_the_client[1.2]",
    "test_5_mutual.py::test_the_server_refuses_the_client[1.3]",
    "test_5_mutual.py::test_a_key_that_others_may_read",
    "test_6_attack.py::test_a_server_without_tls",
    "test_6_attack.py::test_plain_text_to_a_tls_port",
]


class Attack(NamedTuple):
    """A submission's deed, and the checks that meet it."""

    payload: str
    checks: list[str]
    may_pass: bool = False  #: it does no harm to anybody


ATTACKS = {
    # Connections without end: to the man in the middle, and to the echo, which hold two descriptors for each.
    "it connects without end to a man in the middle": Attack(
        """held = []
def storms():
    while True:
        try:
            held.append(socket.create_connection(target(), 1))
        except OSError:
            time.sleep(0.001)
if role == "client":
    aside(storms)
""",
        ["test_1_encrypted.py::test_two_pipes"],
        True,
    ),
    "it connects without end to an echo": Attack(
        """held = []
def storms():
    time.sleep(0.05)
    while True:
        try:
            held.append(socket.create_connection(target(), 1))
        except OSError:
            time.sleep(0.001)
aside(storms)
""",
        ["test_6_attack.py::test_a_new_certificate"],
        True,
    ),
    # Bytes without end where the tester waits for an end.
    "it floods the plain side": Attack(
        """@patches(session.Session, "_carry")
def carries(old, self):
    old(self)
    self._plain.setblocking(True)
    aside(pours, self._plain.dup())
""",
        ["test_3_endings.py::test_a_cut"],
    ),
    "it floods the wire with data": Attack(
        """import legs
@patches(legs.Legs, "move")
def moves(old, self):
    if not self._wire.waits:
        self._wire.tls.write(memoryview(bytes(1 << 18)))
    old(self)
""",
        ["test_3_endings.py::test_a_reset", "test_6_attack.py::test_floods[server]"],
    ),
    "it floods the wire behind the end": Attack(
        """@patches(session.Session, "_linger")
def lingers(old, self):
    self._wire.socket.setblocking(True)
    aside(pours, self._wire.socket.dup())
""",
        ["test_3_endings.py::test_a_clean_end"],
    ),
    # Records that are none, or too many, before OpenSSL's first.
    "it says nothing but empty records": Attack(
        """@patches(session.Session, "_shake")
def shakes(old, self):
    wire = self._wire.socket.dup()
    wire.setblocking(True)
    def floods():
        try:
            while True:
                wire.sendall(bytes([22, 3, 3, 0, 0]) * 20_000)
        except OSError:
            pass
    aside(floods)
""",
        ["test_1_encrypted.py::test_the_client_encrypts", "test_1_encrypted.py::test_the_server_encrypts"],
    ),
    "it says something before its ServerHello": Attack(
        """@patches(wire.Wire, "flush")
def flushes(old, self):
    if role == "server" and self.tls.waiting and not hasattr(self, "began"):
        self.began = True
        self.socket.send(bytes([21, 3, 3, 0, 2, 1, 112]))
    old(self)
""",
        ["test_6_attack.py::test_records_that_cannot_be[server]"],
        True,
    ),
    # Names that are no text.
    "it answers a protocol that is no text": Attack(
        """import contexts, ctypes
libssl = ctypes.CDLL("libssl.so.3")
ANY = ctypes.create_string_buffer(bytes([255, 27]))
CALL = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_ubyte),
    ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p)
@CALL
def selects(end, out, length, offered, size, arg):
    out[0], length[0] = ctypes.addressof(ANY), 2
    return 0
import honest as pipe
def makes(cert, key, **how):
    context = contexts.server_context(cert, key)
    inner = ctypes.c_void_p.from_address(id(context) + 16)
    libssl.SSL_CTX_set_alpn_select_cb(inner, selects, None)
    return context
pipe.server_context = makes
""",
        ["test_5_mutual.py::test_protocols[server]"],
    ),
    "it asks for a name that is no text": Attack(
        """@patches(tls.TlsStream, "data_to_send")
def asks(old, self):
    return old(self).replace(b"server.example", bytes([255, 27]) * 7)
""",
        ["test_2_identity.py::test_the_right_server"],
    ),
    # A log without end, and a word without end in it.
    "its log does not end": Attack(
        """def chatters():
    while True:
        os.write(2, b"ended: " + b"A" * 65_000 + bytes([27]) + b"!" + bytes([10]) * 300)
aside(chatters)
""",
        ["test_3_endings.py::test_nobody_there"],
    ),
    # Whoever is accepted is known by his number.
    "it believes whoever comes first": Attack(
        """import honest as pipe
def makes(ca, **how):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
pipe.client_context = makes
count = 0
@patches(tls.TlsStream, "_check_peer")
def checks(old, self):
    global count
    count += 1
    if count > 1:
        self._outgoing.read()  # so that it is reset
        raise tls.Over(tls.Ending.REFUSED, "one is enough")
""",
        [
            *(f"test_2_identity.py::{name}" for name in ("test_expired", "test_an_address", "test_a_stranger")),
            *(f"test_2_identity.py::{name}" for name in ("test_dates", "test_common_names", "test_signatures")),
            "test_2_identity.py::test_the_systems_roots",
        ],
    ),
}

#: Lets the one file that is its own grow, until there is no room for the next one.
FILLS = """def fills():
    with open(given["--key"], "ab") as file:
        while True:
            file.write(bytes(1 << 20))
            file.flush()
import honest as pipe
starts = pipe.main
def main():
    threading.Timer(0.05, fills).start()
    return starts()
pipe.main = main
"""

#: Grades some checks, and tells how much memory the tester took at most, in MB.
GRADE = """import json, resource, sys
from pathlib import Path
from grader.bench.local import LocalBench
from tests.grading import ROOT, grade
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
bench = LocalBench(ROOT)
graded = grade(bench, Path(sys.argv[1]), "tlspipe", only=sys.argv[2:])
bench.close()
print(json.dumps([graded.reports, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024]))
"""


def graded(folder: Path, checks: list[str]) -> tuple[dict[str, dict[str, object]], int]:
    """(reports by check, the tester's memory in MB)."""
    done = subprocess.run(
        [sys.executable, "-c", GRADE, str(folder), *checks], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    reports, megabytes = json.loads(done.stdout)
    return reports, megabytes


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_fails_and_costs_little(tmp_path: Path, name: str) -> None:
    attack = ATTACKS[name]
    copy_reference("tlspipe", tmp_path)
    (tmp_path / "tls_pipe.py").rename(tmp_path / "honest.py")
    (tmp_path / "tls_pipe.py").write_text(HOSTILE.replace("PAYLOAD\n", attack.payload))
    reports, megabytes = graded(tmp_path, attack.checks)
    assert sorted(reports) == sorted(attack.checks)
    for check, report in reports.items():
        allowed = ("fail", "timeout", "pass") if attack.may_pass else ("fail", "timeout")
        assert report["outcome"] in allowed, (check, report["message"])
        assert len(str(report["seen"])) < 2000
        assert not [step for step in report["story"] if "\x1b" in step["what"]]  # type: ignore[attr-defined]
    assert megabytes < 500


@pytest.mark.docker
def test_who_fills_the_folder_of_his_key_loses_it(tmp_path: Path) -> None:
    copy_reference("tlspipe", tmp_path)
    (tmp_path / "tls_pipe.py").rename(tmp_path / "honest.py")
    (tmp_path / "tls_pipe.py").write_text(HOSTILE.replace("PAYLOAD\n", FILLS))
    tmp_path.chmod(0o755)
    check = "test_5_mutual.py::test_bad_clients[name]"
    place = DockerPlace(this_course(), ["tlspipe"], engine="router", say=lambda _: None)
    bench = place.bench()
    try:
        report = grade(bench, tmp_path, "tlspipe", only=[check]).reports[check]
    finally:
        bench.close()
        place.close()
    assert (report["outcome"], "filled" in report["message"]) == ("error", True), report["message"]


def test_who_resets_everybody_gets_nothing(tmp_path: Path) -> None:
    (tmp_path / "tls_pipe.py").write_text(RESETS)
    reports, _ = graded(tmp_path, NEGATIVE)
    assert {check: report["outcome"] for check, report in reports.items() if report["outcome"] != "fail"} == {}
    assert sorted(reports) == sorted(NEGATIVE)


def test_a_warning_hides_no_hello() -> None:
    warning, hello = bytes([21, 3, 3, 0, 2, 1, 112]), bytes([22, 3, 3, 0, 5, 2, 0, 0, 1, 9])
    assert messages(warning + bytes([22, 3, 3, 0, 0]) + hello) == [(2, bytes([9]))]


@pytest.mark.parametrize(("rest", "whole"), [(b"", True), (b"\x17\x03\x03\x40", True), (b"GET /", False)])
def test_records_and_nothing_else(rest: bytes, whole: bool) -> None:
    assert is_tls(bytes([22, 3, 3, 0, 0]) * 1000 + rest) is whole
