"""The tester's end of a guest: one line out, one line back, within bounds. docs/guest.md is the protocol.

Rule 1: whatever the other side does (die, hang, flood, write nonsense) ends in a `Broken` of one sentence.
Rule 2: bytes become plain data here and nowhere else; `harness.transport.calls.calls` says what the data may be.
"""

from __future__ import annotations

import json
import os
import select
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from harness.actors.output import OutputStream
from harness.actors.story import Broken, Story, Verdict
from harness.lab.interface import Process
from harness.text.printable import printable
from harness.transport.calls.meter import Meter, TooSlow

#: Longest line of a guest, in bytes: a window of 1 MiB in base64 fits three times.
MOST_LINE = 4 << 20
#: How much a guest may write to standard error, in bytes.
MOST_ERROR_OUTPUT = 16_000_000
#: Seconds between two looks at a guest that does not answer.
LOOK_EVERY = 0.25

Request = dict[str, Any]
Answer = dict[str, Any]

_dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


_loads = json.JSONDecoder(parse_constant=_no_constant).decode


class Remote:
    """A running guest. `ask` is the only way to talk to it."""

    def __init__(self, start: Callable[[], Process], meter: Meter, story: Story, *, name: str = "connection") -> None:
        """`start` begins the program, now and after each time it ended. Raises CannotStart."""
        self.name = name
        self.meter = meter
        self.doing = ""  #: what is being done, for messages: "at 1.250000 s, receive_datagram"
        self._start = start
        self._story = story
        self._buffer = bytearray()
        self._process: Process | None = None
        self._begin()

    # -- its life ----------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        process = self._start()
        os.set_blocking(process.stdin, False)
        os.set_blocking(process.stdout, False)
        self._reading = select.poll()
        self._reading.register(process.stdout, select.POLLIN)
        self._buffer.clear()
        self._said = OutputStream(
            process.stderr, MOST_ERROR_OUTPUT, threading.Condition(threading.RLock()), self._end_flood
        )
        self._process = process

    def _end_flood(self) -> None:
        if self._process is not None:
            self._process.signal(9)

    @property
    def runs(self) -> bool:
        """Whether the last call was answered, so that another can be made."""
        return self._process is not None

    def restart(self) -> None:
        """Begin again after it died or broke the protocol. Everything it held is gone."""
        self.dismiss()
        self._begin()

    def dismiss(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            process.signal(9)
            for descriptor in (process.stdin, process.stdout):
                os.close(descriptor)
            process.wait(1.0)

    # -- one call ----------------------------------------------------------------------------------------------

    def ask(self, request: Request, *, received: bool = False) -> Answer:
        """The answer to a call, unless it is an error. Raises Broken, LabError.

        `received`: the call brings a datagram, so its time counts as that of the receive path.
        """
        process = self._process
        if process is None:
            raise Broken(f"{self.name} has ended and answers no more calls", verdict="error")
        began = self.meter.clock()
        self._write(process, _dumps(request).encode("ascii") + b"\n", began)
        line = self._line(process, began)
        self.meter_called(self.meter.clock() - began, received)
        found = self._parsed(line)
        if "error" in found:
            self._complain(found)
        return found

    def meter_called(self, seconds: float, received: bool) -> None:
        """Account for a call; a program that proves too slow is ended."""
        try:
            self.meter.called(seconds, received=received)
        except TooSlow as slow:
            self._give_up(slow)

    def _write(self, process: Process, data: bytes, began: float) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(process.stdin, view) :]
            except BlockingIOError:
                # It is not reading: it may have something to say that nobody asked for. Both are checked below.
                if not select.select([], [process.stdin], [], LOOK_EVERY)[1]:
                    self._look(began)
            except OSError:
                self._died(process)

    def _line(self, process: Process, began: float) -> bytes:
        buffer = self._buffer
        while True:
            if not self._reading.poll(LOOK_EVERY * 1000):
                self._look(began)
                continue
            chunk = os.read(process.stdout, 1 << 18)
            if not chunk:
                self._died(process)
            buffer += chunk
            if (end := chunk.find(b"\n")) >= 0:
                break
            if len(buffer) > MOST_LINE:
                self._fault(
                    f"answered with a line of more than {MOST_LINE:,} bytes", expected="one bounded line of JSON"
                )
        end += len(buffer) - len(chunk)
        line = bytes(buffer[:end])
        if len(buffer) > end + 1:
            self._fault("answered a call with more than one line", expected="one line of JSON for each call")
        buffer.clear()
        return line

    def _parsed(self, line: bytes) -> Answer:
        try:
            found = _loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            what = "a line that is not JSON" if not isinstance(error, RecursionError) else "JSON without an end"
            self._fault(f"answered with {what}", expected="a JSON object", seen=printable(line[:120]))
        if not isinstance(found, dict):
            self._fault("answered with JSON that is not an object", expected='{"…": …}', seen=printable(line[:120]))
        return found

    # -- what can be wrong -------------------------------------------------------------------------------------

    def _complain(self, found: Answer) -> NoReturn:
        """Student code raised. The guest lives on, the connection that it happened in does not."""
        text = _plain(found["error"])
        where = found.get("where")
        frames = [_plain(row) for row in where[-8:]] if isinstance(where, list) else []
        for frame in frames:
            self._story.add("student", f"| {frame}")
        if not frames:
            raise self.broken(f"answered with an error: {text}")
        place = f" ({frames[-1]})"
        if found.get("missing") is True:
            raise self.broken(f"is not written yet{place}", seen=text)
        absent = text.startswith(("ModuleNotFoundError", "ImportError", "SyntaxError"))
        raise self.broken(f"raised {text}{place}", verdict="error" if absent else "fail")

    def broken(
        self, what: str, *, expected: str | None = None, seen: str | None = None, verdict: Verdict = "fail"
    ) -> Broken:
        """A broken expectation about the call that is being made, with the end of standard error in the story."""
        complaint = self._said.so_far()[-4000:].strip() if hasattr(self, "_said") else b""
        if complaint:
            self._story.add("student", f"{self.name} wrote on standard error:")
            for line in complaint.splitlines()[-8:]:
                self._story.add("student", f"| {printable(line[:300])}")
        return Broken(f"{self._who} {what}", expected=expected, seen=seen, verdict=verdict)

    @property
    def _who(self) -> str:
        return f"{self.name} ({self.doing})" if self.doing else self.name

    def _look(self, began: float) -> None:
        """It has not answered yet."""
        try:
            self.meter.waiting(self.meter.clock() - began)
        except TooSlow as slow:
            self._give_up(slow)

    def _give_up(self, slow: TooSlow) -> NoReturn:
        self.dismiss()
        told = self.broken(f"is too slow: {slow.message}")
        raise TooSlow(told.message, expected=slow.expected, seen=slow.seen, verdict=slow.verdict) from None

    def _died(self, process: Process) -> NoReturn:
        status = process.wait(1.0)
        self._said.wait(lambda _: False, 0.3)  # its last words
        flooded = self._said.flooded
        self.dismiss()
        if flooded:
            raise self.broken(f"was ended: it wrote more than {MOST_ERROR_OUTPUT:,} bytes to standard error")
        if status is None:
            raise self.broken("closed its standard output and answers no more", expected="an answer")
        how = f"exit status {status}" if status >= 0 else f"signal {-status}"
        raise self.broken(f"ended in the middle of a call, with {how}", expected="an answer", verdict="error")

    def _fault(self, what: str, *, expected: str, seen: str | None = None) -> NoReturn:
        """It broke the protocol: from now on its answers cannot be matched to calls."""
        self.dismiss()
        raise self.broken(what, expected=expected, seen=seen)


def _plain(text: object) -> str:
    """Text from the other side, made safe for a message."""
    return printable(str(text)[:500])
