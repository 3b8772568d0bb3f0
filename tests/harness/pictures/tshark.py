"""tshark, asked for fields of a capture: the second opinion on captures and the dissector."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


def fields(capture: Path, names: Sequence[str], *, script: Path | None = None, only: str = "") -> list[list[str]]:
    """A row per packet with the fields' values as tshark says them; several values are joined by commas."""
    command = ["tshark", "-r", str(capture), "-T", "fields", "-E", "separator=/t"]
    if script is not None:
        command += ["-X", f"lua_script:{script}"]
    if only:
        command += ["-Y", only]
    for name in names:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    complaints = [line for line in done.stderr.splitlines() if "Lua" in line or "lua" in line]
    assert not complaints, complaints
    return [line.split("\t") for line in done.stdout.splitlines()]
