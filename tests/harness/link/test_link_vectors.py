"""The link against a kernel's netem: the same packets lost, doubled and overtaken, for every profile recorded."""

from __future__ import annotations

import json
import lzma
import re
from collections import Counter
from pathlib import Path

import pytest

from harness.link.model import SECOND, Link
from harness.link.netem_words import netem_words
from harness.link.profile import Profile

with lzma.open(Path(__file__).parent / "data" / "netem-seed7.jsonl.xz", "rt", encoding="utf-8") as recording:
    RECORDED = [json.loads(line) for line in recording]
EXACT = [row for row in RECORDED if "corrupt" not in row["spec"] and "40ms" not in row["spec"]]
JITTERED = [row for row in RECORDED if "40ms" in row["spec"]]
CORRUPTED = [row for row in RECORDED if "corrupt" in row["spec"]]


def profile_of(spec: str) -> Profile:
    """Read tc's words, as far as the recorded ones go."""
    words, fields = spec.split(), {}

    def number(word: str) -> float:
        return float(word[:-1]) / 100 if word.endswith("%") else float(word[:-2]) / 1000

    def numbers() -> tuple[float, ...]:
        found = []
        while words and words[0][0].isdigit():
            found.append(number(words.pop(0)))
        return tuple(found)

    while words:
        name = words.pop(0)
        if name == "loss" and words[0] in ("gemodel", "state"):
            name = words.pop(0)
            fields[name] = numbers()
        elif name == "delay":
            fields |= dict(zip(("delay", "jitter"), numbers(), strict=False))
        elif name in ("gap", "limit"):
            fields[name] = int(words.pop(0))
        elif name == "distribution":
            fields[name] = words.pop(0)
        else:
            (fields[name],) = numbers()
    return Profile(**fields)


def replayed(row: dict) -> list[tuple[int, float, str]]:
    """(number, seconds, fate) of what our link delivers, in the order of delivery."""
    link = Link(profile_of(row["spec"]), seed=row["seed"])
    out = []
    for number, sent in enumerate(row["sent"]):
        payload = number.to_bytes(4) * 17
        for delivery in link.transmit(payload, now=round(sent * SECOND)):
            out.append((delivery.due, len(out), number, delivery.fate))
    out.sort(key=lambda each: each[:2])
    return [(number, due / SECOND, fate) for due, _, number, fate in out]


def test_there_is_a_recording_of_every_kind():
    assert (len(EXACT), len(JITTERED), len(CORRUPTED)) == (22, 5, 3)


@pytest.mark.parametrize("row", EXACT, ids=lambda row: row["spec"])
def test_the_kernel_delivered_the_same_packets_in_the_same_order(row):
    assert [number for number, _, _ in replayed(row)] == [got[0] for got in row["got"]]


@pytest.mark.parametrize("row", JITTERED, ids=lambda row: row["spec"])
def test_the_kernel_drew_the_same_jitter(row):
    """Packets and their copies are the same, and each is late by no more than a timer is."""
    ours = sorted((number, due) for number, due, _ in replayed(row))
    theirs = sorted((got[0], got[1]) for got in row["got"])
    assert [number for number, _ in ours] == [number for number, _ in theirs]
    late = sorted(their - our for (_, our), (_, their) in zip(ours, theirs, strict=True))
    assert late[0] > 0
    assert late[len(late) // 2] < 0.0001
    assert late[-1] < 0.002


@pytest.mark.parametrize("row", CORRUPTED, ids=lambda row: row["spec"])
def test_the_kernel_damaged_the_same_packets(row):
    """Which bit is flipped is not seeded: a flip in a header may lose the packet or may not show."""
    ours = replayed(row)
    counted = re.search(r"corrupted (\d+)", row["stat"])
    assert sum(fate == "corrupted" for _, _, fate in ours) == int(counted[1])
    arrived = Counter(
        (most_common_number(each), True) if isinstance(each, str) else (each, False) for each, _ in row["got"]
    )
    expected = Counter((number, fate == "corrupted") for number, _, fate in ours)
    for number in range(row["n"]):
        whole, damaged = expected[number, False], expected[number, True]
        assert arrived[number, True] <= damaged
        assert whole <= arrived[number, False] <= whole + damaged - arrived[number, True]


def most_common_number(payload: str) -> int:
    words = [payload[start : start + 8] for start in range(0, len(payload), 8)]
    return int(max(words, key=words.count), 16)


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: row["spec"])
def test_words_of_tc_come_back(row):
    profile = profile_of(row["spec"])
    text = " ".join(netem_words(profile).words)
    assert profile_of(text) == profile
