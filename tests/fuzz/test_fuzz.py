"""What comes from somebody else breaks nothing: a little in `make test`, much in an audit (FUZZ=0.1: a tenth)."""

from __future__ import annotations

import os
import random
import resource
import shutil
import tempfile
import traceback
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, Target

EACH = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
#: A ZIP may have a name twice; zipfile would tell.
pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")
#: The share of an audit's count; and megabytes that this process may have taken after all of it.
SHARE, MOST_MB = float(os.environ.get("FUZZ", "1")), 300


def fed(target: Target, dice: random.Random) -> None:
    """Feed a target once, in a folder of its own if it writes any files."""
    if not target.files:
        target.feed(dice, Path(os.devnull))
        return
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        target.feed(dice, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@EACH
def test_a_little_at_random_breaks_nothing(target: Target) -> None:
    @settings(max_examples=target.few, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=True))
    def feeds(dice: random.Random) -> None:
        fed(target, dice)

    feeds()


@pytest.mark.audit
@EACH
def test_much_at_random_breaks_nothing(target: Target) -> None:
    before, broken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, []
    for seed in range(round(target.many * SHARE)):
        try:
            fed(target, random.Random(f"{target.name} {seed}"))
        except Exception as error:  # whatever it is, it should not have come here
            last = traceback.extract_tb(error.__traceback__)[-1]
            broken.append(f"seed {seed}: {type(error).__name__}: {error} ({last.filename}:{last.lineno})")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10) - before
    assert not broken, f"{len(broken)} of {round(target.many * SHARE)}: " + "\n".join(broken[:10])
    assert grown < MOST_MB
