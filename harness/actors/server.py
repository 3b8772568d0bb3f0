"""A student's server under test: where it listens, that it stands still when told to, that all of it ends."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

from harness.actors.program import PATIENCE, STAND_AND_GO, Program
from harness.actors.story import Broken, show
from harness.course.address import Address, BadAddress, parse_address
from harness.text.printable import printable

#: Seconds within which all processes of a server have to be gone after its first one.
GONE_WITHIN = 1.0
#: What Python writes before the traceback of an exception that nobody caught.
TRACEBACK = b"Traceback (most recent call last):"
#: Seconds until what was done to connections has reached their other end: a relay passes on a reset 0.02 s late.
SETTLED = 0.1
#: How far into an output the line `listening on ADDRESS` is looked for, in bytes.
ANNOUNCED_WITHIN = 16_384


class Server(Program):
    """A program that printed `listening on ADDRESS`."""

    asked: Address  #: what it was told to listen on
    listening: Address  #: what it printed; testers use the port only

    @property
    def address(self) -> Address:
        """The address it printed."""
        return self.listening

    def exits(self, *statuses: int, within: float = PATIENCE) -> int:
        """It ends within that time with one of the given statuses, and nothing that it has started runs on."""
        begun = time.monotonic()
        status = super().exits(*statuses, within=within)
        deadline = max(begun + within, time.monotonic() + GONE_WITHIN)
        while left := self._process.left():
            if time.monotonic() > deadline:
                raise self.broken(
                    f"{self.name} ended, but not all of it: processes that it had started run on",
                    verdict="timeout",
                    expected="a program that has ended serves nobody",
                    seen=f"{left} of its processes run on",
                )
            time.sleep(0.02)
        return status

    def crashed(self) -> bool:
        """Whether it was listening and ended although nobody told it to."""
        return not self.signalled and hasattr(self, "listening") and self.status(within=0.2) is not None

    def crash(self) -> str:
        """How it ended by itself, with the last line of its traceback if it left one."""
        said = f"{self.name} ended by itself ({self.ending()}"
        self._err.wait(lambda _: False, 0.2)
        lines = self.stderr.rpartition(TRACEBACK)[2].strip().splitlines() if TRACEBACK in self.stderr else []
        return f"{said}: {printable(lines[-1][:200])})" if lines else f"{said})"

    @contextlib.contextmanager
    def stands_still(self) -> Iterator[None]:
        """Stopped (SIGSTOP) while a `with` block runs: what is done meanwhile lies before it all at once.

        Otherwise a program that is fast, or a relay that is late, makes of three events one after the other.
        """
        if not STAND_AND_GO:
            self._story.add("tester", f"cannot stop {self.name} here: there is no such signal")
            yield
            return
        self.signal(signal.SIGSTOP)
        try:
            yield
            time.sleep(SETTLED)
        finally:
            self.signal(signal.SIGCONT)

    def waits_until_listening(self, asked: Address, *, within: float = PATIENCE) -> None:
        """Read the line and keep the address. A server that ends before it is the submission's error."""
        self.asked = asked

        def line_or_end() -> bool:
            both_ended = self._out.ended and self._err.ended
            return both_ended or self._listening_line() is not None

        with self._changed:
            self._changed.wait_for(line_or_end, within)
        line = self._listening_line()
        if line is None:
            raise self._never_listened(within)
        try:
            self.listening = parse_address(line.decode("utf-8", "replace"))
        except BadAddress as error:
            raise self.broken(
                f"{self.name} said where it listens, but not as an address",
                expected="listening on ADDRESS",
                seen=str(error),
            ) from None
        if self.listening.kind != "unix" and not self.listening.port:
            raise self.broken(
                f"{self.name} did not say which port it got",
                expected="the port it really has",
                seen=str(self.listening),
            )
        if self.listening.kind != asked.kind:
            raise self.broken(
                f"{self.name} listens on another kind of address than it was told",
                expected=str(asked),
                seen=str(self.listening),
            )
        self._story.add(self.who, f"{self.name} is listening on {self.listening}")

    def _never_listened(self, within: float) -> Broken:
        if self.status(within=0.2) is not None:
            return self.broken(
                f"{self.name} did not start: it ended before it was listening",
                verdict="error",
                expected=f"the line 'listening on {self.asked}' with the real port",
                seen=self.ending(),
            )
        return self.broken(
            f"{self.name} did not say where it listens within {within:g} s",
            verdict="timeout",
            expected=f"the line 'listening on {self.asked}' with the real port, flushed",
            seen=show(self.stdout),
        )

    def _listening_line(self) -> bytes | None:
        for stream in (self._out, self._err):  # on standard error if standard output carries data
            for line in stream.head(ANNOUNCED_WITHIN).split(b"\n")[:-1]:
                if line.startswith(b"listening on "):
                    return line[len(b"listening on ") :].strip()
        return None
