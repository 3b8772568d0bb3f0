"""docker/venv.sh: what was added to an environment once stays, whatever has to be made again."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "docker" / "venv.sh"
#: A Python whose environments only note what they are asked for; {real} is the one that runs this test.
PYTHON = """#!/bin/sh
if [ "$1" = -m ]; then
    rm -rf "$4" && mkdir -p "$4/bin" && echo "made" >>log
    printf '#!/bin/sh\\nshift 4; echo "pip $*" >>log\\n[ ! -e broken ]\\n' >"$4/bin/pip"
    printf '#!/bin/sh\\nexec "{real}" "$@"\\n' >"$4/bin/python"
    chmod +x "$4/bin/"*
else
    exec "{real}" "$@"
fi
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script")


class Folder:
    """A copy of the project with nothing in it but what the script looks at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "docker").mkdir(parents=True)
        (path / "pyproject.toml").touch()
        (path / "docker" / "venv.sh").touch()
        (path / "python").write_text(PYTHON.format(real=sys.executable))
        (path / "python").chmod(stat.S_IRWXU)

    def makes(self, *extra: str, status: int = 0) -> list[str]:
        """What it did."""
        (self.path / "log").write_text("")
        done = subprocess.run(
            ["sh", SCRIPT, "./python", ".venv", *extra], cwd=self.path, capture_output=True, check=False
        )
        assert done.returncode == status, done.stderr
        return (self.path / "log").read_text().splitlines()

    def changes(self, name: str) -> None:
        newest = max(path.stat().st_mtime_ns for path in (self.path / ".venv").iterdir())
        os.utime(self.path / name, ns=(newest + 1_000_000, newest + 1_000_000))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "a b")


def test_what_was_added_stays_when_the_project_changes(folder: Folder) -> None:
    assert folder.makes() == ["made", "pip ."]
    assert folder.makes("course") == ["pip .[course]"]
    assert folder.makes("course") == []
    folder.changes("pyproject.toml")
    assert folder.makes() == ["pip .[course]"]
    assert folder.makes("dev") == ["pip .[course,dev]"]


def test_another_python_makes_it_anew_with_all_that_was_there_also_at_the_second_try(folder: Folder) -> None:
    folder.makes("dev")
    (folder.path / ".venv" / "bin" / "python").unlink()
    (folder.path / "broken").touch()
    assert folder.makes(status=1) == ["made", "pip .[dev]"]
    (folder.path / "broken").unlink()
    assert folder.makes() == ["made", "pip .[dev]"]


def test_an_empty_environment_gets_an_extra_at_once(folder: Folder) -> None:
    assert folder.makes("dev") == ["made", "pip .[dev]"]
    assert folder.makes("dev") == []
