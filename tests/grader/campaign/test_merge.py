"""A class on several machines: each grades its part; the parts become one run, in any order, however often."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from fakes import END, READS, SECRET, SERVES, FakeBench, Runs, hand_in, packets, passing, report

from grader.campaign import shard
from grader.campaign.campaign import Campaign
from grader.campaign.merge import Merged, merge
from grader.campaign.plan import make_plan
from grader.campaign.shard import Shard
from grader.record.record import Record
from grader.record.run_folder import RunFolder
from harness.errors import UsageError

CLASS = [f"student{number}" for number in range(12)]


def grade_part(runs: Runs, out: Path, part: Shard = Shard()) -> set[str]:  # noqa: B008 - frozen
    """Grade a part of the class into a run of its own; who was in it."""
    jobs = [job for job in make_plan(runs.course, runs.submitted).jobs if part.has(job.student)]
    with RunFolder(out) as folder:
        list(Campaign(runs.course, folder, runs.place, folder.secret("secret")).events(jobs))
    return {job.student for job in jobs}


def merged(runs: Runs, *sources: Path) -> Merged:
    with RunFolder(runs.out) as folder:
        return merge(folder, [Record(path) for path in sources], runs.course)


def test_the_parts_of_a_class_are_the_class(runs: Runs, tmp_path: Path) -> None:
    assert doctest.testmod(shard).failed == 0
    for student in CLASS:
        hand_in(runs.submitted, student)
    parts = [grade_part(runs, tmp_path / f"part{n}", Shard(n, 3)) for n in (1, 2, 3)]
    assert sorted(student for part in parts for student in part) == sorted(CLASS)
    folders = [tmp_path / f"part{n}" for n in (1, 2, 3)]
    assert merged(runs, *folders) == Merged(taken=len(CLASS))
    assert merged(runs, *reversed(folders)) == Merged(kept=len(CLASS))  # late and double results do no harm
    assert {runs.result(student)["points"] for student in CLASS} == {15}
    graded = len(runs.bench.tasks)
    runs.secret = "secret"
    assert set(runs.go()) == set(CLASS)
    assert len(runs.bench.tasks) == graded  # all of it is done


@pytest.mark.parametrize("first", ["undecided", "decided"])
def test_of_two_gradings_of_the_same_the_one_that_decided_counts(runs: Runs, tmp_path: Path, first: str) -> None:
    hand_in(runs.submitted, "ann")
    doubtful = [report(READS), report(SECRET, "inconclusive", pcapng=packets()), *passing()[2:], END]
    for name in ["undecided", "decided"] if first == "undecided" else ["decided", "undecided"]:
        runs.bench = FakeBench([doubtful if name == "undecided" else [*passing(), END]])
        grade_part(runs, tmp_path / name)
    merged(runs, tmp_path / first)
    merged(runs, tmp_path / "undecided", tmp_path / "decided")
    assert (runs.result("ann")["state"], runs.result("ann")["points"]) == ("graded", 15)


def test_captures_and_copies_come_along_and_the_source_stays(runs: Runs, tmp_path: Path) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [[report(READS), report(SECRET, "fail", pcapng=packets()), report(SERVES), END]]
    grade_part(runs, tmp_path / "part")
    before = sorted(path.relative_to(tmp_path / "part") for path in (tmp_path / "part").rglob("*"))
    merged(runs, tmp_path / "part")
    capture = runs.out / "ann/blocking" / runs.result("ann")["checks"][1]["pcapng"]
    assert capture.read_bytes().endswith(b"packets")
    assert Record(runs.out).copies.of(runs.result("ann")["submission"]["hash"]) is not None
    assert sorted(path.relative_to(tmp_path / "part") for path in (tmp_path / "part").rglob("*")) == before


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "1/0", "a/b", "1/3x"])
def test_a_part_that_is_none_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="Write 2/5"):
        Shard.read(text)
