"""The tester's records: made by the tester, read by the grader and by `lab check`. Pure.

Rule 1: what is not a valid record raises BadRecord, with a reason; the caller notes it and goes on.
Rule 2: texts are cut to a size, numbers are finite, so that no reader of a record has to check again.
Rule 3: a check's attachments pass through unread: they are checked where pictures are made of them.
The format is described in docs/records.md.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.actors.story import Step
from harness.tester.border.outcome import Outcome

#: Longest text kept of a message, of what was expected and seen, of a ladder (characters).
MOST_TEXT = 20_000
#: Steps kept per story; characters kept per step.
MOST_STEPS, MOST_STEP = 500, 2_000
#: Largest capture kept of one check (bytes).
MOST_PCAPNG = 16_000_000
#: Largest piece of what was built (bytes).
MOST_PIECE = 1 << 20
#: Every pcapng file begins with a section header block (draft-ietf-opsawg-pcapng, section 4.1).
PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"

#: How a text ends that was cut, and the length of that.
_NOTE, _MOST_NOTE = re.compile(r" … \([\d,]+ more characters\)\Z"), 40


class BadRecord(Exception):
    """The line is not a record; the text says why."""


@dataclass(frozen=True)
class Phase:
    """A measured part of the run."""

    kind: ClassVar = "phase"
    name: str
    seconds: float


@dataclass(frozen=True)
class Start:
    """A check begins."""

    kind: ClassVar = "start"
    check: str
    at: float  #: wall clock, seconds since 1970


@dataclass(frozen=True)
class Built:
    """How the build went."""

    kind: ClassVar = "build"
    ok: bool
    text: str  #: the end of its output, when it did not go well
    late: bool = False  #: it did not end in its time


@dataclass(frozen=True)
class Forbidden:
    """The sources have been looked through for forbidden names."""

    kind: ClassVar = "forbidden"
    stages: Mapping[int, str]  #: number -> what it forbids and the programs use; stages without a use are left out


@dataclass(frozen=True)
class Piece:
    """A piece of the tar of what was built; the pieces come in order."""

    kind: ClassVar = "piece"
    data: bytes
    last: bool  #: it ends here


@dataclass(frozen=True)
class Trouble:
    """The lab broke: ours."""

    kind: ClassVar = "trouble"
    text: str


@dataclass(frozen=True)
class Gone:
    """The student's node was lost."""

    kind: ClassVar = "gone"
    check: str  #: in which check; empty while it was built


@dataclass(frozen=True)
class Mute:
    """The student's node did not answer any more."""

    kind: ClassVar = "mute"
    check: str  #: in which check
    ours: str = ""  #: added on the way by who can look at the node: a part of ours that stands still, in a sentence


@dataclass(frozen=True)
class End:
    """Nothing follows."""

    kind: ClassVar = "end"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of one check, as the tester saw it."""

    kind: ClassVar = "report"
    check: str
    outcome: Outcome
    seconds: float = 0.0
    waited: float = 0.0  #: of these, how long the tester was ready and had no processor
    used: float = 0.0  #: seconds of processor that the submission used; of two nodes, the one that used more
    message: str = ""  #: one sentence: what broke
    crashed: bool = False  #: a server of the submission ended although nobody told it to
    expected: str | None = None
    seen: str | None = None
    because: str | None = None  #: skipped: the check that did not pass
    unmeasured: bool = False  #: undecided, since this system cannot measure it: another run decides no more
    story: tuple[Step, ...] | None = None  #: None: the check did not get as far as a lab
    link: Mapping[str, Any] | None = None  #: engine, profile and counters, plain values
    seed: str | None = None  #: if anyone may run the check again: the seed that gives it the same random data
    pcapng: bytes | None = None
    bundle: Mapping[str, Any] | None = None  #: the packets of a simulation, as they came
    facts: Mapping[str, Any] | None = None  #: what the test found or measured, as it came


Record = Phase | Start | Built | Forbidden | Piece | Trouble | Gone | Mute | End | Report


def line_of(record: Record) -> bytes:
    """The record as the tester writes it: one line of ASCII JSON."""
    # A suite may have given something else as what it expected or saw: that is told as Python shows it.
    return json.dumps(row_of(record), ensure_ascii=True, default=str).encode("ascii") + b"\n"


def row_of(record: Record) -> dict[str, Any]:
    """The record as `record_of` reads it."""
    row: dict[str, Any] = {"record": record.kind, **vars(record)}
    if isinstance(record, Gone):
        row["check"] = record.check or None
    if isinstance(record, Forbidden):
        row["stages"] = dict(record.stages)
    if isinstance(record, Piece):
        row["data"] = base64.b64encode(record.data).decode("ascii")
    if isinstance(record, Report):
        row["outcome"] = record.outcome.value
        row["story"] = None if record.story is None else [vars(step) for step in record.story]
        row["pcapng"] = None if record.pcapng is None else base64.b64encode(record.pcapng).decode("ascii")
    return row


def parse_record(line: bytes) -> Record:
    """The record in a line. Raises BadRecord."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRecord("not JSON") from None
    return record_of(data)


def record_of(data: object) -> Record:
    """The record in a line that was read as JSON already. Raises BadRecord."""
    if not isinstance(data, dict):
        raise BadRecord("not a JSON object")
    kind = data.get("record")
    if kind == "report":
        return _report(data)
    if kind == "phase":
        return Phase(_text(data, "name", most=40), _seconds(data, "seconds"))
    if kind == "start":
        return Start(_text(data, "check"), _seconds(data, "at"))
    if kind == "build":
        return Built(data.get("ok") is True, _optional(data, "text") or "", data.get("late") is True)
    if kind == "forbidden":
        return Forbidden(_stages(data.get("stages")))
    if kind == "piece":
        return Piece(_bytes(data.get("data"), MOST_PIECE), data.get("last") is True)
    if kind == "trouble":
        return Trouble(_text(data, "text"))
    if kind == "gone":
        return Gone(_optional(data, "check") or "")
    if kind == "mute":
        return Mute(_text(data, "check", most=500), _optional(data, "ours") or "")
    if kind == "end":
        return End()
    raise BadRecord(f"unknown record {str(kind)[:40]!r}")


def _report(data: Mapping[str, Any]) -> Report:
    try:
        outcome = Outcome(data.get("outcome"))
    except ValueError:
        raise BadRecord(f"unknown outcome {str(data.get('outcome'))[:40]!r}") from None
    return Report(
        check=_text(data, "check", most=500),
        outcome=outcome,
        seconds=_seconds(data, "seconds"),
        waited=_seconds(data, "waited"),
        used=_seconds(data, "used"),
        message=_optional(data, "message") or "",
        crashed=data.get("crashed") is True,
        expected=_optional(data, "expected"),
        seen=_optional(data, "seen"),
        because=_optional(data, "because"),
        unmeasured=data.get("unmeasured") is True,
        story=_story(data.get("story")),
        link=_link(data.get("link")),
        seed=_optional(data, "seed"),
        pcapng=_pcapng(data.get("pcapng")),
        bundle=bundle if isinstance(bundle := data.get("bundle"), dict) else None,
        facts=facts if isinstance(facts := data.get("facts"), dict) else None,
    )


def _text(data: Mapping[str, Any], key: str, *, most: int = MOST_TEXT) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise BadRecord(f'"{key}" is not a text')
    return cut(value, most)


def _optional(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRecord(f'"{key}" is not a text')
    return cut(value, MOST_TEXT)


def _stages(value: object) -> dict[int, str]:
    if not isinstance(value, dict) or not all(str(key).isdecimal() for key in value):
        raise BadRecord('"stages" is not a table of stages')
    return {int(key): cut(str(message), 2_000) for key, message in value.items()}


def _bytes(value: object, most: int) -> bytes:
    if not isinstance(value, str) or len(value) > most * 4 // 3 + 4:
        raise BadRecord("not so many bytes")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise BadRecord("not base64") from None


def cut(text: str, most: int) -> str:
    """The text, or its beginning with a note on what is missing. What was cut once is not cut again."""
    if len(text) <= most or (len(text) <= most + _MOST_NOTE and _NOTE.search(text, most - 1)):
        return text
    return f"{text[:most]} … ({len(text) - most:,} more characters)"


def _finite(value: object) -> float:
    """A finite number from zero on; anything else counts as zero."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        number = float(value)
    except OverflowError:
        return 0.0
    return max(number, 0.0) if math.isfinite(number) else 0.0


def _seconds(data: Mapping[str, Any], key: str) -> float:
    return round(_finite(data.get(key)), 6)


def _story(value: object) -> tuple[Step, ...] | None:
    if not isinstance(value, list):
        return None
    steps = [row for row in value if isinstance(row, dict) and isinstance(row.get("what"), str)]
    return tuple(
        Step(round(_finite(row.get("at")), 6), cut(str(row.get("who", "")), 20), cut(row["what"], MOST_STEP))
        for row in steps[:MOST_STEPS]
    )


def _link(value: object) -> dict[str, Any] | None:
    """The flat part of the link's record: texts and finite numbers, one level of tables below."""
    if not isinstance(value, dict):
        return None
    return {str(key)[:60]: kept for key, item in value.items() if (kept := _plain(item)) is not None}


def _plain(item: object) -> object:
    if isinstance(item, str):
        return cut(item, 2_000)
    if isinstance(item, bool):
        return item
    if isinstance(item, int | float):
        return item if isinstance(item, int) and abs(item) < 2**63 else _finite(item)
    if isinstance(item, dict):
        flat = {str(key)[:60]: value for key, value in item.items() if not isinstance(value, dict | list)}
        return {key: kept for key, value in flat.items() if (kept := _plain(value)) is not None}
    return None


def _pcapng(value: object) -> bytes | None:
    try:
        data = _bytes(value, MOST_PCAPNG)
    except BadRecord:
        return None
    return data if data.startswith(PCAPNG_MAGIC) else None
