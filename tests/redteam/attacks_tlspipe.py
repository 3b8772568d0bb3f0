"""Hostile submissions of the tlspipe assignment: the reference with a deed besides, and one that speaks no TLS at all.

Each is what was tried against the grader. `grader audit redteam` grades them, too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

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


class Deed(NamedTuple):
    """A submission's deed, and the checks that meet it."""

    payload: str
    checks: list[str]
    may_pass: bool = False  #: it does no harm to anybody


DEEDS = {
    # Connections without end: to the man in the middle, and to the echo, which hold two descriptors for each.
    "it connects without end to a man in the middle": Deed(
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
    "it connects without end to an echo": Deed(
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
    "it floods the plain side": Deed(
        """@patches(session.Session, "_carry")
def carries(old, self):
    old(self)
    self._plain.setblocking(True)
    aside(pours, self._plain.dup())
""",
        ["test_3_endings.py::test_a_cut"],
    ),
    "it floods the wire with data": Deed(
        """import legs
@patches(legs.Legs, "move")
def moves(old, self):
    if not self._wire.waits:
        self._wire.tls.write(memoryview(bytes(1 << 18)))
    old(self)
""",
        ["test_3_endings.py::test_a_reset", "test_6_attack.py::test_floods[server]"],
    ),
    "it floods the wire behind the end": Deed(
        """@patches(session.Session, "_linger")
def lingers(old, self):
    self._wire.socket.setblocking(True)
    aside(pours, self._wire.socket.dup())
""",
        ["test_3_endings.py::test_a_clean_end"],
    ),
    # Records that are none, or too many, before OpenSSL's first.
    "it says nothing but empty records": Deed(
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
    "it says something before its ServerHello": Deed(
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
    "it answers a protocol that is no text": Deed(
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
    "it asks for a name that is no text": Deed(
        """@patches(tls.TlsStream, "data_to_send")
def asks(old, self):
    return old(self).replace(b"server.example", bytes([255, 27]) * 7)
""",
        ["test_2_identity.py::test_the_right_server"],
    ),
    # A log without end, and a word without end in it.
    "its log does not end": Deed(
        """def chatters():
    while True:
        os.write(2, b"ended: " + b"A" * 65_000 + bytes([27]) + b"!" + bytes([10]) * 300)
aside(chatters)
""",
        ["test_3_endings.py::test_nobody_there"],
    ),
    # Whoever is accepted is known by his number.
    "it believes whoever comes first": Deed(
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

#: Puts the reference's program out of the way of a hostile one.
HONEST = "honest.py"


def hostile(payload: str) -> bytes:
    """The program that does a deed."""
    return HOSTILE.replace("PAYLOAD\n", payload).encode()


ASSIGNMENT = "tlspipe"
#: Name -> `seeks`: what success would look like; `files`: what is handed in, `over` the reference, of which some are
#: `moved` to another name; `checks`: those that meet it; `may_pass`: whether it does no harm to what they ask.
ATTACKS: dict[str, dict[str, Any]] = {
    **{
        name: {
            "seeks": "A tester without memory or time, or a check that is undecided over what it says.",
            "files": {"tls_pipe.py": hostile(deed.payload)},
            "over": True,
            "moved": {"tls_pipe.py": HONEST},
            "checks": deed.checks,
            "may_pass": deed.may_pass,
        }
        for name, deed in DEEDS.items()
    },
    "it resets everybody": {
        "seeks": "Points for checks that are about what must not happen.",
        "files": {"tls_pipe.py": RESETS.encode()},
        "checks": NEGATIVE,
    },
}
