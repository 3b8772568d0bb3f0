"""`lab ci`: the public checks of everything that was begun, told to the CI that runs this, and whether a stage broke.

Rule 1: an assignment that is not finished is not red. What is due is in progress.json (`progress.py`).
Rule 2: what nobody decided breaks nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from harness.cli import progress
from harness.cli.check import RESULTS, Solution, checks_to_run, find_assignments, find_solution, run_checks
from harness.cli.check_report import CheckReport
from harness.cli.check_result import complete_stages, result_of
from harness.cli.written import repository, save
from harness.formats import codequality, junit, summary, workflow
from harness.formats.result import Context, Result
from harness.text.printable import printable

#: What `grader release` put where, as hashes: what differs from it was begun.
MANIFEST = ".release.json"
#: Below lab-results/.
FOLDER = "ci"
_NOTHING = "Nothing was begun: every assignment is as it was handed out."
_QUALITY = "gl-code-quality-report.json"


def begun(home: Path, names: Sequence[str]) -> list[str]:
    """The assignments in which a file is not as it was released. All of them where nothing says how they were."""
    try:
        released = json.loads((home / MANIFEST).read_bytes())["files"]
        hashes = {str(path): str(value) for path, value in released.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return list(names)
    return [name for name in names if _differs(home, name, hashes)]


def _differs(home: Path, name: str, hashes: Mapping[str, str]) -> bool:
    for here, folders, files in os.walk(home / name):
        folders[:] = [folder for folder in folders if folder not in ("__pycache__", ".git")]
        for file in files:
            path = Path(here) / file
            data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            if hashes.get(path.relative_to(home).as_posix()) != hashlib.sha256(data).hexdigest():
                return True
    return False


@dataclass
class Continuous:
    """One run of `lab ci`."""

    home: Path  #: the repository that students clone
    console: Console
    command: str  #: how `lab` was typed
    context: Context
    results: list[Result] = field(default_factory=list)
    fresh: dict[str, list[int]] = field(default_factory=dict)  #: complete and not in progress.json, by assignment

    def run(self, names: Sequence[str]) -> bool:
        """Run the checks of some assignments (none: of those begun); whether no stage broke. Raises CommandError."""
        due = progress.read(self.home / progress.NAME) or {}
        known = find_assignments(self.home)
        names = list(names) or sorted({*begun(self.home, sorted(known)), *(due.keys() & known.keys())})
        if not names:
            self.console.print(_NOTHING)
        for name in names:
            self._assignment(find_solution(name, None, self.home), due.get(name, []))
        self._write()
        return self._tell()

    def _assignment(self, solution: Solution, due: Sequence[int]) -> None:
        name = solution.assignment.name
        checks = checks_to_run(solution.assignment, None)
        report = CheckReport(
            console=self.console,
            assignment=solution.assignment,
            wanted=checks,
            stage=None,
            command=f"{self.command} check {name}",
        )
        self.console.print(f"[bold]{escape(solution.assignment.title)}[/]")
        for record in run_checks(solution, checks):
            report.hear(record)
        report.summary()
        self.results.append(result_of(report, solution, root=repository(), due=due))
        self.fresh[name] = sorted(set(complete_stages(report)) - set(due))

    def _write(self) -> None:
        """The files for whatever CI this is, and what GitHub's kin read."""
        folder = Path.cwd() / RESULTS / FOLDER
        for result in self.results:
            save(folder / f"{result.assignment}.xml", junit.render(result, self.context))
        told = "\n".join(summary.render(result, self.context) for result in self.results) or f"{_NOTHING}\n"
        save(folder / "summary.md", told)
        found = [row for result in self.results for row in json.loads(codequality.render(result, self.context))]
        save(folder / _QUALITY, json.dumps(found, indent=1) + "\n")
        if file := self.context.environment.get("GITHUB_STEP_SUMMARY"):
            save(Path(file), told, append=True)
        if self.context.environment.get("GITHUB_ACTIONS"):
            for result in self.results:
                print(workflow.render(result, self.context), end="", flush=True)

    def _tell(self) -> bool:
        """Say what became of what was due; whether all of it is still complete."""
        well = True
        for result in self.results:
            for stage in result.broken:
                well = False
                self.console.print(
                    f"[red]{result.assignment}: stage {stage.number} was complete and is not any more.[/] If that is "
                    f"meant, take its number out of {progress.NAME}.",
                    soft_wrap=True,
                )
            if new := self.fresh[result.assignment]:
                numbers = ", ".join(map(str, new))
                self.console.print(
                    f"{result.assignment}: complete, and not in {progress.NAME}: stage {numbers}. "
                    f"`{escape(printable(self.command))} check {result.assignment}` on your machine writes it there; "
                    "commit that, and a push that breaks it will be red.",
                    soft_wrap=True,
                )
        return well
