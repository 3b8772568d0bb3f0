"""The scripted peer against small connections that do one thing right or wrong."""

# ruff: noqa: ARG002, ARG005

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from harness.actors.story import Broken, Story
from harness.transport.script.conversation import stream_bytes
from harness.transport.script.peer import BadScript, ScriptedPeer
from harness.transport.script.text import read_pattern, read_script, read_segment
from harness.transport.segments import Seg, WireFormat, build, parse
from harness.transport.simulation.applications import LocalConnection

WIRE = WireFormat()
ISN, PEER_ISN = 0xFFFF_FFF0, 0xFFFF_FF00


class Toy:
    """A client that is just right for these tests: one SYN, an ACK for whatever comes, payload sent once."""

    def __init__(self) -> None:
        self.out: deque[bytes] = deque()
        self.events: deque[str] = deque()
        self.next, self.expected, self.window = 1, 0, 5000
        self.inbox = b""
        self.timer: float | None = None
        self.on_timer: Any = None
        self.put(syn=True, ack=False, seq=0)

    def put(self, *, seq: int | None = None, ack: bool = True, copies: int = 1, **fields: Any) -> None:
        number = self.next if seq is None else seq
        seg = Seg((ISN + number) % 2**32, (PEER_ISN + self.expected) % 2**32 * ack, self.window, ack=ack, **fields)
        self.out.extend([build(seg, WIRE)] * copies)

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        seg = parse(data, WIRE)
        if seg is None:
            return
        if seg.syn:
            self.expected = 1
            self.events.append("connected")
        elif (PEER_ISN + self.expected) % 2**32 == seg.sequence:
            self.expected += seg.size
            self.inbox += seg.payload
        if seg.size:
            self.put()

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        out = list(self.out)
        self.out.clear()
        return out

    def next_timer(self) -> float | None:
        return self.timer

    def handle_timer(self, *, now: float) -> None:
        self.timer = None
        self.on_timer(now)

    def next_event(self) -> str | None:
        return self.events.popleft() if self.events else None

    def send(self, data: bytes) -> int:
        for start in range(0, len(data), 1000):
            self.put(payload=data[start : start + 1000])
            self.next += len(data[start : start + 1000])
        return len(data)

    def read(self, limit: int) -> bytes:
        data, self.inbox = self.inbox[:limit], self.inbox[limit:]
        return data

    def end(self) -> None:
        self.put(fin=True)

    def abort(self) -> None:
        self.put(rst=True)


def meet(toy: Toy | None = None, **kwargs: Any) -> tuple[Toy, ScriptedPeer]:
    toy = toy or Toy()
    return toy, ScriptedPeer(LocalConnection(toy), role="client", isn=ISN, peer_isn=PEER_ISN, wire=WIRE, **kwargs)


def broken(peer: ScriptedPeer, script: str) -> Broken:
    with pytest.raises(Broken) as caught:
        peer.plays(script)
    return caught.value


def test_a_conversation_across_the_wrap_of_both_numbers() -> None:
    _, peer = meet()
    peer.plays("""
              expect SYN !ACK seq=0
              send   SYN ACK seq=0 ack=1 win=4096
              expect ACK seq=1 ack=1 win=5000 len=0
              event  connected
        +1.5  send   ACK seq=1 len=600     # crosses the wrap
              expect ACK ack=601
              app    read 1:601
              app    send 2500 takes 2500
              expect bytes 1:2501
              app    end
              expect FIN ACK fin=2501
              send   ACK                   # of everything that was sent in order
              nothing for 2
    """)
    assert peer.now == 3.5
    assert [packet.direction for packet in peer.packets[:3]] == ["up", "down", "up"]
    last = parse(peer.packets[-1].data, WIRE)
    assert last is not None
    assert (last.acknowledgement - ISN) % 2**32 == 2502


def test_the_handshake_in_a_word() -> None:
    _, peer = meet()
    peer.plays("open win=100")
    assert peer.events == [(0.0, "connected")]


def test_a_failure_names_the_line_and_tells_the_conversation() -> None:
    story = Story(lambda: 0.0)
    _, peer = meet(story=story)
    error = broken(
        peer,
        """
        open
        send ACK len=10 seq=1
        expect ACK ack=12
        """,
    )
    assert "line 4 of the script, `expect ACK ack=12`" in error.message
    assert "it did not come at once" in error.message
    assert error.expected == "ACK ack=12"
    assert error.seen is not None
    assert error.seen.startswith("ACK seq=1 ack=11 win=5000 at 0.0000 s")
    assert "the peer sends ACK seq=1 ack=1 win=65536 len=10" in error.seen
    assert any("sends SYN seq=0 win=5000" in step.what for step in story.steps)


def test_time_limits_hold_in_virtual_time() -> None:
    toy, peer = meet()
    peer.plays("open")
    toy.timer, toy.on_timer = 0.7, lambda now: toy.put(payload=stream_bytes("student", 0, 5))
    peer.said = 5
    peer.plays("app read 1")
    error = broken(peer, "expect DATA seq=1 within 0.6")
    assert peer.now == pytest.approx(0.6)
    assert error.seen is not None
    assert error.seen.startswith("nothing")
    peer.plays("expect DATA seq=1 len=5 within 0.71")
    assert peer.now == pytest.approx(0.7)


def test_too_early_is_wrong_too() -> None:
    toy, peer = meet()
    peer.plays("open")
    toy.timer, toy.on_timer = 0.1, lambda now: toy.put(seq=1)
    peer.plays("app read 1")
    assert "too early" in broken(peer, "expect ACK after 0.2 within 1").message


def test_an_old_segment_is_never_taken_for_an_answer() -> None:
    toy, peer = meet()
    peer.plays("open")
    toy.put(copies=3)
    peer.plays("send ACK seq=1 len=5")
    toy.expected = 1
    peer.plays("expect ACK ack=6")
    toy.receive_datagram = lambda data, now: None  # type: ignore[method-assign, assignment]
    peer.plays("send ACK seq=1 len=5")
    assert "did not come" in broken(peer, "expect ACK ack=1").message


def test_several_segments_may_come_in_any_order_and_each_counts_once() -> None:
    _, peer = meet()
    peer.plays("open\n app send 2000\n app end\n expect FIN\n expect DATA seq=1001\n expect DATA seq=1")
    broken(peer, "expect DATA seq=1")


def test_a_reset_is_told_even_if_something_else_was_awaited() -> None:
    toy, peer = meet()
    peer.plays("open\n app abort")
    assert "reset" in broken(peer, "expect DATA within 5").message
    assert peer.now == 0.0
    peer.plays("expect RST ACK")
    toy.put(rst=True)
    peer.plays("send ACK")
    broken(peer, "never RST")


def test_never_nothing_and_silence() -> None:
    toy, peer = meet()
    peer.plays("open\n send ACK seq=1\n nothing for 1\n send ACK seq=1 len=10")
    assert "must not" in broken(peer, "nothing").message
    peer.plays("never RST for 1\n never FIN\n never DATA")
    toy.timer, toy.on_timer = 3.0, lambda now: toy.put()
    peer.plays("app read 1\n silence for 2")
    toy.timer, toy.on_timer = 5.0, lambda now: toy.put(fin=True)
    peer.plays("app read 1")
    assert "not silent" in broken(peer, "silence for 4").message


def test_events_are_awaited_and_ruled_out() -> None:
    toy, peer = meet()
    peer.plays("open\n never event reset for 1")
    toy.events.extend(["end of stream", "closed"])
    peer.plays("app read 1\n event closed")
    assert "events: connected, end of stream, closed" in (broken(peer, "event reset within 1").seen or "")
    toy.events.append("reset")
    peer.plays("app read 1")
    broken(peer, "never event reset")


def test_what_the_application_gets_is_compared() -> None:
    toy, peer = meet()
    peer.plays("open\n send ACK seq=1 len=30\n app read 10 gives 1:11\n app read 11:31\n app read 5 gives nothing")
    toy.inbox = b"?"
    assert "other bytes" in broken(peer, "app read 1").message
    toy.inbox = b""
    assert "too little" in broken(peer, "app read 31:32").message


def test_what_the_student_sends_is_compared() -> None:
    toy, peer = meet()
    peer.plays("open\n app send 10")
    toy.put(seq=1, payload=b"wrong")
    assert "other bytes than its application" in broken(peer, "app read 1").message
    toy.put(seq=11, payload=b"?")
    assert "its application has not" in broken(peer, "app read 1").message
    toy.out.append(b"junk")
    assert "not a segment" in broken(peer, "app read 1").message


def test_damaged_and_raw_datagrams() -> None:
    _, peer = meet()
    peer.plays("open\n send ACK seq=1 len=5 damaged\n nothing\n send raw=5c00 \n nothing\n send ACK seq=1 len=5")
    peer.plays("expect ACK ack=6")


def test_a_timer_that_stands_still_is_named() -> None:
    toy, peer = meet()
    peer.plays("open")

    def again(now: float) -> None:
        toy.timer = now

    toy.timer, toy.on_timer = 1.0, again
    peer.plays("app read 1")
    assert "next_timer()" in (broken(peer, "wait 2").seen or "")


def test_times_of_repetitions() -> None:
    toy, peer = meet()
    peer.plays("open")
    peer.said = 5

    def again(now: float) -> None:
        toy.put(seq=1, payload=stream_bytes("student", 0, 5))
        toy.timer = 2 * now

    toy.timer, toy.on_timer = 1.0, again
    peer.plays("app read 1")
    assert peer.times("DATA seq=1", until=9) == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize(
    "text",
    [
        "sends ACK",
        "+x send ACK",
        "send ACK seq=x",
        "send HELLO",
        "send ACK sack=1",
        "send raw=xyz",
        "expect ACK fin>x",
        "expect ACK within soon",
        "expect bytes 3",
        "expect bytes 3:2",
        "app jump",
        "app read 5:7",
        "5 wait 1\n 3 wait 1",
    ],
)
def test_a_line_that_is_no_script_is_our_mistake(text: str) -> None:
    _, peer = meet()
    with pytest.raises(BadScript):
        peer.plays(text)


def test_the_words_of_segments() -> None:
    letter = read_segment("FIN ACK seq=5 ack=3 win=0 len=7 sack=10-20,30-40 damaged")
    assert (letter.flags, letter.seq, letter.ack, letter.win, letter.len) == ({"FIN", "ACK"}, 5, 3, 0, 7)
    assert letter.sack == ((10, 20), (30, 40))
    assert letter.damaged
    pattern = read_pattern("ACK !FIN len>0 sack=none")
    assert pattern.tests == (("len", ">", 0),)
    assert pattern.sack == ()
    assert [line.verb for line in read_script("# nothing\n\n wait 1 # comment\n open")] == ["wait", "open"]


def test_a_syn_has_the_number_that_was_given() -> None:
    toy = Toy()
    toy.out.clear()
    toy.put(syn=True, ack=False, seq=1)
    with pytest.raises(Broken, match="the SYN does not have the number that the connection was given") as told:
        ScriptedPeer(LocalConnection(toy), role="client", isn=ISN, peer_isn=PEER_ISN)
    assert told.value.expected == f"sequence number {ISN}"


def test_round_trips_tell_what_was_under_way_in_each() -> None:
    class Windowed(Toy):
        """Four segments under way, and one more after each round trip."""

        def __init__(self) -> None:
            super().__init__()
            self.room, self.waiting, self.acknowledged = 4, 0, 0

        def send(self, data: bytes) -> int:
            self.waiting += len(data)
            self.go()
            return len(data)

        def receive_datagram(self, data: bytes, *, now: float) -> None:
            super().receive_datagram(data, now=now)
            seg = parse(data, WIRE)
            assert seg is not None
            if seg.ack and not seg.syn:
                self.acknowledged = (seg.acknowledgement - ISN) % 2**32 - 1
                self.room += self.acknowledged == 4000
                self.go()

        def go(self) -> None:
            while self.waiting and self.next - 1 - self.acknowledged < 1000 * self.room:
                size = min(1000, self.waiting)
                self.put(payload=stream_bytes("student", self.next - 1, self.next - 1 + size))
                self.next, self.waiting = self.next + size, self.waiting - size

    _, peer = meet(Windowed())
    peer.plays("open")
    assert peer.round_trips(3, lasting=0.05) == [4000, 5000, 5000]
    assert abs(peer.now - 0.15) < 0.01
    peer.acknowledges_the_rest(lasting=0.05)
    assert peer.expected_next == peer.said + 1
