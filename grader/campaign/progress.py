"""What is shown while a run goes on: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from grader.campaign.campaign import JobEvent
from grader.campaign.estimate import Estimate, in_words
from grader.job.run import Progress
from grader.reports.terminal import result_line
from grader.reports.text import line, no_command
from grader.verdict.scoring import number


class Display:
    """Shows events. A context manager; `see` each event in turn."""

    def __init__(self, console: Console, jobs: int, estimate: Estimate) -> None:
        self._console = console
        self._jobs, self._done, self._kept = jobs, 0, 0
        self._estimate = estimate
        self._running: dict[str, tuple[float, Progress, int, float]] = {}
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=4, transient=True)
        self._on = console.is_terminal

    def __enter__(self) -> Display:
        if self._on:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._on:
            self._live.stop()

    def see(self, event: JobEvent) -> None:
        """Take note of an event, and print a line if it deserves one."""
        name, checks, possible = event.job.name, len(event.job.assignment.checks), event.job.assignment.points
        self._estimate.see(event, time.monotonic())
        if event.kind == "begins":
            self._running[name] = (time.monotonic(), Progress("copying"), checks, possible)
            if not self._on:
                self._say(f"{name}: begins{f', {event.text}' if event.text else ''}")
        elif event.kind == "waits":
            self._running.pop(name, None)
            self._say(f"{name}: {event.text}")
        elif event.kind == "goes on" and event.progress and name in self._running:
            begun, *_ = self._running[name]
            self._running[name] = (begun, event.progress, checks, possible)
        elif event.kind in ("ends", "breaks"):
            self._running.pop(name, None)
            self._done += 1
            if event.again:
                self._kept += 1
                if not self._on and event.result is not None:
                    self._say(f"{name}: was done already, {result_line(event.result)}")
            elif event.result is not None:
                far = "" if self._on else f" ({self._done} of {self._jobs}{self._left()})"
                self._say(f"{name}: {result_line(event.result)}{far}")
            else:
                self._say(f"{name}: {event.text}")

    def _say(self, text: str) -> None:
        self._console.print(Text(no_command(line(text))), soft_wrap=True)

    def _left(self) -> str:
        left = self._estimate.left()
        return f", {in_words(left)} left" if left else ""

    def _table(self) -> RenderableType:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in ("submission", "phase", "checks", "points so far", "time"):
            table.add_column(heading, justify="right" if heading in ("points so far", "time") else "left")
        for name, (begun, progress, checks, possible) in list(self._running.items()):
            table.add_row(
                Text(name),
                progress.phase,
                ProgressBar(total=checks, completed=progress.done, width=20),
                f"{number(progress.points)} of {number(possible)}",
                f"{time.monotonic() - begun:.0f} s",
            )
        kept = f" ({self._kept} were done already)" if self._kept else ""
        return Group(table, Text(f"{self._done} of {self._jobs} done{kept}{self._left()}", style="dim"))
