"""The notebook of questions that students get: nbgrader's generate_assignment makes it from a tree of our making.

Rule 1: nbgrader is run over a new folder that holds the notebook and nothing else: over reference/ it would copy the
        answers, and with --force it deletes what it made before, handouts included.
Rule 2: whether the one in assignments/ is fresh can be told without nbgrader, cell by cell.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.nbgrader import nbgrader
from grader.questions.cells import CODE_STUB, WORDS_STUB, notebook, unanswered
from grader.questions.source import NAME, Source
from harness.errors import SetupError

#: Its name among what students get.
NOTEBOOK = f"{NAME}.ipynb"
_SETTINGS = f"""\
c = get_config()
c.CourseDirectory.course_id = "questions"
c.ClearSolutions.code_stub = {{"python": {CODE_STUB!r}}}
c.ClearSolutions.text_stub = {WORDS_STUB!r}
"""


def released(source: Source, there: Path) -> bytes:
    """The notebook for students: the one that is there if it is fresh, else a new one of nbgrader's.

    Raises SetupError.
    """
    if there.is_file() and is_fresh(source, there.read_bytes()):
        return there.read_bytes()
    return from_nbgrader(source)


def is_fresh(source: Source, there: bytes) -> bool:
    """Whether a released notebook has the cells that the source asks for, and no others."""
    try:
        return _cells(json.loads(there)) == _cells(json.loads(unanswered(source)))
    except (ValueError, KeyError, TypeError):
        return False


def _cells(whole: Mapping[str, Any]) -> list[object]:
    return [_cell(cell) for cell in whole["cells"]]


def _cell(cell: Mapping[str, Any]) -> tuple[object, ...]:
    source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
    about = dict(cell["metadata"].get("nbgrader", {}))
    for made in ("checksum", "cell_type"):  # nbgrader's own, of what stands here
        about.pop(made, None)
    outputs = bool(cell.get("outputs")) or cell.get("execution_count") is not None
    return cell["id"], cell["cell_type"], source, about, outputs


def from_nbgrader(source: Source) -> bytes:
    """The notebook as `nbgrader generate_assignment` makes it. Raises SetupError."""
    if importlib.util.find_spec("nbgrader") is None:
        raise SetupError(f"{NOTEBOOK} is out of date, and nbgrader, which makes it, is not here. Bring it: make course")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "nbgrader_config.py").write_text(_SETTINGS, encoding="utf-8")
        tree = folder / "source" / NAME
        tree.mkdir(parents=True)
        (tree / NOTEBOOK).write_bytes(notebook(source))
        homes = {"HOME": name, "JUPYTER_CONFIG_DIR": str(folder / "jupyter")}
        nbgrader(["generate_assignment", NAME, "--log-level=ERROR"], folder, to=f"make {NOTEBOOK}", environment=homes)
        return _settled((folder / "release" / NAME / NOTEBOOK).read_bytes())


def _settled(made: bytes) -> bytes:
    """The same every time, whatever was installed where it was made."""
    whole = json.loads(made)
    for cell in whole["cells"]:
        about = cell["metadata"].get("nbgrader", {})
        if about.get("grade") and about.get("solution"):
            # By it `nbgrader validate` calls a text that nobody has written yet a failure; in our notebooks it says
            # whether all cells run, as it does for answers in code.
            about.pop("checksum", None)
    whole["metadata"] = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
