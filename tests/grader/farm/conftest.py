"""A farm of real processes on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from machines import Farm

from grader.course import Course


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """The address of one that all tests may use: workers come and go."""
    pytest.importorskip("distributed")
    from grader.farm.dask_settings import settle

    settle()
    made = Farm(None)
    made.scheduler()
    yield made.address
    made.close()


@pytest.fixture
def farm(course: Course, scheduler: str) -> Iterator[Farm]:
    made = Farm(course, scheduler)
    yield made
    made.close()
