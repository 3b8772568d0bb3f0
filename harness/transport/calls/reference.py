"""A solution in this process, from a folder: the peer that submissions are tested against, in the tester only.

Rule: the folder's modules have ordinary names and import each other by them, so they are loaded with the folder first
on the module path and then kept under private names; nothing else in this process can import them, or be mistaken for
one of them.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.lab.interface import LabError

_loaded: dict[Path, LoadedSolution] = {}


class LoadedSolution:
    """What the folder offers, as the guest would offer it."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self._modules = modules

    def module(self, name: str) -> Any:
        """One of its modules. Raises LabError."""
        if name not in self._modules:
            raise LabError(f"the reference has no module {name}")
        return self._modules[name]

    def connection(self, *, role: str, isn: int, receive_buffer: int = 65_536, model: bool = False) -> Any:
        """A new connection. Raises LabError."""
        made = self.module("connection").Connection
        more = {"controller": "model"} if model else {}
        return made(role, isn=isn, receive_buffer=receive_buffer, **more)


def load_solution(folder: Path) -> LoadedSolution:
    """The solution in a folder that has a connection.py; loaded once. Raises LabError."""
    folder = folder.resolve()
    if folder not in _loaded:
        if not (folder / "connection.py").is_file():
            raise LabError(f"{folder} holds no reference: it has no connection.py")
        _loaded[folder] = LoadedSolution(_load(folder))
    return _loaded[folder]


def _load(folder: Path) -> dict[str, ModuleType]:
    names = [path.stem for path in folder.glob("*.py") if path.stem.isidentifier()]
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        for name in ("connection", "segment"):
            if (folder / f"{name}.py").is_file():
                importlib.import_module(name)
        return {name: sys.modules[name] for name in names if name in sys.modules}
    except Exception as error:
        raise LabError(f"the reference cannot be loaded: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)
