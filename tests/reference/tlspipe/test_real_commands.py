"""The reference and what `openssl s_client`, `openssl s_server` and curl can be told to do with it."""

from __future__ import annotations

import http.server
import random
import signal
import threading
from collections.abc import Iterator

import pytest

from harness.tls.zoo.zoo import Zoo
from tests.reference.tlspipe.real_peers import FAULTS, HOST, World, nobody_comes, served, wrong
from tests.reference.tlspipe.running import Running, Side, SocketSide, StdioSide

pytestmark = pytest.mark.peers

VERSIONS = ("1.2", "1.3")


def talking(here: World, zoo: Zoo, version: str) -> tuple[Running, Side, SocketSide, Running]:
    """`openssl s_client` in conversation through a server: it and its side, the backend's side, the pipe."""
    backend, pipe, port = served(here, zoo)
    program, client = here.s_client(port, here.file(zoo.ca), "server.example", None, version, quiet=False)
    server = here.accepts(backend)
    client.sends(b"first\n")
    server.hears(b"first\n")
    return program, client, server, pipe


def listening(here: World, zoo: Zoo, version: str) -> tuple[Running, Side, SocketSide, Running]:
    """`openssl s_server` in conversation with a client: it and its side, the plain side of our client, the pipe.

    It does not read its commands while it waits for the first bytes.
    """
    program, target, accepts = here.s_server(here.files(zoo.server()), None, version, "-msg")
    pipe, port = here.pipe_client(target, zoo.ca)
    client, server = here.connects(port), accepts()
    client.sends(b"first\n")
    server.hears(b"first\n")
    return program, server, client, pipe


# -- what openssl can be told ----------------------------------------------------------------------------------------


def test_s_client_says_Q(here: World, zoo: Zoo) -> None:
    program, client, server, pipe = talking(here, zoo, "1.3")
    client.sends(b"Q\n")
    server.hears_end()
    server.ends()
    pipe.says("ended: closed")
    assert program.status() == 0


@pytest.mark.parametrize("word", [b"", b"q\n", b"Q\n"], ids=["end of input", "q", "Q"])
@pytest.mark.parametrize("version", VERSIONS)
def test_s_server_does_not_say_close_notify(here: World, zoo: Zoo, version: str, word: bytes) -> None:
    """Its own end is a bare FIN, which may as well be a cut."""
    _, server, client, pipe = listening(here, zoo, version)
    server.sends(word)
    client.hears_reset()
    pipe.says("ended: truncated")


def test_s_client_may_not_renegotiate(here: World, zoo: Zoo) -> None:
    """RFC 5246, section 7.2.2: we answer no_renegotiation. openssl gives up then, and others are served as before."""
    program, client, server, pipe = talking(here, zoo, "1.2")
    client.sends(b"R\n")
    program.says("(?i)no.renegotiation")
    program.status()
    server.hears_reset()
    pipe.says("ended: (broken|truncated|reset)")


@pytest.mark.parametrize("word", [b"k\n", b"K\n"])
def test_s_client_changes_its_key(here: World, zoo: Zoo, word: bytes) -> None:
    """`K` asks us to change ours as well."""
    program, client, server, _ = talking(here, zoo, "1.3")
    for number in range(20):
        client.sends(word)
        program.says("KEYUPDATE", times=number + 1)
        client.sends(b"more %d\n" % number)
        server.hears(b"more %d\n" % number)
        server.sends(b"yes %d\n" % number)
        client.hears(b"yes %d\n" % number)


@pytest.mark.parametrize("word", [b"k\n", b"K\n"])
def test_s_server_changes_its_key(here: World, zoo: Zoo, word: bytes) -> None:
    program, server, client, _ = listening(here, zoo, "1.3")
    for number in range(20):
        server.sends(word)
        program.says(r">>> TLS 1.3, Handshake \[.*KeyUpdate", times=number + 1)
        server.sends(b"more %d\n" % number)
        client.hears(b"more %d\n" % number)
        client.sends(b"yes %d\n" % number)
        server.hears(b"yes %d\n" % number)
    if word == b"K\n":
        program.says(r"<<< TLS 1.3, Handshake \[.*KeyUpdate", times=20)


@pytest.mark.parametrize("word", [b"r\n", b"R\n"])
def test_s_server_may_not_renegotiate(here: World, zoo: Zoo, word: bytes) -> None:
    """`R` asks for a certificate as well."""
    _, server, client, pipe = listening(here, zoo, "1.2")
    server.sends(word)
    client.hears_reset()
    pipe.says("ended: (broken|truncated|reset)")


@pytest.mark.parametrize("version", ["1", "1.1"])
def test_nothing_older_than_tls_1_2_is_spoken(here: World, zoo: Zoo, version: str) -> None:
    weak = ("-cipher", "ALL:@SECLEVEL=0")
    backend, pipe, port = served(here, zoo)
    program, _ = here.s_client(port, here.file(zoo.ca), "server.example", None, version, *weak)
    program.says("alert protocol version|protocol version")
    pipe.says("ended: refused")
    nobody_comes(backend)
    program, target, _ = here.s_server(here.files(zoo.server()), None, version, *weak)
    pipe, port = here.pipe_client(target, zoo.ca)
    here.is_reset(port)
    pipe.says("ended: refused")


# -- openssl in other moods -------------------------------------------------------------------------------------------

#: Small letters, which are no commands.
MUCH = bytes(random.Random(7).choices(b"abcdefghijklmnop", k=100_000))
BOTH = {
    "no middlebox": ("-tls1_3", "-no_middlebox"),
    "padded records": ("-tls1_3", "-record_padding", "4096"),
    "small records": ("-max_send_frag", "512"),
    "split records": ("-split_send_frag", "600"),
    "no tickets, TLS 1.2": ("-tls1_2", "-no_ticket"),
    "no tickets, TLS 1.3": ("-tls1_3", "-no_ticket"),
    "ChaCha20, TLS 1.2": ("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    "ChaCha20, TLS 1.3": ("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"),
    "another group": ("-groups", "P-521"),
    "a buffer of its own": ("-read_buf", "65536"),
}
CLIENTS = {**BOTH, "short fragments": ("-maxfraglen", "512"), "no SNI": ("-noservername",), "OCSP": ("-status",)}
SERVERS = {**BOTH, "hello again": ("-groups", "P-384"), "ten tickets": ("-num_tickets", "10")}


@pytest.mark.parametrize("mood", CLIENTS)
def test_an_odd_client(here: World, zoo: Zoo, mood: str) -> None:
    backend, _, port = served(here, zoo)
    argv = ["-connect", f"{HOST}:{port}", "-CAfile", here.file(zoo.ca), "-verify_return_error", "-quiet", "-nocommands"]
    client = StdioSide(here.runs("openssl", "s_client", *argv, *CLIENTS[mood]))
    server = here.accepts(backend)
    client.sends(MUCH)
    server.hears(MUCH)
    server.sends(MUCH)
    client.hears(MUCH)


@pytest.mark.parametrize("mood", SERVERS)
def test_an_odd_server(here: World, zoo: Zoo, mood: str) -> None:
    _, target, accepts = here.s_server(here.files(zoo.server()), None, "", *SERVERS[mood])
    _, port = here.pipe_client(target, zoo.ca)
    client, server = here.connects(port), accepts()
    client.sends(MUCH)
    server.hears(MUCH)
    server.sends(MUCH)
    client.hears(MUCH)


def test_a_server_that_is_an_address(here: World, zoo: Zoo) -> None:
    """An address stands in iPAddress, and is not asked for by SNI."""
    for names, ending in ((("127.0.0.1",), "closed"), (("server.example", "127.0.0.2"), "refused")):
        _, target, _ = here.s_server(here.files(zoo.server(*names)), None, "", "-www", "-tlsextdebug")
        pipe, port = here.pipe_client(target, zoo.ca, name="127.0.0.1")
        curl(here, f"http://{HOST}:{port}/").status()
        pipe.says(f"ended: {ending}")


def test_s_client_comes_again_and_again(here: World, zoo: Zoo) -> None:
    """Six times, the last five with the session of the first."""
    backend, pipe, port = served(here, zoo)
    roots = here.file(zoo.ca)
    program, _ = here.s_client(port, roots, "server.example", None, "1.2", "-reconnect", quiet=False)
    for _ in range(5):
        server = here.accepts(backend)
        server.hears_end()
        server.ends()
    here.accepts(backend)
    program.says("Reused, TLSv1.2", times=5)
    pipe.says("ended: (closed|reset)", times=5)


# -- sessions that are resumed ----------------------------------------------------------------------------------------


def test_the_second_handshake_does_without_certificates_until_sighup(here: World, zoo: Zoo) -> None:
    """Whom the new roots do not vouch for gets nothing, whatever ticket it has given us."""
    _, target, _ = here.s_server(here.files(zoo.server()), None, "1.3", "-www")
    roots = here.file(zoo.ca)
    pipe, port = here.pipe_client(target, roots)
    page = f"http://{HOST}:{port}/"
    for number, kind in enumerate(("New", "Reused", "Reused"), start=1):
        curl(here, page).says(f"{kind}, TLSv1.3")
        pipe.says("ended: closed", times=number)
    roots.write_bytes(zoo.stranger_ca)
    pipe.process.send_signal(signal.SIGHUP)
    pipe.says("certificates were read again")
    assert curl(here, page).status() != 0
    pipe.says("ended: refused")
    roots.write_bytes(zoo.ca)
    pipe.process.send_signal(signal.SIGHUP)
    pipe.says("certificates were read again", times=2)
    curl(here, page).says("New, TLSv1.3")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_resumed_client_is_still_who_it_was_until_sighup(here: World, zoo: Zoo, version: str) -> None:
    roots, trusted, own = here.file(zoo.ca), here.file(zoo.ca), here.files(zoo.client())
    backend, pipe, port = served(here, zoo, "--client-ca", roots, "--client-name", "client.example")
    ticket = here.folder / "ticket"

    def comes(*options: object) -> Running:
        return here.s_client(port, trusted, "server.example", own, version, *options, quiet=False)[0]

    def is_served(program: Running) -> None:
        server = here.accepts(backend)
        server.sends(b"welcome")
        program.says("welcome")
        server.ends()
        assert program.status() == 0

    is_served(comes("-sess_out", ticket))
    again = comes("-sess_in", ticket)
    again.says("Reused, TLSv1")
    is_served(again)
    roots.write_bytes(zoo.stranger_ca)
    pipe.process.send_signal(signal.SIGHUP)
    pipe.says("certificates were read again")
    comes("-sess_in", ticket)
    pipe.says("ended: refused")
    nobody_comes(backend)


# -- application protocols -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_the_server_agrees_on_a_protocol(here: World, zoo: Zoo, version: str) -> None:
    backend, pipe, port = served(here, zoo, "--alpn", "h2")
    roots = here.file(zoo.ca)
    for words in ((), ("-alpn", "http/1.1")):
        here.s_client(port, roots, "server.example", None, version, *words)
    pipe.says("ended: refused", times=2)
    nobody_comes(backend)
    words = ("-alpn", "http/1.1,h2")
    program, _ = here.s_client(port, roots, "server.example", None, version, *words, quiet=False)
    program.says("ALPN protocol: h2")
    here.accepts(backend)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_client_agrees_on_a_protocol(here: World, zoo: Zoo, version: str) -> None:
    own = here.files(zoo.server())
    for words in ((), ("-alpn", "http/1.1")):
        _, target, _ = here.s_server(own, None, version, *words)
        pipe, port = here.pipe_client(target, zoo.ca, "--alpn", "h2")
        here.is_reset(port)
        pipe.says("ended: refused")
    _, target, accepts = here.s_server(own, None, version, "-alpn", "http/1.1,h2")
    _, port = here.pipe_client(target, zoo.ca, "--alpn", "h2")
    client = here.connects(port)
    server = accepts()
    server.sends(b"hello")
    client.hears(b"hello")


# -- curl ------------------------------------------------------------------------------------------------------------


class Page(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked for."""

    def do_GET(self) -> None:
        body = f"you asked for {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody wants to know."""


@pytest.fixture
def website() -> Iterator[int]:
    """A small HTTP server; its port."""
    server = http.server.ThreadingHTTPServer((HOST, 0), Page)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def curl(here: World, *words: object) -> Running:
    return here.runs("curl", "--silent", "--show-error", "--max-time", 20, "--noproxy", "*", *words)


@pytest.mark.parametrize("version", VERSIONS)
def test_curl_reads_a_website_through_the_server(here: World, zoo: Zoo, website: int, version: str) -> None:
    pipe, port = here.pipe_server(website, zoo.server())
    to = ("--connect-to", f"server.example:443:{HOST}:{port}", f"--tlsv{version}", "--tls-max", version)
    good = curl(here, "--cacert", here.file(zoo.ca), *to, "https://server.example/page")
    good.says("you asked for /page")
    assert good.status() == 0
    pipe.says("ended: closed")
    stranger = curl(here, "--cacert", here.file(zoo.stranger_ca), *to, "https://server.example/page")
    assert stranger.status() == 60
    pipe.says("ended: refused")


def test_curl_sees_wrong_identities(here: World, zoo: Zoo, website: int) -> None:
    for fault in FAULTS:
        pipe, port = here.pipe_server(website, wrong(zoo, fault))
        to = ("--connect-to", f"server.example:443:{HOST}:{port}")
        program = curl(here, "--cacert", here.file(zoo.ca), *to, "https://server.example/")
        assert program.status() == 60, program.story()
        pipe.says("ended: (refused|closed|truncated|reset)")


def test_curl_proves_who_it_is_and_agrees_on_a_protocol(here: World, zoo: Zoo, website: int) -> None:
    options = ("--client-ca", here.file(zoo.ca), "--client-name", "client.example", "--alpn", "http/1.1")
    pipe, port = here.pipe_server(website, zoo.server(), *options)
    to = ("--cacert", here.file(zoo.ca), "--connect-to", f"server.example:443:{HOST}:{port}")
    own = here.files(zoo.client())
    proof = ("--cert", own.chain, "--key", own.key)
    for words in ((), (*proof, "--no-alpn")):
        assert curl(here, *to, *words, "https://server.example/").status() != 0
    pipe.says("ended: refused", times=2)
    good = curl(here, *to, *proof, "https://server.example/members")
    good.says("you asked for /members")
    assert good.status() == 0


def test_curl_without_tls_reads_a_website_through_the_client(here: World, zoo: Zoo) -> None:
    """The website is openssl's own, which lists the ciphers of the connection."""
    _, target, _ = here.s_server(here.files(zoo.server()), None, "", "-www")
    pipe, port = here.pipe_client(target, zoo.ca)
    for _ in range(2):
        program = curl(here, f"http://{HOST}:{port}/")
        program.says("Ciphers supported in s_server binary")
        program.says("</pre></BODY></HTML>")
    pipe.says("ended: (closed|truncated)")
