"""A course whose students push."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pushing import Pushing


@pytest.fixture
def pushing(tmp_path: Path) -> Iterator[Pushing]:
    made = Pushing(tmp_path)
    yield made
    if made.daemon is not None:
        made.kill()
