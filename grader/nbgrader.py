"""nbgrader's own commands: the only file that runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import SetupError


def nbgrader(words: Sequence[str], folder: Path, *, to: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a command in a folder; what it prints on standard output.

    `to`: what for, as in "make the feedback"; `environment`: variables besides ours. Raises SetupError.
    """
    # nbgrader asks the program `alembic` for a number when it makes a database: it has to be found.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *words],
        cwd=folder,
        env={**os.environ, "PATH": path, **(environment or {})},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise SetupError(f"nbgrader could not {to}:\n{last}")
    return done.stdout
