"""Two endpoints in virtual time, told as stories."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.link.model import SECOND, Link, direction_seeds
from harness.link.named import find_profile
from harness.link.profile import Profile
from harness.link.simulator import BadEndpoint, Endless, Simulation
from harness.link.trace import Event


class Quiet:
    """Sends what it is told to, keeps what it gets, never has a timer."""

    def __init__(self) -> None:
        self.got: list[tuple[float, bytes]] = []
        self.queue: list[bytes] = []

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        self.got.append((now, data))

    def datagrams_to_send(self, *, now: float) -> Iterable[bytes]:  # noqa: ARG002
        queue, self.queue = self.queue, []
        return queue

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, *, now: float) -> None:
        raise AssertionError(f"no timer was set, but {now} is said to be it")


class Echo(Quiet):
    """Sends back what it gets."""

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        super().receive_datagram(data, now=now)
        self.queue.append(data)


class Clock(Quiet):
    """Sends the time whenever its timer comes, at the times given."""

    def __init__(self, *times: float) -> None:
        super().__init__()
        self.times = list(times)

    def next_timer(self) -> float | None:
        return self.times[0] if self.times else None

    def handle_timer(self, *, now: float) -> None:
        assert now >= self.times[0], "a timer never comes early"
        self.queue.append(repr(now).encode())
        del self.times[0]


class StopAndWait(Quiet):
    """One message at a time, repeated until it is acknowledged; the number in the first byte alternates."""

    TIMEOUT = 0.3

    def __init__(self, messages: Iterable[bytes] = ()) -> None:
        super().__init__()
        self.left = list(messages)
        self.received: list[bytes] = []
        self.number = self.expected = 0
        self.sent_at: float | None = None

    def receive_datagram(self, data: bytes, *, now: float) -> None:  # noqa: ARG002
        kind, number, payload = data[:1], data[1], data[2:]
        if kind == b"a":
            if number == self.number and self.left:
                del self.left[0]
                self.number, self.sent_at = 1 - self.number, None
            return
        if number == self.expected:
            self.received.append(payload)
            self.expected = 1 - self.expected
        self.queue.append(b"a" + bytes([number]))

    def datagrams_to_send(self, *, now: float) -> Iterable[bytes]:
        yield from super().datagrams_to_send(now=now)
        if self.left and self.sent_at is None:
            self.sent_at = now
            yield b"m" + bytes([self.number]) + self.left[0]

    def next_timer(self) -> float | None:
        return None if self.sent_at is None else self.sent_at + self.TIMEOUT

    def handle_timer(self, *, now: float) -> None:  # noqa: ARG002
        self.sent_at = None


def pair(up: Profile | None = None, down: Profile | None = None, **how) -> tuple[Quiet, Echo, Simulation]:
    student, tester = Quiet(), Echo()
    return student, tester, Simulation({"student": student, "tester": tester}, up=up, down=down, **how)


# -- time ----------------------------------------------------------------------------------------------------------


def test_ping_and_pong_take_the_delay_of_each_way():
    student, tester, simulation = pair(Profile(delay=0.03), Profile(delay=0.01))
    student.queue.append(b"ping")
    simulation.run()
    assert tester.got == [(0.03, b"ping")]
    assert student.got == [(0.04, b"ping")]
    assert simulation.now == 0.04


def test_a_timer_comes_at_its_time_and_never_before():
    times = [0.1, 0.1 + 2**-54, 0.3, 1 / 3, 2.000_000_000_7, 1e5 / 3]
    clock = Clock(*times)
    simulation = Simulation({"clock": clock, "other": Quiet()})
    simulation.run()
    assert not clock.times
    assert simulation.now == pytest.approx(times[-1], abs=2e-9)


def test_a_run_stops_at_the_time_asked_for_with_what_happens_then():
    clock, other = Clock(1.0, 2.0, 3.0), Quiet()
    simulation = Simulation({"clock": clock, "other": other}, up=Profile(delay=0.5))
    simulation.run(until=2.5)
    assert [at for at, _ in other.got] == [1.5, 2.5]
    assert simulation.now == 2.5
    simulation.run(until=2.75)
    assert simulation.now == 2.75
    simulation.run()
    assert simulation.now == 3.5


def test_at_one_instant_actions_come_before_arrivals_and_arrivals_before_timers():
    order: list[str] = []

    class Telling(Clock):
        def receive_datagram(self, data: bytes, *, now: float) -> None:
            super().receive_datagram(data, now=now)
            order.append("arrival")

        def handle_timer(self, *, now: float) -> None:
            super().handle_timer(now=now)
            order.append("timer")

    sender = Quiet()
    simulation = Simulation({"sender": sender, "telling": Telling(1.0)}, up=Profile(delay=1))
    simulation.at(1.0, lambda _now: order.append("action"))
    sender.queue.append(b"x")
    simulation.run()
    assert order == ["action", "arrival", "timer"]


def test_a_run_until_a_condition_says_whether_it_holds():
    student, tester, simulation = pair(Profile(delay=0.5), Profile(delay=0.5))
    student.queue.append(b"x")
    assert simulation.run_until(lambda: bool(tester.got))
    assert simulation.now == 0.5
    assert not simulation.run_until(lambda: bool(student.got), within=0.25)
    assert simulation.now == 0.75
    assert simulation.run_until(lambda: bool(student.got), within=0.25)
    assert not simulation.run_until(lambda: False)  # all is quiet


def test_an_application_can_be_scheduled():
    student, tester, simulation = pair(Profile(delay=0.1))
    for at in (2.0, 1.0):
        simulation.at(at, lambda now: student.queue.append(str(now).encode()))
    simulation.run()
    assert tester.got == [(1.1, b"1.0"), (2.1, b"2.0")]


# -- the link ------------------------------------------------------------------------------------------------------


def test_stop_and_wait_gets_everything_through_an_awful_link():
    messages = [bytes([number]) * 10 for number in range(60)]
    link = Profile(delay=0.02, jitter=0.001, loss=0.3, duplicate=0.1)
    sender, receiver = StopAndWait(messages), StopAndWait()
    simulation = Simulation({"sender": sender, "receiver": receiver}, up=link, down=link, seed=3)
    simulation.run()
    assert receiver.received == messages
    assert simulation.links["up"].lost > 5
    assert simulation.now > 5 * StopAndWait.TIMEOUT


def test_the_packets_lost_are_those_of_the_link():
    profile = Profile(loss=0.2, duplicate=0.1)
    student, tester, simulation = pair(profile, Profile(loss=1), seed=4)
    student.queue += [bytes([number]) for number in range(200)]
    simulation.run()
    link = Link(profile, seed=direction_seeds(4)[0])
    expected = [number for number in range(200) for _ in link.transmit(1, now=0)]
    assert [data[0] for _, data in tester.got] == expected


def test_the_profile_changes_at_a_time_and_what_is_under_way_keeps_its_time():
    student, tester, simulation = pair(Profile(delay=1))
    for at in (0.5, 1.5, 2.5, 3.5):
        simulation.at(at, lambda _now: student.queue.append(b"x"))
    simulation.at(1.0, lambda _now: simulation.set_links(up=Profile(delay=0.1)))
    simulation.at(2.0, lambda _now: simulation.set_links(up=Profile(blackout=((0, 1),))))
    simulation.run()
    assert [at for at, _ in tester.got] == [1.5, 1.6, 3.5]


def test_the_trace_says_why_a_packet_is_missing():
    student, _, simulation = pair(Profile(delay=0.1, limit=2, drop=(0,), blackout=((5, 6),)), Profile(loss=1))
    student.queue += [b"0", b"1", b"2", b"3"]
    simulation.at(5, lambda _now: student.queue.append(b"4"))
    simulation.run()
    ups = [event for event in simulation.events if event.direction == "up"]
    assert [(event.due, event.fate, event.why) for event in ups] == [
        (None, "lost", "drop"),
        (0.1, "delivered", ""),
        (0.1, "delivered", ""),
        (None, "overflowed", "limit"),
        (None, "lost", "blackout"),
    ]
    assert [event.why for event in simulation.events if event.direction == "down"] == ["loss", "loss"]


def test_the_trace_survives_json():
    student, _, simulation = pair(
        Profile(delay=0.02, drop=(0,)), Profile(delay=0.02), describe=lambda data: data.decode()
    )
    student.queue += [b"one", b"two"]
    simulation.run()
    assert [(event.protocol, event.why) for event in simulation.events][:2] == [("one", "drop"), ("two", "")]


def test_datagrams_to_lose_can_be_chosen_even_after_the_links_have_changed():
    sender, receiver = StopAndWait([b"one", b"two", b"three"]), StopAndWait()
    first: set[bytes] = set()

    def first_time(_number: int, data: bytes) -> bool:
        fresh = data not in first
        first.add(data)
        return fresh

    simulation = Simulation(
        {"a": sender, "b": receiver}, up=Profile(delay=0.01), drop_if={"up": first_time, "down": lambda n, _: n == 1}
    )
    simulation.at(0.35, lambda _now: simulation.set_links(up=Profile(delay=0.02)))
    simulation.run()
    assert receiver.received == [b"one", b"two", b"three"]
    assert [(event.direction, event.why) for event in simulation.events if event.why] == [
        ("up", "drop"),
        ("up", "drop"),
        ("down", "drop"),
        ("up", "drop"),
    ]


# -- the same again ------------------------------------------------------------------------------------------------

PROBABILITIES = st.sampled_from([0.0, 0.1, 0.5])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**64 - 1),
    delay=st.floats(0.001, 0.5),
    jitter=st.sampled_from([0.0, 0.01, 1.0]),
    loss=PROBABILITIES,
    duplicate=PROBABILITIES,
    reorder=PROBABILITIES,
    rate=st.sampled_from([0, 64_000]),
)
def test_the_same_seed_gives_the_same_trace(seed, **fields):
    def trace() -> list[Event]:
        sender, receiver = StopAndWait([b"%d" % number for number in range(10)]), StopAndWait()
        profile = Profile(**fields)
        simulation = Simulation({"a": sender, "b": receiver}, up=profile, down=profile, seed=seed)
        simulation.run(until=20)
        return simulation.events

    rows = trace()
    assert trace() == rows
    assert [row.at for row in rows] == sorted(row.at for row in rows)
    assert all(row.due is None or row.due >= row.at for row in rows)


def test_another_seed_gives_another_trace():
    traces = set()
    for seed in range(5):
        student, _, simulation = pair(find_profile("awful").up, seed=seed)
        student.queue += [bytes(10)] * 50
        simulation.run()
        traces.add(tuple(simulation.events))
    assert len(traces) == 5


# -- endpoints that break their promise ----------------------------------------------------------------------------


class Broken(Quiet):
    """Its next timer, and what it sends, as given."""

    def __init__(self, timer: object = None, sends: object = ()) -> None:
        super().__init__()
        self.timer, self.sends = timer, sends

    def datagrams_to_send(self, *, now: float):  # noqa: ARG002
        return self.sends

    def next_timer(self):
        return self.timer

    def handle_timer(self, *, now: float) -> None:
        pass


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Broken(timer=2.0), ["at 2.000000 s", "2.0, which is not later", "stand still"]),
        (Broken(timer=-1.0), ["at 0.000000 s", "-1.0, which is not later"]),
        (Broken(timer=float("nan")), ["next_timer() answered nan", "None for never"]),
        (Broken(timer=float("inf")), ["next_timer() answered inf", "None for never"]),
        (Broken(timer="soon"), ["next_timer() answered 'soon'"]),
        (Broken(sends=["text"]), ["datagrams_to_send gave 'text' instead of bytes"]),
        (Broken(sends=b"text"), ["gave 116 instead of bytes"]),
        (Broken(sends=None), ["gave None instead of a list"]),
    ],
)
def test_a_broken_promise_is_named_with_who_and_when(broken, words):
    simulation = Simulation({"tester": Quiet(), "student": broken})
    with pytest.raises(BadEndpoint) as refused:
        simulation.run()
    for word in ["student: ", *words]:
        assert word in str(refused.value)


@pytest.mark.parametrize("delay", [0.0, 0.001])
def test_endless_ping_pong_ends_with_who_sent_how_much(delay):
    one, other = Echo(), Echo()
    simulation = Simulation({"one": one, "other": other}, up=Profile(delay=delay), most_events=1000)
    one.queue.append(b"x")
    with pytest.raises(Endless, match="one sent 250 datagrams, other 250"):
        simulation.run()


def test_endless_sending_ends():
    class Talker(Quiet):
        def datagrams_to_send(self, *, now: float) -> Iterable[bytes]:  # noqa: ARG002
            while True:
                yield b"and"

    simulation = Simulation({"talker": Talker(), "quiet": Quiet()}, most_events=50)
    with pytest.raises(Endless, match="talker sent 50 datagrams"):
        simulation.run()


def test_what_is_kept_of_a_flood_is_bounded(monkeypatch: pytest.MonkeyPatch):
    class Flood(Quiet):
        def datagrams_to_send(self, *, now: float) -> Iterable[bytes]:  # noqa: ARG002
            while True:
                yield bytes(60_000)

    monkeypatch.setattr("harness.link.simulator.MOST_BYTES", 1_000_000)
    simulation = Simulation({"flood": Flood(), "quiet": Quiet()})
    with pytest.raises(Endless, match="flood sent 17 datagrams, quiet 0, and more than 1,000,000 bytes"):
        simulation.run()
    assert len(simulation.packets) == 16


def test_there_are_two_endpoints():
    with pytest.raises(ValueError, match="two endpoints, not 1"):
        Simulation({"alone": Quiet()})


def test_a_rate_counts_the_headers_as_relay_and_router_do():
    student, tester, simulation = pair(Profile(rate=8 * (42 + 58)))
    student.queue.append(bytes(58))
    simulation.run()
    assert tester.got[0][0] == 1.0
    assert simulation.now * SECOND == SECOND
