"""Two of the tester's ends of TLS on one connection: what each does to the other, and what each sees of it."""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.actors.peer import Peer
from harness.actors.story import Broken, Story
from harness.lab.interface import LabError
from harness.tls.peer.contexts import BOTH, TLS10, TLS11, TLS12, TLS13, Versions, client_context, server_context
from harness.tls.peer.peer import TlsPeer
from harness.tls.record_layer.records import certificates, client_hello, describe, split
from harness.tls.zoo.zoo import Identity, Zoo

SOON = 0.15  # seconds in which something is awaited in vain


OLD = pytest.mark.skipif(not (ssl.HAS_TLSv1 and ssl.HAS_TLSv1_1), reason="this OpenSSL speaks no old versions")


@pytest.fixture(scope="module")
def zoo() -> Zoo:
    return Zoo()


@pytest.fixture(scope="module")
def good(zoo: Zoo) -> Identity:
    return zoo.server()


@dataclass
class Pair:
    client: TlsPeer
    server: TlsPeer
    story: Story

    def shake(self) -> Pair:
        """Both at once, each with its own outcome."""
        broken: list[Broken] = []

        def accept() -> None:
            try:
                self.server.handshakes()
            except Broken as error:
                broken.append(error)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            self.client.handshakes()
        except Broken as error:
            broken.append(error)
        thread.join()
        if broken:
            raise broken[0]
        return self

    def told(self) -> list[str]:
        return [step.what for step in self.story.steps]


Make = Callable[..., Pair]


def connection() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        return one, listener.accept()[0]


@pytest.fixture
def make(zoo: Zoo, good: Identity) -> Iterator[Make]:
    made: list[Peer] = []

    def pair(
        *,
        versions: Versions = BOTH,
        name: str | None = "server.example",
        ca: bytes | None = None,
        identity: Identity | None = None,
        shown: Identity | None = None,
        client_ca: bytes | None = None,
        alpn: Sequence[str] = (),
        offered: Sequence[str] = (),
        tickets: int = 2,
    ) -> Pair:
        story = Story(time.monotonic)
        one, other = connection()
        ends = [Peer(one, story), Peer(other, story, name="the server")]
        made.extend(ends)
        roots = None if name is None else ca or zoo.ca
        client = client_context(ca=roots, identity=shown, alpn=offered or alpn, versions=versions)
        server = server_context(
            identity=identity or good, client_ca=client_ca, alpn=alpn, versions=versions, tickets=tickets
        )
        return Pair(
            TlsPeer(ends[0], client, server_side=False, name=name), TlsPeer(ends[1], server, server_side=True), story
        )

    yield pair
    for peer in made:
        peer.dismiss()


# -- the handshake and what is known after it -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "name"),
    [
        (TLS13, "TLS 1.3"),
        (TLS12, "TLS 1.2"),
        pytest.param(TLS11, "TLS 1.1", marks=OLD),
        pytest.param(TLS10, "TLS 1.0", marks=OLD),
    ],
)
def test_a_conversation(make: Make, version: Versions, name: str) -> None:
    pair = make(versions=(version, version), alpn=["h2"]).shake()
    client, server = pair.client, pair.server
    assert f"shakes hands ({name}, SNI server.example, ALPN h2)" in pair.told()
    assert client.version == server.version == name.replace(" ", "v").removesuffix(".0")
    assert client.alpn == server.alpn == "h2"
    assert server.sni == "server.example"
    assert len(client.certificates) == 2 and server.certificates == []
    client.sends(b"one way")
    server.reads_exactly(b"one way")
    server.sends(b"and back")
    assert client.reads(8) == b"and back"
    client.ends()
    server.sees_end()
    server.ends()
    client.sees_end()
    assert "the server sees the end of TCP" in pair.told()
    assert client.raw_in == server.raw_out and client.raw_out == server.raw_in
    assert client.raw_counts == (len(client.raw_in), len(client.raw_out))
    assert b"one way" not in client.raw_out
    hello = client_hello(server.raw_in)
    assert hello is not None and hello == server.hello == client.hello


def test_certificates_both_ways(make: Make, zoo: Zoo) -> None:
    for version in (TLS12, TLS13):
        pair = make(versions=(version, version), client_ca=zoo.ca, shown=zoo.client()).shake()
        assert len(pair.server.certificates) == 2
        in_the_clear = certificates(pair.client.raw_in)
        assert in_the_clear == (pair.client.certificates if version == TLS12 else None)


def test_no_name_and_an_address(make: Make, zoo: Zoo) -> None:
    pair = make(name=None, identity=zoo.stranger("server")).shake()
    assert pair.server.sni is None and pair.client.sni is None
    pair = make(name="127.0.0.1", identity=zoo.server("127.0.0.1")).shake()
    assert pair.server.sni is None and "shakes hands (TLS 1.3, no SNI)" in pair.told()


def test_a_server_that_is_refused(make: Make, zoo: Zoo) -> None:
    pair = make(identity=zoo.stranger("server"))
    with pytest.raises(Broken, match=r"not acceptable \(unable to get") as caught:
        in_background(pair.server.handshake_fails, pair.client.handshakes)
    assert caught.value.seen is not None and caught.value.seen.startswith("the tester refuses: unable to get")
    assert "the server sees the handshake fail: a fatal alert (unknown ca)" in pair.told()


def test_a_server_with_another_name(make: Make, zoo: Zoo) -> None:
    pair = make(identity=zoo.server("other.example"))
    with pytest.raises(Broken, match="not acceptable"):
        in_background(pair.server.handshake_fails, pair.client.handshakes)
    assert pair.server.ending is not None and pair.server.ending.how == "alert"


def in_background(there: Callable[[], object], here: Callable[[], object]) -> object:
    thread = threading.Thread(target=there)
    thread.start()
    try:
        return here()
    finally:
        thread.join()


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_client_that_is_refused(make: Make, zoo: Zoo, version: Versions) -> None:
    pair = make(client_ca=zoo.ca, versions=(version, version))

    def serve() -> None:
        with pytest.raises(Broken, match="did not return a certificate"):
            pair.server.handshakes()

    assert in_background(serve, pair.client.handshake_fails) == "alert"
    assert any("fatal alert" in step for step in pair.told())
    assert pair.client.is_refused() == "alert"  # and it stays so


def test_a_handshake_that_does_not_fail(make: Make) -> None:
    pair = make()
    with pytest.raises(Broken, match="did not end within") as caught:
        in_background(pair.server.handshakes, lambda: pair.client.handshake_fails(within=SOON))
    assert caught.value.verdict == "timeout"
    for word in (lambda: pair.client.handshake_fails(), lambda: pair.client.is_refused()):
        pair.server.sends(b"data")
        with pytest.raises(Broken, match=r"data came to the .* where none should"):
            word()
        pair.client.reads(4)
    pair.server.sends_close_notify()
    with pytest.raises(Broken, match="was not refused"):
        pair.client.is_refused()


@pytest.mark.slow
def test_silence_in_the_handshake(make: Make) -> None:
    pair = make()
    for word in (pair.client.handshakes, pair.client.handshake_fails):
        with pytest.raises(Broken) as caught:
            word(within=SOON)
        assert caught.value.verdict == "timeout" and caught.value.seen == "nothing"
    pair.server.openssl.begin(time.monotonic() + 5)  # a server says nothing first
    assert pair.server.raw_out == b""


def test_the_first_message_alone(make: Make) -> None:
    pair = make()
    pair.client.openssl.begin(time.monotonic() + 5)
    assert [describe(record) for record in split(pair.client.raw_out)[0]] == ["handshake ClientHello"]


def test_ends_in_the_handshake(make: Make) -> None:
    for end, how in (("cuts", "end"), ("resets", "reset")):
        pair = make()
        getattr(pair.server, end)()
        assert pair.client.handshake_fails() == how
        with pytest.raises(Broken, match="the TLS handshake failed"):
            pair.client.handshakes()


@pytest.mark.parametrize(
    ("alert", "how"),
    [(b"\x02\x28", "alert"), (b"\x02\x78", "alert"), (b"\x02\x70", "alert"), (b"\x01\x00", "close_notify")],
)
def test_an_alert_instead_of_a_handshake(make: Make, alert: bytes, how: str) -> None:
    pair = make()
    pair.server.raw.sends(b"\x15\x03\x03\x00\x02" + alert)
    assert pair.client.handshake_fails() == how  # 0x78 is no_application_protocol, unknown to some


def test_no_tls(make: Make) -> None:
    pair = make()
    pair.server.raw.sends(b"220 mail.example ready\r\n")
    with pytest.raises(Broken, match="what came is no TLS") as caught:
        pair.client.handshakes()
    assert caught.value.seen == 'no TLS but "220 mail.example ready\\r\\n"'


def test_what_a_peer_read_ahead_is_not_lost(good: Identity, zoo: Zoo) -> None:
    story = Story(time.monotonic)
    one, other = connection()
    client = TlsPeer(Peer(one, story), client_context(ca=zoo.ca), server_side=False, name="server.example")
    client.openssl.begin(time.monotonic() + 5)
    raw = Peer(other, story)
    assert raw.reads(0) == b""
    raw._fill(time.monotonic() + 5, 5, "a ClientHello")
    server = TlsPeer(raw, server_context(identity=good), server_side=True)
    in_background(server.handshakes, client.handshakes)
    assert server.sni == "server.example"
    client.raw.dismiss()
    raw.dismiss()


# -- data --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_much_both_ways_at_once(make: Make, version: Versions) -> None:
    pair = make(versions=(version, version)).shake()
    data = bytes(range(251)) * 80_000
    threads = [
        pair.client.sends_in_background(data, ends=True),
        pair.server.sends_in_background(data[::-1], record=1000, ends=True),
    ]
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(pair.server.reads_to_close_notify(within=30)))
    thread.start()
    assert pair.client.reads_to_close_notify(within=30) == data[::-1]
    for each in (thread, *threads):
        each.join()
    assert got == [data]
    assert len(pair.client.raw_in) == 4_000_000 < len(data) < pair.client.raw_counts[0]


def test_records_of_one_byte(make: Make) -> None:
    pair = make(tickets=0).shake()
    before = len(split(pair.client.raw_out)[0])
    pair.client.sends(b"hello", record=1)
    records = split(pair.client.raw_out)[0][before:]
    assert [describe(record) for record in records] == ["application data, 18 bytes"] * 5
    pair.server.reads_exactly(b"hello")
    assert 'sends "hello" encrypted in records of 1' in pair.told()


def test_pieces_on_the_wire(make: Make) -> None:
    pair = make()
    pair.client.in_pieces(3, apart=0.0001)
    pair.shake()
    pair.client.sends(b"in threes")
    pair.server.reads_exactly(b"in threes")
    pair.client.in_pieces(0)
    pair.client.sends(b"at once")
    pair.server.reads_exactly(b"at once")


def test_a_record_that_was_tampered_with(make: Make) -> None:
    pair = make().shake()
    pair.client.sends(b"before")
    pair.client.tampers(lambda record: record[:-1] + bytes([record[-1] ^ 1]))
    pair.client.sends(b"tampered")
    pair.server.reads_exactly(b"before")
    with pytest.raises(Broken, match="bad record mac"):
        pair.server.reads(1)
    assert pair.client.sees_reset_or_alert() == "alert"
    assert "sees a fatal alert (bad record mac)" in pair.told()


def test_a_record_left_out(make: Make) -> None:
    pair = make().shake()
    seen: list[bytes] = []
    pair.client.tampers(lambda record: b"" if seen.append(record) is None and len(seen) == 2 else record)
    pair.client.sends(b"abc", record=1)
    pair.client.tampers(None)
    assert len(seen) == 3
    with pytest.raises(Broken, match="after 1 of 3 bytes"):
        pair.server.reads(3)


def test_past_tls(make: Make) -> None:
    pair = make().shake()
    pair.client.sends_raw(b"plain text")
    with pytest.raises(Broken, match="no TLS"):
        pair.server.reads(1)


def test_other_bytes(make: Make) -> None:
    pair = make().shake()
    pair.client.sends(b"abc")
    with pytest.raises(Broken, match="differ from byte 2 on"):
        pair.server.reads_exactly(b"abd")
    with pytest.raises(Broken, match=r"waited 0.15 s for 5 bytes") as caught:
        pair.server.reads(5, within=SOON)
    assert caught.value.verdict == "timeout"


def test_silence(make: Make) -> None:
    pair = make().shake()
    pair.client.hears_nothing(for_=0.05)  # session tickets have come, and are nothing
    pair.server.sends(b"x")
    with pytest.raises(Broken, match="too soon"):
        pair.client.hears_nothing(for_=1)
    pair.client.reads(1)
    pair.server.sends_close_notify()
    with pytest.raises(Broken, match="too soon") as caught:
        pair.client.hears_nothing(for_=1)
    assert caught.value.seen == "a close_notify"


def test_session_tickets(make: Make) -> None:
    came = []
    for tickets in (0, 1, 2):
        pair = make(versions=(TLS13, TLS13), tickets=tickets).shake()
        pair.server.sends(b"x")
        pair.client.reads_exactly(b"x")
        came.append(len(split(pair.client.raw_in)[0]))
    assert came == [came[0], came[0] + 1, came[0] + 2]


def test_who_speaks_first_shakes_hands_first(make: Make) -> None:
    pair = make()
    in_background(lambda: pair.server.sends(b"hello"), lambda: pair.client.reads_exactly(b"hello"))


def test_a_thread_that_sends_ends_with_its_connection(make: Make) -> None:
    pair = make().shake()
    thread = pair.client.sends_in_background(bytes(30_000_000))
    pair.server.reads(100_000)
    assert thread.is_alive()
    pair.client.raw.dismiss()
    thread.join(5)
    assert not thread.is_alive()
    assert any("could not send" in step for step in pair.told())


@pytest.mark.slow
def test_who_does_not_read(make: Make) -> None:
    pair = make().shake()
    data = bytes(range(256)) * 100_000
    taken = pair.client.sends_what_fits(data, quiet=0.1)
    assert 16_384 < taken < len(data)
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(pair.server.reads_to_close_notify()))
    thread.start()
    pair.client.sends_close_notify()
    thread.join()
    assert got == [data[:taken]]
    with pytest.raises(Broken, match="stopped reading") as caught:
        pair.server.sends(data, within=0.1)
    assert caught.value.verdict == "timeout"


# -- endings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_half_close_with_data_under_way(make: Make, version: Versions) -> None:
    pair = make(versions=(version, version)).shake()
    pair.server.sends(b"unread when the client ends")
    pair.client.ends()  # what waits to be read must not make this an error
    pair.server.sees_close_notify()
    pair.server.sends(b", and more")
    pair.client.reads_exactly(b"unread when the client ends, and more")
    pair.server.ends()
    pair.client.sees_close_notify()
    pair.client.sees_end()
    pair.server.sees_end()


def test_a_truncation(make: Make) -> None:
    pair = make().shake()
    pair.client.sends(b"part")
    pair.client.cuts()
    assert "cuts the connection: FIN without a close_notify" in pair.told()
    with pytest.raises(Broken, match="not with a close_notify") as caught:
        pair.server.reads_to_close_notify()
    assert caught.value.seen == '"part", then the end of the stream (FIN) without a close_notify'
    for word in (pair.server.sees_close_notify, pair.server.sees_end, pair.server.sees_reset_or_alert):
        with pytest.raises(Broken):
            word()
    assert pair.server.sees_cut() == "end"
    assert pair.server.is_refused() == "end"


def test_a_reset(make: Make) -> None:
    pair = make().shake()
    pair.client.resets()
    assert pair.server.sees_reset_or_alert() == "reset"
    pair.server.sees_reset()
    for word in (pair.server.sees_close_notify, pair.server.sees_end, pair.server.reads_to_close_notify):
        with pytest.raises(Broken) as caught:
            word()
        assert "a reset" in str(caught.value.seen)


def test_a_reset_that_a_write_meets_first(make: Make) -> None:
    pair = make().shake()
    pair.client.resets()
    pair.server.sends(bytes(100_000), may_fail=True)
    pair.server.sends(bytes(100_000), may_fail=True)
    assert "the server finds the connection ended while sending" in pair.told()
    with pytest.raises(Broken, match="ended the connection"):
        pair.server.sends(b"once more")
    assert pair.server.sees_reset_or_alert() == "reset"


def test_a_clean_end_is_no_break(make: Make) -> None:
    pair = make().shake()
    pair.client.sends(b"data")
    pair.client.ends()
    with pytest.raises(Broken, match="in another way"):
        pair.server.sees_reset_or_alert()
    with pytest.raises(Broken, match="in another way"):
        pair.server.sees_cut()
    with pytest.raises(Broken, match="data came"):
        (pair := make().shake()).client.sends(b"x")
        pair.server.sees_end()


def test_what_follows_a_close_notify(make: Make) -> None:
    pair = make().shake()
    pair.client.sends_close_notify()
    pair.server.sees_close_notify()
    with pytest.raises(Broken, match="TCP did not end") as caught:
        pair.server.sees_end(within=SOON)
    assert caught.value.verdict == "timeout"
    pair.client.resets()
    assert pair.server.sees_reset_or_alert() == "reset"
    with pytest.raises(Broken, match="as it should") as caught:
        pair.server.sees_end()
    assert caught.value.seen == "a reset"
    pair = make().shake()
    pair.client.sends_close_notify()
    pair.client.sends_raw(b"\x17\x03\x03\0\x05hello")
    pair.client.cuts()
    with pytest.raises(Broken, match="as it should") as caught:
        pair.server.sees_end()
    assert caught.value.seen == "application data, 5 bytes, then the end of the stream (FIN)"


def test_the_protocol_that_is_not_spoken(make: Make) -> None:
    pair = make(alpn=["h2"], offered=["http/1.1"]).shake()
    assert pair.client.alpn is None is pair.server.alpn


@OLD
def test_old_versions_meet_new_ones(make: Make) -> None:
    pair = make(versions=(TLS12, TLS13))
    old = TlsPeer(pair.client.raw, client_context(ca=None, versions=(TLS10, TLS11)), server_side=False, name=None)
    with pytest.raises(Broken, match="unsupported protocol"):
        in_background(old.handshake_fails, pair.server.handshakes)
    assert old.ending is not None and old.ending.detail == "protocol version"


def test_a_certificate_with_anothers_key(zoo: Zoo, good: Identity) -> None:
    with pytest.raises(LabError, match="cannot use"):
        server_context(identity=Identity(good.certificates, zoo.client().key))


def test_secrets_for_records_of_ones_own(make: Make) -> None:
    pair = make().shake()
    assert pair.client.secrets["CLIENT_TRAFFIC_SECRET_0"] == pair.server.secrets["CLIENT_TRAFFIC_SECRET_0"]
    assert make().client.secrets == {}


def test_no_secrets_are_left_behind(make: Make, zoo: Zoo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pair = make()
    assert len(list(tmp_path.iterdir())) == 2
    pair.shake()
    assert list(tmp_path.iterdir()) == []
    pair = make(identity=zoo.stranger("server"))
    with pytest.raises(Broken):
        in_background(pair.server.handshake_fails, pair.client.handshakes)
    assert list(tmp_path.iterdir()) == []
