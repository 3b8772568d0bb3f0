"""The fixture `lab`: everything that a test works with.

Programs to run, peers to play, a link to impair, and a story that writes itself: these are the words of every test.
The words of one subject are together, and are loaded when first used: `lab.clients` (many at once, and
misbehaving ones), `lab.kernel` (what it says of the program), `lab.transport`, `lab.tls`, `lab.pipes` and `lab.stack`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from harness.actors.cast import Cast
from harness.actors.measure import Kernel
from harness.actors.program import PATIENCE, Program
from harness.link.named import find_profile
from harness.link.profile import Profile

if TYPE_CHECKING:
    from harness.actors.clients import Clients
    from harness.stack.words import StackWords
    from harness.tls.pipes import Pipes
    from harness.tls.words import TlsWords
    from harness.transport.words import TransportWords


class Scene(Cast):
    """One test's lab. Everything made through it is ended by `close`."""

    link_name = "clean"  #: the link profile in force, "custom" for one without a name

    # -- the words of one subject --------------------------------------------------------------------------------

    @cached_property
    def clients(self) -> Clients:
        """Many clients at once, and clients that misbehave."""
        from harness.actors.clients import Clients

        return Clients(self)

    @cached_property
    def kernel(self) -> Kernel:
        """What no socket shows: threads, descriptors, memory, processor time."""
        return Kernel(self.node, self.story)

    @cached_property
    def transport(self) -> TransportWords:
        """A submission's connection in virtual time, by script and by hand."""
        from harness.transport.words import TransportWords

        return TransportWords(self)

    @cached_property
    def tls(self) -> TlsWords:
        """Both ends of TLS, who stands between them, and many at once."""
        from harness.tls.words import TlsWords

        return TlsWords(self)

    @cached_property
    def stack(self) -> StackWords:
        """Everything composed: a client, TLS, the transport, a server."""
        from harness.stack.words import StackWords

        return StackWords(self, self.tls)

    @cached_property
    def pipes(self) -> Pipes:
        """The submission's TLS pipes, and ways through them."""
        from harness.tls.pipes import Pipes

        return Pipes(self, self.tls)

    # -- the link ----------------------------------------------------------------------------------------------

    def link(self, name: str = "custom", *, up: Profile | None = None, down: Profile | None = None) -> None:
        """Impair the link from now on: a named profile, or one per direction (up is student to tester)."""
        if up is None and down is None:
            profile = find_profile(name)
            up, down = profile.up, profile.down
        self.link_name = name
        self.shaped = (up or Profile(), down or Profile())
        self.network.shape(up=self.shaped[0], down=self.shaped[1], seed=self.seed)
        self.story.add("link", f"the link is now {name!r}")

    # -- the rest ----------------------------------------------------------------------------------------------

    def says(self, what: str) -> None:
        """Add a sentence to the story: what the tester does next, or why."""
        self.story.add("tester", what)

    def random_bytes(self, count: int) -> bytes:
        """Bytes from the test's seed; NULs and line feeds may be among them."""
        return self.rng.randbytes(count)

    def put_file(self, name: str, data: bytes, *, mode: int = 0) -> str:
        """Write a file in the student's node; returns its path there. mode: for its user, such as 0o600."""
        return self.node.put_file(name, data, mode=mode)

    def kind_of(self, path: str) -> str:
        """What is at a path in the student's node: missing, file, folder, socket, other."""
        return self.node.kind_of(path)

    def waits_until(self, met: Callable[[], object], *, within: float = PATIENCE, every: float = 0.02) -> bool:
        """Call `met` again and again until it returns true; False if it never did."""
        deadline = time.monotonic() + within
        while not met():
            if time.monotonic() > deadline:
                return False
            time.sleep(every)
        return True

    def flooded(self) -> bool:
        """Whether a program of the submission was ended since it wrote without end."""
        programs = [thing for thing in self._open if isinstance(thing, Program)]
        return any(program.flooded for program in programs if program.who == "student")

    def pauses(self, seconds: float) -> None:
        """Let time pass, if the passing of time is what the test is about."""
        self.story.add("tester", f"lets {seconds:g} s pass")
        time.sleep(seconds)

    @staticmethod
    def now() -> float:
        """Seconds on a monotonic clock."""
        return time.monotonic()
