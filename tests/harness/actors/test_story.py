"""A story tells its steps in order and in time, and shows bytes so that a person sees what is wrong with them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.actors.story import MOST_STEPS, Broken, Story, difference, show


def test_a_story_stamps_each_step_from_its_own_beginning() -> None:
    ticks = iter([100.0, 100.5, 102.0])
    story = Story(lambda: next(ticks))
    story.add("tester", "connects")
    story.add("student", "answers")
    assert [(step.at, step.what) for step in story.steps] == [(0.5, "connects"), (2.0, "answers")]


def test_an_endless_story_is_cut_and_says_so() -> None:
    story = Story(lambda: 0.0)
    for number in range(MOST_STEPS + 7):
        story.add("tester", f"step {number}")
    rows = story.for_record()
    assert len(rows) == MOST_STEPS + 1
    assert rows[-1].what == "(7 more steps not shown)"


def test_bytes_are_shown_as_text_where_they_are_text_and_as_hex_where_not() -> None:
    assert show(b'say "hi"\r\n') == '"say \\"hi\\"\\r\\n"'
    assert show(b"\x00\x00\x00\x05") == "00 00 00 05 (4 bytes)"
    assert show(b"a" * 100) == '"' + "a" * 60 + '" … (100 bytes)'
    assert show(b"\xff" * 1000).endswith("… (1,000 bytes)")


@given(st.binary(max_size=300))
def test_no_byte_string_brings_a_control_character_into_a_report(data: bytes) -> None:
    assert show(data).isprintable()


def test_the_difference_names_the_first_byte_that_parts() -> None:
    assert difference(b"abcd", b"abXd") == "they differ from byte 2 on"
    assert difference(b"abcd", b"ab") == "the last 2 of 4 bytes are missing"
    assert difference(b"ab", b"abcd") == "2 bytes too many at the end"


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_only_equal_byte_strings_are_called_equal(one: bytes, other: bytes) -> None:
    assert (difference(one, other) == "they are equal") == (one == other)


def test_a_broken_expectation_carries_its_facts() -> None:
    broken = Broken("no answer", expected="a line", seen="nothing", verdict="timeout")
    assert (broken.message, broken.expected, broken.seen, broken.verdict) == (
        "no answer",
        "a line",
        "nothing",
        "timeout",
    )
