"""A student's program under test: what it prints, how it ends. What it prints is data, never a verdict.

Rule 1: every wait has a bound. Rule 2: what is read is bounded, so that a flood ends the program and not the tester.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from harness.actors.output import OutputStream
from harness.actors.story import Broken, Story, Who, difference, show, signal_name
from harness.lab.interface import NotMeasured, Process
from harness.text.printable import printable

#: Seconds a test waits for something a correct program does at once.
PATIENCE = 5.0
#: Seconds that data may still be under way after the program that sent it has ended.
UNDER_WAY = 3.0
#: Signals that end no program.
STAND_AND_GO = [getattr(signal, name) for name in ("SIGSTOP", "SIGCONT") if hasattr(signal, name)]
#: Signals after which a program has to go on: these, and the one by which it is told to read its files again.
GO_ON = [*STAND_AND_GO, getattr(signal, "SIGHUP", None)]


class Program:
    """A started program. Methods named in the third person are steps of the test's story."""

    who: Who = "student"  #: who acts in the story

    def __init__(self, name: str, process: Process, story: Story, *, output_limit: int) -> None:
        self.name = name
        self._process = process
        self._story = story
        self._limit = output_limit
        self._stdin: int | None = process.stdin
        self._changed = threading.Condition(threading.RLock())
        self._out = OutputStream(process.stdout, output_limit, self._changed, self._end_flood)
        self._err = OutputStream(process.stderr, output_limit, self._changed, self._end_flood)
        self._complained = False  # its standard error is already in the story
        self.signalled = False  #: whether it was told, or supposed, to end: what it did then is no crash
        self._status: int | None = None

    def _end_flood(self) -> None:
        self.signalled = True
        self._process.signal(9)

    # -- what it says ------------------------------------------------------------------------------------------

    @property
    def stdout(self) -> bytes:
        """Standard output so far."""
        return self._out.so_far()

    @property
    def stderr(self) -> bytes:
        """Standard error so far."""
        return self._err.so_far()

    def prints(self, expected: bytes, *, within: float = PATIENCE, sent_by: Program | None = None) -> None:
        """Its whole standard output, at its end, equals `expected`.

        sent_by: the program that sends the data; once that has ended, missing data is not waited for.
        """
        self._story.add("tester", f"expects {self.name} to print exactly {show(expected)}")
        ended = self._waits(lambda data: len(data) > len(expected), within, sent_by)
        seen = self.stdout
        self._check_flood()
        if seen == expected and ended and self._out.ended:
            self._story.add(self.who, f"{self.name} printed {show(seen)}")
            return
        self._story.add(self.who, f"{self.name} printed {show(seen)}")
        if not ended and (seen == expected or expected.startswith(seen)):
            raise self.broken(
                f"{self.name} did not end its output within {within:g} s",
                verdict="timeout",
                expected=show(expected) + ", then the end",
                seen=show(seen) + ", and the program still runs",
            )
        reason = f"{self.name} printed something else: {difference(expected, seen)}"
        raise self.broken(reason, expected=show(expected), seen=show(seen))

    def _waits(self, ready: Callable[[bytearray], bool], within: float, source: Program | None) -> bool:
        """`OutputStream.wait` for standard output. Raises Broken when the source has ended and nothing more comes."""
        if source is None:
            return self._out.wait(ready, within)
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            if self._out.wait(ready, min(left, 0.2)):
                return True
            if not source.runs():
                if self._out.wait(ready, min(left, UNDER_WAY)):
                    return True
                raise source.broken(
                    f"{source.name} ended before {self.name} had everything",
                    expected="it runs until both streams are whole",
                    seen=f"{source.ending()}, and {self.name} has {len(self.stdout):,} bytes",
                )
        return False

    def prints_line(self, *, within: float = PATIENCE) -> bytes:
        """The first line it prints, without its line end; waits for it."""
        found = self._out.wait(lambda data: b"\n" in data, within)
        line, newline, _ = self.stdout.partition(b"\n")
        self._check_flood()
        if not newline:
            verdict = "fail" if found else "timeout"
            how = "ended without printing" if found else f"did not print within {within:g} s"
            raise self.broken(f"{self.name} {how} a line", verdict=verdict, expected="a line", seen=show(self.stdout))
        return line.removesuffix(b"\r")

    def prints_at_least(self, count: int, *, within: float = PATIENCE) -> bytes:
        """Wait until `count` bytes came on standard output; returns all that came."""
        self._out.wait(lambda data: len(data) >= count, within)
        seen = self.stdout
        self._check_flood()
        if len(seen) < count:
            late = not self._out.ended
            raise self.broken(
                f"{self.name} printed only {len(seen):,} of {count:,} bytes"
                + (f" within {within:g} s" if late else ""),
                verdict="timeout" if late else "fail",
                expected=f"{count:,} bytes",
                seen=show(seen),
            )
        return seen

    def has_printed(self, expected: bytes, *, within: float = PATIENCE) -> None:
        """Its standard output so far becomes exactly `expected`; it may go on running."""
        self._story.add("tester", f"expects {self.name} to have printed {show(expected)} by now")
        reached = self._out.wait(lambda data: len(data) >= len(expected), within)
        seen = self.stdout
        self._check_flood()
        self._story.add(self.who, f"{self.name} has printed {show(seen)}")
        if seen != expected:
            late = expected.startswith(seen) and not reached
            how = f" within {within:g} s" if late else f": {difference(expected, seen)}"
            raise self.broken(
                f"{self.name} has not printed what came{how}",
                verdict="timeout" if late else "fail",
                expected=show(expected),
                seen=show(seen),
            )

    def complains(self, ready: Callable[[bytearray], bool], *, within: float = PATIENCE) -> bytes:
        """Wait until `ready(standard error so far)` or its end; returns what came, even if it was not enough."""
        self._err.wait(ready, within)
        self._check_flood()
        return self.stderr

    # -- its input ---------------------------------------------------------------------------------------------

    def stdin_sends(self, data: bytes) -> None:
        """Write all of `data` to its standard input (blocks while the pipe is full, at most until it ends)."""
        self._story.add("tester", f"writes {show(data)} to the standard input of {self.name}")
        view = memoryview(data)
        try:
            while view and self._stdin is not None:
                view = view[os.write(self._stdin, view) :]
        except OSError:
            self._story.add(self.who, f"{self.name} closed its standard input, {len(view):,} bytes unread")

    def stdin_sends_in_background(self, data: bytes) -> threading.Thread:
        """The same in a thread, for programs that answer while they read."""

        def pump() -> None:
            self.stdin_sends(data)
            self.stdin_ends()

        thread = threading.Thread(target=pump, daemon=True)
        thread.start()
        return thread

    def stdin_ends(self) -> None:
        """Close its standard input."""
        descriptor, self._stdin = self._stdin, None
        if descriptor is not None:
            os.close(descriptor)

    def signal(self, signum: int) -> None:
        """Send it a signal. Raises NotMeasured where a program could not catch it."""
        if sys.platform == "win32" and signum != 9:  # it only knows how to kill
            raise NotMeasured(f"Windows has no {signal_name(signum)} that {self.name} could catch. Check this in WSL.")
        self._story.add("tester", f"sends {signal_name(signum)} to {self.name}")
        self.signalled |= signum not in GO_ON
        self._process.signal(signum)

    def terminates(self, *, within: float = 2.0, status: int = 0) -> None:
        """SIGTERM ends it within that time with that status."""
        self.signal(signal.SIGTERM)
        self.exits(status, within=within)

    # -- how it ends -------------------------------------------------------------------------------------------

    def status(self, *, within: float) -> int | None:
        """Its exit status, waiting at most that long; None if it is still running then."""
        if self._status is None:
            self._status = self._process.wait(within)
        return self._status

    def runs(self) -> bool:
        """Whether it still runs."""
        return self.status(within=0) is None

    def keeps_running(self) -> None:
        """It has not ended."""
        if not self.runs():
            raise self.broken(
                f"{self.name} ended, but it should have gone on", expected="still running", seen=self.ending()
            )

    def exits(self, *statuses: int, within: float = PATIENCE) -> int:
        """It ends within that time with one of the given statuses (default 0)."""
        allowed = statuses or (0,)
        words = " or ".join(map(str, allowed))
        status = self.status(within=within)
        self._check_flood()
        if status is None:
            raise self.broken(
                f"{self.name} did not end within {within:g} s",
                verdict="timeout",
                expected=f"exit status {words}",
                seen="it still runs",
            )
        for stream in (self._out, self._err):  # the collectors may not have its last words yet
            stream.wait(lambda _: False, 0.5)
        self._story.add(self.who, f"{self.name} ended: {self.ending()}")
        if status not in allowed:
            raise self.broken(
                f"{self.name} ended with the wrong exit status", expected=f"exit status {words}", seen=self.ending()
            )
        self.signalled = True
        return status

    def fails(self, status: int) -> None:
        """It ends with that status, says why on standard error, and prints nothing. Raises Broken."""
        self.exits(status)
        if self.stdout:
            raise self.broken(
                f"{self.name} printed something on standard output, and ended with status {status}",
                expected=show(b""),
                seen=show(self.stdout),
            )
        self.says_why()

    def says_why(self) -> None:
        """It has ended, and something is on its standard error. Raises Broken."""
        if not self.stderr.strip():
            raise self.broken(
                f"{self.name} ended without a word on standard error ({self.ending()})", seen=show(self.stderr)
            )
        self._story.add("tester", "finds: the reason is on standard error")

    def ending(self) -> str:
        """How it ended, in words."""
        if self._status is None:
            return "still running"
        if self._status >= 0:
            return f"exit status {self._status}"
        return f"ended by {signal_name(-self._status)}"

    @property
    def flooded(self) -> bool:
        """Whether it has written more than anybody keeps, for which it was ended."""
        return self._out.flooded or self._err.flooded

    def _check_flood(self) -> None:
        if flood := self._flood():
            raise flood

    def _flood(self) -> Broken | None:
        """The reason to end a program that writes without end, if it did."""
        for stream, name in ((self._out, "standard output"), (self._err, "standard error")):
            if stream.flooded:
                return Broken(
                    f"{self.name} was ended: it wrote more than {self._limit // 1_000_000} MB to its {name}",
                    expected="a bounded amount of output",
                    seen=f"more than {self._limit:,} bytes",
                )
        return None

    def broken(self, message: str, **facts: object) -> Broken:
        """A broken expectation about this program, with the end of its standard error in the story."""
        self._err.wait(lambda _: False, 0.2 if self.status(within=0) is not None else 0)
        self.last_words()
        return self._flood() or Broken(message, **facts)  # type: ignore[arg-type]

    def last_words(self) -> None:
        """Add the end of its standard error to the story, for a check that has failed; once."""
        complaint = b"" if self._complained else self.stderr[-4000:].strip()
        if complaint:
            self._complained = True
            self._story.add(self.who, f"{self.name} wrote on standard error:")
            for line in complaint.splitlines()[-8:]:
                self._story.add(self.who, f"| {printable(line[:300])}")

    def dismiss(self) -> None:
        """End of the test: kill what still runs and let go of the input."""
        if self.runs():
            self._process.signal(9)
        self.stdin_ends()
