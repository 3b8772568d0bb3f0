"""Which word leads to which page, and which rule to which word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grader.course import Course
from harness.course.assignment import load_assignment
from harness.errors import UsageError
from harness.show.index import CONCEPTS, find, page_for

ROOT = Path(__file__).parents[3]
HANDOUTS = sorted(ROOT.glob("assignments/*/handout.md"))


def test_every_word_means_one_page() -> None:
    names = [concept.name for concept in CONCEPTS]
    assert len(set(names)) == len(names)
    for concept in CONCEPTS:
        assert find(concept.name) is concept
        for word in concept.also:
            assert find(word).name == word or find(word) is concept, word


def test_words_are_found_as_people_type_them() -> None:
    assert find("5-tuple").name == find("Five Tuple").name == "five-tuple"
    assert find("non_blocking").name == "blocking"
    assert find("RTT").name == "rto"


def test_an_unknown_word_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r'no page about "halfclose"[.] Did you mean "half-close"'):
        find("halfclose")


def test_no_rule_has_two_pages_and_all_are_in_the_handouts() -> None:
    rules = [rule for concept in CONCEPTS for rule in concept.rules]
    assert len(set(rules)) == len(rules)
    for rule in rules:
        assignment, section = rule.split()
        text = (ROOT / "assignments" / assignment / "handout.md").read_text()
        assert f"- **{section}** " in text, rule
        assert page_for(assignment, section)
    assert page_for("blocking", "99.1") == ""


@pytest.mark.parametrize("handout", HANDOUTS, ids=lambda path: path.parent.name)
def test_a_page_that_a_handout_names_is_there(handout: Path) -> None:
    named = re.findall(r"lab show ([a-z0-9-]+)", handout.read_text())
    assert named
    assert [find(name).name for name in named] == named


def test_most_public_checks_lead_to_a_page() -> None:
    for name in Course(ROOT).names():
        checks = load_assignment(ROOT / "assignments" / name / "assignment.toml").checks
        shown = [check for check in checks if page_for(name, check.section)]
        assert len(shown) > len(checks) / 2, name
