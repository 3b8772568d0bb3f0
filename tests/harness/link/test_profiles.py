"""The named links."""

from __future__ import annotations

import pytest

from harness.link.named import find_profile, load_profiles
from harness.link.profile import BadProfile


def test_every_link_that_the_course_speaks_of_is_there_and_says_why():
    profiles = load_profiles()
    asked = ["clean", "campus", "home", "mobile", "wifi-lossy", "satellite", "bursty", "reordering", "slow"]
    assert set(asked) <= set(profiles)
    assert all(profile.why.endswith(".") for profile in profiles.values())
    assert all(name == profile.name for name, profile in profiles.items())


def test_clean_does_nothing_and_the_others_do_something():
    for name, profile in load_profiles().items():
        assert (not profile.up.as_dict() and not profile.down.as_dict()) == (name == "clean")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(BadProfile, match='Did you mean "satellite"'):
        find_profile("satelite")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[x", ["links.toml", "TOML"]),
        ("x = 1", ["[x]", "has to be a table"]),
        ("[x]", ["[x]", "why"]),
        ('[x]\nwhy = "y"\nupp = {}', ["line 3", "upp", 'Did you mean "up"']),
        ('[x]\nwhy = "y"\nup = 3', ["up", "braces"]),
        ('[x]\nwhy = "y"\nup = {los = 0.1}', ["line 3", "[x]: up: los", 'Did you mean "loss"']),
        ('[x]\nwhy = "y"\ndown = {loss = 10}', ["[x]: down: loss", "0 to 1"]),
    ],
)
def test_a_mistake_is_named(tmp_path, text, words):
    file = tmp_path / "links.toml"
    file.write_text(text)
    with pytest.raises(BadProfile) as refused:
        load_profiles(file)
    for word in words:
        assert word in str(refused.value)
