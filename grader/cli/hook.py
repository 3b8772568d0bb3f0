"""`grader hook`: what students push to bare repositories of this machine is graded, and answered in their terminal."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from grader import course as courses
from grader.bench.choose import choose_place
from grader.bench.warm import WarmPlace
from grader.campaign.campaign import worth_of
from grader.campaign.crowd import labs_here
from grader.cli import app as program
from grader.cli.app import GraderCommands, LabKind, LinkEngine, app
from grader.course_file import CourseFile, the_course_of
from grader.daemon.daemon import Daemon
from grader.daemon.grading import Grader
from grader.daemon.whose import roster_of, rules_of
from grader.push.folder import PushFolder
from grader.push.install import check_readable, key_line
from grader.push.install import install as install_hook
from grader.reports.text import line, shell
from harness.errors import UsageError

hook = typer.Typer(
    cls=GraderCommands, no_args_is_help=True, help="Grade what is pushed to repositories on this machine."
)
app.add_typer(hook, name="hook", rich_help_panel="A term")

CourseOption = Annotated[Path, typer.Option("--course", help="the course's folder, or its course.toml")]
CourseArgument = Annotated[Path, typer.Argument(help="the course's folder, or its course.toml")]
Lab = Annotated[LabKind, typer.Option(help="auto: Docker if an engine answers, else local")]
Engine = Annotated[LinkEngine, typer.Option(help="what impairs the link")]
Workers = Annotated[int, typer.Option(min=0, max=64, help="labs side by side; 0: as many as the machine carries")]
Trust = Annotated[bool, typer.Option("--trust-submissions", help="run them here without Docker")]


@hook.command()
def install(
    repositories: Annotated[
        list[Path] | None, typer.Argument(help="bare repositories; none: everybody's in the roster, made if need be")
    ] = None,
    course: CourseOption = Path(),
    group: Annotated[str, typer.Option(help="the group of the account that receives pushes, once, as root")] = "",
) -> None:
    """Put the hook into bare repositories: what is pushed to them is queued, graded and answered."""
    found = _course_at(course)
    rules = rules_of(found, courses.this_course(), roster_of(found))
    folder = PushFolder(found.push.folder)
    if group:
        check_readable()
    folder.make(group)
    rules.write(folder.told)
    everybody = sorted({Path(path) for student in rules.people for path in rules.repositories_of(student)})
    if not (repositories or everybody):
        raise UsageError(f"nobody in {found.roster} takes part. Fill it in: grader roster")
    for repository in repositories or everybody:
        made = install_hook(repository.absolute(), folder, rules)
        _say(f"{repository}: {'made, with the hook' if made else 'has the hook'}; {rules.branch} is graded")
    if not folder.is_served():
        _say(f"Nothing is graded until the daemon runs: grader hook serve {shell(str(found.folder))}")


@hook.command()
def key(
    student: Annotated[str, typer.Argument(help="whose key it is: an id of the roster")],
    file: Annotated[Path, typer.Argument(help="the public key, such as id_ed25519.pub; -: standard input")],
    course: CourseOption = Path(),
) -> None:
    """The line for authorized_keys of the account that receives pushes: this key is that student, for git only."""
    found = _course_at(course)
    rules = rules_of(found, courses.this_course(), roster_of(found))
    try:
        text = sys.stdin.read(20_000) if str(file) == "-" else file.read_text(encoding="utf-8")[:20_000]
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{file} cannot be read as a public key.") from None
    print(key_line(student, text, PushFolder(found.push.folder), rules))


@hook.command()
def serve(
    course: CourseArgument,
    lab: Lab = LabKind.auto,
    engine: Engine = LinkEngine.auto,
    workers: Workers = 0,
    trust_submissions: Trust = False,
) -> None:
    """The daemon: grade what is pushed to repositories with the hook, one push after the other, until it is stopped."""
    _serve(_course_at(course), lab, engine, workers, trust_submissions, forges=False)


@app.command(rich_help_panel="A term")
def watch(
    course: CourseArgument,
    lab: Lab = LabKind.auto,
    engine: Engine = LinkEngine.auto,
    workers: Workers = 0,
    trust_submissions: Trust = False,
) -> None:
    """The daemon of `grader hook serve` that also looks at the roster's repositories elsewhere, and posts verdicts."""
    _serve(_course_at(course), lab, engine, workers, trust_submissions, forges=True)


def _serve(course: CourseFile, lab: LabKind, engine: LinkEngine, workers: int, trusted: bool, *, forges: bool) -> None:
    stopped = _until_stopped()
    ours = courses.this_course()
    folder = PushFolder(course.push.folder)
    folder.make()
    poller = None
    what = f"pushes to {course.push.repositories}"
    if forges:
        from grader.daemon.poller import Poller  # brings a library for HTTP, which no other command waits for

        poller = Poller(ours, folder, log=_log)
        looked_at = poller.check(course)
        hooked = Path(course.push.repositories.partition("{")[0]).is_dir()  # most who watch forges have none
        elsewhere = f"commits in {looked_at} {'repository' if looked_at == 1 else 'repositories'} of the roster"
        what = f"{elsewhere} and {what}" if hooked else elsewhere
    names = [row.name for row in course.assignments] or ours.names()
    most = workers or labs_here()
    with folder.serving() as bell, _warm(ours, names, lab, engine, trusted, most, course.languages) as place:
        grader = Grader(ours, folder, place, workers=most, stopped=stopped)
        daemon = Daemon(ours, course, grader, log=_log, announcer=poller)
        _log(f"{course.title}: waits for {what}; {place.kind} lab, link engine {place.engine}")
        looking = poller.looking(lambda: daemon.course) if poller else contextlib.nullcontext()
        with looking:
            daemon.serve(bell, stopped)
        _log("stopped; what waits is graded when this is started again")


def _until_stopped() -> Callable[[], bool]:
    """Whether SIGTERM, or Ctrl-C, has come; a second one ends everything where it is.

    The first is no exception: one that is raised anywhere may be lost in somebody's callback.
    """
    came = threading.Event()

    def come(*_: object) -> None:
        if came.is_set():
            raise KeyboardInterrupt
        came.set()

    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, come)
    return came.is_set


@contextlib.contextmanager
def _warm(
    ours: courses.Course,
    names: list[str],
    lab: LabKind,
    engine: LinkEngine,
    trusted: bool,
    most: int,
    languages: Sequence[str],
) -> Iterator[WarmPlace]:
    """A place whose labs stay between two pushes."""
    place = choose_place(
        ours,
        lab=lab,
        engine=engine,
        submitted=Path("/nonexistent"),
        trusted=trusted,
        assignments=names,
        say=_log,
        languages=languages,
    )
    warm = WarmPlace(place)
    try:
        if place.unprotected:
            _log(place.unprotected)
        warm.warm(min(most, max(worth_of([ours.load(name)]) for name in names)))
        warm.tools()  # asked once; the first push would wait for it
        yield warm
    finally:
        warm.close()


def _course_at(path: Path) -> CourseFile:
    return the_course_of(path.parent if path.is_file() else path, courses.this_course().names())


def _say(text: str) -> None:
    program.console().print(Text(line(text)))


def _log(text: str) -> None:
    """A line of the daemon's log, with its time."""
    for row in text.splitlines():
        program.console().print(Text(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}  {line(row)}"))
