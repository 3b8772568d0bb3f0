"""Grading needs nothing of nbgrader, and what needs it says how to bring it."""

from __future__ import annotations

import sys

import pytest
from terms import Term


@pytest.fixture
def without(term: Term, monkeypatch: pytest.MonkeyPatch) -> Term:
    for name in [name for name in sys.modules if name.partition(".")[0] == "nbgrader"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nbgrader", None)
    return term


def test_a_class_is_graded_and_the_gradebook_names_make_course(without: Term) -> None:
    term = without
    term.roster()
    term.hands_in("ann")
    term.will_see()
    assert "15 of 15" in term.grades()
    for words in (["sync"], ["import"], ["feedback"], ["export", "--out", term.folder / "x.csv"]):
        command, *more = words
        said = term.does("gradebook", command, term.folder, *more, status=2)
        assert "nbgrader is needed for that" in said and "make course" in said
    assert "nbgrader_config.py" in term.does("gradebook", "settings", term.folder)
