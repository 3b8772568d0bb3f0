"""The hook in a bare repository, and the line of authorized_keys that says whose key it is.

Rule 1: a hook of somebody else's is never replaced.
Rule 2: the repository is set so that git itself refuses what is broken or too large, and keeps when it got what.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from grader.git import GitError, git
from grader.push.folder import PushFolder
from grader.push.rules import Rules
from harness.errors import SetupError, UsageError, cause_of

#: Bytes that a push may have.
MOST_PUSHED = 64 << 20
#: Makes a script ours.
_MARK = "# socketlab: what is pushed here is graded (grader hook install)"
_ROOT = Path(__file__).resolve().parents[2]
_SETTINGS = {
    "receive.maxInputSize": str(MOST_PUSHED),
    "receive.fsckObjects": "true",  # a tree with .git in it, or with one name twice, is refused by git itself
    "core.logAllRefUpdates": "always",  # when the server got what: `grader collect git` goes by it
    "core.sharedRepository": "group",  # the daemon's account reads
}
_KEY = re.compile(r"(?:ssh-|ecdsa-|sk-)[A-Za-z0-9@.-]+ [A-Za-z0-9+/=]+(?: [^\x00-\x1f\x7f]*)?")


def python_line(module: str, *words: str) -> str:
    """A command of a shell that calls a module's `main`, whatever the folder, the user's variables and packages are.

    `-S`: the standard library is all that such a module needs, and looking for more takes a fifth of its start.
    """
    start = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from {module} import main; sys.exit(main(sys.argv[1:]))"
    return shlex.join([sys.executable, "-I", "-S", "-B", "-c", start, *words])


def script(folder: PushFolder) -> str:
    """The hook."""
    return f"#!/bin/sh\n{_MARK}\nexec {python_line('grader.push.receive', str(folder.path.absolute()))}\n"


def check_readable() -> None:
    """Raises UsageError where another account could not run the hook: the project lies in somebody's own folder."""
    for path in (Path(sys.executable).absolute(), Path(os.path.realpath(sys.executable)), _ROOT):
        for folder in (*reversed(path.parents), path):
            if not folder.stat().st_mode & 0o001:
                raise UsageError(
                    f"the account that receives pushes cannot run {path}: {folder} is closed to others."
                    " Put the project, and its Python, where both accounts get through to: /opt, /usr."
                )


def install(repository: Path, folder: PushFolder, rules: Rules) -> bool:
    """Put the hook in; whether the repository was made for it. Raises UsageError, SetupError."""
    repository = Path(os.path.realpath(repository))
    if rules.place_of(str(repository)) is None:
        raise UsageError(f"{repository} does not lie where course.toml says: repositories = {rules.repositories!r}.")
    try:
        new = not repository.exists()
        if new:
            _make(repository)
        if (owner := _owner(repository)) is not None:
            check_readable()
        known = _settings(repository, owner)
        for key, value in _SETTINGS.items():
            if known.get(key.lower()) != value:
                git("config", key, value, repository=repository, owner=owner)
        git("symbolic-ref", "HEAD", rules.ref, repository=repository, owner=owner)
        with _as(owner):
            _put(repository / "hooks" / "post-receive", script(folder))
    except GitError as error:
        raise UsageError(f"{repository}: {error}") from None
    except OSError as error:
        raise SetupError(f"{error.filename or repository} cannot be written: {cause_of(error)}.") from None
    return new


def _make(repository: Path) -> None:
    """A new bare repository, of the account that its folder belongs to."""
    repository.parent.mkdir(parents=True, exist_ok=True)
    owner = os.stat(repository.parent)
    repository.mkdir(mode=0o750)
    git("init", "--quiet", "--bare", "--template=", "--shared=group", repository=repository)
    git("config", "receive.denyNonFastForwards", "false", repository=repository)  # students may rewrite what is theirs
    if os.getuid() == 0 and owner.st_uid != 0:
        for path in (*sorted(repository.rglob("*"), reverse=True), repository):  # while it is open to nobody else
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _owner(repository: Path) -> tuple[int, int] | None:
    """Whom git runs as in a repository: root does there what its account may do, and nothing more."""
    about = os.stat(repository)
    return (about.st_uid, about.st_gid) if os.getuid() == 0 and about.st_uid != 0 else None


@contextlib.contextmanager
def _as(owner: tuple[int, int] | None) -> Iterator[None]:
    """Be somebody else: a link that they have put into their folder leads nowhere where they may not write."""
    if owner is None:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(owner[1])
    os.seteuid(owner[0])
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def _put(hook: Path, text: str) -> None:
    """Write the hook in one step. Raises UsageError (there is one of somebody else's), OSError."""
    hook.parent.mkdir(exist_ok=True)
    if os.path.lexists(hook) and not (hook.is_file() and _MARK in hook.read_text("utf-8", "replace")):
        ours = text.splitlines()[-1].removeprefix("exec ")
        raise UsageError(f"{hook} is there already. Have it call ours as well, with the same standard input: {ours}")
    beside = hook.with_name(f".{hook.name}.{secrets.token_hex(8)}")
    with beside.open("x", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o755)
        file.write(text)
    beside.replace(hook)


def _settings(repository: Path, owner: tuple[int, int] | None) -> dict[str, str]:
    """A repository's own settings, names in small letters. Raises UsageError unless a hook would run in it."""
    said = git("config", "--local", "--list", "-z", repository=repository, owner=owner)
    rows = said.decode("utf-8", "replace").split("\0")
    found = {name.lower(): value for name, _, value in (row.partition("\n") for row in rows)}
    if found.get("core.bare") != "true":
        raise UsageError(f"{repository} is not a bare repository. Make one: git init --bare")
    if elsewhere := found.get("core.hookspath"):
        raise UsageError(f"{repository} has its hooks in {elsewhere} (core.hooksPath), so one in it would never run.")
    return found


def key_line(student: str, key: str, folder: PushFolder, rules: Rules) -> str:
    """The line of authorized_keys by which somebody with that key is that student, and can only push and fetch.

    sshd(8), "AUTHORIZED_KEYS FILE FORMAT": `restrict` is all restrictions, `command` the forced command.
    Raises UsageError.
    """
    if not rules.takes_part(student):
        raise UsageError(f"{student} is not in the course's roster.")
    if not _KEY.fullmatch(key.strip()):
        raise UsageError("this is not a public key of OpenSSH: one line that begins with ssh-ed25519, ssh-rsa, ...")
    command = python_line("grader.push.shell", str(folder.path.absolute()), student)
    quoted = command.replace('"', '\\"')
    return f'restrict,command="{quoted}" {key.strip()}'
