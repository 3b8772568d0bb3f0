"""What `lab` prints where the encoding of the terminal lacks its signs."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


CHECK = ["check", "transport", "reference/transport", "--stage", "1"]
ENCODINGS = ["cp1252", "cp437", "ascii", "latin-1"]


@pytest.mark.parametrize(
    ("words", "encoding"),
    [*itertools.product((["doctor"], ["profiles"]), ENCODINGS), (CHECK, "cp1252"), (CHECK, "ascii")],
)
def test_no_sign_ends_the_program(words: list[str], encoding: str) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", *words],
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert said.returncode == 0
    assert b"Traceback" not in said.stderr
    text = said.stdout.decode(encoding)
    if words[0] == "check":
        assert " + " in text
