"""What grading costs beyond the tests: trivial submissions through us, `nbgrader autograde` and otter, in one run.

Ours: a program that prints what comes over the wire, one check, in the Docker lab, a node of its own for each.
nbgrader's and otter's: a notebook with one cell that returns 3 and one test of it, executed as the user who grades.
`otter grade` runs in containers as well, from an image that only a registry has; `otter run`, its way without one, is
called once for each submission. It wants an environment of its own, with a kernel called python3 in it:

    python3 -m venv otter; otter/bin/pip install otter-grader ipykernel
    otter/bin/python -m ipykernel install --prefix otter
    OTTER=otter/bin/otter .venv/bin/python bench/grading.py [SUBMISSIONS]
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from grader.bench.docker import DockerPlace
from grader.campaign.campaign import Campaign
from grader.campaign.crowd import labs_here
from grader.campaign.plan import make_plan
from grader.course import Course
from grader.record.run_folder import RunFolder

RUBRIC = """\
[assignment]
schema = 1
name = "trivial"
title = "Trivial"
handout = "handout.md"

[programs]
client = ["python3", "client.py"]

[limits]
seconds = 30

[[stages]]
number = 1
title = "Reading"
points = 1
section = "Stage 1"
programs = ["client"]

[[checks]]
id = "test_client.py::test_reads"
suite = "public"
stage = 1
points = 1
section = "1.1"
rule = "Read to the end."
"""
SUITE = """\
def test_reads(lab):
    server = lab.listens()
    client = lab.runs("client", server.address)
    peer = server.accepts()
    peer.sends(b"x")
    peer.ends()
    client.prints(b"x")
    client.exits(0)
"""
CLIENT = """\
import socket, sys
host, _, port = sys.argv[1].rpartition(":")
print(socket.create_connection((host, int(port))).makefile().read(), end="")
"""


def ours(folder: Path, count: int) -> str:
    """Wall of a class, and what of it was in checks."""
    course, submitted = Course(folder / "course"), folder / "submitted"
    files = {"reference/trivial/assignment.toml": RUBRIC, "grader/suites/trivial/public/test_client.py": SUITE}
    files["grader/suites/trivial/hidden/none.py"] = ""
    for name, text in files.items():
        (course.root / name).parent.mkdir(parents=True, exist_ok=True)
        (course.root / name).write_text(text)
    for number in range(count):
        (submitted / f"s{number:02d}" / "trivial").mkdir(parents=True)
        (submitted / f"s{number:02d}" / "trivial" / "client.py").write_text(CLIENT)
    place, checks, points = DockerPlace(course, ["trivial"], engine="auto", say=print), 0.0, 0.0
    begun = time.monotonic()
    try:
        with RunFolder(folder / "run") as run:
            campaign = Campaign(course, run, place, b"secret", workers=labs_here())
            for event in campaign.events(make_plan(course, submitted).jobs):
                if event.kind == "ends" and event.result:
                    checks += sum(check["seconds"] for check in event.result["checks"])
                    points += event.result["points"]
    finally:
        place.close()
    wall = time.monotonic() - begun
    of = f"{points:.0f} points; {checks / count:.2f} s of checks"
    return f"grader run, Docker   {wall / count:6.2f} s a submission ({of})"


def nbgraders(folder: Path, count: int) -> str:
    """The same with nbgrader: release, collect by hand, autograde."""
    import nbformat.v4 as v4

    def cell(text: str, name: str, **what: bool | int) -> object:
        told = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False, **what}
        return v4.new_code_cell(text, metadata={"nbgrader": {"grade_id": name, **told}})

    book = v4.new_notebook(
        cells=[
            cell("def three():\n    return 3", "three", solution=True),
            cell("assert three() == 3", "test", grade=True, locked=True, points=1),
        ]
    )
    source = folder / "source" / "trivial"
    source.mkdir(parents=True)
    (source / "trivial.ipynb").write_text(json.dumps(book))
    (folder / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'bench'\n")
    tool = [str(Path(sys.executable).with_name("nbgrader"))]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # nbgrader calls alembic
    quiet = {"cwd": folder, "capture_output": True, "check": True, "env": {**os.environ, "PATH": path}}
    subprocess.run([*tool, "generate_assignment", "trivial"], **quiet)
    for number in range(count):
        handed = folder / "submitted" / f"s{number:02d}" / "trivial"
        handed.mkdir(parents=True)
        (handed / "trivial.ipynb").write_text((source / "trivial.ipynb").read_text())
    begun = time.monotonic()
    subprocess.run([*tool, "autograde", "trivial"], **quiet)
    return f"nbgrader autograde   {(time.monotonic() - begun) / count:6.2f} s a submission"


OTTER_TEST = """\
OK_FORMAT = True
test = {
    "name": "three",
    "points": 1,
    "suites": [{"type": "doctest", "scored": True, "cases": [{"code": ">>> three()\\n3"}]}],
}
"""


def otters(folder: Path, count: int, otter: str) -> str:
    """The same with otter-grader: an autograder made once, each notebook graded by `otter run`."""
    import nbformat.v4 as v4

    told = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    texts = "import otter\ngrader = otter.Notebook()", "def three():\n    return 3", "grader.check('three')"
    book = v4.new_notebook(cells=[v4.new_code_cell(text) for text in texts], metadata=told)
    (folder / "tests").mkdir()
    (folder / "tests" / "three.py").write_text(OTTER_TEST)
    quiet = {"cwd": folder, "capture_output": True, "check": True}
    subprocess.run([otter, "generate", "-t", "tests", "-o", "autograder.zip"], **quiet)
    for number in range(count):
        (folder / f"s{number:02d}").mkdir()
        (folder / f"s{number:02d}" / "trivial.ipynb").write_text(json.dumps(book))
    begun, points = time.monotonic(), 0.0
    for number in range(count):
        out = f"s{number:02d}"
        subprocess.run([otter, "run", "-a", "autograder.zip", "-o", out, f"{out}/trivial.ipynb"], **quiet)
        points += sum(row.get("score", 0.0) for row in json.loads((folder / out / "results.json").read_text())["tests"])
    return f"otter run            {(time.monotonic() - begun) / count:6.2f} s a submission ({points:.0f} points)"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("ours", "nbgrader", "otter"):
            (Path(scratch) / name).mkdir()
        print(f"{count} trivial submissions; up to {labs_here()} labs side by side, the others have one at a time")
        print(ours(Path(scratch) / "ours", count))
        if importlib.util.find_spec("nbgrader") is None:
            print("nbgrader is not installed: make course")
        else:
            print(nbgraders(Path(scratch) / "nbgrader", count))
        if (otter := os.environ.get("OTTER") or shutil.which("otter")) is None:
            print("otter is not installed: see above")
        else:
            print(otters(Path(scratch) / "otter", count, str(Path(otter).absolute())))


if __name__ == "__main__":
    main()
