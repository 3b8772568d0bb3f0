"""What `lab check` says: points by stage, failures as stories, the next thing to do. Records in, rich text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.assignment import Assignment, Check

#: How each outcome is shown, and in which colour.
SIGNS = {
    "pass": ("✓", "green"),
    "fail": ("✗", "red"),
    "timeout": ("◷", "red"),
    "error": ("!", "red"),
    "inconclusive": ("?", "yellow"),
    "skipped": ("–", "dim"),
}
_WHO = {"tester": "tester ", "student": "program", "link": "link   "}


def printable(text: str) -> str:
    """Text with its control characters made visible: a program under test must not drive the terminal."""
    return "".join(c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def show_line(console: Console, check: Check, record: Mapping[str, Any]) -> None:
    """One line for a check that has reported."""
    sign, colour = SIGNS.get(record["outcome"], ("?", "yellow"))
    points = f"{check.points:g}" if record["outcome"] == "pass" else f"0 of {check.points:g}"
    line = Text.assemble(
        (f" {sign} ", colour), (f"{check.section:<5}", "bold"), check.rule, (f"  {points}", "dim")
    )
    console.print(line)


def show_story(console: Console, check: Check, record: Mapping[str, Any]) -> None:
    """Why a check failed: the rule, what was expected and seen, what happened, a hint, where to read, how to repeat."""
    name = check.id.partition("::")[2]
    console.print()
    console.rule(f"[bold]{escape(name)}[/]  ({record['outcome']})", align="left", style="red")
    console.print(f"[bold]Rule {escape(check.section)}[/]  {escape(check.rule)}")
    console.print(f"[red]{escape(printable(str(record.get('message', ''))))}[/]")
    for word in ("expected", "seen"):
        if record.get(word):
            console.print(f"  {word:<9}{escape(printable(str(record[word])))}", highlight=False)
    if record.get("story"):
        console.print("\n  what happened", style="dim")
    for step in record.get("story") or ():
        line = f"  {step['at']:7.3f} s  {_WHO.get(step['who'], step['who'])}  {printable(str(step['what']))}"
        console.print(Text(line), soft_wrap=True)
    if check.hint:
        console.print(f"\n  [cyan]hint[/]     {escape(check.hint)}")
    console.print(f"  [cyan]read[/]     section {escape(check.section)} of the handout")
    if record.get("replay"):
        console.print(f"  [cyan]again[/]    {escape(record['replay'])}")


def show_summary(
    console: Console, assignment: Assignment, records: Sequence[Mapping[str, Any]], stage: int | None
) -> None:
    """Points by stage, and the next thing to do."""
    outcomes = {record["check"]: record["outcome"] for record in records}
    table = Table(title=f"{assignment.title}: the public checks", title_justify="left", show_edge=False)
    table.add_column("stage")
    table.add_column("public points", justify="right")
    table.add_column("the stage is worth", justify="right")
    first_open: Check | None = None
    for row in assignment.stages:
        checks = assignment.checks_of(stage=row.number, suite="public")
        if stage not in (None, row.number) or not checks:
            continue
        got = sum(check.points for check in checks if outcomes.get(check.id) == "pass")
        most = sum(check.points for check in checks)
        style = "green" if got == most else ""
        table.add_row(f"{row.number}  {row.title}", f"{got:g} of {most:g}", f"{row.points:g}", style=style)
        open_checks = [check for check in checks if outcomes.get(check.id) not in ("pass", None)]
        first_open = first_open or next((c for c in open_checks if outcomes[c.id] != "skipped"), None)
    console.print()
    console.print(table)
    console.print("Hidden checks look at the same rules with other data, addresses and links.", style="dim")
    console.print()
    if first_open is not None:
        again = f"lab check {assignment.name} --stage {first_open.stage}"
        console.print(
            f"[bold]Next:[/] rule {escape(first_open.section)}, {escape(first_open.rule)} "
            f"(handout, section {escape(first_open.section)}). Then: [bold]{again}[/]"
        )
    elif not outcomes:
        console.print("[yellow]No check has reported: read the message above.[/]")
    elif stage is not None and any(row.number > stage for row in assignment.stages):
        console.print(
            f"[bold]Next:[/] all public checks of stage {stage} pass. Go on with stage {stage + 1}."
        )
    else:
        console.print("[bold]Next:[/] all public checks pass. Read the handout once more, and hand in.")
