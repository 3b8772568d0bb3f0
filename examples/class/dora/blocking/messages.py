"""What is inside the frames of the mailbox protocol: a header line that ends in LF, and then raw bytes.

    request = "put" SP name LF *OCTET | "get" SP name LF | "list" LF | "whoami" LF
    reply   = "ok" LF *OCTET | "error" SP reason LF
    name    = 1*64( letter | digit | "." | "_" | "-" )

Pure: bytes in, bytes out. Frames are in framing.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = re.compile(rb"[A-Za-z0-9._-]{1,64}")
REASON = re.compile(rb"error [ -~]+")


class BadRequest(Exception):
    """The request is none of the four; the text is the reason for the `error` reply."""


class BadReply(Exception):
    """The reply is neither `ok` nor `error`."""


class ServerError(Exception):
    """The server answered `error`; the text is its reason."""


@dataclass(frozen=True)
class Request:
    """One request."""

    command: str  #: "put", "get", "list" or "whoami"
    name: str = ""  #: for put and get
    content: bytes = b""  #: for put: the message itself


def is_name(text: str) -> bool:
    """Whether `text` may name a message."""
    return NAME.fullmatch(text.encode("utf-8", "surrogateescape")) is not None


def encode_request(request: Request) -> bytes:
    """The body of a request's frame."""
    words = f"{request.command} {request.name}" if request.name else request.command
    return words.encode("ascii") + b"\n" + request.content


def parse_request(body: bytes) -> Request:
    """Read the body of a request's frame. Raises BadRequest."""
    header, newline, content = body.partition(b"\n")
    command, space, name = header.partition(b" ")
    if not newline or (content and command != b"put"):
        raise BadRequest("bad request")
    if command in (b"list", b"whoami") and not space:
        return Request(command.decode("ascii"))
    if command not in (b"put", b"get") or not space:
        raise BadRequest("bad request")
    if not NAME.fullmatch(name):
        raise BadRequest("bad name")
    return Request(command.decode("ascii"), name.decode("ascii"), content)


def parse_reply(body: bytes) -> bytes:
    """The bytes behind `ok`. Raises ServerError for an `error` reply, BadReply for anything else."""
    header, newline, content = body.partition(b"\n")
    if newline and header == b"ok":
        return content
    if newline and not content and REASON.fullmatch(header):
        raise ServerError(header.removeprefix(b"error ").decode("ascii", "replace"))
    raise BadReply(f"{body[:40]!r} is no reply")
