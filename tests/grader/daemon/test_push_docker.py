"""The real thing, once: the reference is pushed, graded in Docker with all its checks, and answered."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from pushing import ROOT

from grader.course import this_course

if TYPE_CHECKING:
    from pushing import Pushing

pytestmark = [pytest.mark.docker, pytest.mark.audit, pytest.mark.slow]


def test_the_reference_is_graded_in_docker_and_nothing_is_left(pushing: Pushing) -> None:
    # It is called grader.py itself, and its folder comes first.
    program = f"import sys\nsys.path[0] = {str(ROOT)!r}\nfrom grader.cli.main import main\nmain()\n"
    (pushing.here / "grader.py").write_text(program)
    pushing.roster("s00")
    pushing.installs()
    pushing.serves("--lab", "docker")
    work = pushing.work("s00")
    for path in this_course().reference("blocking").glob("*.py"):
        shutil.copy(path, work / "blocking")
    said = pushing.pushes("s00", "# not a file of this assignment\n")
    assert "100 of 100 points." in said, said
    assert len(re.findall(r"^remote: socketlab: ✓ stage \d", said, re.MULTILINE)) == 6
    assert pushing.daemon is not None
    number = pushing.daemon.pid
    assert "100 of 100 points." in pushing.kill(signal.SIGTERM)
    left = subprocess.run(
        ["docker", "ps", "--all", "--format", "{{.Names}} {{.Labels}}"], capture_output=True, text=True, check=True
    ).stdout
    assert not [row for row in left.splitlines() if f"socketlab.pid={number}," in f"{row},"], left
