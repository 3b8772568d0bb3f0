"""How agent, warden and router are asked and answer: the only place that writes an answer, and that reads one.

A request is one JSON object, {"op": VERB, ...}; the answer is {"ok": true, ...} or
{"ok": false, "error": WHOSE, "text": WHY, "errno": N}. WHOSE is "start" or "os" (what the submission did or left),
"request" or "node" (ours). Standard library only: this travels into the student node beside the agent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

#: Longest request that comes as a line, in bytes.
MOST_REQUEST = 1 << 20


class Refused(Exception):
    """A request that cannot be fulfilled; `kind` says whose fault it is, as in the answer's "error"."""

    def __init__(self, kind: str, text: str, number: int = 0) -> None:
        super().__init__(text)
        self.kind = kind
        self.number = number


def perform(server: object, request: bytes | None, verbs: Collection[str] = ()) -> Any:
    """What the method `do_VERB` returns that a request asks for. Raises Refused, and whatever the method raises.

    `verbs`: those that may be asked for, if not all. None is a request that was too long.
    """
    if request is None:
        raise Refused("request", f"a request of more than {MOST_REQUEST:,} bytes")
    arguments = json.loads(request)
    op = arguments.pop("op")
    verb = getattr(server, f"do_{op}", None)
    if verb is None or (verbs and op not in verbs):
        raise Refused("request", f"no such verb: {op!r}" + (f" (there are {', '.join(verbs)})" if verbs else ""))
    return verb(**arguments)


def encode(said: Mapping[str, Any] | Exception | None) -> bytes:
    """The answer: what was said (None: no more than that it was done), or why not."""
    if isinstance(said, Exception):
        why = said if isinstance(said, Refused) else Refused("request", f"{type(said).__name__}: {said}")
        return json.dumps({"ok": False, "error": why.kind, "text": str(why), "errno": why.number}).encode("ascii")
    return json.dumps({"ok": True, **(said or {})}).encode("ascii")


@contextmanager
def otherwise(kind: Callable[[str], Exception], what: str) -> Iterator[None]:
    """Raise an error of another kind in the place of Refused: what could not be done, and why."""
    try:
        yield
    except Refused as refused:
        raise kind(f"{what}: {refused}") from None


def decode(answer: bytes) -> dict[str, Any]:
    """What an answer says. Raises Refused if it says why not, ValueError if it is none."""
    try:
        said: dict[str, Any] = json.loads(answer)
        if said.pop("ok"):
            return said
        why = Refused(said["error"], said["text"], said["errno"])
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not an answer: {error!r}") from None
    raise why
