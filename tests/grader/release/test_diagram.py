"""The picture of the states is the table's: no arrow more, none less."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.course import this_course
from grader.release.diagram import draw_states, transitions
from harness.errors import SetupError

STATES = this_course().reference("transport") / "states.py"


def test_every_arrow_of_the_table_is_drawn() -> None:
    rows = transitions(STATES.read_text(), "states.py")
    assert ("LISTEN", "SYN", "SYN-RECEIVED") in rows
    picture = draw_states(STATES)
    assert picture.count('marker-end="url(#tip)"') == len(rows)


def test_a_row_that_names_nothing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "states.py"
    path.write_text(STATES.read_text().replace("State.LAST_ACK, Cause.ACK_OF_FIN", "State.LAST_NACK, Cause.ACK_OF_FIN"))
    with pytest.raises(SetupError, match=r"states\.py: State\.LAST_NACK"):
        draw_states(path)


def test_a_state_without_a_place_is_named(tmp_path: Path) -> None:
    path = tmp_path / "states.py"
    path.write_text(STATES.read_text().replace('"LAST-ACK"', '"LIMBO"'))
    with pytest.raises(SetupError, match="no place for LIMBO"):
        draw_states(path)
