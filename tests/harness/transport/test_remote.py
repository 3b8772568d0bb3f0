"""Calls to a solution in another process: what it offers, and everything the other side can do wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hosting import hosted, written

from harness.actors.story import Broken
from harness.transport.calls import remote as remote_module
from harness.transport.calls.calls import RemoteConnection, RemoteReassembler, RemoteSegments
from harness.transport.calls.remote import Remote
from harness.transport.segments import Seg, WireFormat, build, parse

WIRE = WireFormat()


def test_a_handshake_a_message_and_an_end_cross_the_boundary():
    with hosted() as one, hosted() as other:
        client = RemoteConnection(one, 1, role="client", isn=7)
        server = RemoteConnection(other, 1, role="server", isn=1000)
        first = client.step(now=0, send=b"hello", end=True)
        assert first.accepted == 5
        assert parse(first.datagrams[0], WIRE) == Seg(7, syn=True, window=65536)
        waiting, read, events = list(first.datagrams), b"", []
        for instant in range(1, 5):
            turn = server.step(now=instant / 100, receive=waiting, read=1000)
            read, events = read + turn.read, events + list(turn.events)
            waiting = list(client.step(now=instant / 100, receive=turn.datagrams).datagrams)
        assert read == b"hello"
        assert events == ["connected", "end of stream"]


def test_one_guest_holds_many_connections():
    with hosted() as remote:
        made = [RemoteConnection(remote, n, role="client", isn=n) for n in range(20)]
        sent = [parse(connection.step(now=0).datagrams[0], WIRE) for connection in made]
        assert [seg.sequence for seg in sent if seg] == list(range(20))
        made[3].drop()
        with pytest.raises(Broken, match="KeyError"):
            made[3].step(now=1)


def test_segments_and_checksums_cross_the_boundary():
    seg = Seg(1, 2, 3, ack=True, sack=((10, 20), (30, 40)), payload=bytes(range(256)))
    with hosted() as remote:
        segments = RemoteSegments(remote)
        assert segments.encode(seg) == build(seg, WIRE)
        assert segments.decode(build(seg, WIRE)) == seg
        assert segments.decode(b"garbage") is None
        assert segments.checksum(b"123456789") == 0xCBF43926


def test_a_reassembler_crosses_the_boundary():
    with hosted() as remote:
        pieces = RemoteReassembler(remote, 1, "InOrder", 100)
        pieces.receive(0, b"abc")
        assert pieces.read() == [(0, b"abc")]
        assert pieces.read() == []
        assert pieces.missing() == []


def test_what_it_prints_and_reads_harms_nobody(tmp_path: Path):
    text = """
import os, sys
print("import")
class Connection:
    def __init__(self, role, *, isn, receive_buffer): print("made", flush=True)
    def next_event(self): print("x" * 100_000, flush=True); os.write(1, b"straight to 1"); return None
    def datagrams_to_send(self, *, now): return [sys.stdin.read().encode()]
    def next_timer(self): return None
"""
    with written(tmp_path, text) as remote:
        turn = RemoteConnection(remote, 1, role="client", isn=0).step(now=0)
        assert turn.datagrams == [b""]


# -- answers that are wrong ----------------------------------------------------------------------------------------

METHODS = """
import enum, json, math, os, sys, threading, time
class Connection:
    def __init__(self, role, *, isn, receive_buffer): pass
    def receive_datagram(self, data, *, now): pass
    def datagrams_to_send(self, *, now): return []
    def next_timer(self): return None
    def handle_timer(self, *, now): pass
    def next_event(self): return None
    def send(self, data): return len(data)
    def read(self, limit): return b""
    def end(self): pass
    def abort(self): pass
class Connection(Connection):
"""

WRONG = {
    "def next_timer(self): return float('nan')": "NaN|not JSON",
    "def next_timer(self): return 'soon'": "next_timer gave 'soon' instead of seconds",
    "def next_timer(self): return 10**400": "raised OverflowError",
    "def next_timer(self): return 1e300": "next_timer gave no time",
    "def next_timer(self): return True": "instead of seconds",
    "def send(self, data): return 10**5000": "cannot be sent|send: accepted",
    "def send(self, data): return len(data) + 1": "send accepted 4 bytes",
    "def send(self, data): return -1": "send: accepted is not a number",
    "def send(self, data): return None": "send gave None instead of a whole number",
    "def read(self, limit): return b'x' * (limit + 1)": "read gave 11 bytes",
    "def read(self, limit): return 'text'": "read gave 'text' instead of bytes",
    "def next_event(self): return 5": "next_event gave 5 instead of an Event",
    "def next_event(self, said=[]): return None if said else said.append(1) or 'applause'": "unknown event",
    "def next_event(self): return 'closed'": "more than 100 events",
    "def datagrams_to_send(self, *, now): return None": "datagrams_to_send gave None instead of a list",
    "def datagrams_to_send(self, *, now): return b'one'": "instead of a list",
    "def datagrams_to_send(self, *, now): return ['one']": "'one' instead of bytes",
    "def datagrams_to_send(self, *, now): return [b'x' * 70_000]": "gave 70,000 bytes",
    "def datagrams_to_send(self, *, now): return [b''] * 5000": "5,000 entries",
    "def datagrams_to_send(self, *, now): return [bytes(1000)] * 4000": "4,000,000 bytes at once|more than",
    "def datagrams_to_send(self, *, now): raise NotImplementedError('stage 3')": "is not written yet",
    "def datagrams_to_send(self, *, now): raise ValueError('\\x1b[31m\\udfff')": r"raised ValueError: \\x1b",
    "def datagrams_to_send(self, *, now): sys.exit(0)": "raised SystemExit",
    "def datagrams_to_send(self, *, now): return self.datagrams_to_send(now=now)": "RecursionError",
    "def datagrams_to_send(self, *, now): os._exit(3)": "ended in the middle of a call, with exit status 3",
    "def datagrams_to_send(self, *, now): os.kill(os.getpid(), 9)": "with signal 9",
    "def datagrams_to_send(self, *, now): os.closerange(3, 50); time.sleep(9)": "closed its standard output",
}


@pytest.mark.parametrize("method", WRONG)
def test_a_wrong_answer_is_the_submissions_fault(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote_module, "MOST_LINE", 1 << 21)
    with written(tmp_path, METHODS + "    " + method) as remote:
        connection = RemoteConnection(remote, 1, role="client", isn=0)
        with pytest.raises(Broken, match=WRONG[method]) as told:
            connection.step(now=1.5, send=b"abc", read=10)
        assert "1.500000 s" in told.value.message
        assert len(told.value.message) < 1000


def test_the_timer_has_to_move_on_once_handled(tmp_path: Path):
    with written(tmp_path, METHODS + "    def next_timer(self): return 2.0") as remote:
        connection = RemoteConnection(remote, 1, role="client", isn=0)
        assert connection.step(now=1.0).timer == 2.0
        assert connection.step(now=3.0).timer == 2.0, "a time that is past asks to be called at once"
        with pytest.raises(Broken, match="still not later"):
            connection.step(now=3.0, timer=True)


def test_the_place_of_an_exception_is_told(tmp_path: Path):
    text = METHODS + "    def receive_datagram(self, data, *, now):\n        return {}[len(data)]\n"
    with written(tmp_path, text) as remote:
        connection = RemoteConnection(remote, 1, role="client", isn=0)
        with pytest.raises(Broken, match=r"raised KeyError: 3 \(connection.py, line 16, in receive_datagram\)"):
            connection.step(now=0, receive=[b"abc"])
        assert connection.step(now=0).datagrams == [], "the next call is answered"


def test_no_module_is_an_error(tmp_path: Path):
    with hosted(tmp_path) as remote, pytest.raises(Broken, match="No module named 'connection'") as told:
        RemoteConnection(remote, 1, role="client", isn=0)
    assert told.value.verdict == "error"


def test_after_its_death_it_can_be_started_again(tmp_path: Path):
    with written(tmp_path, METHODS + "    def end(self): os._exit(1)") as remote:
        connection = RemoteConnection(remote, 1, role="client", isn=0)
        with pytest.raises(Broken):
            connection.step(now=0, end=True)
        assert not remote.runs
        with pytest.raises(Broken, match="answers no more calls"):
            connection.step(now=0)
        remote.restart()
        assert RemoteConnection(remote, 1, role="client", isn=0).step(now=0).events == []


# -- a program that is no guest at all -----------------------------------------------------------------------------

SAYS = {
    "print('hello')": "a line that is not JSON",
    "print('[]')": "not an object",
    "print('[' * 100_000)": "JSON without an end|not JSON",
    "print('{}'); print('{}')": "more than one line",
    "sys.stdout.buffer.write(b'\\xff\\xfe\\n')": "a line that is not JSON",
    "print(end='x' * 5_000_000)": "a line of more than",
    "print('{\"timer\": Infinity}')": "not JSON",
    "print('{\"timer\": 1e999}')": "no time",
    "print('{\"timer\": ' + '9' * 5000 + '}')": "not JSON|no time",
    "print('{\"datagrams\": [1]}')": "not a base64 text",
    'print(\'{"datagrams": ["!"]}\')': "not base64",
    "print('{\"datagrams\": {}}')": "not a list",
    "print('{\"accepted\": true}')": "not a number",
    "print('{\"accepted\": 1.0}')": "not a number",
    "print('{\"events\": [[]]}')": "unknown event",
    'print(\'{"error": {"a": 1}, "where": {}}\')': "answered with an error",
    'print(\'{"error": "x", "where": [1, null]}\')': r"raised x \(None\)",
    "sys.exit(7)": "exit status 7",
    "sys.stderr.write('x' * 17_000_000)": "more than 16,000,000 bytes to standard error|ended",
    "os.close(1); time.sleep(60)": "closed its standard output",
}


@pytest.mark.parametrize("says", SAYS)
def test_nonsense_is_the_submissions_fault(says: str, tmp_path: Path):
    program = tmp_path / "noise.py"
    program.write_text(
        "import os, sys, time\nsys.stdin.readline()\nprint('{}', flush=True)\nsys.stdin.readline()\n"
        + says
        + "\nsys.stdout.flush()\ntime.sleep(5)\n"
    )
    with hosted(tmp_path, argv=["python3", str(program)]) as remote:
        connection = RemoteConnection(remote, 1, role="client", isn=0)
        with pytest.raises(Broken, match=SAYS[says]):
            connection.step(now=0)


# -- time ----------------------------------------------------------------------------------------------------------


def test_a_call_that_computes_for_ever_is_ended(tmp_path: Path):
    with written(tmp_path, METHODS + "    def end(self):\n        while True: pass") as remote:
        connection = RemoteConnection(remote, 1, role="client", isn=0)
        began = time.monotonic()
        with pytest.raises(Broken, match="too much of the processor") as told:
            connection.step(now=0, end=True)
        assert told.value.verdict == "timeout"
        assert time.monotonic() - began < 8
        assert not remote.runs


def test_a_call_that_waits_for_ever_is_ended(tmp_path: Path):
    with written(tmp_path, METHODS + "    def end(self): threading.Event().wait()") as remote:
        connection = RemoteConnection(remote, 1, role="client", isn=0)
        with pytest.raises(Broken, match="must not sleep or wait"):
            connection.step(now=0, end=True)


def naps(folder: Path, method: str, calls: int) -> Callable[[], None]:
    """Call it so often, as one simulation."""

    def run() -> None:
        with written(folder, METHODS + "    " + method) as remote:
            connection = RemoteConnection(remote, 1, role="client", isn=0)
            for number in range(calls):
                connection.step(now=number, receive=[b"x"])
            remote.meter.end()

    return run


def test_a_nap_in_the_receive_path_is_found(tmp_path: Path):
    with pytest.raises(Broken, match="a call sleeps"):
        naps(tmp_path, "def receive_datagram(self, data, *, now): time.sleep(0.01)", 40)()


def test_one_long_stall_is_no_nap(tmp_path: Path):
    naps(tmp_path, "def receive_datagram(self, data, *, now): time.sleep(0.4 * (now == 9))", 40)()


def test_computing_for_a_while_is_no_nap(tmp_path: Path):
    naps(tmp_path, "def receive_datagram(self, data, *, now): sum(range(300_000))", 60)()


def test_a_turn_crosses_the_boundary_quickly():
    """Bound and figure: 65 us were measured between two processors; 2 ms leave room for a busy machine."""
    with hosted() as remote:
        connection = RemoteConnection(remote, 1, role="server", isn=0)
        data = build(Seg(0, payload=bytes(1200)), WIRE)
        began = time.monotonic()
        for number in range(300):
            connection.step(now=number, receive=[data])
        assert (time.monotonic() - began) / 300 < 0.002


def test_the_protocol_can_be_typed_by_hand():
    with hosted() as remote:
        assert remote.ask(json.loads('{"do": "hello"}'))["protocol"] == 1
        with pytest.raises(Broken, match="not a call"):
            remote.ask({"do": "dance"})


def test_a_remote_is_dismissed_twice_without_harm():
    with hosted() as remote:
        assert isinstance(remote, Remote)
        remote.dismiss()
        remote.dismiss()
