"""`lab show` as it is typed."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from harness.cli.main import app
from harness.show.index import CONCEPTS
from harness.show.notebook import plot, show


def test_alone_it_lists_every_page() -> None:
    done = CliRunner().invoke(app, ["show"])
    assert done.exit_code == 0
    assert all(f"  {concept.name} " in done.output and concept.title in done.output for concept in CONCEPTS)


def test_a_page_is_shown_under_any_of_its_names() -> None:
    done = CliRunner().invoke(app, ["show", "shutdown"])
    assert done.exit_code == 0
    assert done.output.startswith("One side has finished, the other goes on\n")
    assert "-- b'one question' ----" in done.output
    assert "What you saw: a connection is two streams" in done.output


@pytest.mark.parametrize("columns", [10, 60])
def test_prose_fits_a_narrow_terminal(columns: int) -> None:
    done = CliRunner().invoke(app, ["show", "reset"], env={"COLUMNS": str(columns)})
    prose = done.output.partition("  1  ")[0].splitlines()
    assert max(len(line) for line in prose) <= max(columns, 40)


def test_with_pause_it_waits_before_each_step_and_ends_with_the_input() -> None:
    done = CliRunner().invoke(app, ["show", "byte-order", "--pause"], input="\n")
    assert done.exit_code == 0
    assert done.output.count("Enter ...") == 2  # one step, and what was to be seen


def test_a_word_without_a_page_is_a_mistake_with_a_way_on() -> None:
    done = CliRunner().invoke(app, ["show", "backlock"])
    assert done.exit_code == 2
    assert 'Did you mean "backlog"?' in done.output


def test_in_a_notebook_it_says_the_same_but_for_what_the_notebook_asks(capsys: pytest.CaptureFixture[str]) -> None:
    seen = show("byte-order")
    printed = capsys.readouterr().out
    typed = CliRunner().invoke(app, ["show", "byte-order"], env={"COLUMNS": "200"}).output
    assert "Predict: " in typed and "What you saw: " in typed
    assert "Predict: " not in printed and "What you saw: " not in printed
    assert {line for line in printed.splitlines() if line} < set(typed.splitlines())
    assert seen["network"] == b"\0\0\0\x0e"
    assert show("byte-order", quiet=True) == seen
    assert capsys.readouterr().out == ""


def test_curves_are_text_where_nothing_can_draw(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    plot({"a line": [(0, 0), (1, 10)]}, across="seconds", up="packets")
    out = capsys.readouterr().out
    assert "a line" in out
    assert out.count("*") == 2
    assert "seconds" in out
