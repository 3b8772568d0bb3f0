"""Ways around the link between a submission's two nodes, graded for real: none of them earns a point in stage 8."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.bench.docker import DockerPlace
from grader.bench.local import Bench
from grader.course import this_course
from tests.grading import grade
from tests.mutants import copy_reference
from tests.redteam.attacks_transport import CHECKS, RECEIVER, SENDER, WAYS

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    place = DockerPlace(this_course(), ["transport"], engine="router", say=lambda _: None)
    made = place.bench()
    yield made
    made.close()
    place.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_way_around_the_link_earns_nothing(way: str, tmp_path: Path, bench: Bench) -> None:
    sending, receiving = WAYS[way]
    (tmp_path / "rdt_send.py").write_text(SENDER.replace("WAY\n", sending))
    (tmp_path / "rdt_recv.py").write_text(RECEIVER.replace("WAY\n", receiving))
    (tmp_path / "connection.py").write_text("")
    tmp_path.chmod(0o755)  # pytest makes it for its own user alone
    graded = grade(bench, tmp_path, "transport", only=CHECKS)
    outcomes = [graded.reports[check]["outcome"] for check in CHECKS]
    assert outcomes[0] in ("fail", "timeout"), graded.lost  # it ran, and was caught
    assert outcomes[1] == "skipped"
    assert outcomes[2] in ("fail", "timeout"), graded.lost


def test_who_goes_over_the_link_is_believed(tmp_path: Path, bench: Bench) -> None:
    copy_reference("transport", tmp_path)
    tmp_path.chmod(0o755)
    assert grade(bench, tmp_path, "transport", only=CHECKS).lost == {}
