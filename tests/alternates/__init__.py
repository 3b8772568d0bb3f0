"""Honest solutions that look like nobody expects, by assignment. Rule: each of them gets full marks.

What a student of the sample class has handed in is not written here again: it is taken from there.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.grading import ROOT
from tests.mutants import copy_reference

CLASS = ROOT / "examples/class"
TRANSPORT = Path(__file__).parent / "transport"
_MACHINE = CLASS / "dora/transport/machine.py"
_SELECTIVE = TRANSPORT / "selective_repeat/connection.py"

#: Connections of other designs: the files of each by the name they get, and the last stage whose rules it keeps.
DESIGNS: dict[str, tuple[dict[str, Path], int]] = {
    # One class, no congestion control, nothing kept out of order, everything sent again at a timeout.
    "go_back_n": ({"machine.py": _MACHINE, "connection.py": CLASS / "dora/transport/connection.py"}, 5),
    # A timer for each segment, NewReno's recovery without SACK.
    "selective_repeat": ({"machine.py": _MACHINE, "connection.py": _SELECTIVE}, 8),
    # As few acknowledgements as are allowed, with blocks that it sends and does not use.
    "every_other": (
        {"machine.py": _MACHINE, "selective.py": _SELECTIVE, "connection.py": TRANSPORT / "every_other/connection.py"},
        8,
    ),
    # A back-off that is halved by each acknowledgement, and a list of what came early that may be full.
    "step_by_step": (
        {"machine.py": _MACHINE, "selective.py": _SELECTIVE, "connection.py": TRANSPORT / "step_by_step/connection.py"},
        8,
    ),
}
#: Of the reference's own connection; the other designs do not have them.
_OWN = ("sender.py", "receiver.py", "scoreboard.py", "recovery.py", "states.py", "bbr.py", "rtt.py", "rate.py")


def lay(folder: Path, *layers: Path) -> None:
    """Copy folders and files into a folder, one over the other."""
    for layer in layers:
        if layer.is_dir():
            shutil.copytree(layer, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(layer, folder / layer.name)


def write_design(name: str, folder: Path) -> None:
    """The reference's segments, reassembly and programs with the connection of another design."""
    copy_reference("transport", folder)
    for file in _OWN:
        (folder / file).unlink(missing_ok=True)
    for file, source in DESIGNS[name][0].items():
        shutil.copyfile(source, folder / file)
