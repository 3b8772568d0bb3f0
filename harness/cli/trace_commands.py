"""`lab sim`, `lab trace`, `lab replay`, `lab dissector`: see what a connection does. No logic here.

What they need is imported when they are called, so that `lab check` of another assignment does not wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from harness.cli.console import console
from harness.text.printable import printable

LadderFile = Annotated[Path | None, typer.Option("--ladder", help="write the ladder here: .svg, or .txt")]
PcapFile = Annotated[Path | None, typer.Option("--pcap", help="write the packets here: .pcapng, for Wireshark")]
PlotFile = Annotated[Path | None, typer.Option("--plot", help="write curves over time here: .svg or .png")]
TermFile = Annotated[
    Path | None, typer.Option("--term", help="term.toml of the wire format; default: the assignment's")
]
Rows = Annotated[int, typer.Option(min=2, max=10_000, help="packets shown at most; the rest is folded")]


def sim(
    assignment: Annotated[str, typer.Argument(help="which assignment: transport")] = "transport",
    path: Annotated[Path | None, typer.Argument(help="folder of your solution; default: the starter's own")] = None,
    profile: Annotated[str, typer.Option(help="the link, one of `lab profiles`")] = "wifi-lossy",
    scenario: Annotated[
        str, typer.Option(help="a story with a name instead, such as 'last ACK lost'; 'list' lists them")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="the same seed loses the same packets")] = 1,
    size: Annotated[int, typer.Option("--bytes", help="from the client to the server")] = 32_768,
    back: Annotated[int, typer.Option(help="bytes from the server to the client")] = 0,
    peer: Annotated[Path | None, typer.Option(help="another solution as the peer")] = None,
    role: Annotated[str, typer.Option(help="what your solution plays against the peer")] = "client",
    rows: Rows = 60,
    ladder: LadderFile = None,
    pcap: PcapFile = None,
    plot: PlotFile = None,
    bundle: Annotated[Path | None, typer.Option(help="write the run here, for `lab replay`")] = None,
) -> None:
    """Run your connection against itself in virtual time: how it went, and every packet."""
    from harness.cli import trace as tracing

    if scenario == "list":
        print(tracing.scenario_list())
        return
    seen = tracing.simulate(
        assignment, path, profile=profile, scenario=scenario, seed=seed, size=size, back=back, peer=peer, role=role
    )
    well = tracing.tell(console(), seen, rows=rows)
    _written(console(), tracing.write(seen, ladder=ladder, pcap=pcap, plot=plot, bundle=bundle))
    if not well:
        raise typer.Exit(1)


def trace(
    file: Annotated[Path, typer.Argument(help="a bundle of `lab check` or `lab sim`, or a capture (pcapng, pcap)")],
    term: TermFile = None,
    rows: Rows = 120,
    ladder: LadderFile = None,
    pcap: PcapFile = None,
    plot: PlotFile = None,
) -> None:
    """The packets of a file as a ladder, with the rules they break; or as picture, capture and plot."""
    from harness.cli import trace as tracing

    seen = tracing.load(file, term)
    tracing.tell(console(), seen, rows=rows)
    _written(console(), tracing.write(seen, ladder=ladder, pcap=pcap, plot=plot))


def replay(
    file: Annotated[Path, typer.Argument(help="a bundle.json that `lab check` or `lab sim` left")],
    path: Annotated[Path | None, typer.Argument(help="folder of your solution; default: the starter's own")] = None,
    peer: Annotated[Path | None, typer.Option(help="the other solution, if it was a run of two")] = None,
    rows: Rows = 60,
) -> None:
    """Run again what a bundle holds: the failing check with its seed, or the simulation."""
    from harness.cli import trace as tracing

    well = tracing.replay(console(), file, path, peer=peer, rows=rows)
    if not well:
        raise typer.Exit(1)


def dissector(term: TermFile = None) -> None:
    """Print a Wireshark dissector for this term's segments: `lab dissector > segments.lua`."""
    from harness.cli import trace as tracing

    typer.echo(tracing.dissector(term), nl=False)


#: In the order in which `lab --help` shows them.
COMMANDS = (sim, trace, replay, dissector)


def _written(console: Console, files: list[Path]) -> None:
    for file in files:
        console.print(f"[dim]written:[/] {escape(printable(str(file)))}", soft_wrap=True)
