"""One forge's API over HTTP. The only place that sends a token, and it sends it to that forge only.

Rule 1: no redirection is followed: the token would go along.
Rule 2: an answer has a size and a time; what is not the JSON that was asked for is an error with a sentence.
Rule 3: whoever asks too often is told until when to wait, and asks nothing before that.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from grader.course_push import Forge
from grader.forges.kinds import KINDS, Call
from grader.forges.status import Status
from harness.text.printable import printable

#: Seconds for an answer; bytes of it that are read.
PATIENCE, MOST = 15.0, 1 << 20
#: Seconds to wait after a refusal that says nothing of a time.
PAUSE = 60.0
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


class ForgeError(Exception):
    """The forge did not do what was asked; the text says what, and what to do."""


@dataclass
class Api:
    """The API of a forge, for the owner of a token."""

    forge: Forge
    token: str = field(repr=False)
    now: Callable[[], float] = time.time  #: seconds since 1970
    _known: dict[str, tuple[str, Any]] = field(default_factory=dict)  # path -> what the forge calls this state of it
    _not_before: float = 0.0

    def __post_init__(self) -> None:
        self._says = KINDS[self.forge.kind]
        self._session = requests.Session()
        self._session.trust_env = False  # no .netrc: the token is the only name we have
        self._session.headers.update(self._says.headers(self.token))
        self._session.headers["User-Agent"] = "socketlab"

    def tip(self, address: str, branch: str) -> str | None:
        """The commit that a branch of the repository at an address is at; None if there is none. Raises ForgeError."""
        answer = self._ask(self._says.tip(self._path(address), branch))
        if answer is None:
            return None
        try:
            commit = self._says.commit(answer)
        except (KeyError, TypeError):
            commit = None
        if not isinstance(commit, str) or not _COMMIT.match(commit):
            raise ForgeError(f"{self.forge.url} does not answer as {self.forge.kind} does. Look at `kind` and `api`.")
        return commit

    def post(self, address: str, commit: str, status: Status) -> None:
        """Give a commit a status, and its summary as a comment where that is wanted. Raises ForgeError."""
        repository = self._path(address)
        self._ask(self._says.status(repository, commit, status))
        call = self._says.comment(repository, commit, status.summary) if status.summary else None
        if self.forge.comments and call is not None:
            self._ask(call)

    def _path(self, address: str) -> str:
        return address.removeprefix(f"{self.forge.url}/").removesuffix("/").removesuffix(".git")

    def _ask(self, call: Call) -> Any:
        """The JSON of the answer; None for what is not there."""
        if self.now() < self._not_before:
            raise ForgeError(f"{self.forge.url} wants to be left alone for {self._not_before - self.now():.0f} s.")
        tag, before = self._known.get(call.path, ("", None))
        try:
            with self._session.request(
                "GET" if call.body is None else "POST",
                self.forge.api + call.path,
                json=call.body,
                headers={"If-None-Match": tag} if tag and call.body is None else {},
                timeout=PATIENCE,
                allow_redirects=False,
                stream=True,
            ) as answer:
                data = answer.raw.read(MOST + 1, decode_content=True)
        except (requests.RequestException, OSError, ValueError) as error:
            raise ForgeError(f"{self.forge.url} cannot be reached: {type(error).__name__}.") from None
        if answer.status_code == 304:
            return before
        if answer.status_code == 404 and call.body is None:
            return None
        if call.body is not None and answer.status_code == 400 and self._says.is_so_already(data):
            return None
        if answer.status_code >= 300:
            raise self._refused(answer, data, call)
        found = _parsed(answer, data, self.forge)
        if call.body is None and (tag := answer.headers.get("ETag", "")):
            self._known[call.path] = (tag, found)
        return found

    def _refused(self, answer: requests.Response, data: bytes, call: Call) -> ForgeError:
        status = answer.status_code
        spent = answer.headers.get("X-RateLimit-Remaining") == "0"
        if status == 429 or (status == 403 and (spent or "Retry-After" in answer.headers)):
            self._not_before = self.now() + _pause(answer, self.now())
            return ForgeError(f"{self.forge.url} was asked too often; it is left alone until it may be asked again.")
        why = {
            401: "the token is not valid (any more)",
            403: "the token may not do that: docs/ci.md names the scopes",
            404: "there is no such repository for this token: docs/ci.md names the scopes",
        }.get(status, f"it answers {status}: {printable(data[:200])}")
        if 300 <= status < 400:
            why = f"it wants to be asked elsewhere ({status}). Correct `api`, or the repository's address"
        return ForgeError(f"{self.forge.url}: {why} ({call.path})")


def _pause(answer: requests.Response, now: float) -> float:
    """Seconds to wait, of a refusal's headers: at least one, at most an hour."""
    told = answer.headers.get("Retry-After", "")
    until = answer.headers.get("X-RateLimit-Reset", "")
    wait = float(told) if told.isdecimal() else float(until) - now if until.isdecimal() else PAUSE
    return min(max(wait, 1.0), 3600.0)


def _parsed(answer: requests.Response, data: bytes, forge: Forge) -> Any:
    if len(data) > MOST:
        raise ForgeError(f"{forge.url} answers with more than {MOST:,} bytes. Look at `api`.")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise ForgeError(f"{forge.url} does not answer with JSON ({answer.status_code}). Look at `api`.") from None
