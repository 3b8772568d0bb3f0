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
        raise NotImplementedError("stage 2: what has come of a line that is not whole yet")

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their line feeds. Raises ValueError for one longer than LIMIT."""
        raise NotImplementedError(
            "stage 2: what was kept and what has come, cut at each line feed; the rest is kept"
        )


def request(number: int, method: str, params: list[Any]) -> bytes:
    """A request with an id, as a line."""
    raise NotImplementedError('stage 2: "jsonrpc", "method", "params", "id"')


def answer(line: bytes, methods: Methods) -> bytes | None:
    """The server's answer to a line, as a line; None if nobody asked for one."""
    raise NotImplementedError("stage 2: each error has its code; what has no id gets no answer")


def result(line: bytes, number: int) -> tuple[Any, str]:
    """What a client reads in an answer: (result, "") or (None, the error in words). Raises ValueError if it is none."""
    raise NotImplementedError("stage 2: the id is ours, and there is a result or an error")


# Stage 2: calls and errors.
