"""The oracle: for each rule a run that breaks it and one that just keeps it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.transport.oracle.judge import Case, broken, judge
from harness.transport.segments import Seg, build
from tests.harness.transport.traces import ISN, OPEN, WIRE, packets, told

CASE = Case(judged=["up"], isns=ISN)
GOOD = build(Seg(1), WIRE)
#: The client sends one segment and hears nothing of it.
LOST = OPEN + "0.11 > ACK seq=1 ack=1 len=1000 lost\n"

#: rule -> (a run that breaks it, one that just keeps it)
RULES: dict[str, tuple[str, str]] = {
    "1.3 MUST": (OPEN + "0.2 > ACK seq=1 ack=1 len=10 nonsense", OPEN + "0.2 > ACK seq=1 ack=1 len=10"),
    "1.5 MUST": (OPEN + "0.2 > raw=00", OPEN),
    "1.2 SHOULD": (OPEN + "0.2 > ACK seq=1 ack=1 len=10 reserved", OPEN),
    "3.1 MUST": (
        """
        0.00 > SYN seq=0
        0.05 < SYN ACK seq=0 ack=1
        0.10 > ACK seq=1 ack=1
        0.20 < ACK seq=1 ack=1 len=100
        0.25 > ACK seq=1 ack=102
        """,
        """
        0.00 > SYN seq=0
        0.05 < SYN ACK seq=0 ack=1
        0.10 > ACK seq=1 ack=1
        0.20 < ACK seq=1 ack=1 len=100
        0.25 > ACK seq=1 ack=101
        """,
    ),
    "3.2 MUST": (OPEN + "0.2 > seq=1 len=10", OPEN + "0.2 > ACK seq=1 ack=1 len=10"),
    "3.3 MUST": ("0 > SYN seq=0 len=5", "0 > SYN seq=0"),
    "3.5 MUST": (LOST + "0.30 > ACK seq=1 ack=1 len=1000", LOST + "0.31 > ACK seq=1 ack=1 len=1000"),
    "3.5 SHOULD": (
        OPEN
        + """
        0.10 > ACK seq=1 ack=1 len=100
        0.10 > ACK seq=101 ack=1 len=100
        0.25 < ACK seq=1 ack=101
        0.32 > ACK seq=101 ack=1 len=100
        """,
        OPEN
        + """
        0.10 > ACK seq=1 ack=1 len=100
        0.10 > ACK seq=101 ack=1 len=100
        0.25 < ACK seq=1 ack=101
        0.51 > ACK seq=101 ack=1 len=100
        """,
    ),
    "3.6 MUST": (
        LOST + "\n".join(f"{at} > ACK seq=1 ack=1 len=1000 lost" for at in (0.41, 1.01, 1.61)),
        LOST + "\n".join(f"{at} > ACK seq=1 ack=1 len=1000 lost" for at in (0.41, 1.01, 2.21)),
    ),
    "3.6 SHOULD": (
        LOST + "\n".join(f"{at} > ACK seq=1 ack=1 len=1000 lost" for at in (0.41, 1.01, 1.91)),
        LOST + "\n".join(f"{at} > ACK seq=1 ack=1 len=1000 lost" for at in (0.4, 30, 89, 149, 209)),
    ),
    "3.7 MUST": (
        "\n".join(f"{at} > SYN seq=0 lost" for at in (0, 1, 3, 7, 15, 31, 63)),
        "\n".join(f"{at} > SYN seq=0 lost" for at in (0, 1, 3, 7, 15, 31)),
    ),
    "3.11 MUST": (
        OPEN
        + """
        0.10 > ACK seq=1 ack=1 len=100
        0.15 < ACK seq=1 ack=101
        0.31 > ACK seq=1 ack=1 len=100
        """,
        OPEN
        + """
        0.10 > ACK seq=1 ack=1 len=100
        0.15 < ACK seq=1 ack=101 takes 0.3
        0.45 > ACK seq=1 ack=1 len=100       # the ACK arrives in this very instant
        """,
    ),
    "3.12 MUST": (LOST + "1 > ACK seq=1 ack=1 len=500 other", LOST + "1 > ACK seq=1 ack=1 len=500"),
    "3.13 MUST": (
        OPEN + "0.1 > FIN ACK seq=1 ack=1 len=10 lost\n 1.1 > ACK seq=1 ack=1 len=15",
        OPEN + "0.1 > FIN ACK seq=1 ack=1 len=10\n 0.1 > ACK seq=12 ack=1\n 1.1 > FIN ACK seq=5 ack=1 len=6",
    ),
    "4.5 MUST": (OPEN + "0.2 > ACK seq=2 ack=1", OPEN + "0.2 > ACK seq=1 ack=1"),
    "5.1 MUST": (
        "0 > SYN seq=0\n 0.05 < SYN ACK seq=0 ack=1 win=1000\n 0.1 > ACK seq=1 ack=1 len=1001",
        "0 > SYN seq=0\n 0.05 < SYN ACK seq=0 ack=1 win=1000\n 0.1 > ACK seq=1 ack=1 len=1000",
    ),
    "5.3 MUST": (
        OPEN + "0.2 > ACK seq=1 ack=1 win=65535",
        OPEN + "0.2 < ACK seq=1 ack=1 len=1\n 0.25 > ACK seq=1 ack=2 win=65535",
    ),
    "6.5 MUST": (
        OPEN + "0.2 < ACK seq=101 ack=1 len=100\n 0.25 > ACK seq=1 ack=1 sack=101-202",
        OPEN + "0.2 < ACK seq=101 ack=1 len=100\n 0.25 > ACK seq=1 ack=1 sack=101-201",
    ),
    "7.1 MUST": (
        OPEN + "\n".join(f"0.1 > ACK seq={1 + 1200 * n} ack=1 len=1200" for n in range(14)),
        OPEN + "\n".join(f"0.1 > ACK seq={1 + 1200 * n} ack=1 len=1200" for n in range(10)),
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_told(rule: str) -> None:
    assert told(RULES[rule][0]) == [rule]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_is_just_kept_is_not(rule: str) -> None:
    assert told(RULES[rule][1]) == []


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (bytes(19), "1.5"),
        (b"\x5d" + GOOD[1:], "1.5"),
        (GOOD + b"!", "1.3"),
        (build(Seg(1, payload=bytes(1201)), WIRE), "1.3"),
        (GOOD[:-1] + b"!", "1.4"),
    ],
    ids=["short", "magic", "size", "payload", "checksum"],
)
def test_what_is_not_a_segment_breaks_the_rule_that_says_why(data: bytes, rule: str) -> None:
    assert told(OPEN + f"0.2 > raw={data.hex()}") == [f"{rule} MUST"]


def test_a_violation_names_packet_time_and_side() -> None:
    (violation,) = judge(packets(RULES["3.11 MUST"][0]), WIRE, CASE)
    assert (violation.packet, violation.at, violation.direction) == (6, 0.31, "up")
    assert str(violation) == (
        "rule 3.11 (MUST), packet 6 at 0.3100 s: "
        "numbers 1 to 100 again, and the ACK of everything below 101 came at 0.2000 s"
    )


@pytest.mark.parametrize(
    ("run", "broken"),
    [
        ("0.15 < ACK seq=1 ack=101\n 0.31 > ACK seq=1 ack=1 len=100", ["3.11 MUST"]),
        ("0.15 < ACK seq=1 ack=101 lost\n 0.31 > ACK seq=1 ack=1 len=100", []),
        ("0.15 < ACK seq=1 ack=101 damaged\n 0.31 > ACK seq=1 ack=1 len=100", []),
        ("0.15 < ACK seq=1 ack=101 takes 0.16\n 0.31 > ACK seq=1 ack=1 len=100", []),
        ("0.15 < ACK seq=1 ack=101 lost\n 0.25 > ACK seq=1 ack=1 len=100", ["3.5 MUST"]),
        (
            "0.10 > ACK seq=101 ack=1 len=100\n 0.15 < ACK seq=1 ack=101\n 0.41 > ACK seq=1 ack=1 len=200",
            ["3.11 SHOULD"],
        ),
    ],
)
def test_the_example_in_the_package_is_true(run: str, broken: list[str]) -> None:
    assert told(OPEN + "0.10 > ACK seq=1 ack=1 len=100\n" + run) == broken


def test_only_the_sides_that_are_asked_for_are_judged() -> None:
    run = packets(RULES["3.11 MUST"][0])
    assert judge(run, WIRE, replace(CASE, judged=["down"])) == []
    assert broken(judge(run, WIRE, replace(CASE, judged=["up", "down"])), "down") == []


def test_rules_of_later_stages_are_advice() -> None:
    for rule, stage in (("3.11 MUST", 2), ("5.1 MUST", 4), ("7.1 MUST", 6)):
        assert told(RULES[rule][0], replace(CASE, stage=stage)) == [rule.replace("MUST", "SHOULD")]


def test_on_real_sockets_what_depends_on_arrivals_is_advice() -> None:
    case = replace(CASE, real=True)
    for rule, level in (("3.11", "SHOULD"), ("5.1", "SHOULD"), ("3.12", "MUST"), ("3.13", "MUST")):
        assert told(RULES[f"{rule} MUST"][0], case) == [f"{rule} {level}"]


def test_one_kind_is_not_told_without_end() -> None:
    text = OPEN + "\n".join(f"{1 + n} > seq=1 len=1" for n in range(50))
    assert len([v for v in judge(packets(text), WIRE, CASE) if v.rule == "3.2"]) == 20


# -- acknowledging -----------------------------------------------------------------------------------------------


def test_what_is_damaged_is_not_acknowledged_and_not_answered() -> None:
    damaged = OPEN + "0.20 < ACK seq=1 ack=1 len=100 damaged\n"
    assert told(damaged + "0.25 > ACK seq=1 ack=101") == ["3.1 MUST"]
    assert told(damaged + "0.25 > ACK seq=1 ack=1") == ["3.9 MUST"]
    assert told(damaged + "0.26 > ACK seq=1 ack=1") == []
    assert told(damaged + "0.25 > ACK seq=1 ack=1 win=70000") == [], "that is an update"


@pytest.mark.parametrize(
    ("arrives", "at_once"),
    [
        ("ACK seq=101 ack=1 len=100", True),
        ("FIN ACK seq=1 ack=1", True),
        ("FIN ACK seq=101 ack=1", True),
        ("ACK seq=70000 ack=1 len=10", True),
        ("ACK seq=-9 ack=1", True),
        ("ACK seq=-9 ack=1 len=5", True),
        ("ACK seq=1 ack=1 len=100", False),
        ("ACK seq=1 ack=1", False),
    ],
)
def test_what_has_to_be_answered_at_once(arrives: str, at_once: bool) -> None:
    run = OPEN + f"0.3 < {arrives}\n"
    assert told(run + "0.35 > ACK seq=1 ack=1\n 2 > ACK seq=1 ack=1 len=5") == []
    late = told(run + "0.45 > ACK seq=1 ack=1\n 2 > ACK seq=1 ack=1 len=5")
    assert bool(late) == at_once
    assert all(word.endswith("MUST") for word in late)


def test_silence_for_ever_may_be_the_end() -> None:
    assert told(OPEN + "0.3 < ACK seq=101 ack=1 len=100") == []


def test_an_acknowledgement_may_wait_for_the_second_segment_and_for_a_fifth_of_a_second() -> None:
    two = OPEN + "0.20 < ACK seq=1 ack=1 len=100\n 0.24 < ACK seq=101 ack=1 len=100\n"
    assert told(two + "0.29 > ACK seq=1 ack=201") == []
    assert told(two + "0.30 > ACK seq=1 ack=201") == ["3.4 MUST"]
    one = OPEN + "0.20 < ACK seq=1 ack=1 len=100\n"
    assert told(one + "0.45 > ACK seq=1 ack=101") == []
    assert told(one + "0.47 > ACK seq=1 ack=101") == ["3.4 MUST"]


def test_a_gap_that_is_filled_is_told_at_once_by_who_keeps_what_is_early() -> None:
    run = (
        OPEN
        + """
        0.20 < ACK seq=101 ack=1 len=100
        0.25 > ACK seq=1 ack=1
        0.30 < ACK seq=1 ack=1 len=100
        0.50 > ACK seq=1 ack=201
        """
    )
    assert told(run) == ["3.4 MUST"]
    assert told(run, replace(CASE, stage=5)) == ["3.4 MUST"]
    parts = run.replace(
        "len=100\n        0.50 > ACK seq=1 ack=201", "len=50\n        0.50 > ACK seq=1 ack=51 sack=101-201"
    )
    assert told(parts) == ["3.4 MUST"], "a part of the gap, and what lies behind it is still there"


def test_whoever_keeps_nothing_that_is_early_sees_no_gap() -> None:
    run = (
        OPEN
        + """
        0.20 < ACK seq=101 ack=1 len=100
        0.25 > ACK seq=1 ack=1
        0.30 < ACK seq=1 ack=1 len=100
        0.50 > ACK seq=1 ack=101
    """
    )
    assert told(run) == ["3.4 SHOULD"], "to go back is legal, and then this segment is one in order: it may wait"
    again = run.replace("0.50 > ACK seq=1 ack=101", "0.40 < ACK seq=101 ack=1 len=100\n 0.45 > ACK seq=1 ack=201")
    assert told(again) == ["3.4 SHOULD"], "what was dropped came again, and with the second one the ACK"


def test_a_probe_is_answered_at_once() -> None:
    run = """
        0.00 > SYN seq=0 win=100
        0.05 < SYN ACK seq=0 ack=1
        0.10 > ACK seq=1 ack=1 win=100
        0.20 < ACK seq=1 ack=1 len=100
        0.25 > ACK seq=1 ack=101 win=0
        0.60 < ACK seq=101 ack=1 len=1
    """
    assert told(run + "0.65 > ACK seq=1 ack=101 win=0\n 3 > ACK seq=1 ack=101 len=5 win=0") == []
    assert told(run + "0.75 > ACK seq=1 ack=101 win=0") == ["5.6 MUST"]


def test_an_rst_is_never_answered_with_one() -> None:
    assert told(OPEN + "0.3 < RST ACK seq=5 ack=1\n 0.35 > RST ACK seq=1 ack=1") == ["4.4 MUST"]
    assert told(OPEN + "0.3 < RST ACK seq=5 ack=1\n 0.35 > ACK seq=1 ack=1") == []


def test_acknowledgements_and_edges_do_not_go_back_but_in_a_repeated_datagram() -> None:
    run = (
        OPEN
        + """
        0.10 > ACK seq=1 ack=1 len=50
        0.20 < ACK seq=1 ack=1 len=100
        0.25 > ACK seq=51 ack=101
        """
    )
    assert told(run + "1.1 > ACK seq=1 ack=1 len=50") == ["3.1 SHOULD", "5.3 SHOULD"]
    assert told(run + "1.1 > ACK seq=51 ack=1") == ["3.1 MUST", "5.3 MUST"]


# -- windows -----------------------------------------------------------------------------------------------------


def test_a_probe_is_one_byte_at_the_first_unacknowledged_number() -> None:
    shut = "0 > SYN seq=0\n 0.05 < SYN ACK seq=0 ack=1 win=0\n 0.1 > ACK seq=1 ack=1\n"
    assert told(shut + "1.1 > ACK seq=1 ack=1 len=1\n 3.1 > ACK seq=1 ack=1 len=1") == []
    assert told(shut + "1.1 > ACK seq=1 ack=1 len=2") == ["5.1 MUST"]
    assert told(shut + "1.1 > ACK seq=1 ack=1 len=1\n 1.1 > ACK seq=2 ack=1 len=1") == ["5.1 MUST"]
    opened = shut + "1.1 > ACK seq=1 ack=1 len=1\n 1.15 < ACK seq=1 ack=1 win=5000\n"
    assert told(opened + "1.2 > ACK seq=1 ack=1 len=1000") == [], "its byte was thrown away"


def test_the_fin_obeys_the_window() -> None:
    full = "0 > SYN seq=0\n 0.05 < SYN ACK seq=0 ack=1 win=10\n 0.1 > ACK seq=1 ack=1 len=10\n"
    assert told(full + "0.1 > FIN ACK seq=11 ack=1") == ["5.1 MUST"]
    assert told(full + "0.1 < ACK seq=1 ack=1 win=11\n 0.15 > FIN ACK seq=11 ack=1") == []


def test_a_window_that_shrinks_is_no_reason_to_call_back_what_was_sent() -> None:
    run = OPEN + "0.1 > ACK seq=1 ack=1 len=1000 lost\n 0.3 < ACK seq=1 ack=1 win=0\n"
    assert told(run + "1.3 > ACK seq=1 ack=1 len=1000") == []


def test_a_window_that_takes_no_notice_of_the_buffer() -> None:
    case = replace(CASE, buffers={"up": 65_536}, reads={"up": [(0.50, 40)]})
    run = OPEN + "0.20 < ACK seq=1 ack=1 len=100\n"
    assert told(run + "0.25 > ACK seq=1 ack=101 win=65436", case) == []
    assert told(run + "0.25 > ACK seq=1 ack=101 win=65437", case) == ["5.3 MUST"]
    assert told(run + "0.25 > ACK seq=1 ack=101 win=65436\n 0.5 > ACK seq=1 ack=101 win=65476", case) == []


# -- recovery ----------------------------------------------------------------------------------------------------

#: Five segments, the first of them lost, and its four duplicate ACKs.
HOLE = (
    OPEN
    + """
    0.20 > ACK seq=1 ack=1 len=1200 lost
    0.21 > ACK seq=1201 ack=1 len=1200
    0.22 > ACK seq=2401 ack=1 len=1200
    0.23 > ACK seq=3601 ack=1 len=1200
    0.24 > ACK seq=4801 ack=1 len=1200
    0.26 < ACK seq=1 ack=1
    0.27 < ACK seq=1 ack=1
"""
)
THIRD = HOLE + "0.28 < ACK seq=1 ack=1\n 0.29 < ACK seq=1 ack=1\n"


def test_three_duplicates_or_blocks_excuse_a_fast_retransmission() -> None:
    assert told(HOLE + "0.33 > ACK seq=1 ack=1 len=1200") == ["3.5 MUST"]
    assert told(THIRD + "0.33 > ACK seq=1 ack=1 len=1200") == []
    assert told(HOLE + "0.27 < ACK seq=1 ack=1 sack=1201-3601\n 0.33 > ACK seq=1 ack=1 len=1200") == []


def test_further_duplicates_send_nothing_again_within_the_round_trip() -> None:
    again = THIRD + "0.30 < ACK seq=1 ack=1\n 0.33 > ACK seq=1 ack=1 len=1200\n 0.34 > ACK seq=1 ack=1 len=1200\n"
    assert told(again + "0.35 > ACK seq=1 ack=1 len=1200") == ["6.3 MUST"]
    answered = THIRD + "0.33 > ACK seq=1 ack=1 len=1200 lost\n 0.33 > ACK seq=6001 ack=1 len=1200\n"
    answered += "0.38 < ACK seq=1 ack=1 sack=1201-7201\n 0.43 > ACK seq=1 ack=1 len=1200"
    assert told(answered) == []


def test_what_a_block_reported_is_sent_again_only_after_a_timeout() -> None:
    run = HOLE + "0.28 < ACK seq=1 ack=1 sack=1201-6001\n 0.33 > ACK seq=1 ack=1 len=1200 lost\n"
    assert told(run + "0.34 > ACK seq=1201 ack=1 len=1200") == ["6.5 SHOULD"]
    assert told(run + "1.4 > ACK seq=1 ack=1 len=1200\n 1.4 > ACK seq=1201 ack=1 len=1200") == []


def test_whoever_goes_back_sends_all_of_the_window_again() -> None:
    run = OPEN + "".join(f"0.2 > ACK seq={1 + 100 * n} ack=1 len=100 lost\n" for n in range(5))
    assert told(run + "".join(f"1.2 > ACK seq={1 + 100 * n} ack=1 len=100\n" for n in range(5))) == []
    assert told(run + "".join(f"1.2 > ACK seq={1 + 100 * n} ack=1 len=100\n" for n in (0, 1, 1, 1))) == ["3.5 MUST"]


def test_a_syn_is_sent_twice_for_a_timeout_or_in_answer() -> None:
    assert told("0 > SYN seq=0 lost\n 0.5 > SYN seq=0") == ["3.5 MUST"]
    assert told("0 > SYN seq=0\n 0 > SYN seq=0") == ["3.5 MUST"]
    server = "0 < SYN seq=0\n 0.05 > SYN ACK seq=0 ack=1 lost\n 0.3 < SYN seq=0\n 0.35 > SYN ACK seq=0 ack=1"
    assert told(server, replace(CASE, servers=["up"])) == []


def test_an_acknowledgement_that_had_to_be_dropped_is_not_known() -> None:
    # What carries it lies before what is expected: RFC 9293 has the whole segment dropped.
    run = (
        OPEN
        + """
        0.20 > ACK seq=1 ack=1 len=100
        0.30 < ACK seq=1 ack=1 len=50 takes 0.01
        0.31 > ACK seq=101 ack=51
        0.32 < ACK seq=1 ack=101 len=50 takes 0.01
        0.33 > ACK seq=101 ack=51
        1.20 > ACK seq=1 ack=51 len=100
        """
    )
    assert told(run) == []


# -- the congestion window ---------------------------------------------------------------------------------------


def segments(at: float, first: int, count: int, **words: str) -> str:
    """`count` segments of 1,200 bytes from the number of the `first` on, counted from 0."""
    tail = " ".join(words.values())
    return "".join(f"{at} > ACK seq={1 + 1200 * n} ack=1 len=1200 {tail}\n" for n in range(first, first + count))


def acks(at: float, *numbers: int) -> str:
    """ACKs of so many segments, one after the other, 1 ms apart."""
    return "".join(f"{at + 0.001 * i:.3f} < ACK seq=1 ack={1 + 1200 * n}\n" for i, n in enumerate(numbers))


def test_slow_start_grows_by_what_is_acknowledged() -> None:
    run = OPEN + segments(0.1, 0, 10) + acks(0.15, *range(1, 11))
    assert told(run + segments(0.21, 10, 20)) == []
    assert told(run + segments(0.21, 10, 24)) == ["7.1 MUST"]


def test_after_a_fast_retransmission_the_window_is_half() -> None:
    run = OPEN + segments(0.1, 0, 10) + acks(0.15, *range(1, 11)) + segments(0.21, 10, 1, how="lost")
    run += segments(0.21, 11, 19) + acks(0.26, *[10] * 19) + segments(0.313, 10, 1) + acks(0.363, 30)
    assert told(run + segments(0.413, 30, 10)) == []
    assert told(run + segments(0.413, 30, 20)) == ["7.3 MUST"]
    assert told(run + segments(0.413, 30, 20), replace(CASE, models=["up"])) == []


def test_after_a_timeout_the_window_is_one_segment() -> None:
    run = OPEN + segments(0.1, 0, 10, how="lost")
    assert told(run + segments(1.1, 0, 1)) == []
    assert told(run + segments(1.1, 0, 10)) == ["7.3 MUST"]
    assert told(run + segments(1.1, 0, 10), replace(CASE, stage=5)) == ["7.3 SHOULD"]
    assert told(run + segments(1.1, 0, 1) + acks(1.15, 1) + segments(1.2, 1, 2)) == []


def test_one_segment_that_is_lost_again_and_again_is_not_a_full_window() -> None:
    times = (0.2, 0.5, 1.1, 2.3, 4.7, 9.5, 19.1)
    run = OPEN + "".join(f"{at} > ACK seq=1 ack=1 len=1200 lost\n" for at in times[:1])
    run += "0.2 > ACK seq=1201 ack=1 len=1200\n 0.25 < ACK seq=1 ack=1 sack=1201-2401\n"
    assert told(run + "".join(f"{at} > ACK seq=1 ack=1 len=1200 lost\n" for at in times[1:])) == []


# -- what must not be told ---------------------------------------------------------------------------------------


def test_a_simultaneous_open_and_close() -> None:
    run = """
        0.00 > SYN seq=0
        0.01 < SYN seq=0
        0.06 > SYN ACK seq=0 ack=1
        0.06 < SYN ACK seq=0 ack=1
        0.11 > ACK seq=1 ack=1
        0.11 < ACK seq=1 ack=1
        0.30 > FIN ACK seq=1 ack=1
        0.30 < FIN ACK seq=1 ack=1
        0.35 > ACK seq=2 ack=2
        0.35 < ACK seq=2 ack=2
    """
    assert told(run, replace(CASE, judged=["up", "down"])) == []


def test_an_answer_to_the_syn_of_an_older_connection() -> None:
    run = """
        0.00 < SYN seq=-90000
        0.05 > SYN ACK seq=0 ack=-89999
        0.10 < RST seq=-89999
        0.20 < SYN seq=0
        0.25 > SYN ACK seq=0 ack=1
        0.30 < ACK seq=1 ack=1
    """
    assert told(run, replace(CASE, servers=["up"])) == []


def test_a_timer_may_end_right_after_a_fast_retransmission() -> None:
    run = THIRD + "0.33 > ACK seq=1 ack=1 len=1200 lost\n"
    assert told(run + "0.41 > ACK seq=1 ack=1 len=1200") == [], "RFC 6298 does not start it again"


def test_a_byte_that_was_a_probe_by_the_latest_news_of_the_window() -> None:
    run = """
        0.00 > SYN seq=0
        0.05 < SYN ACK seq=0 ack=1 win=10
        0.10 > ACK seq=1 ack=1 len=10
        0.16 < ACK seq=1 ack=6 win=15 takes 0.20      # older than the next, and overtaken
        0.17 < ACK seq=1 ack=11 len=5 win=0
        0.2200001 > ACK seq=11 ack=6
        0.3600001 > ACK seq=11 ack=6
        0.80 > ACK seq=11 ack=6 len=1
        0.86 < ACK seq=6 ack=11 win=900
        0.91 > ACK seq=11 ack=6 len=800
    """
    assert told(run) == []


def test_numbers_wrap_anywhere() -> None:
    # The client's numbers begin 700 below 2^32.
    run = OPEN + "0.1 > ACK seq=1 ack=1 len=1200\n 0.15 < ACK seq=1 ack=1201\n"
    assert told(run + "0.2 > ACK seq=1201 ack=1 len=1200\n 0.2 > FIN ACK seq=2401 ack=1") == []
    assert told(run + "0.21 > ACK seq=1 ack=1 len=1200") == ["3.11 MUST"]


def test_copies_and_late_packets_harm_nobody() -> None:
    run = (
        OPEN
        + """
        0.10 > ACK seq=1 ack=1 len=100 twice 0.3
        0.16 < ACK seq=1 ack=101 twice 1.5
        0.40 < ACK seq=1 ack=101
        0.50 > ACK seq=101 ack=1 len=100
        0.56 < ACK seq=1 ack=201
    """
    )
    assert told(run, replace(CASE, judged=["up", "down"])) == []


def test_a_wrong_first_number_is_all_that_is_told() -> None:
    run = packets("0.00 > SYN seq=1\n0.05 < SYN ACK seq=0 ack=2\n0.10 > ACK seq=2 ack=1\n0.2 > ACK seq=2 ack=1 len=9")
    told_of = judge(run, WIRE, CASE)
    assert [(found.rule, found.level) for found in told_of] == [("3.1", "MUST")]
    assert f"its SYN has the number {ISN['up'] + 1}, and the connection was given isn={ISN['up']}" in told_of[0].text
    assert judge(run, WIRE, replace(CASE, isns={})) != told_of  # without it, the SYN's number is what counts


def test_an_ack_that_was_dropped_with_an_old_segment_does_not_take_back_what_blocks_have_told() -> None:
    # 14401 of the peer's came before, so it is dropped with its ACK (4.4). Who does that still believes the blocks.
    assert (
        told(
            OPEN
            + """
            0.10 > ACK seq=1 ack=1 len=1200
            0.10 > ACK seq=1201 ack=1 len=1200
            0.10 > ACK seq=2401 ack=1 len=1200
            0.10 > ACK seq=3601 ack=1 len=1200
            0.10 < ACK seq=1 ack=1 len=100
            0.151 > ACK seq=4801 ack=101
            0.16 < ACK seq=101 ack=1 sack=1201-4801
            0.17 < ACK seq=1 ack=4801 len=100
            0.18 < ACK seq=101 ack=1 sack=1201-4801
            0.221 > ACK seq=4801 ack=101
            0.23 > ACK seq=1 ack=101 len=1200
            """
        )
        == []
    )
