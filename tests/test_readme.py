"""The worked example of README.md is what `lab` prints of the submission it speaks of."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.grading import ROOT
from tests.mutants import copy_reference, load_mutants, mutate

#: The bug that the example is about, as tests/mutants has it.
BUG = "lost FIN never repeated"


def lab(folder: Path, *words: str) -> list[str]:
    """The lines that a command prints, without the real time in them."""
    said = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    return [untimed(line) for line in said.stdout.splitlines()]


def untimed(line: str) -> str:
    return re.sub(r"^ +\d+\.\d+ s  (?=tester|link|student)", "", line).rstrip()


def example() -> Iterator[tuple[str, list[str]]]:
    """(command, lines of its output) of the first fenced block."""
    block = (ROOT / "README.md").read_text().split("```")[1]
    for part in block.split("\n$ ./lab ")[1:]:
        command, *lines = part.rstrip().splitlines()
        yield command, [untimed(line) for line in lines if line]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What each command of the example prints, run in a folder with the submission that has the bug."""
    folder = tmp_path_factory.mktemp("clone")
    (bug,) = (mutant for mutant in load_mutants("transport") if mutant.name == BUG)
    (folder / "transport").mkdir()
    copy_reference("transport", folder / "transport")
    file = folder / "transport" / bug.file
    file.write_text(mutate(file.read_text(), bug))
    check = lab(folder, "check", "transport", "transport", "--stage", "3")
    return {"check": check, "trace": lab(folder, "trace", "lab-results/transport/test_the_fin_is_lost/bundle.json")}


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_the_example_is_what_lab_prints(number: int, printed: dict[str, list[str]]) -> None:
    command, lines = list(example())[number]
    left = iter(printed[command.split()[0]])
    for line in lines:
        if line.strip() != "...":
            assert any(line == seen for seen in left), f"not printed, or not in this order: {line}"


def test_the_two_commands_stand_behind_it() -> None:
    text = (ROOT / "README.md").read_text()
    assert text.index("    make grade ") > text.index("$ ./lab trace")
    assert text.index("    make test ") > text.index("    make grade ")
