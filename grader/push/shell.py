"""The forced command of a student's SSH key: git's two services for their own repositories, and nothing else."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from grader.push.folder import PushFolder
from grader.push.rules import VARIABLE, Rules, read_rules
from harness.errors import CommandError, UsageError
from harness.formats.words import line

_SERVICES = {"git-receive-pack": "receive-pack", "git-upload-pack": "upload-pack"}


def wanted(rules: Rules, student: str, command: str) -> list[str]:
    """What is run for what the student's git asked for. Raises UsageError.

    git asks for `git-receive-pack 'PATH'`; PATH may be whole, or relative to the folder of all repositories.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if len(words) != 2 or words[0] not in _SERVICES:
        raise UsageError(f"this key is for git push, fetch and clone only, {student}.")
    paths = rules.repositories_of(student)
    base = rules.repositories.partition("{")[0].rpartition("/")[0]
    asked = words[1] if words[1].startswith("/") else f"{base}/{words[1]}"
    found = [path for path in paths if path in (asked, f"{asked}.git")]
    if not found:
        yours = ", ".join(path.removeprefix(f"{base}/") for path in paths)
        raise UsageError(f"{words[1]} is not a repository of {student}. Yours: {yours}")
    if not Path(found[0]).is_dir():
        raise UsageError(f"{words[1]} has not been made yet. Tell your instructor.")
    return ["git", _SERVICES[words[0]], found[0]]


def environment_of(student: str, given: Mapping[str, str]) -> dict[str, str]:
    """What git is given: nothing of the connection but the version of its protocol."""
    kept = {key: value for key, value in given.items() if not key.startswith("GIT_") or key == "GIT_PROTOCOL"}
    return {**kept, VARIABLE["key"]: student}


def main(arguments: list[str]) -> int:
    """`arguments`: the folder that hook and daemon share, and whose key it is."""
    folder, student = arguments
    try:
        words = wanted(read_rules(PushFolder(Path(folder)).told), student, os.environ.get("SSH_ORIGINAL_COMMAND", ""))
    except CommandError as error:
        print(f"socketlab: {line(str(error))}", file=sys.stderr)
        return 1
    os.execvpe(words[0], words, environment_of(student, os.environ))
    return 1  # not reached
