"""A result's points in the gradebook's cells, whatever the result says; and the notebook that shows them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from fakes import TOML
from hypothesis import given
from hypothesis import strategies as st

from grader.gradebook.checks import metadata, notebook, ours_of
from grader.gradebook.stages import Automatic, Given, automatic, cells_of, effective, needs_a_look
from harness.course.assignment import parse_assignment

BONUS = """
[[stages]]
number = 3
title = "An extension"
points = 4
section = "Stage 3"
bonus = true

[[checks]]
id = "test_server.py::test_more"
suite = "public"
stage = 3
points = 4
section = "3.1"
rule = "Do more."
"""


def assignment() -> Any:
    stage, check = BONUS.split("[[checks]]")
    text = TOML.replace("[[checks]]", f"{stage}[[checks]]", 1) + f"[[checks]]{check}"
    return parse_assignment(text, Path("assignment.toml"))


CELLS = cells_of(assignment())
numbers = st.one_of(st.floats(), st.integers(-(10**9), 10**9), st.none(), st.text(max_size=3))


def result(*points: object, undecided: object = 0.0) -> dict[str, Any]:
    return {"stages": [{"number": n, "points": one, "undecided": undecided} for n, one in enumerate(points, 1)]}


@given(numbers, numbers, numbers, numbers)
def test_whatever_a_result_says_cells_are_finite_and_the_sum_is_possible(a: Any, b: Any, c: Any, u: Any) -> None:
    found = automatic(CELLS, result(a, b, c, undecided=u), {})
    for one in found.values():
        assert math.isfinite(one.points) and one.points >= 0 and one.undecided >= 0
    assert math.fsum(one.points for one in found.values()) <= 15
    assert found["stage-1"].points <= 5 and found["stage-2"].points <= 10 and found["stage-3"].points <= 4


def test_an_extension_makes_up_for_lost_points_and_no_more() -> None:
    assert [automatic(CELLS, result(5, 10, bonus), {})["stage-3"].points for bonus in (0, 4)] == [0, 0]
    assert automatic(CELLS, result(3, 10, 4), {})["stage-3"].points == 2
    assert automatic(CELLS, result(0, 10, 4), {})["stage-3"].points == 4
    assert [cell.possible for cell in CELLS] == [5, 10, 0]  # the assignment's maximum stays 15
    # What a person gave counts before an extension does.
    assert automatic(CELLS, result(3, 10, 4), {"stage-1": Given(5.0)})["stage-3"].points == 0
    assert automatic(CELLS, result(3, 10, 4), {"stage-1": Given(None, 1.0)})["stage-3"].points == 1


def test_without_a_result_nothing_was_earned() -> None:
    assert set(automatic(CELLS, None, {}).values()) == {Automatic(0.0)}


def test_a_second_look_is_due_when_the_points_beneath_a_persons_word_change() -> None:
    word = Given(4.0)
    assert not needs_a_look(2.0, Automatic(2.0), word, False)
    assert needs_a_look(2.0, Automatic(3.0), word, False)
    assert needs_a_look(2.0, Automatic(2.0), word, True)  # it is still due
    assert not needs_a_look(2.0, Automatic(4.0), word, True)  # they agree
    assert needs_a_look(None, Automatic(0.0, 3.0), Given(), False)  # undecided
    assert not needs_a_look(None, Automatic(0.0), Given(None, None, "a comment"), False)
    assert effective(2.0, Given(None, 1.5)) == 3.5


def test_the_source_notebook_is_of_nbgraders_format() -> None:
    whole = json.loads(notebook("Title <b>", CELLS))
    assert (whole["nbformat"], whole["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in whole["cells"]}) == len(whole["cells"])
    stage = whole["cells"][1]
    assert stage["metadata"] == metadata("stage-1", points=5.0)
    assert stage["metadata"]["nbgrader"]["schema_version"] == 3
    assert "Title &lt;b&gt;" in whole["cells"][0]["source"]
    assert ours_of(b"not json") == {} == ours_of(b"[1]")
