"""A pipe's log as a test reads it: how its connections ended, and whether it gave away a secret. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.tls.record_layer.leaks import in_base64, key_lines

_ENDED = re.compile(rb"^ended: ([^\s:;,.()]*)[^\n]*\n", re.MULTILINE)


def endings(log: bytes) -> list[str]:
    """The word after `ended: ` in each whole line that begins so, in order."""
    return [word.decode("ascii", "replace") for word in _ENDED.findall(log)]


def secret_in(output: bytes, secrets: Iterable[bytes]) -> str | None:
    """How the first secret that is in the output is written: "as it is", "in hex", "in base64"; None: no secret is."""
    lowered = output.lower()
    for secret in secrets:
        parts = key_lines(secret) if b"-----BEGIN" in secret else [secret]
        for part in filter(None, parts):
            if part in output:
                return "as it is"
            if part.hex().encode() in lowered:
                return "in hex"
            if len(part) >= 8 and any(text in output for text in in_base64(part)):
                return "in base64"
    return None
