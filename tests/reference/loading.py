"""Import modules of a reference for a test. They import each other by bare names, as students' files do.

Several references have modules of the same name, so what is loaded here is taken out of `sys.modules` again: they
keep each other, and nobody else finds them by accident.
"""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

REFERENCE = Path(__file__).resolve().parents[2] / "reference"


@functools.cache
def load(assignment: str, *names: str) -> SimpleNamespace:
    """The modules of those names, and what they import; the same objects each time they are asked for."""
    folder = REFERENCE / assignment
    own = [path.stem for path in folder.glob("*.py")]
    aside = {name: sys.modules.pop(name) for name in own if name in sys.modules}
    sys.path.insert(0, str(folder))
    try:
        return SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(str(folder))
        for name in own:
            sys.modules.pop(name, None)
        sys.modules.update(aside)
