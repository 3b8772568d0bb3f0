"""The three programs and their driver on real sockets of this machine, over the least Connection and over ours.

The least one (stop_and_wait.py) shows that the programs need no more than stage 3; its constants are made small, so
that giving up takes no minute.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "reference" / "transport"
LEAST = Path(__file__).with_name("stop_and_wait.py")
#: Seconds within which anything here has to happen.
PATIENCE = 10.0


def programs(folder: Path, connection: str, **constants: float) -> Path:
    """A folder with the programs, over one of the two connections, some of the least one's constants changed."""
    shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if connection == "least":
        text = LEAST.read_text()
        for name, value in {"TIME_WAIT": 0.3, **constants}.items():
            lines = text.splitlines()
            (at,) = [number for number, line in enumerate(lines) if line.startswith(f"{name} = ")]
            lines[at] = f"{name} = {value}"
            text = "\n".join(lines) + "\n"
        (folder / "connection.py").write_text(text)
    return folder


@pytest.fixture
def least(tmp_path: Path) -> Path:
    return programs(tmp_path / "programs", "least")


@pytest.fixture(params=["least", "reference"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return programs(tmp_path / "programs", request.param)


class Running:
    """A program with pipes; ended with the test."""

    def __init__(self, folder: Path, name: str, *words: str, stdin: Path | None = None) -> None:
        source = stdin.open("rb") if stdin else subprocess.PIPE
        self.popen = subprocess.Popen(
            [sys.executable, "-B", f"{name}.py", *words],
            cwd=folder,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.popen.stdout and self.popen.stderr
        self.out, self.err = self.popen.stdout, self.popen.stderr

    def address(self) -> str:
        """Where it says that it listens."""
        assert select.select([self.err], [], [], PATIENCE)[0]
        return self.err.readline().decode().removeprefix("listening on ").strip()

    def gives(self) -> bytes:
        """All that it writes."""
        return self.out.read()

    def is_given(self, data: bytes) -> None:
        """Write to its standard input and end that, without waiting for it to be read."""

        def write() -> None:
            assert self.popen.stdin
            with contextlib.suppress(BrokenPipeError):
                self.popen.stdin.write(data)
                self.popen.stdin.close()

        threading.Thread(target=write, daemon=True).start()

    def status(self) -> int:
        return self.popen.wait(PATIENCE)


@pytest.fixture
def start() -> Iterator[type[Running]]:
    """`Running`, whose objects are killed when the test is over."""
    made: list[Running] = []

    class Kept(Running):
        def __init__(self, *words: object, **more: object) -> None:
            super().__init__(*words, **more)  # type: ignore[arg-type]
            made.append(self)

    yield Kept
    for each in made:
        each.popen.kill()
        each.popen.wait()
        for pipe in (each.out, each.err):
            pipe.close()


def module(name: str) -> ModuleType:
    """A module of the reference, without its folder staying on the path."""
    sys.path.insert(0, str(REFERENCE))
    try:
        spec = importlib.util.spec_from_file_location(f"transport_{name}", REFERENCE / f"{name}.py")
        assert spec and spec.loader
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = loaded
        spec.loader.exec_module(loaded)
        return loaded
    finally:
        sys.path.remove(str(REFERENCE))


SEGMENTS = module("segment")


class ByHand:
    """A peer that is a bare socket and says what a test wants."""

    def __init__(self, family: socket.AddressFamily = socket.AF_INET) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.address = "udp:{}:{}".format(*self.socket.getsockname()[:2])
        self.other: tuple[str, int] = ("", 0)

    def hears(self):
        """The next segment that comes, and remember from where."""
        data, self.other = self.socket.recvfrom(2048)
        segment = SEGMENTS.decode(data)
        assert segment is not None
        return segment

    def says(self, **fields: object) -> None:
        """Send a segment to whom we heard last."""
        self.socket.sendto(SEGMENTS.encode(SEGMENTS.Segment(**fields)), self.other)


@pytest.fixture
def hand() -> Iterator[ByHand]:
    made = ByHand()
    yield made
    made.socket.close()


def some_bytes(count: int) -> bytes:
    return random.Random(count).randbytes(count)


# -- transfers -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, 1200, 1201, 300_000])
def test_a_file_arrives_whole(start: type[Running], either: Path, tmp_path: Path, count: int) -> None:
    data = tmp_path / "data"
    data.write_bytes(some_bytes(count))
    receiver = start(either, "rdt_recv", "udp:127.0.0.1:0")
    start(either, "rdt_send", receiver.address(), stdin=data)
    assert receiver.gives() == data.read_bytes()
    assert receiver.status() == 0


@pytest.mark.slow
def test_over_ipv6_and_from_a_pipe(start: type[Running], least: Path) -> None:
    receiver = start(least, "rdt_recv", "udp:[::1]:0")
    address = receiver.address()
    assert address.startswith("udp:[::1]:")
    sender = start(least, "rdt_send", address)
    sender.is_given(some_bytes(200_000))
    assert receiver.gives() == some_bytes(200_000)
    assert (receiver.status(), sender.status()) == (0, 0)


@pytest.mark.slow
def test_both_ways_at_once(start: type[Running], either: Path, tmp_path: Path) -> None:
    up, down = tmp_path / "up", tmp_path / "down"
    up.write_bytes(some_bytes(150_000))
    down.write_bytes(some_bytes(90_000))
    listener = start(either, "rdt_pipe", "--listen", "udp:127.0.0.1:0", stdin=down)
    connector = start(either, "rdt_pipe", listener.address(), stdin=up)
    assert connector.gives() == down.read_bytes()
    assert listener.gives() == up.read_bytes()


@pytest.mark.slow
def test_each_way_ends_for_itself(start: type[Running], least: Path) -> None:
    listener = start(least, "rdt_pipe", "--listen", "udp:127.0.0.1:0")
    connector = start(least, "rdt_pipe", listener.address())
    connector.is_given(b"a question")
    assert listener.out.read(10) == b"a question"
    listener.is_given(b"an answer, after the asker's end")
    assert connector.gives() == b"an answer, after the asker's end"
    assert (listener.status(), connector.status()) == (0, 0)


@pytest.mark.slow
def test_output_that_nobody_reads_yet_stops_the_sender_and_nothing_is_lost(
    start: type[Running], least: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.write_bytes(some_bytes(1_000_000))
    receiver = start(least, "rdt_recv", "udp:127.0.0.1:0")
    sender = start(least, "rdt_send", receiver.address(), stdin=data)
    assert select.select([receiver.out], [], [], PATIENCE)[0]
    with pytest.raises(subprocess.TimeoutExpired):  # longer than the transfer takes when somebody reads
        sender.popen.wait(1.0)
    assert receiver.gives() == data.read_bytes()
    assert sender.status() == 0


@pytest.mark.slow
def test_streams_that_somebody_made_non_blocking(start: type[Running], least: Path) -> None:
    receiver = start(least, "rdt_recv", "udp:127.0.0.1:0")
    sender = start(least, "rdt_send", receiver.address())
    for popen, number in ((receiver.popen, 1), (sender.popen, 0)):
        make_non_blocking(popen.pid, number)
    sender.is_given(some_bytes(400_000))
    assert receiver.gives() == some_bytes(400_000)


def make_non_blocking(pid: int, number: int) -> None:
    """Set O_NONBLOCK on a descriptor of another process (a pipe): both have the same open file for a moment."""
    if sys.platform != "linux":
        pytest.skip("there is no way to a pipe of another process")
    import ctypes

    pidfd = os.pidfd_open(pid)
    mine = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, number, 0)  # pidfd_getfd(2)
    os.close(pidfd)
    if mine < 0:
        pytest.skip("pidfd_getfd is not allowed here")
    os.set_blocking(mine, False)
    os.close(mine)


@pytest.mark.slow
def test_waiting_costs_nothing(start: type[Running], either: Path) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("no account of another process's CPU")
    listener = start(either, "rdt_pipe", "--listen", "udp:127.0.0.1:0")
    connector = start(either, "rdt_pipe", listener.address())
    assert connector.popen.stdin
    connector.popen.stdin.write(b"!")
    connector.popen.stdin.flush()
    assert listener.out.read(1) == b"!"
    select.select([listener.out], [], [], 0.3)  # the last acknowledgement may be delayed
    before = ticks(listener) + ticks(connector)
    assert not select.select([listener.out, connector.out], [], [], 0.5)[0]
    assert ticks(listener) + ticks(connector) <= before + 1


def ticks(program: Running) -> int:
    fields = Path(f"/proc/{program.popen.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


# -- one peer ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_stranger_changes_nothing_and_hears_nothing(start: type[Running], least: Path, hand: ByHand) -> None:
    receiver = start(least, "rdt_recv", "udp:127.0.0.1:0")
    address = receiver.address()
    host, port = address.removeprefix("udp:").split(":")
    stranger = ByHand()
    stranger.other = hand.other = (host, int(port))
    stranger.says(sequence=1, ack=True, acknowledgement=7, payload=b"too early")  # no SYN: not the peer
    hand.says(sequence=99, syn=True, window=60_000)
    answer = hand.hears()
    assert answer.syn
    assert answer.acknowledgement == 100
    ours = answer.sequence + 1
    hand.says(sequence=100, ack=True, acknowledgement=ours, window=60_000)
    stranger.says(sequence=100, ack=True, acknowledgement=ours, payload=b"forged", window=60_000)
    stranger.says(sequence=100, ack=True, acknowledgement=ours, rst=True)
    stranger.says(sequence=5, syn=True, window=60_000)
    hand.says(sequence=100, ack=True, acknowledgement=ours, payload=b"genuine", fin=True, window=60_000)
    while not (last := hand.hears()).fin:
        pass
    hand.says(sequence=108, ack=True, acknowledgement=last.sequence + 1, window=60_000)
    assert receiver.gives() == b"genuine"
    assert receiver.status() == 0
    stranger.socket.settimeout(0.05)
    with pytest.raises(TimeoutError):
        stranger.hears()
    stranger.socket.close()


# -- how it ends ---------------------------------------------------------------------------------------------------


def open_by_hand(sender: Running, hand: ByHand) -> int:
    """Shake hands with a sender; the number of its first byte."""
    assert sender.popen.poll() is None
    syn = hand.hears()
    assert syn.syn
    assert not syn.ack
    hand.says(sequence=500, syn=True, ack=True, acknowledgement=syn.sequence + 1, window=60_000)
    hand.hears()
    return int(syn.sequence) + 1


@pytest.mark.slow
def test_a_reset_of_the_first_segment_is_no_connection(start: type[Running], either: Path, hand: ByHand) -> None:
    sender = start(either, "rdt_send", hand.address)
    syn = hand.hears()
    hand.says(sequence=0, rst=True, ack=True, acknowledgement=syn.sequence + 1)
    assert sender.status() == 3
    assert b"refused" in sender.err.read()


@pytest.mark.slow
def test_a_later_reset_breaks_the_protocol(start: type[Running], either: Path, hand: ByHand) -> None:
    sender = start(either, "rdt_send", hand.address)
    first = open_by_hand(sender, hand)
    hand.says(sequence=501, rst=True, ack=True, acknowledgement=first)
    assert sender.status() == 4
    assert b"reset" in sender.err.read()


@pytest.mark.slow
def test_nobody_answers(start: type[Running], tmp_path: Path, hand: ByHand) -> None:
    sender = start(programs(tmp_path / "p", "least", FIRST_RTO=0.01), "rdt_send", hand.address)
    assert sender.status() == 3
    assert b"nobody answers" in sender.err.read()


@pytest.mark.slow
def test_a_peer_that_falls_silent(start: type[Running], tmp_path: Path, hand: ByHand) -> None:
    sender = start(programs(tmp_path / "p", "least", FIRST_RTO=0.01), "rdt_send", hand.address)
    open_by_hand(sender, hand)
    sender.is_given(b"is there anybody?")
    assert sender.status() == 5
    assert b"silent" in sender.err.read()


@pytest.mark.slow
def test_sigterm_aborts_the_connection(start: type[Running], either: Path, hand: ByHand) -> None:
    sender = start(either, "rdt_send", hand.address)
    open_by_hand(sender, hand)
    begun = time.monotonic()
    sender.popen.send_signal(signal.SIGTERM)
    while not hand.hears().rst:
        pass
    assert sender.status() == 128 + signal.SIGTERM
    assert time.monotonic() - begun < 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [[], ["127.0.0.1:5"], ["udp:localhost:5"], ["udp:[1.2.3.4]:5"], ["udp:1.2.3.4:70000"], ["a", "b"]]
)
def test_usage(start: type[Running], least: Path, words: list[str]) -> None:
    program = start(least, "rdt_send", *words)
    assert program.status() == 2
    assert program.err.read().startswith(b"rdt_send: ")


@pytest.mark.slow
def test_an_address_that_is_taken(start: type[Running], least: Path, hand: ByHand) -> None:
    for name, *words in (("rdt_recv",), ("rdt_pipe", "--listen")):
        program = start(least, name, *words, hand.address)
        assert program.status() == 3
        assert b"in use" in program.err.read()


@pytest.mark.slow
def test_output_that_nobody_will_ever_read(start: type[Running], least: Path) -> None:
    receiver = start(least, "rdt_recv", "udp:127.0.0.1:0")
    address = receiver.address()
    receiver.out.close()
    start(least, "rdt_send", address).is_given(b"for nobody")
    assert receiver.status() == 1
