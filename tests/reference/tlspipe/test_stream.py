"""The reference's TLS without a socket: two of them, or one and OpenSSL by hand, and a wire that is a list of bytes."""

from __future__ import annotations

import random
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.tls.zoo.zoo import Zoo
from tests.reference.loading import load

R: SimpleNamespace = load("tlspipe", "tls", "contexts", "endings")
BUFFER = memoryview(bytearray(1 << 17))


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of the two roles, with certificates of the zoo."""
    zoo, folder = Zoo(), tmp_path_factory.mktemp("tls")
    identity = zoo.server()
    write(folder / "cert", identity.certificates)
    write(folder / "key", identity.key)
    write(folder / "ca", zoo.ca)
    server = R.contexts.server_context(str(folder / "cert"), str(folder / "key"))
    return server, R.contexts.client_context(str(folder / "ca"))


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


class Pair:
    """A client and a server, and what is on the way between them."""

    def __init__(self, contexts: tuple[ssl.SSLContext, ssl.SSLContext], name: str = "server.example") -> None:
        self.server = R.tls.TlsStream(contexts[0])
        self.client = R.tls.TlsStream(contexts[1], server_name=name)

    def moves(self, size: int = 1 << 20) -> bool:
        """Carry what waits, in pieces of `size` bytes; whether there was any."""
        moved = False
        for sender, receiver in ((self.client, self.server), (self.server, self.client)):
            data = sender.data_to_send()
            for at in range(0, len(data), size):
                receiver.receive(memoryview(data[at : at + size]))
                if not receiver.shaken:
                    receiver.shake_hands()
            moved = moved or bool(data)
        return moved

    def shaken(self, size: int = 1 << 20) -> Pair:
        """Shake hands."""
        self.client.shake_hands()
        while self.moves(size):
            pass
        assert self.client.shaken and self.server.shaken
        assert read_all(self.client) == b""  # tickets are no plain text
        return self


def read_all(stream: Any) -> bytes:
    """Everything that can be read now."""
    data = b""
    while count := stream.read(BUFFER):
        data += bytes(BUFFER[:count])
    return data


def ending_of(stream: Any) -> Any:
    """How a stream that has been cut or spoilt ends."""
    with pytest.raises(R.endings.Over) as over:
        while stream.read(BUFFER):
            pass
    return over.value.ending


def test_bytes_come_as_they_went_whatever_the_pieces(contexts: Any) -> None:
    rng = random.Random(3)
    for size in (1, 7, 1000, 1 << 20):
        pair = Pair(contexts).shaken(size)
        data = rng.randbytes(100_000)
        pair.client.write(memoryview(data))
        pair.moves(size if size > 1 else 3)
        assert read_all(pair.server) == data


def test_a_wrong_name_is_refused_and_the_server_is_told(contexts: Any) -> None:
    pair = Pair(contexts, name="other.example")
    pair.client.shake_hands()
    with pytest.raises(R.endings.Over) as over:
        while pair.moves():
            pass
    assert over.value.ending is R.endings.Ending.REFUSED
    assert "other.example" in str(over.value)
    alert = pair.client.data_to_send()
    assert alert
    pair.server.receive(memoryview(alert))
    with pytest.raises(R.endings.Over):
        pair.server.shake_hands()


def test_each_half_ends_by_itself(contexts: Any) -> None:
    pair = Pair(contexts).shaken()
    pair.client.write(memoryview(b"all I had to say"))
    pair.client.close()
    pair.moves()
    assert read_all(pair.server) == b"all I had to say"
    assert pair.server.peer_closed and not pair.client.peer_closed
    pair.server.write(memoryview(b"and my answer"))
    pair.server.close()
    pair.moves()
    assert read_all(pair.client) == b"and my answer"
    assert pair.client.peer_closed


def test_close_with_data_unread_loses_none(contexts: Any) -> None:
    pair = Pair(contexts).shaken()
    data = random.Random(4).randbytes(90_000)
    pair.server.write(memoryview(data))
    pair.moves()
    pair.client.close()  # what the server said lies in the incoming BIO
    pair.moves()
    assert read_all(pair.server) == b"" and pair.server.peer_closed
    pair.server.close()
    pair.moves()
    assert read_all(pair.client) == data
    assert pair.client.peer_closed


def test_a_cut_is_no_end(contexts: Any) -> None:
    for said in (b"", b"half of it"):
        pair = Pair(contexts).shaken()
        pair.server.write(memoryview(said))
        pair.moves()
        pair.client.receive(memoryview(b""))
        assert read_some(pair.client) == said
        assert ending_of(pair.client) is R.endings.Ending.TRUNCATED
        assert not pair.client.peer_closed


def read_some(stream: Any) -> bytes:
    """What comes before the end, which is another call's business."""
    try:
        return bytes(BUFFER[: stream.read(BUFFER)])
    except R.endings.Over:
        return b""


def test_a_cut_inside_a_record_and_inside_the_handshake(contexts: Any) -> None:
    pair = Pair(contexts).shaken()
    pair.server.write(memoryview(b"x" * 1000))
    pair.client.receive(memoryview(pair.server.data_to_send()[:-1]))
    pair.client.receive(memoryview(b""))
    assert ending_of(pair.client) is R.endings.Ending.TRUNCATED
    early = Pair(contexts)
    early.client.shake_hands()
    early.client.receive(memoryview(b""))
    with pytest.raises(R.endings.Over) as over:
        early.client.shake_hands()
    assert over.value.ending is R.endings.Ending.TRUNCATED


def test_a_flipped_bit_breaks_it_and_what_came_before_is_good(contexts: Any) -> None:
    for place in (6, 100, -1):
        pair = Pair(contexts).shaken()
        pair.client.write(memoryview(b"good"))
        good = pair.client.data_to_send()
        pair.client.write(memoryview(b"spoilt" * 50))
        bad = bytearray(pair.client.data_to_send())
        bad[place] ^= 4
        pair.server.receive(memoryview(good + bad))
        assert read_some(pair.server) == b"good"
        assert ending_of(pair.server) is R.endings.Ending.BROKEN
        assert pair.server.data_to_send()  # the alert


def test_the_bio_is_bounded_by_whoever_looks_at_waiting(contexts: Any) -> None:
    pair = Pair(contexts).shaken()
    pair.client.write(memoryview(bytes(50_000)))
    assert 50_000 < pair.client.waiting < 51_000
    assert len(pair.client.data_to_send()) and pair.client.waiting == 0
