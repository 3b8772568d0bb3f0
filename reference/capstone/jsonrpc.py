"""JSON-RPC 2.0 (https://www.jsonrpc.org/specification), a message a line: what is said, and what it means.

No socket here. JSON in one line has no line feed inside, since it writes one in a string as \\n: so the line feed is
free to say where a message ends, whatever pieces the stream comes in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

#: The longest line, in bytes. Without a limit, a line that never ends would fill the memory.
LIMIT = 1 << 20

#: The error codes of section 5.1.
PARSE_ERROR = -32700  #: it is not JSON
INVALID_REQUEST = -32600  #: it is JSON, and not a request
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602

#: What a server can do: the method's name -> a function of its parameters. It raises TypeError for parameters that do
#: not fit.
Methods = Mapping[str, Callable[..., Any]]


class Lines:
    """A stream, taken apart into lines."""

    def __init__(self) -> None:
        ### BEGIN SOLUTION: stage 2: what has come of a line that is not whole yet
        self._rest = bytearray()
        ### END SOLUTION

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their line feeds. Raises ValueError for one longer than LIMIT."""
        ### BEGIN SOLUTION: stage 2: what was kept and what has come, cut at each line feed; the rest is kept
        self._rest += data
        *lines, rest = self._rest.split(b"\n")
        if len(rest) > LIMIT or any(len(line) > LIMIT for line in lines):
            raise ValueError(f"a line of more than {LIMIT:,} bytes")
        self._rest = rest
        return [bytes(line) for line in lines]
        ### END SOLUTION


def request(number: int, method: str, params: list[Any]) -> bytes:
    """A request with an id, as a line."""
    ### BEGIN SOLUTION: stage 2: "jsonrpc", "method", "params", "id"
    return _line({"jsonrpc": "2.0", "method": method, "params": params, "id": number})
    ### END SOLUTION


def answer(line: bytes, methods: Methods) -> bytes | None:
    """The server's answer to a line, as a line; None if nobody asked for one."""
    ### BEGIN SOLUTION: stage 2: each error has its code; what has no id gets no answer
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):  # the latter: a thousand brackets in each other, whatever they hold
        return _error(None, PARSE_ERROR, "this is not JSON")
    if not isinstance(message, dict) or not _is_request(message):
        number = message.get("id") if isinstance(message, dict) else None
        return _error(number if _is_id(number) else None, INVALID_REQUEST, "this is not a request")
    answered = _call(message, methods)
    return None if "id" not in message else answered
    ### END SOLUTION


def result(line: bytes, number: int) -> tuple[Any, str]:
    """What a client reads in an answer: (result, "") or (None, the error in words). Raises ValueError if it is none."""
    ### BEGIN SOLUTION: stage 2: the id is ours, and there is a result or an error
    message = json.loads(line)
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or message.get("id") != number:
        raise ValueError("this does not answer what was asked")
    if "result" in message:
        return message["result"], ""
    error = message["error"] if isinstance(message.get("error"), dict) else {}
    if "code" not in error:
        raise ValueError("there is neither a result nor an error in it")
    return None, f"error {error['code']}: {error.get('message', '')}"
    ### END SOLUTION


### BEGIN SOLUTION: stage 2: calls and errors
def _call(message: dict[str, Any], methods: Methods) -> bytes:
    number, params = message.get("id"), message.get("params", [])
    method = methods.get(message["method"])
    if method is None:
        return _error(number, METHOD_NOT_FOUND, f"there is no method {message['method']}")
    try:
        found = method(*params) if isinstance(params, list) else method(**params)
        return _line({"jsonrpc": "2.0", "result": found, "id": number})
    except (TypeError, ValueError, OverflowError) as error:  # also of what JSON cannot say: an infinite sum
        return _error(number, INVALID_PARAMS, str(error))


def _is_request(message: dict[str, Any]) -> bool:
    params = message.get("params", [])
    named = message.get("jsonrpc") == "2.0" and isinstance(message.get("method"), str)
    return named and isinstance(params, list | dict) and _is_id(message.get("id"))


def _is_id(number: object) -> bool:
    return number is None or (isinstance(number, str | int | float) and not isinstance(number, bool))


def _error(number: object, code: int, message: str) -> bytes:
    return _line({"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": number})


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, allow_nan=False).encode() + b"\n"


### END SOLUTION
