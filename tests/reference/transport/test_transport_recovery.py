"""What is lost is sent again, soon, once, and not more than it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from harness.link.profile import Profile
from harness.link.simulator import Simulation
from tests.reference.transport.pairs import GOOD_END, Event, Pair, Talk, module

rtt = module("rtt")


def under_way(count: int, **options: int) -> Talk:
    """A connection that has sent so many full segments."""
    talk = Talk.established(**options)
    talk.connection.send(bytes(1200 * count))
    assert len(talk.hear()) == min(count, 10)
    return talk


def numbers(talk: Talk) -> list[int]:
    return [talk.at(segment) for segment in talk.hear() if segment.payload]


def test_the_first_timeout_is_after_one_second_and_each_further_one_doubles() -> None:
    talk = Talk("server")
    talk.say(0, syn=True)
    talk.hear()
    talk.wait(1.5)  # the SYN-ACK was repeated: no sample of it
    talk.say(1, 1)
    talk.connection.send(b"x")
    talk.hear()
    sent = [0.0] + [after for after, _ in talk.wait(1000)]
    waits = [later - earlier for earlier, later in pairwise(sent)]
    assert waits == pytest.approx([3, 6, 12, 24, 48, 60, 60, 60])
    assert talk.events() == [Event.CONNECTED, Event.TIMED_OUT]


def test_rto_follows_rfc_6298() -> None:
    estimate = rtt.RoundTrip()
    assert estimate.rto == 1.0
    estimate.on_sample(1.0)
    assert estimate.rto == 1.0 + 4 * 0.5
    estimate.on_sample(2.0)
    assert estimate.rto == pytest.approx((7 / 8 + 2 / 8) + 4 * (0.75 * 0.5 + 0.25 * 1.0))
    for _ in range(100):
        estimate.on_sample(0.02)
    assert 0.2 <= estimate.rto <= 0.4
    for _ in range(20):
        estimate.on_timeout()
    assert estimate.rto == 60.0
    estimate.on_progress()
    assert estimate.rto == pytest.approx(0.6, rel=0.2)  # one doubling outlasts the acknowledgement
    estimate.on_timeout()
    estimate.on_progress()
    assert estimate.rto == pytest.approx(1.2, rel=0.2)
    estimate.on_sample(0.02)
    assert estimate.rto <= 0.4


def test_a_repeated_segment_gives_no_sample() -> None:
    talk = under_way(1)
    rto = talk.connection.next_timer() - talk.now
    talk.wait(rto + 50)
    talk.say(1, 1201)
    talk.connection.send(b"x")
    talk.hear()
    assert talk.connection.next_timer() - talk.now < 4 * rto


def test_duplicates_without_blocks() -> None:
    talk = under_way(8)
    talk.say(1, 1201)
    talk.hear()
    for _ in range(2):
        talk.say(1, 1201)
        assert numbers(talk) == []
    talk.say(1, 1201)
    assert numbers(talk) == [1201]
    for _ in range(3):
        talk.say(1, 1201)
        assert 1201 not in numbers(talk)
    talk.say(1, 3601)  # a partial acknowledgement: another one is missing
    assert numbers(talk) == [3601]
    talk.say(1, 9601)
    assert talk.connection.next_timer() is None


@pytest.mark.parametrize("change", ["window", "bytes"])
def test_what_is_no_duplicate_is_not_counted(change: str) -> None:
    talk = under_way(8)
    talk.say(1, 1201)
    for count in range(6):
        if change == "window":
            talk.say(1, 1201, window=50_000 + count)
        else:
            talk.say(1 + count, 1201, payload=b"x")
        assert numbers(talk) == []


def test_blocks_tell_what_is_missing() -> None:
    talk = under_way(10)
    talk.say(1, 1, sack=[(1201, 2401)])
    talk.say(1, 1, sack=[(3601, 4801), (1201, 2401)])
    assert numbers(talk) == []
    talk.say(1, 1, sack=[(6001, 7201), (3601, 4801), (1201, 2401)])
    assert numbers(talk) == [1]
    talk.say(1, 1, sack=[(6001, 12001), (3601, 4801), (1201, 2401)])
    assert sorted(numbers(talk)) == [2401, 4801]
    talk.say(1, 12001)
    assert talk.connection.next_timer() is None


def test_a_timeout_forgets_what_blocks_said() -> None:
    talk = under_way(3)
    talk.say(1, 1, sack=[(1201, 3601)])
    talk.hear()
    sent = talk.wait(2)
    assert talk.at(sent[0][1]) == 1
    talk.say(1, 1201)  # without blocks: the peer has thrown the rest away
    assert 1201 in numbers(talk)


@pytest.mark.parametrize("block", [(1, 1), (5000, 100), (1201, 2**31), (2**32 - 5, 10), (-5000, -100), (1201, 100_000)])
def test_impossible_blocks_mean_nothing(block: tuple[int, int]) -> None:
    talk = under_way(5)
    for _ in range(5):
        talk.say(1, 1, sack=[block], payload=b"")
    talk.say(1, 6001)
    assert talk.connection.next_timer() is None


def test_an_impossible_acknowledgement_is_answered_and_changes_nothing() -> None:
    talk = under_way(2)
    talk.say(1, 2402, payload=b"x")
    assert talk.of(talk.answer()) == 1
    assert talk.connection.read(10) == b""
    talk.say(1, -1_000_000)
    assert talk.of(talk.answer()) == 1
    ((_, segment), *_) = talk.wait(2)
    assert talk.at(segment) == 1


def test_out_of_order_is_kept_and_told_with_blocks_newest_first() -> None:
    talk = Talk.established()
    expected: list[list[tuple[int, int]]] = [
        [(11, 21)],
        [(31, 41), (11, 21)],
        [(51, 61), (31, 41), (11, 21)],
        [(71, 81), (51, 61), (31, 41)],
        [(11, 22), (71, 81), (51, 61)],
    ]
    for (start, size), blocks in zip([(11, 10), (31, 10), (51, 10), (71, 10), (21, 1)], expected, strict=True):
        talk.say(start, 1, payload=bytes(size))
        answer = talk.answer()
        assert talk.of(answer) == 1
        own = [((left - talk.PEER_ISN), (right - talk.PEER_ISN)) for left, right in answer.sack]
        assert own == blocks
    talk.say(1, 1, payload=bytes(30))
    answer = talk.answer()
    assert talk.of(answer) == 41
    assert len(talk.connection.read(1000)) == 40


def test_one_lost_segment_costs_one_repetition_and_no_timeout() -> None:
    pair = Pair(300_000, up=Profile(delay=0.05, drop=(20,)), down=Profile(delay=0.05)).run()
    data = [segment.sequence for _, segment in pair.segments() if segment.payload]
    assert len(data) - len(set(data)) == 1
    assert all(later - earlier < 0.2 for earlier, later in pairwise(at for at, _ in pair.segments() if at < pair.done))


def test_several_holes_in_a_window_are_repaired_in_a_round_trip() -> None:
    drops = (20, 22, 25)
    pair = Pair(300_000, up=Profile(delay=0.05, drop=drops), down=Profile(delay=0.05)).run()
    data = [segment.sequence for _, segment in pair.segments() if segment.payload]
    assert len(data) - len(set(data)) == len(drops)
    assert all(later - earlier < 0.2 for earlier, later in pairwise(at for at, _ in pair.segments() if at < pair.done))


def test_the_same_segment_lost_four_times_gets_there() -> None:
    lost = 0

    def is_it(_: int, data: bytes) -> bool:
        nonlocal lost
        segment = module("segment").decode(data)
        lost += (found := bool(segment.payload) and segment.sequence == 1001 + 12_000 and lost < 4)
        return found

    pair = Pair(40_000, up=Profile(delay=0.02), down=Profile(delay=0.02))
    pair.simulation = Simulation(
        {"client": pair.client, "server": pair.server},
        up=Profile(delay=0.02),
        down=Profile(delay=0.02),
        drop_if={"up": is_it},
    )
    pair.run()
    assert lost == 4
    assert pair.client.events == GOOD_END


def test_after_a_step_of_the_round_trip_time_needless_repetitions_end() -> None:
    pair = Pair(400_000, up=Profile(delay=0.01, rate=4_000_000), down=Profile(delay=0.01))
    slow = Profile(delay=0.75)
    pair.simulation.at(0.2, lambda _: pair.simulation.set_links(up=slow, down=slow))
    pair.run()
    seen: set[int] = set()
    repeated = []
    for at, segment in pair.segments():
        if segment.payload and segment.sequence in seen:
            repeated.append(at)
        seen.add(segment.sequence)
    assert repeated == [] or max(repeated) < 12.0
    assert len(repeated) < 120  # a flight or two


LINKS = {
    "2 % loss": Profile(delay=0.02, loss=0.02),
    "10 % loss": Profile(delay=0.02, loss=0.1),
    "20 % loss": Profile(delay=0.02, loss=0.2),
    "duplicates": Profile(delay=0.02, duplicate=0.2),
    "jitter": Profile(delay=0.05, jitter=0.04),
    "5 % damage": Profile(delay=0.02, corrupt=0.05),
    "20 % damage": Profile(delay=0.02, corrupt=0.2),
    "cut": Profile(delay=0.02, truncate=0.1),
    "everything": Profile(delay=0.03, jitter=0.02, loss=0.1, duplicate=0.1, corrupt=0.05, truncate=0.05),
    "blackhole": Profile(delay=0.02, blackout=((0.1, 2.1),)),
    "far": Profile(delay=0.75, loss=0.02),
    "queue of 3": Profile(delay=0.02, rate=2_000_000, limit=3),
    "queue of 64": Profile(delay=0.02, rate=2_000_000, limit=64),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", LINKS)
def test_bytes_arrive_both_ways_whatever_the_link_does(name: str, seed: int) -> None:
    pair = Pair(60_000, 32_768, up=LINKS[name], down=LINKS[name], seed=seed).run()
    assert pair.client.events == pair.server.events == GOOD_END


@pytest.mark.parametrize("direction", ["up", "down"])
def test_loss_of_data_alone_and_of_acknowledgements_alone(direction: str) -> None:
    bad, good = Profile(delay=0.02, loss=0.2), Profile(delay=0.02)
    up, down = (bad, good) if direction == "up" else (good, bad)
    pair = Pair(200_000, up=up, down=down, seed=2).run()
    assert pair.client.events == pair.server.events == GOOD_END


def test_a_segment_of_the_past_does_no_harm() -> None:
    pair = Pair(300_000, 1000, up=Profile(delay=0.02, rate=1_000_000), down=Profile(delay=0.02))

    def replay(now: float) -> None:
        for packet in pair.simulation.packets[:12]:
            receiver = pair.server if packet.direction == "up" else pair.client
            receiver.receive_datagram(packet.data, now=now)

    for at in (1.5, 1.7, 2.0):
        pair.simulation.at(at, replay)
    pair.run()
    assert pair.client.events == pair.server.events == GOOD_END


def test_a_lost_syn_makes_the_first_window_small_and_no_more_than_that() -> None:
    """RFC 5681, section 3.1: "the initial window [...] MUST be one segment"; the threshold is as high as ever."""
    pair = Pair(100_000, up=Profile(delay=0.05, drop=(0,)), down=Profile(delay=0.05)).run()
    flights: dict[int, int] = {}
    for at, segment in pair.segments():
        if segment.payload:
            flights[round(at / 0.1)] = flights.get(round(at / 0.1), 0) + 1
    assert list(flights.values())[:4] == [1, 2, 4, 8]
