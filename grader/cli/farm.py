"""`grader worker`, `grader farm`: more than one machine, through dask.distributed (the extra `farm`)."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from grader import course as courses
from grader.bench.choose import choose_place
from grader.bench.local import Place, closing
from grader.campaign.crowd import labs_here
from grader.cli.app import GraderCommands, LabKind, LinkEngine, app, console
from grader.course import Course
from grader.farm import trust
from grader.reports.text import line

farm = typer.Typer(cls=GraderCommands, no_args_is_help=True, help="Several machines that grade together.")
app.add_typer(farm, name="farm", rich_help_panel="Grade")

Certificates = Annotated[Path | None, typer.Option(help="the folder that grader farm certificates made; for tls://")]


@farm.command()
def certificates(
    out: Annotated[Path, typer.Argument(help="a new folder, to be copied to all machines of the farm, as a secret")],
) -> None:
    """Make what the machines of a farm know each other by."""
    trust.make_certificates(out)
    _say(
        f"{out} holds {trust.AUTHORITY} and {trust.MEMBER}, good for {trust.GOOD} days. Copy both to each machine of"
        f" the farm, and to nobody else: whoever has {trust.MEMBER} can run code on all of them."
    )


@farm.command()
def scheduler(
    listen: Annotated[str, typer.Argument(help="where: tls://ADDRESS:8786, or tcp://127.0.0.1:8786 for this machine")],
    certificates: Certificates = None,
    lost_after: Annotated[
        float, typer.Option(min=2, help="seconds without a word from a worker before others get what it had")
    ] = 60.0,
) -> None:
    """Share out the groups of checks among the workers; runs until it is ended."""
    address = trust.checked(listen, certificates)
    trust.need_dask()
    from grader.farm import scheduler as schedulers
    from grader.farm.dask_settings import settle

    settle(lost_after=lost_after)
    _until_ended(lambda stop: schedulers.serve(address, certificates, say=_say, stop=stop))


@app.command(rich_help_panel="Grade")
def worker(
    scheduler: Annotated[str, typer.Argument(help="of the farm: tls://HOST:8786")],
    certificates: Certificates = None,
    labs: Annotated[int, typer.Option(min=0, max=64, help="side by side at most; 0: what this machine carries")] = 0,
    name: Annotated[str, typer.Option(help="of this worker, in messages; else the machine's")] = "",
    lab: Annotated[LabKind, typer.Option(help="where submissions run")] = LabKind.docker,
    engine: Annotated[LinkEngine, typer.Option(help="what impairs the link")] = LinkEngine.auto,
    trust_submissions: Annotated[
        bool, typer.Option("--trust-submissions", help="run them here without Docker")
    ] = False,
) -> None:
    """Grade for a farm: run groups of checks on this machine; until it is ended."""
    address = trust.checked(scheduler, certificates)
    trust.need_dask()
    course = courses.this_course()
    place = choose_place(
        course,
        lab=lab,
        engine=engine,
        submitted=Path(),
        trusted=trust_submissions,
        assignments=course.names(),
        say=_say,
    )
    with closing(place):
        work(course, place, address, certificates, labs=labs or labs_here(), name=name or socket.gethostname())


def work(course: Course, place: Place, address: str, certificates: Path | None, *, labs: int, name: str) -> None:
    """Work for a farm until a signal ends this. Raises SetupError."""
    from grader.farm.dask_settings import settle
    from grader.farm.worker import Station, serve

    settle()
    station = Station(course, place, labs)
    try:
        _until_ended(lambda stop: serve(station, address, certificates, name=name, say=_say, stop=stop))
    finally:
        station.close()


def _until_ended(serve: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run something that ends when it is told to, and tell it at SIGINT and SIGTERM."""

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(stop)

    asyncio.run(run())


def _say(text: str) -> None:
    console().print(Text(line(text)))
