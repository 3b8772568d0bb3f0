"""`lab notebook`: JupyterLab in the repository, brought first where it is not there yet."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import console
from harness.errors import SetupError, UsageError
from harness.text.nearest import nearest

#: What notebooks run with.
PACKAGES = ("jupyterlab>=4", "ipykernel>=6.29", "matplotlib>=3.8")
#: The folder that holds the harness: the repository that students clone, or the one that it is made from.
ROOT = Path(__file__).resolve().parents[2]


def notebook(
    assignment: Annotated[str, typer.Argument(help="whose notebook to open; without it, the folder")] = "",
) -> None:
    """Open JupyterLab with an assignment's notebook of questions. The first time it is installed (about 150 MB)."""
    command = [sys.executable, "-m", "jupyterlab", *_file(assignment)]
    _bring()
    os.chdir(ROOT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if os.name == "nt":
        raise typer.Exit(subprocess.call(command, env=environment))
    os.execve(sys.executable, command, environment)


def _file(assignment: str) -> Sequence[str]:
    """The notebook's path from the root. Raises UsageError."""
    if not assignment:
        return ()
    there = {path.parent.name: path for path in sorted([*ROOT.glob("*/questions.ipynb"), *_in_the_course()])}
    if assignment not in there:
        raise UsageError(f'there is no notebook of questions for "{assignment}". {nearest(assignment, there)}')
    return (str(there[assignment].relative_to(ROOT)),)


def _in_the_course() -> list[Path]:
    return list(ROOT.glob("assignments/*/questions.ipynb"))


def _bring() -> None:
    """Install JupyterLab into the environment that this runs in. Raises SetupError."""
    if all(importlib.util.find_spec(name) for name in ("jupyterlab", "ipykernel", "matplotlib")):
        return
    if sys.prefix == sys.base_prefix:
        words = " ".join(f"'{name}'" for name in PACKAGES)
        raise SetupError(
            f"JupyterLab is not here, and this Python is the system's own. Install it: pip install {words}"
        )
    console().print("bringing JupyterLab (once, about a minute)", style="dim")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    if subprocess.call(install) != 0:
        raise SetupError("installing JupyterLab failed (see above). It needs the internet; run the same command again.")
