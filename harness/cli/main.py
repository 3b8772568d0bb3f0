"""`lab`: what students type. No logic here: it asks the modules and prints what they say."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli import check_commands, run_commands, show_commands
from harness.cli import link as paths
from harness.cli import notebook as notebooks
from harness.cli import trace_commands as cli_transport
from harness.cli.building import graded_on
from harness.cli.check import HOME
from harness.cli.console import Commands, console, tolerate_any_encoding
from harness.course import languages
from harness.lab import doctor, tools
from harness.lab.signals import hear_all_signals
from harness.link.named import load_profiles
from harness.link.netem_words import netem_words
from harness.link.profile import Profile

app = typer.Typer(
    cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)


for _command in check_commands.COMMANDS:
    app.command()(_command)


app.command()(notebooks.notebook)


@app.command("doctor")
def doctor_() -> None:
    """What this machine can do, and for each missing thing the one command that installs it."""
    terminal = console()
    terminal.print(f"What programs find here: {escape(tools.in_words(tools.tools_here()))}", soft_wrap=True)
    grader = graded_on(HOME)
    there = f"has {tools.in_words(grader.tools)}." if grader.tools else languages.promised(grader.languages)
    terminal.print(f"The machine that grades {escape(there)}", soft_wrap=True)
    terminal.print(f"Programs may be in {languages.in_words(grader.languages)}.\n", soft_wrap=True)
    for finding in doctor.examine():
        sign = "[green]✓[/]" if finding.there else "[red]✗[/]"
        terminal.print(f"{sign} [bold]{finding.name}[/]: {escape(finding.what)}", soft_wrap=True)
        terminal.print(f"    good for {finding.good_for}", style="dim")
        if finding.remedy:
            terminal.print(f"    to have it: {escape(finding.remedy)}", soft_wrap=True)  # a command stays whole
    terminal.print("\n`lab check` needs none of these but Python.", style="dim")


@app.command()
def profiles() -> None:
    """The link profiles, with the reason for each."""
    terminal = console()
    for profile in load_profiles().values():
        terminal.print(f"[bold]{profile.name}[/]: {profile.why}")
        for way, side in (("student to tester", profile.up), ("tester to student", profile.down)):
            words = str(netem_words(side)) if side != Profile() else "unchanged"
            terminal.print(f"    {way}: {words}", style="dim", soft_wrap=True)
    terminal.print("\nThe words are those of `tc qdisc add dev IF root netem ...`.", style="dim")


@app.command()
def link(
    profile: Annotated[str, typer.Argument(help="one of `lab profiles`")],
    listen: Annotated[
        str, typer.Option(help="where you connect to: HOST:PORT for TCP, udp:HOST:PORT; port 0 picks one")
    ],
    to: Annotated[str, typer.Option(help="where the program is that you want to reach")],
    up: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=VALUE", help="change the way to it, such as delay=0.2")
    ] = None,
    down: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=VALUE", help="change the way back, such as loss=0.1")
    ] = None,
    seed: Annotated[int, typer.Option(help="the same seed loses the same packets")] = 1,
    seconds: Annotated[float | None, typer.Option(min=0, help="end by itself after so long")] = None,
) -> None:
    """A path through an impaired link between two programs of yours, with counters; Ctrl-C ends it."""
    options = paths.read_options(profile, listen=listen, to=to, up=up or (), down=down or (), seed=seed)
    paths.run_link(options, console(), seconds=seconds)


for _other in (*cli_transport.COMMANDS, *run_commands.COMMANDS, *show_commands.COMMANDS):
    app.command()(_other)


def main() -> None:
    """The entry point; an interrupted run is not an error."""
    tolerate_any_encoding()
    hear_all_signals()
    try:
        app(prog_name=check_commands.COMMAND)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
