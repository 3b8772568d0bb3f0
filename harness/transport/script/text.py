"""The words of a peer's script: lines into what to do, descriptions of segments into what to build or match. Pure.

    TIME    send    SEGMENT                      a segment of the peer arrives
            expect  SEGMENT [after T] [within T] the student sends one like it (default: within 0, at the same instant)
            expect  bytes A:B [within T]         the student sends these bytes, however they are cut
            never   SEGMENT [for T]              no match since the last send or app, nor for T from now
            nothing [for T]                      not a single segment, likewise
            silence for T                        from now on nothing but ACKs without payload
            event   NAME [within T]              the student's application is told
            never   event NAME [for T]
            app     send N [takes M] | read N [gives A:B | gives nothing] | read A:B | end | abort
            wait    T
            open    [win=N]                      the whole handshake, in the student's role

TIME is optional: `+1.5` lets time pass first, `12.0` lets it pass until then. `#` begins a comment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.transport.segments import Seg

FLAGS = ("SYN", "ACK", "FIN", "RST")
_TEST = re.compile(r"(seq|ack|win|len|fin|sack)(<=|>=|=|<|>)(\S+)")
_RANGE = re.compile(r"(\d+):(\d+)")
_COMPARE = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


class BadScript(ValueError):
    """A line that is not valid; the message quotes it. Our mistake, never the student's."""


@dataclass(frozen=True)
class ScriptLine:
    """One line of a script."""

    number: int  #: from 1
    text: str  #: as written, without comment
    verb: str  #: send, expect, never, nothing, silence, event, app, wait, open
    words: tuple[str, ...]  #: what follows, without the limits
    wait: float = 0.0  #: seconds to let pass first
    until: float | None = None  #: time to let pass until, first
    limits: dict[str, float] = field(default_factory=dict)  #: after, within, for: seconds


VERBS = ("send", "expect", "never", "nothing", "silence", "event", "app", "wait", "open")


def read_script(text: str) -> list[ScriptLine]:
    """The lines of a script. Raises BadScript."""
    lines = []
    for number, raw in enumerate(text.splitlines(), 1):
        bare = raw.split("#", 1)[0].strip()
        if bare:
            lines.append(_read_line(number, bare))
    return lines


def _read_line(number: int, bare: str) -> ScriptLine:
    words = bare.split()
    wait, until = 0.0, None
    if re.fullmatch(r"\+\d+(\.\d+)?", words[0]):
        wait = float(words.pop(0))
    elif re.fullmatch(r"\d+(\.\d+)?", words[0]):
        until = float(words.pop(0))
    if not words or words[0] not in VERBS:
        raise BadScript(f"line {number}: {bare!r} has none of the verbs {', '.join(VERBS)}")
    verb, rest = words[0], words[1:]
    limits: dict[str, float] = {}
    known = ("after", "within") if verb == "expect" else ("within", "for")  # an event has "after" in its name
    while len(rest) >= 2 and rest[-2] in known:
        try:
            limits[rest[-2]] = float(rest[-1])
        except ValueError:
            raise BadScript(f"line {number}: {rest[-1]!r} is not a number of seconds") from None
        rest = rest[:-2]
    return ScriptLine(number, " ".join(bare.split()), verb, tuple(rest), wait, until, limits)


@dataclass(frozen=True)
class Numbers:
    """A student's segment in relative numbers: 0 is the SYN, on both sides."""

    at: float  #: seconds
    seg: Seg
    seq: int
    ack: int  #: 0 without ACK
    sack: tuple[tuple[int, int], ...] = ()

    @property
    def fin(self) -> int:
        """The FIN's own number; -1 without."""
        return self.seq + len(self.seg.payload) if self.seg.fin else -1

    def __str__(self) -> str:
        return show_numbers(self.seg, self.seq, self.ack, self.sack)


def show_numbers(seg: Seg, seq: int, ack: int, sack: tuple[tuple[int, int], ...]) -> str:
    """A segment with relative numbers, in the words of scripts."""
    flags = [name for name in ("SYN", "FIN", "RST", "ACK") if getattr(seg, name.lower())]
    words = [*(flags or ["(no flags)"]), f"seq={seq}"]
    words += [f"ack={ack}"] * seg.ack + [f"win={seg.window}"]
    words += [f"len={len(seg.payload)}"] * bool(seg.payload)
    if sack:
        words.append("sack=" + ",".join(f"{left}-{right}" for left, right in sack))
    return " ".join(words)


@dataclass(frozen=True)
class Pattern:
    """What an expected segment looks like. What is not mentioned is not checked, except SYN, FIN and RST."""

    text: str
    flags: frozenset[str]  #: must be set; SYN, FIN, RST that are not among them must not
    without: frozenset[str] = frozenset()  #: must not be set, written !ACK
    kind: str = ""  #: "DATA": payload, with or without FIN; "ANY": any segment
    tests: tuple[tuple[str, str, int], ...] = ()  #: field, comparison, number
    sack: tuple[tuple[int, int], ...] | None = None

    def matches(self, seen: Numbers) -> bool:
        """Whether the segment matches."""
        return self._has_flags(seen.seg) and self._has_numbers(seen)

    def _has_flags(self, seg: Seg) -> bool:
        has = {name for name in FLAGS if getattr(seg, name.lower())}
        if self.without & has:
            return False
        if self.kind == "ANY":
            return self.flags <= has
        if self.kind == "DATA":
            return bool(seg.payload) and not has & {"SYN", "RST"}
        return self.flags <= has and not (has - self.flags) & {"SYN", "FIN", "RST"}

    def _has_numbers(self, seen: Numbers) -> bool:
        values = {"seq": seen.seq, "ack": seen.ack, "win": seen.seg.window}
        values |= {"len": len(seen.seg.payload), "fin": seen.fin}
        if any(name == "ack" for name, _, _ in self.tests) and not seen.seg.ack:
            return False
        if self.sack is not None and seen.sack != self.sack:
            return False
        return all(_COMPARE[sign](values[name], value) for name, sign, value in self.tests)


def read_pattern(text: str) -> Pattern:
    """Parse the description after `expect` or `never`. Raises BadScript."""
    flags, without, kind, tests, sack = set(), set(), "", [], None
    for word in text.split():
        found = _TEST.fullmatch(word)
        if word in FLAGS:
            flags.add(word)
        elif word.startswith("!") and word[1:] in FLAGS:
            without.add(word[1:])
        elif word in ("DATA", "ANY"):
            kind = word
        elif found and found[1] == "sack" and found[2] == "=":
            sack = _blocks(found[3])
        elif found and found[3].isdecimal():
            tests.append((found[1], found[2], int(found[3])))
        else:
            raise BadScript(f"{text!r}: {word!r} does not describe a segment")
    return Pattern(text, frozenset(flags), frozenset(without), kind, tuple(tests), sack)


@dataclass(frozen=True)
class SegmentToSend:
    """The segment after `send`: relative numbers, and what happens to it on its way."""

    flags: frozenset[str]
    seq: int | None = None  #: None: the peer's next number
    ack: int | None = None  #: None: everything the student sent in order so far
    win: int | None = None  #: None: the window the peer had before
    len: int = 0  #: bytes of payload, those of the peer's stream at `seq`
    sack: tuple[tuple[int, int], ...] = ()
    damaged: bool = False  #: one bit is flipped
    raw: bytes | None = None  #: these bytes instead of a segment


def read_segment(text: str) -> SegmentToSend:
    """Parse the segment after `send`. Raises BadScript."""
    flags: set[str] = set()
    numbers: dict[str, int] = {}
    sack: tuple[tuple[int, int], ...] = ()
    damaged, raw = False, None
    for word in text.split():
        found = _TEST.fullmatch(word)
        if word in FLAGS:
            flags.add(word)
        elif word == "damaged":
            damaged = True
        elif word.startswith("raw="):
            raw = _hex(word[4:])
        elif found and found[1] == "sack" and found[2] == "=":
            sack = _blocks(found[3])
        elif found and found[1] != "fin" and found[2] == "=" and re.fullmatch(r"-?\d+", found[3]):
            numbers[found[1]] = int(found[3])
        else:
            raise BadScript(f"{text!r}: {word!r} does not belong in a segment")
    return SegmentToSend(frozenset(flags), sack=sack, damaged=damaged, raw=raw, **numbers)


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise BadScript(f"{text!r} is not hexadecimal") from None


def _blocks(text: str) -> tuple[tuple[int, int], ...]:
    blocks = []
    for part in text.split(",") if text != "none" else []:
        edges = part.split("-")
        if len(edges) != 2 or not all(edge.isdecimal() for edge in edges):
            raise BadScript(f"{text!r} are not SACK blocks: 100-200,300-400, or none")
        blocks.append((int(edges[0]), int(edges[1])))
    return tuple(blocks)


def read_range(text: str) -> tuple[int, int]:
    """`1:1001`: the first number and the one after the last. Raises BadScript."""
    found = _RANGE.fullmatch(text)
    if not found or int(found[1]) > int(found[2]):
        raise BadScript(f"{text!r} is not a range of numbers such as 1:1001")
    return int(found[1]), int(found[2])
