"""The program git, with nothing of its surroundings: the only place that calls it.

Rule 1: no setting of the machine or of a user is read, no variable GIT_* of ours is passed on; what could start a
        program (hooks, filters, fsmonitor, helpers, submodules) is off (`git.settings` beside this).
Rule 2: it has a time, a largest file, a most that it may say, and no terminal to ask on. When its time is up, the
        programs that it has started end as well.
Rule 3: a secret reaches it in a variable of its environment, never in its arguments, and follows no redirection.
"""

from __future__ import annotations

import functools
import os
import resource
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Any

from harness.errors import SetupError

#: The largest file that it may write, and how much it may print: a folder that holds itself many times has no end.
MOST_BYTES, MOST_SAID = 512_000_000, 128_000_000
_MOST_CAUSE = 20_000  # bytes of what it says last
_SETTINGS = Path(__file__).with_name("git.settings")
_PASSED_ON = ("SSH_AUTH_SOCK", "HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE", "GIT_SSL_CAINFO")
#: What git says last of any repository that it cannot reach; the cause stands above it.
_TAIL = (
    "fatal: Could not read from remote repository.",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
)


class GitError(Exception):
    """git ended with a status that is not 0; the text is the line that says why."""


class GitTimeout(GitError):
    """git was ended, since its time was up."""


def git(
    *words: str,
    repository: Path,
    given: bytes = b"",
    patience: float = 60.0,
    header: tuple[str, str] | None = None,
    owner: tuple[int, int] | None = None,
) -> bytes:
    """What git prints. `repository`: a bare one; `given`: its standard input; `patience`: seconds.

    `header`: an address, and a header of HTTP that is sent to addresses that begin with it; `owner`: the user and group
    that git runs as, which only root can say.
    Raises GitError, GitTimeout, SetupError (there is no git).
    """
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as wrong:
        asked.write(given)
        asked.seek(0)
        process = _started(words, repository, _environment(repository, header), owner, (asked, out, wrong))
        _wait(process, patience)
        if max(os.fstat(file.fileno()).st_size for file in (out, wrong)) > MOST_SAID:
            raise GitError(f"it says more than {MOST_SAID / 1e6:g} MB")
        out.seek(0)
        if process.returncode != 0:
            wrong.seek(-min(_MOST_CAUSE, wrong.seek(0, os.SEEK_END)), os.SEEK_END)
            raise GitError(_cause(wrong.read()))
        return out.read()


def _started(
    words: tuple[str, ...],
    repository: Path,
    environment: dict[str, str],
    owner: tuple[int, int] | None,
    files: tuple[IO[bytes], IO[bytes], IO[bytes]],
) -> subprocess.Popen[bytes]:
    """git, with standard input, output and error. Raises GitError, SetupError."""
    asked, out, wrong = files
    who: dict[str, Any] = {"user": owner[0], "group": owner[1], "extra_groups": []} if owner else {}
    try:
        return subprocess.Popen(
            ["git", f"--git-dir={repository}", *words],
            stdin=asked,
            stdout=out,
            stderr=wrong,
            env=environment,
            cwd=repository,
            preexec_fn=functools.partial(_limited, MOST_BYTES if words[0] == "fetch" else MOST_SAID + 1),
            start_new_session=True,
            **who,
        )
    except FileNotFoundError:
        if not repository.is_dir():
            raise GitError(f"{repository} is not there") from None
        raise SetupError("the program git is missing. Install it: sudo apt-get install git") from None


def _environment(repository: Path, header: tuple[str, str] | None) -> dict[str, str]:
    """All that it is given of variables."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(repository),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(_SETTINGS),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oPermitLocalCommand=no",
        "LC_ALL": "C.UTF-8",
        **{key: os.environ[key] for key in _PASSED_ON if key in os.environ},
    }
    if header is not None:
        address, text = header
        more = {"COUNT": "2", "KEY_0": f"http.{address}.extraHeader", "VALUE_0": text}
        more |= {"KEY_1": "http.followRedirects", "VALUE_1": "false"}
        environment |= {f"GIT_CONFIG_{key}": value for key, value in more.items()}
    return environment


def _wait(process: subprocess.Popen[bytes], patience: float) -> None:
    """Until it has ended. Raises GitTimeout; then nothing that git has started is left."""
    try:
        process.wait(patience)
    except BaseException as why:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(why, subprocess.TimeoutExpired):
            raise GitTimeout(f"it did not end within {patience:g} s") from None
        raise


def _cause(said: bytes) -> str:
    """The line of git's that says why."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    causes = [line for line in lines if line not in _TAIL] or lines[:1]
    return causes[-1] if causes else "git says nothing"


def _limited(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
