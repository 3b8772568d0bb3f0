"""The forbidden names of a submission, looked for in a process of its own with little memory and time.

    python3 -I -B FOLDER_OF_THIS_CODE < {"folder": PATH, "rules": [[stage, [name, ...], [argv, ...]], ...]}

It is run where the programs will run, by the Python that will run them, and prints one line of JSON: stage -> message.
Python's parser takes gigabytes and minutes for some short texts: a submission with one of these loses the points of
the stages that forbid something; the class goes on.

Standard library only: this travels into the student's node. What it says is believed, since it executes nothing of the
submission's, and nothing of the submission's runs beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.course.forbidden import StageRule, find_forbidden, forbidden_message

#: What the process may use: bytes of memory, seconds of processor, and seconds until it is ended whatever it does.
MEMORY, PROCESSOR, ENDED_AFTER = 1 << 30, 5, 60.0
#: Exit status when memory or the depth of recursion was used up.
_TOO_MUCH = 3


class CannotLook(Exception):
    """The process failed through no fault of the sources'; the message is the end of what it said."""


def question(rules: Sequence[StageRule], folder: str) -> bytes:
    """What the process reads on its standard input."""
    rows = [[rule.number, list(rule.names), [list(argv) for argv in rule.programs]] for rule in rules]
    return json.dumps({"folder": folder, "rules": rows}).encode("ascii")


def answer(rules: Sequence[StageRule], status: int | None, output: bytes) -> dict[int, str]:
    """Stage -> message, from how the process ended (None, a negative number: it was ended) and what it printed.

    Raises CannotLook.
    """
    if status is None or status < 0 or status == _TOO_MUCH:
        why = f"the sources cannot be looked through in {PROCESSOR} s of processor time and the memory of the node"
        return {rule.number: f"Stage {rule.number} forbids some names, and {why}." for rule in rules}
    last = output.decode("utf-8", "replace").strip().splitlines()[-1:]
    try:
        if status == 0:
            return {int(number): str(message) for number, message in json.loads(last[0]).items()}
    except (ValueError, AttributeError, IndexError):
        pass
    raise CannotLook(last[0] if last else f"exit status {status}")


def main() -> None:
    """The process: what it may use is bounded before it reads a byte of the submission."""
    asked = json.loads(sys.stdin.buffer.read())
    rules = [StageRule(number, tuple(names), tuple(map(tuple, argvs))) for number, names, argvs in asked["rules"]]
    if sys.platform != "win32":
        import resource

        for what, most in (("AS", MEMORY), ("CPU", PROCESSOR), ("CORE", 0)):
            kind = getattr(resource, f"RLIMIT_{what}")
            _, hard = resource.getrlimit(kind)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (most, most))
    try:
        found = find_forbidden(rules, Path(asked["folder"]))
        said = {number: forbidden_message(number, uses) for number, uses in found.items()}
    except (MemoryError, RecursionError):
        sys.exit(_TOO_MUCH)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
