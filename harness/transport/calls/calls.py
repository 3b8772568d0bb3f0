"""A guest's answers as values: each is validated here, and what is invalid raises `Broken`. docs/guest.md.

Rule: nothing else checks a guest's answer again, so every type, size and number is checked here.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Sequence
from typing import Any, NoReturn

from harness.transport.calls.player import StepResult
from harness.transport.calls.remote import Answer, Remote
from harness.transport.segments import Seg

#: What a connection may send in one instant: datagrams, and bytes altogether.
MOST_DATAGRAMS, MOST_BYTES = 4096, 3 << 20
#: Longest datagram: what UDP carries.
LONGEST_DATAGRAM = 65_507
#: A timer later than this, in seconds, is a mistake in units.
LATEST = 1e8
#: The words of events.
EVENTS = ("connected", "end of stream", "closed", "reset", "timed out", "send after end")
#: Pieces, holes and SACK blocks in one answer.
MOST_ROWS = 100_000


class _Checked:
    """Shared by the three kinds of calls: names what was wrong with an answer."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def _bad(self, what: str, expected: str, seen: object) -> NoReturn:
        text = repr(seen)
        shown = text if len(text) <= 80 else text[:80] + "…"
        raise self._remote.broken(what, expected=expected, seen=shown)

    def _whole(self, call: str, value: object, least: int = 0, most: int = 2**63) -> int:
        if type(value) is not int or not least <= value <= most:
            self._bad(f"{call} is not a number from {least} to {most}", "a whole number", value)
        return value

    def _bytes(self, call: str, value: object, most: int) -> bytes:
        if not isinstance(value, str):
            self._bad(f"{call} is not a base64 text", "base64", value)
        try:
            data = b64decode(value, validate=True)
        except (BadBase64, ValueError):
            self._bad(f"{call} is not base64", "base64", value)
        if len(data) > most:
            self._bad(f"{call} gave {len(data):,} bytes", f"at most {most:,} bytes", data[:20])
        return data

    def _rows(self, call: str, value: object, most: int = MOST_ROWS) -> list[Any]:
        if not isinstance(value, list):
            self._bad(f"{call} is not a list", "a list", value)
        if len(value) > most:
            self._bad(f"{call} has {len(value):,} entries", f"at most {most:,}", value[:3])
        return value

    def _pair(self, call: str, value: object) -> tuple[Any, Any]:
        if not isinstance(value, list) or len(value) != 2:
            self._bad(f"{call} is not a pair", "[a, b]", value)
        return value[0], value[1]


class RemoteConnection(_Checked):
    """A `Connection` in a guest, one instant a call."""

    def __init__(
        self, remote: Remote, identity: int, *, role: str, isn: int, receive_buffer: int = 65536, model: bool = False
    ) -> None:
        """Raises Broken."""
        super().__init__(remote)
        self._id = identity
        remote.doing = f"new {role}"
        request = {"do": "new", "id": identity, "role": role, "isn": isn, "receive_buffer": receive_buffer}
        remote.ask({**request, "model": True} if model else request)

    def step(
        self,
        *,
        now: float,
        receive: Sequence[bytes] = (),
        timer: bool = False,
        abort: bool = False,
        send: bytes = b"",
        end: bool = False,
        read: int = 0,
    ) -> StepResult:
        """Everything that happens at one instant: see `harness.transport.calls.guest.take_step`. Raises Broken."""
        request: dict[str, Any] = {"do": "step", "id": self._id, "now": now}
        if receive:
            request["receive"] = [b64encode(data).decode("ascii") for data in receive]
        if send:
            request["send"] = b64encode(send).decode("ascii")
        if read:
            request["read"] = read
        request.update({word: True for word, on in (("timer", timer), ("abort", abort), ("end", end)) if on})
        self._remote.doing = f"at {now:.6f} s, {', '.join(list(request)[3:]) or 'asked'}"
        found = self._remote.ask(request, received=bool(receive))
        return self._result(found, now, len(send), read, timer)

    def _result(self, found: Answer, now: float, offered: int, limit: int, fired: bool) -> StepResult:
        accepted = self._whole("send: accepted", found.get("accepted", 0), 0, 2**40)
        if accepted > offered:
            self._bad(f"send accepted {accepted:,} bytes", f"at most the {offered:,} it was given", accepted)
        read = self._bytes("read", found.get("read", ""), limit)
        events = self._rows("next_event", found.get("events", []), 100)
        for event in events:
            if event not in EVENTS:
                self._bad("next_event gave an unknown event", f"one of {', '.join(EVENTS)}", event)
        datagrams, total = [], 0
        for row in self._rows("datagrams_to_send", found.get("datagrams", []), MOST_DATAGRAMS):
            data = self._bytes("datagrams_to_send", row, LONGEST_DATAGRAM)
            total += len(data)
            datagrams.append(data)
        if total > MOST_BYTES:
            self._bad(f"datagrams_to_send gave {total:,} bytes at once", f"at most {MOST_BYTES:,}", total)
        return StepResult(accepted, read, events, datagrams, self._timer(found.get("timer"), now, fired))

    def _timer(self, value: object, now: float, fired: bool) -> float | None:
        if value is None:
            return None
        # Not converted to float yet: an int may be too large for one. This refuses NaN and infinity, too.
        if type(value) not in (int, float) or not -LATEST <= value <= LATEST:  # type: ignore[operator]
            self._bad("next_timer gave no time", "seconds since the start, or None for never", value)
        timer = float(value)  # type: ignore[arg-type]
        if fired and timer <= now:
            self._bad(
                "handle_timer was called and next_timer is still not later",
                f"a time after {now:.6f} s, or None: time would stand still",
                timer,
            )
        return timer

    def drop(self) -> None:
        """Tell the guest to forget it."""
        if self._remote.runs:
            self._remote.doing = "drop"
            self._remote.ask({"do": "drop", "id": self._id})


class RemoteSegments(_Checked):
    """Stage 1 in a guest: encode, decode, checksum."""

    def checksum(self, data: bytes) -> int:
        """The submission's checksum of bytes as they stand. Raises Broken."""
        self._remote.doing = f"checksum of {len(data)} bytes"
        return self._whole("checksum", self._remote.ask({"do": "checksum", "data": _text(data)}).get("value"))

    def encode(self, seg: Seg) -> bytes:
        """The submission's datagram for a segment. Raises Broken."""
        self._remote.doing = "encode"
        names = ("sequence", "acknowledgement", "window", "syn", "ack", "fin", "rst")
        fields: dict[str, Any] = {name: getattr(seg, name) for name in names}
        fields["sack"] = [list(block) for block in seg.sack]
        fields["payload"] = _text(seg.payload)
        found = self._remote.ask({"do": "encode", "segment": fields})
        return self._bytes("encode", found.get("data"), LONGEST_DATAGRAM)

    def decode(self, data: bytes) -> Seg | None:
        """What the submission makes of bytes that arrived. Raises Broken."""
        self._remote.doing = f"decode of {len(data)} bytes"
        found = self._remote.ask({"do": "decode", "data": _text(data)}).get("segment")
        if found is None:
            return None
        if not isinstance(found, dict):
            self._bad("decode gave no segment", "a segment or None", found)
        most = 2**32 - 1
        blocks = []
        for row in self._rows("decode: sack", found.get("sack", []), 100):
            left, right = self._pair("decode: sack", row)
            edges = [self._whole("decode: sack", edge, 0, most) for edge in (left, right)]
            blocks.append((edges[0], edges[1]))
        return Seg(
            sequence=self._whole("decode: sequence", found.get("sequence"), 0, most),
            acknowledgement=self._whole("decode: acknowledgement", found.get("acknowledgement"), 0, most),
            window=self._whole("decode: window", found.get("window"), 0, most),
            syn=self._flag("syn", found.get("syn")),
            ack=self._flag("ack", found.get("ack")),
            fin=self._flag("fin", found.get("fin")),
            rst=self._flag("rst", found.get("rst")),
            sack=tuple(blocks),
            payload=self._bytes("decode: payload", found.get("payload"), LONGEST_DATAGRAM),
        )

    def _flag(self, name: str, value: object) -> bool:
        if not isinstance(value, bool):
            self._bad(f"decode: {name} is neither true nor false", "a bool", value)
        return value


class RemoteReassembler(_Checked):
    """Stage 2 in a guest: one of the three answers to reordering."""

    def __init__(self, remote: Remote, identity: int, kind: str, capacity: int) -> None:
        """`kind`: InOrder, WithGaps or NewestOnly. Raises Broken."""
        super().__init__(remote)
        self._id = identity
        self.kind = kind
        remote.doing = f"new {kind}"
        remote.ask({"do": "reassembler", "id": identity, "kind": kind, "capacity": capacity})

    def receive(self, position: int, data: bytes) -> None:
        """Bytes arrive at a position of the stream. Raises Broken."""
        self._remote.doing = f"{self.kind}.receive({position}, {len(data)} bytes)"
        self._remote.ask({"do": "receive", "id": self._id, "position": position, "data": _text(data)})

    def read(self) -> list[tuple[int, bytes]]:
        """The pieces that it hands on now. Raises Broken."""
        self._remote.doing = f"{self.kind}.read()"
        rows = self._rows("read", self._remote.ask({"do": "read", "id": self._id}).get("pieces"))
        pairs = [self._pair("read", row) for row in rows]
        return [(self._whole("read", at), self._bytes("read", data, MOST_BYTES)) for at, data in pairs]

    def missing(self) -> list[tuple[int, int]]:
        """The holes that it waits for. Raises Broken."""
        self._remote.doing = f"{self.kind}.missing()"
        rows = self._rows("missing", self._remote.ask({"do": "missing", "id": self._id}).get("holes"))
        pairs = [self._pair("missing", row) for row in rows]
        return [(self._whole("missing", left), self._whole("missing", right)) for left, right in pairs]


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")
