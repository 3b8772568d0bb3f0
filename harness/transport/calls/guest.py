"""Offers a submission's class to the tester: one JSON object a line on standard input, one back on standard output.

Rule 1: one file, standard library only; it holds no secret and decides nothing. docs/guest.md is the protocol.
Rule 2: the channel is moved away before student code is imported: what it prints goes to standard error.
Rule 3: whatever student code raises becomes an answer; whatever it returns is sent as plain data or reported as wrong.

    python3 -I -B guest.py        in the folder of the submission, which is put on the module path
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from typing import Any

#: The version of the protocol.
PROTOCOL = 1
#: Lines of a traceback that are passed on, the innermost ones.
MOST_FRAMES = 6
#: Longest text of an error that is passed on, in characters.
MOST_TEXT = 500

#: Where each call finds what it calls: the module and the name in it.
LENT = {
    "checksum": ("checksums", "checksum"),
    "encode": ("segment", "encode"),
    "decode": ("segment", "decode"),
    "reassembler": ("reassembly", "InOrder"),
    "new": ("connection", "Connection"),
}

Request = dict[str, Any]
Answer = dict[str, Any]
#: What one step of a connection brought: bytes accepted, bytes read, events, datagrams, next timer.
Turn = tuple[int, bytes, list[str], list[bytes], float | None]


class Wrong(Exception):
    """Student code returned something that cannot be sent; the message names the call and what it was."""


# -- one connection, one instant ---------------------------------------------------------------------------------


def take_step(
    connection: Any,
    *,
    now: float,
    receive: Iterable[bytes] = (),
    timer: bool = False,
    abort: bool = False,
    send: bytes = b"",
    end: bool = False,
    read: int = 0,
) -> Turn:
    """Everything that happens to a connection at one instant, always in this order.

    `receive`: datagrams that arrived. `timer`: whether the time of `next_timer` has come. `read`: how many bytes the
    application takes at most, 0 for none.
    """
    for data in receive:
        connection.receive_datagram(data, now=now)
    if timer:
        connection.handle_timer(now=now)
    if abort:
        connection.abort()
    accepted = _whole("send", connection.send(send)) if send else 0
    if end:
        connection.end()
    got = _bytes("read", connection.read(read)) if read else b""
    events = []
    while (event := connection.next_event()) is not None:
        events.append(_word(event))
        if len(events) > 100:
            raise Wrong("next_event gave more than 100 events and no None: an event is handed out once")
    datagrams = [
        _bytes("datagrams_to_send", data) for data in _list("datagrams_to_send", connection.datagrams_to_send(now=now))
    ]
    return accepted, got, events, datagrams, _time("next_timer", connection.next_timer())


def _whole(call: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Wrong(f"{call} gave {_short(value)} instead of a whole number")
    return int(value)


def _bytes(call: str, value: object) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise Wrong(f"{call} gave {_short(value)} instead of bytes")
    return bytes(value)


def _list(call: str, value: object) -> list[Any]:
    if value is None or isinstance(value, str | bytes | bytearray | dict) or not isinstance(value, Iterable):
        raise Wrong(f"{call} gave {_short(value)} instead of a list")
    return list(value)


def _time(call: str, value: object) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise Wrong(f"{call} gave {_short(value)} instead of seconds or None")
    return None if value is None else float(value)


def _word(event: Any) -> str:
    word = getattr(event, "value", event)
    if not isinstance(word, str):
        raise Wrong(f"next_event gave {_short(event)} instead of an Event or None")
    return str(word)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


# -- the calls ---------------------------------------------------------------------------------------------------


class Guest:
    """The calls, one method each; a method's name is the word in "do"."""

    def __init__(self) -> None:
        self._connections: dict[int, Any] = {}
        self._reassemblers: dict[int, Any] = {}

    def do_hello(self) -> Answer:
        """The calls that are implemented."""
        calls = [call for call, (module, name) in LENT.items() if _there(module, name)]
        return {"protocol": PROTOCOL, "calls": calls}

    # stage 1

    def do_checksum(self, data: str) -> Answer:
        """The checksum of bytes as they stand."""
        return {"value": _whole("checksum", _target_of("checksum")(b64decode(data)))}

    def do_encode(self, segment: Request) -> Answer:
        """A segment, field by field, as bytes."""
        fields = dict(segment)
        fields["payload"] = b64decode(fields.get("payload", ""))
        fields["sack"] = tuple((left, right) for left, right in fields.get("sack", ()))
        made = importlib.import_module("segment").Segment(**fields)
        return {"data": _encoded(_bytes("encode", _target_of("encode")(made)))}

    def do_decode(self, data: str) -> Answer:
        """Bytes as a segment, null for what is not one."""
        found = _target_of("decode")(b64decode(data))
        if found is None:
            return {"segment": None}
        numbers = ("sequence", "acknowledgement", "window")
        segment: Answer = {name: _whole(f"decode: {name}", getattr(found, name)) for name in numbers}
        segment.update({name: bool(getattr(found, name)) for name in ("syn", "ack", "fin", "rst")})
        blocks = _list("decode: sack", found.sack)
        segment["sack"] = [[_whole("decode: sack", edge) for edge in block] for block in blocks]
        segment["payload"] = _encoded(_bytes("decode: payload", found.payload))
        return {"segment": segment}

    # stage 2

    def do_reassembler(self, id: int, kind: str, capacity: int) -> Answer:
        """A new reassembler: InOrder, WithGaps or NewestOnly."""
        self._reassemblers[id] = getattr(importlib.import_module("reassembly"), kind)(capacity)
        return {}

    def do_receive(self, id: int, position: int, data: str) -> Answer:
        """Bytes arrive at a position of the stream."""
        self._reassemblers[id].receive(position, b64decode(data))
        return {}

    def do_read(self, id: int) -> Answer:
        """The pieces that may be handed on now."""
        pieces = []
        for position, data in _list("read", self._reassemblers[id].read()):
            pieces.append([_whole("read: position", position), _encoded(_bytes("read", data))])
        return {"pieces": pieces}

    def do_missing(self, id: int) -> Answer:
        """The holes that are still waited for."""
        holes = _list("missing", self._reassemblers[id].missing())
        return {"holes": [[_whole("missing", edge) for edge in _list("missing", hole)] for hole in holes]}

    # stage 3 and on

    def do_new(self, id: int, role: str, isn: int, receive_buffer: int, model: bool = False) -> Answer:
        """A new connection; `model`: with the controller of the extension."""
        more = {"controller": "model"} if model else {}
        self._connections[id] = _target_of("new")(role, isn=isn, receive_buffer=receive_buffer, **more)
        return {}

    def do_step(
        self,
        id: int,
        now: float,
        receive: Iterable[str] = (),
        timer: bool = False,
        abort: bool = False,
        send: str = "",
        end: bool = False,
        read: int = 0,
    ) -> Answer:
        """One connection, one instant: see take_turn."""
        accepted, got, events, datagrams, then = take_step(
            self._connections[id],
            now=now,
            receive=map(b64decode, receive),
            timer=timer,
            abort=abort,
            send=b64decode(send),
            end=end,
            read=read,
        )
        return {
            "accepted": accepted,
            "read": _encoded(got),
            "events": events,
            "datagrams": [_encoded(data) for data in datagrams],
            "timer": then,
        }

    def do_drop(self, id: int) -> Answer:
        """Forget a connection or reassembler."""
        self._connections.pop(id, None)
        self._reassemblers.pop(id, None)
        return {}


def _there(module: str, name: str) -> bool:
    try:
        return hasattr(importlib.import_module(module), name)
    except Exception:
        return False


def _target_of(call: str) -> Callable[..., Any]:
    module, name = LENT[call]
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def _encoded(data: bytes) -> str:
    return b64encode(data).decode("ascii")


# -- the channel -------------------------------------------------------------------------------------------------


def answer(guest: Guest, line: bytes) -> Answer:
    """The answer to one line. Raises nothing."""
    try:
        request = json.loads(line)
        call = getattr(guest, "do_" + request.pop("do"))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return {"error": f"this is not a call: {type(error).__name__}: {error}"[:MOST_TEXT]}
    try:
        found: Answer = call(**request)
        return found
    except Wrong as wrong:
        return {"error": str(wrong)[:MOST_TEXT]}
    except BaseException as error:  # SystemExit too: a call is answered, whatever student code does
        return _complaint(error)


def _complaint(error: BaseException) -> Answer:
    """An exception of student code as plain data. An error in this file shows in its frames."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = type(error).__name__
    frames = [
        f"{os.path.basename(frame.filename)}, line {frame.lineno}, in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__
    ]
    said: Answer = {"error": text[:MOST_TEXT], "where": frames[-MOST_FRAMES:] or ["in the call itself"]}
    if isinstance(error, NotImplementedError):
        said["missing"] = True
    return said


_dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def as_line(said: Answer) -> bytes:
    """An answer as a line to send. A number too long to be written becomes an error."""
    try:
        return _dumps(said).encode("ascii") + b"\n"
    except ValueError as error:
        return _dumps({"error": f"the answer cannot be sent: {error}"[:MOST_TEXT]}).encode("ascii") + b"\n"


def private_channel() -> tuple[int, int]:
    """Descriptors of the channel (in, out). From now on fd 0 is empty and fd 1 is standard error."""
    sys.stdout.flush()
    reading, writing = os.dup(0), os.dup(1)  # not inherited by processes that student code starts
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return reading, writing


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def serve(reading: int, writing: int) -> None:
    """Answer line by line until the input ends."""
    guest = Guest()
    with open(reading, "rb", buffering=1 << 16) as lines:
        for line in lines:
            write_all(writing, as_line(answer(guest, line)))


def main() -> None:
    """Serve the submission in the current folder."""
    channel = private_channel()
    sys.path.insert(0, os.getcwd())
    try:
        serve(*channel)
    except BrokenPipeError:
        pass  # the tester has hung up


if __name__ == "__main__":
    main()
