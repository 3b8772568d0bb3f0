"""Classroom 50's autograder for one assignment: the public checks, on the runner, beside the student's program.

Put this folder into CLASSROOM/autograders/ASSIGNMENT/ of the classroom's repository. The tests are those that lie
beside this file, not those in the student's repository; what that does not stop: docs/ci.md. Standard library only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: Exit statuses of `lab check` after which there is a result: all passed, some did not.
_GRADED = (0, 1)


def main() -> int:
    """Write ./result.json; 0 if it is there, else Classroom 50 calls it an error of the autograder."""
    name = (HERE / "assignment").read_text(encoding="utf-8").strip()
    python = HERE / "environment" / "bin" / "python"
    if not python.exists():
        venv.create(HERE / "environment", with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "-r", str(HERE / "requirements.txt")], check=True)
    work = Path(name) if Path(name).is_dir() else Path()
    result = f"classroom50={Path('result.json').resolve()}"
    command = [str(python), "-m", "harness.cli.main", "check", name, str(work.resolve()), "--format", result]
    environment = {**os.environ, "PYTHONPATH": str(HERE / "course"), "PYTHONDONTWRITEBYTECODE": "1"}
    # From the folder of our tests: the student's repository may have an assignment of that name, too.
    status = subprocess.run(command, cwd=HERE / "course", env=environment, check=False).returncode
    return 0 if status in _GRADED else 1


if __name__ == "__main__":
    sys.exit(main())
