"""The program git, with nothing of its surroundings: the only place that calls it.

Rule 1: no setting of the machine or of a user is read, no variable GIT_* of ours is passed on; what could start a
        program (hooks, filters, fsmonitor, helpers, submodules) is off (`git.settings` beside this).
Rule 2: it has a time, a largest file, and no terminal to ask on.
Rule 3: a secret reaches it in a variable of its environment, never in its arguments, and follows no redirection.
"""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

from harness.errors import SetupError

#: The largest file that it may write.
MOST_BYTES = 512_000_000
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
    *words: str, repository: Path, given: bytes = b"", patience: float = 60.0, header: tuple[str, str] | None = None
) -> bytes:
    """What git prints. `repository`: a bare one; `given`: its standard input; `patience`: seconds.

    `header`: an address, and a header of HTTP that is sent to addresses that begin with it.
    Raises GitError, GitTimeout, SetupError (there is no git).
    """
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
    try:
        done = subprocess.run(
            ["git", f"--git-dir={repository}", *words],
            input=given,
            capture_output=True,
            env=environment,
            cwd=repository,
            check=False,
            timeout=patience,
            preexec_fn=_limited,
        )
    except FileNotFoundError:
        if not repository.is_dir():
            raise GitError(f"{repository} is not there") from None
        raise SetupError("the program git is missing. Install it: sudo apt-get install git") from None
    except subprocess.TimeoutExpired:
        raise GitTimeout(f"it did not end within {patience:g} s") from None
    if done.returncode != 0:
        raise GitError(_cause(done.stderr))
    return done.stdout


def _cause(said: bytes) -> str:
    """The line of git's that says why."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    causes = [line for line in lines if line not in _TAIL] or lines[:1]
    return causes[-1] if causes else "git says nothing"


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))
