"""A course whose students push."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pushing import Pushing


@pytest.fixture
def pushing(tmp_path: Path) -> Iterator[Pushing]:
    """One of its own, without a daemon."""
    made = Pushing(tmp_path)
    yield made
    if made.daemon is not None:
        made.kill()


@pytest.fixture(scope="session")
def _serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushing]:
    made = Pushing(tmp_path_factory.mktemp("serving"))
    made.installs()
    made.serves()
    yield made
    made.kill()


@pytest.fixture
def served(_serving: Pushing) -> Iterator[Pushing]:
    """One with hooks and a daemon, which tests share; each takes students of its own."""
    yield _serving
    _serving.settings()
    _serving.everybody()
