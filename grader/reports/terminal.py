"""Results as a table for a terminal, and progress as lines of text. Pure: data in, text or rich objects out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from grader.reports.html import STATE_WORDS
from grader.reports.text import line, no_command
from grader.reports.view import said_of
from grader.verdict.scoring import number

_STYLES = {"graded": "green", "refused": "red", "undecided": "yellow", "ours": "yellow"}


def class_table(results: Sequence[Mapping[str, Any]]) -> Table:
    """Students by stages, for the results of one assignment."""
    first = results[0]
    table = Table(title=Text(line(first["title"])), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("student", overflow="fold")
    for stage in first["stages"]:
        table.add_column(f"{stage['number']}", justify="right", footer=number(stage["possible"]))
    table.add_column("points", justify="right", footer=number(first["possible"]))
    table.add_column("", overflow="fold")
    table.add_row(
        Text("of", style="dim"),
        *[Text(number(stage["possible"]), style="dim") for stage in first["stages"]],
        Text(number(first["possible"]), style="dim"),
        "",
    )
    for result in results:
        table.add_row(
            Text(no_command(line(result["student"]))),
            *[_stage(stage) for stage in result["stages"]],
            Text(number(result["points"]), style="bold"),
            _state(result),
        )
    return table


def _stage(stage: Mapping[str, Any]) -> Text:
    full = stage["points"] == stage["possible"]
    text = Text(number(stage["points"]), style="green" if full else "" if stage["points"] else "dim")
    if stage["undecided"]:
        text.append(f"+{number(stage['undecided'])}?", style="yellow")
    return text


def _state(result: Mapping[str, Any]) -> Text:
    """Empty when all is well; else the state and its message, shortened."""
    why = _why(result)
    if result["state"] == "graded" and not why:
        return Text("")
    text = Text("" if result["state"] == "graded" else STATE_WORDS[result["state"]], style=_STYLES[result["state"]])
    if why:
        message = no_command(line(why))
        shown = message if len(message) <= 90 else f"{message[:90]}…"
        text.append(f"{': ' if text.plain else ''}{shown}", style="dim")
    return text


def _why(result: Mapping[str, Any]) -> str:
    """What is to be said of the result as a whole, else what the first of the checks that are open says."""
    if (said := said_of(result)) or not result["undecided"]:
        return said
    return next((str(check["message"]) for check in result["checks"] if check["outcome"] == "inconclusive"), "")


def result_line(result: Mapping[str, Any]) -> str:
    """One finished job as a line without colours."""
    open_ = f", {number(result['undecided'])} undecided" if result["undecided"] else ""
    seconds = sum(row["seconds"] for row in result["phases"] if row["name"] == "total")
    took = f", {seconds:.1f} s" if seconds else ""
    why = f": {no_command(line(said))}" if (said := _why(result)) else ""
    state = "" if result["state"] == "graded" else f" ({STATE_WORDS[result['state']]})"
    return f"{number(result['points'])} of {number(result['possible'])} points{open_}{took}{state}{why}"
