"""Profiles in the words of tc."""

from __future__ import annotations

from harness.link.netem_words import netem_words
from harness.link.profile import Profile


def test_the_words_of_a_full_profile():
    profile = Profile(
        delay=0.1,
        jitter=0.0125,
        distribution="pareto",
        gemodel=(0.01, 0.2),
        duplicate=0.005,
        corrupt=0.001,
        reorder=0.25,
        gap=5,
        rate=1_000_000,
        overhead=-14,
        limit=500,
    )
    assert str(netem_words(profile, seed=7)) == (
        "netem delay 100ms 12500us distribution pareto loss gemodel 1% 20% duplicate 0.5% corrupt 0.1% "
        "reorder 25% gap 5 rate 1000000bit -14 limit 500 seed 7"
    )


def test_what_netem_cannot_say_is_named():
    profile = Profile(loss=0.1, burst_cap=3, drop=(1,), blackout=((0, 1),), truncate=0.1)
    assert netem_words(profile).beyond == ("burst_cap", "drop", "blackout", "truncate")
    assert str(netem_words(profile)).endswith("(and beyond netem: burst_cap, drop, blackout, truncate)")


def test_zero_is_left_out_since_newer_tc_refuses_it():
    assert netem_words(Profile()).words == ("limit", "100000")
