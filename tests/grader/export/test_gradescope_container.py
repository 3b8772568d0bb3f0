"""The autograder's ZIP in a container that is laid out as Gradescope's are. It is not Gradescope's image.

As their documentation has it (gradescope-autograders.readthedocs.io, "Specifications": file hierarchy): Debian, root,
the ZIP in /autograder/source, `setup.sh` run once with the internet when the image is built, `run_autograder` copied to
/autograder and run for each submission in a container of its own, which finds the files in /autograder/submission and
leaves /autograder/results/results.json.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.course import this_course
from grader.export.autograder import archive_of, gradescope
from harness.lab.docker.images import wanted_images

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.docker, pytest.mark.audit, pytest.mark.slow]


def docker(*words: object, check: bool = True, seconds: float = 600) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["docker", *map(str, words)], capture_output=True, text=True, check=False, timeout=seconds
    )  # fmt: skip
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done


class Image:
    """What Gradescope would have built of a ZIP."""

    def __init__(self, folder: Path, *, hidden: bool) -> None:
        self.hidden, self.folder, self.name = hidden, folder, f"socketlab-gradescope-test:{uuid.uuid4().hex[:12]}"
        self._container = self.name.replace(":", "-")
        source = folder / "source"
        archive = folder / "autograder.zip"
        archive.write_bytes(archive_of(gradescope(this_course(), "blocking", hidden=hidden, secret="s")))
        shutil.unpack_archive(archive, source)
        for program in ("setup.sh", "run_autograder"):
            (source / program).chmod(0o755)
        wheels = folder / "wheels"  # pip in the container has no index here; its own variables say where to look
        about = ["--only-binary", ":all:", "--python-version", "3.11", "--quiet"]
        words = ["download", "--dest", wheels, *about, "--requirement", source / "requirements.txt"]
        subprocess.run([sys.executable, "-m", "pip", *map(str, words)], check=True)
        build = (
            "cp -r /given /autograder/source && cd /autograder && cp source/run_autograder . && bash source/setup.sh"
        )
        done = docker(
            "run", "--name", self._container, "--network", "host", "--user", "root", "--entrypoint", "bash",
            "--env", "PIP_NO_INDEX=1", "--env", "PIP_FIND_LINKS=/wheels", "-v", f"{wheels}:/wheels:ro",
            "-v", f"{source}:/given:ro", wanted_images().student,
            "-c", f"mkdir -p /autograder/submission /autograder/results && {build}",
            check=False,
        )  # fmt: skip
        if "Failed to fetch" in done.stderr or "Could not resolve" in done.stderr:
            docker("rm", "-f", self._container)
            pytest.skip("docker: Debian's packages cannot be reached from a container")
        assert done.returncode == 0, done.stdout + done.stderr
        docker("commit", self._container, self.name)
        docker("rm", "-f", self._container)

    def grades(self, submission: Path, *, ipv6: bool = True) -> tuple[dict[str, Any], str]:
        """results.json, and the log. `ipv6`: whether the container has [::1], which Docker by itself leaves out."""
        results = self.folder / uuid.uuid4().hex
        results.mkdir()
        done = docker(
            "run", "--rm", "--network", "none", "--user", "root", "--entrypoint", "/autograder/run_autograder",
            "--sysctl", f"net.ipv6.conf.all.disable_ipv6={int(not ipv6)}",
            "-v", f"{submission}:/autograder/submission:ro", "-v", f"{results}:/autograder/results",
            self.name, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads((results / "results.json").read_text())
        return found, done.stdout + done.stderr

    def gone(self) -> None:
        docker("rmi", "-f", self.name)


@pytest.fixture(scope="module", params=[False, True], ids=["public", "hidden"])
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    made = Image(tmp_path_factory.mktemp("gradescope"), hidden=request.param)
    yield made
    made.gone()


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """The answers, as somebody hands them in."""
    folder = tmp_path / "submission"
    folder.mkdir()
    folder.chmod(0o755)
    for path in (ROOT / "reference" / "blocking").glob("*.py"):
        shutil.copy(path, folder)
    return folder


#: Sections of the handout whose checks need [::1], without and with hidden ones; docs/ci.md has their points.
OF_IPV6 = {False: ["1.4"], True: ["1.4", "2.1", "3.1", "3.4", "4.2", "5.2"]}


@pytest.mark.parametrize("ipv6", [True, False])
def test_the_reference_passes_all_that_this_container_can_decide(image: Image, reference: Path, ipv6: bool) -> None:
    told, log = image.grades(reference, ipv6=ipv6)
    tests = told["tests"]
    failed = [(test["name"], test["output"]) for test in tests if test.get("status") == "failed"]
    assert failed == [], log
    undecided = [test["name"].split()[0] for test in tests if "status" not in test]
    assert undecided == ([] if ipv6 else OF_IPV6[image.hidden]), log
    assert (
        told["score"]
        == sum(test["score"] for test in tests)
        == (100 if image.hidden else 38) - (0 if ipv6 else 5 if image.hidden else 1)
    )


#: Looks for what it must not find; its exit status, which every story tells, says whether it has found any of it.
HOSTILE = """
import os, sys
found = os.getuid() == 0
for path in ("/autograder/source/judge/secret", "/autograder/source/judge/reference/blocking/daytime_client.py",
             "/autograder/source/judge/grader/cli/main.py", "/autograder/results/results.json"):
    try:
        found = bool(open(path).read()) or True
    except OSError:
        pass
try:
    open("/autograder/results/results.json", "w").write('{"score": 100}')
    found = True
except OSError:
    pass
sys.exit(77 if found else 66)
"""


def test_a_program_reaches_neither_answers_nor_results(image: Image, reference: Path) -> None:
    (reference / "daytime_client.py").write_text(HOSTILE)
    told, log = image.grades(reference)
    text = json.dumps(told)
    assert "exit status 66" in text and "exit status 77" not in text, log
    assert told["score"] < 100
