"""A submission's sources looked through for forbidden names, in a process of its own with little memory and time.

    python3 -B -m grader.sources < {"assignment": PATH, "folder": PATH, "programs": {...}}      stage -> message

Python's parser takes gigabytes and minutes for some short texts. A submission with one of these loses the points of the
stages that forbid something; the class goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.course.assignment import Assignment, load_assignment
from harness.course.forbidden import forbidden_by_stage
from harness.lab.interface import LabError

#: What the process may use: bytes of memory, seconds of processor, and seconds until it is ended whatever it does.
MEMORY, PROCESSOR, ENDED_AFTER = 1 << 30, 5, 60.0


def look_for_forbidden(assignment: Assignment, folder: Path, programs: Mapping[str, Sequence[str]]) -> dict[int, str]:
    """Stage number -> what it forbids and the submission uses, as one sentence. Raises LabError."""
    if not any(stage.forbidden for stage in assignment.stages):
        return {}
    asked = {"assignment": str(assignment.path.resolve()), "folder": str(folder), "programs": dict(programs)}
    root = Path(__file__).resolve().parent.parent
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-m", "grader.sources"],
            input=json.dumps(asked).encode("ascii"),
            capture_output=True,
            cwd=root,
            env={"PYTHONPATH": str(root), "PATH": os.environ.get("PATH", os.defpath)},
            timeout=ENDED_AFTER,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _unread(assignment)
    except OSError as error:
        raise LabError(f"the sources cannot be looked through: {error.strerror}") from None
    try:
        return {int(number): str(message) for number, message in json.loads(done.stdout).items()}
    except ValueError:
        if done.returncode < 0 or b"MemoryError" in done.stderr[-2000:]:
            return _unread(assignment)
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise LabError(f"the sources cannot be looked through: {last[0] if last else done.returncode}") from None


def _unread(assignment: Assignment) -> dict[int, str]:
    why = f"the sources cannot be looked through in {PROCESSOR} s of processor time and {MEMORY >> 20} MiB of memory"
    return {
        stage.number: f"Stage {stage.number} forbids some names, and {why}."
        for stage in assignment.stages
        if stage.forbidden
    }


def main() -> None:
    """The process: what it may use is bounded before it reads a byte of the submission."""
    asked = json.loads(sys.stdin.buffer.read())
    assignment = load_assignment(Path(asked["assignment"]))
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(json.dumps(forbidden_by_stage(assignment, Path(asked["folder"]), asked["programs"])))


if __name__ == "__main__":
    main()
