"""What is inside the frames of the mailbox protocol: a header line that ends in LF, and then raw bytes.

    request = "put" SP name LF *OCTET | "get" SP name LF | "list" LF | "whoami" LF
    reply   = "ok" LF *OCTET | "error" SP reason LF
    name    = 1*64( letter | digit | "." | "_" | "-" )

Pure: bytes in, bytes out. Frames are in framing.py.
"""

from __future__ import annotations

import re
from typing import NamedTuple

NAME = re.compile(rb"[A-Za-z0-9._-]{1,64}")
REASON = re.compile(rb"error [ -~]+")  # what else came from a stranger would reach a terminal


class BadRequest(Exception):
    """The request is none of the four; the text is the reason for the `error` reply."""


class BadReply(Exception):
    """The reply is neither `ok` nor `error`."""


class ServerError(Exception):
    """The server answered `error`; the text is its reason."""


class Request(NamedTuple):
    """One request."""

    command: str  #: "put", "get", "list" or "whoami"
    name: str = ""  #: for put and get
    content: bytes = b""  #: for put: the message itself


def is_name(text: str) -> bool:
    """Whether `text` may name a message."""
    return NAME.fullmatch(text.encode("utf-8", "surrogateescape")) is not None


def encode_request(request: Request) -> bytes:
    """The body of a request's frame."""
    raise NotImplementedError("stage 4: the header line, then the content")


def parse_request(body: bytes) -> Request:
    """Read the body of a request's frame. Raises BadRequest."""
    raise NotImplementedError("stage 4: split at the first LF only; the content may hold more of them")


def parse_reply(body: bytes) -> bytes:
    """The bytes after `ok`. Raises ServerError for an `error` reply, BadReply for anything else."""
    raise NotImplementedError('stage 4: "ok" and nothing else in the header, or "error " and a reason')
