"""`lab run`: everything composed, live on this machine: the pieces start, a client asks, and a ladder shows each layer.

Trusted code, as with every local lab.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.actors.story import Broken, Step, Story, Who
from harness.cli import check as checking
from harness.cli import trace
from harness.cli.building import built, graded_on
from harness.course.programs import load_programs
from harness.errors import SubmissionError, UsageError
from harness.lab.local.lab import LocalNode
from harness.lab.local.network import LocalNetwork
from harness.link.named import NamedProfile, find_profile
from harness.link.profile import BadProfile
from harness.stack import layers
from harness.stack.words import TLS, TRANSPORT, Stack, wire_of
from harness.tester.scene import Scene
from harness.text.printable import printable
from harness.transport.pictures.pictures import Recording

#: What the web server has: a page that says what brought it.
_PAGE = (
    "<!doctype html>\n<title>It works</title>\n<p>HTTP, in TLS, in segments, in datagrams, some of which got lost.\n"
)
#: The call, and its arguments.
_CALL = ("sum", "1", "2", "39.5")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What to run."""

    solution: checking.Solution
    profile: str  #: name of the link
    seed: int
    size: int  #: bytes of the page
    call: bool  #: a remote procedure call instead of a page
    serve: bool  #: wait for a client of somebody else's


class _Live(Story):
    """A story that is told while it happens."""

    terminal: Console

    def add(self, who: Who, what: str) -> None:
        """Add a step, and print it."""
        super().add(who, what)
        step = Step(at=self.clock() - self.began, who=who, what=what)
        line = f"{step.at:>9.3f} s  {step.who:<7}  {step.what}"
        self.terminal.print(Text(printable(line), "cyan" if who == "student" else ""), soft_wrap=True)


def run(terminal: Console, what: Run, *, rows: int) -> bool:
    """Run it and print what happens; whether it went well. Raises CommandError."""
    assignment = what.solution.assignment
    if not {TLS, TRANSPORT} <= set(assignment.programs):
        raise UsageError(f"{assignment.name} composes nothing; lab run is for capstone")
    try:
        profile = find_profile(what.profile)
    except BadProfile as error:
        raise UsageError(f"{error} (`lab profiles` explains them)") from None
    with _folder(what.solution) as folder, _scene(terminal, what, folder, profile) as scene:
        stack: Stack | None = None
        broken: Broken | None = None
        try:
            stack = _build(scene, what)
            _use(terminal, scene, stack, what)
        except Broken as error:
            broken = error
            scene.last_words()
        if stack is not None:
            _draw(terminal, scene, stack, rows)
    if broken is not None:
        facts = "".join(
            f"\n  {word:<8} {fact}" for word, fact in (("expected", broken.expected), ("seen", broken.seen)) if fact
        )
        terminal.print(Text(printable(f"{broken.message}{facts}", keep="\n"), "red"), soft_wrap=True)
    return broken is None


def _build(scene: Scene, what: Run) -> Stack:
    if what.call:
        return scene.stack.stands(program="rpc_server")
    return scene.stack.stands(pages={"/index.html": _PAGE.encode().ljust(what.size, b".")})


def _use(terminal: Console, scene: Scene, stack: Stack, what: Run) -> None:
    """One request, or whatever somebody else asks. Raises Broken."""
    if what.serve:
        where = stack.entrance()
        how = f"nc {where.host} {where.port}" if what.call else f"curl -v http://{where}/index.html"
        terminal.print(Text(f"\nIt waits for one connection of yours, such as: {how}   (Ctrl-C ends it)\n", "bold"))
        with contextlib.suppress(KeyboardInterrupt):
            while stack.near_join.runs():
                time.sleep(0.1)
        return
    if what.call:
        client = scene.runs("rpc_client", stack.address, *_CALL)
        client.prints(b"42.5\n", within=30)
        client.exits(0)
    else:
        stack.curl("/index.html")


def _draw(terminal: Console, scene: Scene, stack: Stack, rows: int) -> None:
    """The packets, and what they are for the layers above."""
    packets, began = stack.packets(), stack.began()
    heard = [layers.Heard(at - began, text) for at, text in stack.heard] if began is not None else []
    wire = wire_of(scene.assignment)
    recording = Recording(
        packets=packets,
        wire=wire,
        names=("the client's side", "the server's side"),
        title="\nOne connection through three layers: segments, the TLS records that they carry, and HTTP in those",
        findings=layers.notes(packets, wire, heard),
    )
    trace.draw(terminal, recording, rows)
    terminal.print()
    for text in recording.summary():
        terminal.print(Text(printable(text)), soft_wrap=True)


@contextlib.contextmanager
def _folder(solution: checking.Solution) -> Iterator[Path]:
    """The solution, built if it has to be. Raises SubmissionError."""
    build = solution.assignment.build_of(solution.folder)
    if build is None:
        yield solution.folder
        return
    with built(solution.assignment, solution.folder, build, graded_on(checking.HOME)) as made:
        if made.broken:
            raise SubmissionError(made.broken)
        yield made.folder


@contextlib.contextmanager
def _scene(terminal: Console, what: Run, folder: Path, profile: NamedProfile) -> Iterator[Scene]:
    """Two nodes with the solution on each, and the link between them."""
    assignment = what.solution.assignment
    with contextlib.ExitStack() as stack:
        network = LocalNetwork()
        stack.callback(network.close)
        nodes = [LocalNode(folder, assignment.limits) for _ in range(2)]
        for node in nodes:
            stack.callback(node.close)
            node.build(None, timeout=60)
            node.fresh()
        programs = load_programs(assignment.programs, folder)
        scene = Scene(nodes[0], network, assignment=assignment, programs=programs, seed=what.seed, second=nodes[1])
        scene.story = story = _Live(time.monotonic)
        story.terminal = terminal
        stack.callback(scene.close)
        scene.link(profile.name, up=profile.up, down=profile.down)
        yield scene
