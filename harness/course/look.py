"""The forbidden names of a submission, looked for in a process of its own with little memory and time.

    python3 -I -B FOLDER_OF_THIS_CODE < {"folder": PATH, "memory": BYTES, "rules": [ROW, ...]}

where a row is [stage, [name, ...], [argv, ...], [function of C, ...], [package of Go, ...]].

It is run where the programs will run, by the Python that will run them, and prints one line of JSON: stage -> message.
Python's parser takes gigabytes and minutes for some short texts, and a few crash it. A submission with one of these
loses the points of the stages that forbid something; the class goes on. A process that was killed, was stopped or found
no memory on the machine says nothing of the submission.

Standard library only: this travels into the student's node. What it says is believed, since it executes nothing of the
submission's, and nothing of the submission's runs beside it.
"""

from __future__ import annotations

import json
import mmap
import posixpath
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.course.forbidden import StageRule, find_forbidden, forbidden_message
from harness.course.native import Unreadable, used

#: What the process may use: seconds of processor, bytes of memory where nothing else bounds it, and seconds until it is
#: ended whatever it does.
PROCESSOR, MEMORY, ENDED_AFTER = 5, 1 << 30, 60.0
#: Its exit status when the sources took more memory than that, and the signal for more processor (24: SIGXCPU).
_COSTLY, _OVERTIME = 77, 24
#: How a parser ends that a text has crashed; every other signal comes from somewhere else.
_CRASHES = [-each for each in signal.Signals if each.name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL")]

#: Runs the process on a question: its exit status, negative for a signal, None if it was still there after ENDED_AFTER;
#: and what it printed.
Run = Callable[[bytes], tuple[int | None, bytes]]


class CannotLook(Exception):
    """The process failed through no fault of the sources'; the message says how."""


class _Odd(CannotLook):
    """It did not end by itself, which says nothing of the submission if it happens once."""


def look(rules: Sequence[StageRule], folder: str, run: Run, memory: int = MEMORY) -> dict[int, str]:
    """Stage -> what it forbids and the programs use, as one sentence. Raises CannotLook.

    A process that did not end by itself is started once more: what the same bytes do twice, they do.
    """
    rows = [
        [rule.number, rule.names, [list(argv) for argv in rule.programs], rule.functions, rule.packages]
        for rule in rules
    ]
    question = json.dumps({"folder": folder, "memory": memory, "rules": rows}).encode("ascii")
    try:
        return _understood(rules, memory, *run(question))
    except _Odd:
        status, output = run(question)
    return _unread(rules, memory) if status in _CRASHES else _understood(rules, memory, status, output)


def _understood(rules: Sequence[StageRule], memory: int, status: int | None, output: bytes) -> dict[int, str]:
    if status in (_COSTLY, -_OVERTIME):
        return _unread(rules, memory)
    if status is None:
        # It has spent less than its processor time by then: a submission makes it work, and never wait.
        raise _Odd(f"the process that does it stood still for {ENDED_AFTER:g} s; was it stopped by a signal?")
    if status < 0:
        raise _Odd(f"the process that does it was ended by signal {-status}; if the kernel did, it has no memory left")
    last = output.decode("utf-8", "replace").strip().splitlines()[-1:]
    try:
        if status == 0:
            return {int(number): str(message) for number, message in json.loads(last[0]).items()}
    except (ValueError, AttributeError, IndexError):
        pass
    raise _Odd(last[0] if last else f"the process that does it ended with status {status}")


def _unread(rules: Sequence[StageRule], memory: int) -> dict[int, str]:
    why = f"the sources cannot be looked through in {PROCESSOR} s of processor time and {memory >> 20} MiB of memory"
    return {rule.number: f"Stage {rule.number} forbids some names, and {why}." for rule in rules}


def main() -> None:
    """The process: what it may use is bounded before it reads a byte of the submission."""
    asked = json.loads(sys.stdin.buffer.read())
    rules = [
        StageRule(number, tuple(names), tuple(map(tuple, argvs)), tuple(functions), tuple(packages))
        for number, names, argvs, functions, packages in asked["rules"]
    ]
    if sys.platform != "win32":
        _bound(asked["memory"])
    try:
        found = find_forbidden(rules, Path(asked["folder"]))
        said = compiled(rules, Path(asked["folder"]))
        said |= {number: forbidden_message(number, uses) for number, uses in found.items()}
    except MemoryError:
        sys.exit(_COSTLY)
    print(json.dumps(said))


def compiled(rules: Sequence[StageRule], folder: Path) -> dict[int, str]:
    """Stage -> what it forbids and its compiled programs use, as one sentence."""
    said = {}
    for rule in rules:
        for file in dict.fromkeys(posixpath.normpath(argv[0]) for argv in rule.programs if "/" in argv[0]):
            if file.startswith(("/", "..")):
                continue
            try:
                if found := used(folder / file, rule.functions, rule.packages):
                    said[rule.number] = f"Stage {rule.number} forbids {', '.join(found[:5])} ({file} uses it)."
            except Unreadable as why:
                said[rule.number] = (
                    f"Stage {rule.number} forbids some names, and {file} cannot be looked through: {why}."
                )
    return said


def _bound(memory: int) -> None:
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except ValueError:
        sys.exit(f"this needs {memory >> 20} MiB of memory, and may use less: raise the limit (ulimit -v)")
    try:  # what the machine gives now, only the submission can take later
        mmap.mmap(-1, memory // 2).close()
    except (OSError, MemoryError):
        sys.exit(f"there are no {memory >> 21} MiB of memory left: free some, or run fewer workers")
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR + 1))  # at the first it gets SIGXCPU
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
