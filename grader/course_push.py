"""The tables [push], [watch] and [[forges]] of a course.toml: what is graded when something is pushed. Pure.

Rule: a token is where nobody else reads it; the file says where, never what it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from harness.text.toml_rows import Row, TomlFile

#: How the name of whoever pushes is known: by the repository's path, by the SSH key, by gitolite.
Identity = Literal["path", "key", "gitolite"]
IDENTITIES: tuple[Identity, ...] = get_args(Identity)
#: Which API a forge has.
Kind = Literal["github", "gitlab", "forgejo"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PUSH = ("folder", "repositories", "branch", "identity", "watch_minutes", "pages", "link")
WATCH = ("seconds",)
FORGES = ("url", "kind", "api", "token", "comments")
#: "file:PATH" or "env:NAME".
PLACE_OF_SECRET = re.compile(r"(file|env):\S.*")
_API = {"github": "https://api.github.com", "gitlab": "{url}/api/v4", "forgejo": "{url}/api/v1"}
_BRANCH = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\-][^\x00-\x20\x7f~^:?*\[\\]*")


@dataclass(frozen=True, kw_only=True)
class Forge:
    """A forge that students push to, and the instructor's account there."""

    url: str  #: how the addresses of its repositories begin: https://github.com
    kind: Kind
    api: str  #: where its API is
    token: str  #: where the token is: "file:PATH" or "env:NAME"
    comments: bool = False  #: whether each verdict's summary becomes a comment on its commit


@dataclass(frozen=True, kw_only=True)
class PushSettings:
    """How a course grades what is pushed."""

    folder: Path  #: queue, answers, results of pushes
    repositories: str = "/srv/git/{student}.git"  #: bare repositories on this machine
    branch: str = "main"  #: the one that counts
    identity: Identity = "path"
    watch_seconds: float = 900.0  #: the hook shows the answer at most so long
    pages: Path | None = None  #: where students' pages are put for a web server; None: nowhere
    link: str = ""  #: where that is for a browser, with {student} and {assignment}
    every: float = 60.0  #: seconds between two looks at a student's repository on a forge
    forges: tuple[Forge, ...] = field(default=())


def push_settings(file: TomlFile, folder: Path) -> PushSettings:
    """What the tables say; `folder` is that of the course. Raises TomlMistake."""
    push = file.row("push", PUSH)
    repositories = push.text("repositories", PushSettings.repositories)
    if not repositories.startswith("/") or "{student}" not in repositories:
        push.wrong("repositories", "it has to be a whole path with {student} in it", 'Write: "/srv/git/{student}.git"')
    branch = push.text("branch", PushSettings.branch)
    if not _BRANCH.fullmatch(branch):
        push.wrong("branch", f"{branch!r} cannot be the name of a branch", 'Write: branch = "main"')
    identity = push.text("identity", PushSettings.identity)
    if identity not in IDENTITIES:
        push.wrong("identity", f"{identity!r} is not known", f"Write one of: {', '.join(IDENTITIES)}")
    link = push.text("link", "")
    if link and not (re.match(r"https?://[^\s\x00-\x1f]+\Z", link) and "{student}" in link and "{assignment}" in link):
        example = 'link = "https://example.org/{student}/{assignment}.html"'
        push.wrong("link", "it has to be an address with {student} and {assignment} in it", f"Write: {example}")
    pages = push.text("pages", "")
    return PushSettings(
        folder=folder / push.text("folder", "push"),
        repositories=repositories,
        branch=branch,
        identity=identity,
        watch_seconds=60.0 * push.number("watch_minutes", PushSettings.watch_seconds / 60),
        pages=folder / pages if pages else None,
        link=link,
        every=file.row("watch", WATCH).number("seconds", PushSettings.every),
        forges=_forges(file),
    )


def _forges(file: TomlFile) -> tuple[Forge, ...]:
    if "forges" not in file.data:
        return ()
    return tuple(_forge(row) for row in file.rows("forges", FORGES))


def _forge(row: Row) -> Forge:
    url = row.text("url", example='"https://github.com"').rstrip("/")
    if not re.match(r"https?://[^\s/@]+\Z", url):
        row.wrong("url", f"{url!r} is not the address of a forge", 'Write: url = "https://github.com"')
    kind = row.text("kind", example='"github"')
    if kind not in KINDS:
        row.wrong("kind", f"{kind!r} is not known", f"Write one of: {', '.join(KINDS)}")
    token = row.text("token", example='"file:.github-token"')
    if not PLACE_OF_SECRET.fullmatch(token):
        row.wrong("token", "this says where the token is, and is not it", 'Write: token = "file:.github-token"')
    api = row.text("api", _API[kind].format(url=url)).rstrip("/")
    for key, address in (("url", url), ("api", api)):
        if address.startswith("http://") and not re.match(r"http://(127\.0\.0\.1|\[::1\]|localhost)(:|/|\Z)", address):
            row.wrong(key, "the token would go over the network for everybody to read", "Write https://…")
    if row.flag("comments") and kind == "forgejo":
        row.wrong("comments", "Forgejo has no comments on commits", "Leave it out: the status has a link.")
    return Forge(url=url, kind=kind, api=api, token=token, comments=row.flag("comments"))


def verdicts_per_day(row: Row) -> int | None:
    """What an assignment's row says of it: None where there is no limit, 0: public checks only."""
    value = row.data.get("verdicts_per_day")
    if value == 0 and not isinstance(value, bool):
        return 0
    return None if value is None else row.whole("verdicts_per_day", example="5")
