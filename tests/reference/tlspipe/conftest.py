"""What the tests of the TLS pipe with other people's programs begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.tls.zoo.zoo import Zoo
from tests.reference.tlspipe.real_peers import World, world


@pytest.fixture(scope="session")
def zoo() -> Zoo:
    return Zoo()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as found:
        yield found
