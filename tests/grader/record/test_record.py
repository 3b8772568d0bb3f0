"""What is kept of a class: outcomes for ever, scores made from them, words of people on top."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes import ALL, END, READS, SECRET, SERVES, SURVIVES, FakeBench, Runs, hand_in, packets, passing, report

from grader.record.copies import Copies
from grader.record.record import Record, check_of
from grader.record.run_folder import RunFolder
from grader.verdict.decisions import Decision
from harness.errors import SetupError, UsageError


@pytest.fixture
def runs(course: Any, tmp_path: Path) -> Runs:
    return Runs(course, tmp_path)


def edit(runs: Runs, old: str, new: str) -> None:
    path = runs.course.reference("blocking") / "assignment.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def word(runs: Runs, target: str, given: Any, *, student: str = "ann", by: str = "maria") -> None:
    """A person says something, and the score follows."""
    with RunFolder(runs.out) as folder:
        result = folder.load(student, "blocking")
        assert result is not None
        folder.decide(
            Decision(
                id="d1",
                student=student,
                assignment="blocking",
                submission=result["submission"]["hash"],
                target=target,
                given=given,
                because="seen in the lab",
                by=by,
                at="2026-11-30T12:00:00+00:00",
            )
        )
        folder.rescore(lambda name: (runs.course.load(name), runs.course.versions(name)), (student, "blocking"))


def test_nothing_overwrites_what_happened(runs: Runs) -> None:
    folder = hand_in(runs.submitted, "ann")
    first = runs.go()["ann"]
    (folder / "client.py").write_text("print(2)\n")
    runs.bench.scripts = [[report(READS, "fail", pcapng=packets(), message="no"), END]]
    second = runs.go()["ann"]
    record = Record(runs.out)
    kept = record.history("ann", "blocking")
    assert [(one.short, one.current) for one in kept] == [(first["short"], False), (second["short"], True)]
    assert kept[0].result == first
    assert kept[0].outcomes().reports[READS].outcome.value == "pass"
    assert (kept[0].folder / "report.html").read_text() != (kept[1].folder / "report.html").read_text()
    copies = {one.result["submission"]["hash"]: (one.folder, one.short) for one in kept}
    texts = {record.copies.of(hash_).joinpath("client.py").read_text() for hash_ in copies}  # type: ignore[union-attr]
    assert texts == {"print(1)\n", "print(2)\n"}
    assert record.find(first["short"] + ".3") == (kept[0], "3")
    with pytest.raises(UsageError, match="has no result 'zzzz'"):
        record.find("zzzz")


def test_a_copy_is_kept_once_and_pruned_when_no_result_is_about_it(runs: Runs) -> None:
    for student in ("ann", "bob"):
        hand_in(runs.submitted, student)
    runs.go()
    record = Record(runs.out)
    (hash_,) = record.copies_wanted()
    assert [path.name for path in record.copies.path.iterdir()] == [hash_]
    (record.copies.path / "abc123").mkdir()
    assert record.copies.prune(record.copies_wanted()) == ["abc123"]
    assert record.copies.of(hash_) is not None
    assert record.copies.of("../ann") is None


def test_two_who_hand_in_the_same_at_once_share_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = Copies(tmp_path / "copies")
    for name in ("ann", "bob"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "client.py").write_text("print(1)\n")
    copies.keep("abc", tmp_path / "ann")
    looks = iter([None, tmp_path / "copies" / "abc"])  # bob looks before ann's copy is there
    monkeypatch.setattr(copies, "of", lambda _: next(looks))
    copies.keep("abc", tmp_path / "bob")
    assert (tmp_path / "copies" / "abc" / "client.py").is_file()


def test_points_change_without_a_second_grading(runs: Runs) -> None:
    """A rubric that counts otherwise: seconds, nothing runs, and who changed is told."""
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [[report(READS), report(SECRET), report(SERVES), report(SURVIVES, "fail"), END]]
    assert runs.go()["ann"]["points"] == 9
    edit(runs, "points = 4", "points = 8")
    edit(runs, "points = 6", "points = 2")
    edit(runs, 'rule = "Survive."', 'rule = "Live on."')
    with RunFolder(runs.out) as folder:
        changed = folder.rescore(lambda name: (runs.course.load(name), runs.course.versions(name)))
        assert [(one.name, one.before, one.now) for one in changed] == [("ann/blocking", 9, 13)]
        assert folder.rescore(lambda name: (runs.course.load(name), runs.course.versions(name))) == []
    result = runs.result("ann")
    assert check_of(result, "survives")["rule"] == "Live on."
    assert not any(check["stale"] for check in result["checks"])
    assert "13" in (runs.out / "ann/blocking/student.html").read_text()
    assert runs.go()["ann"] == result  # the same tests: nothing to run
    assert len(runs.bench.gradings) == 1


def test_a_changed_test_runs_its_own_checks_and_what_builds_on_them(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [[report(READS, "fail", pcapng=packets("old")), *passing()[2:], END]]
    assert runs.go()["ann"]["points"] == 10
    picture = next((runs.out / "ann/blocking/captures").rglob("*.pcapng")).relative_to(runs.out / "ann/blocking")
    server = runs.course.suites("blocking")["public"] / "test_server.py"
    server.write_text("# another way to ask\n")
    with RunFolder(runs.out) as folder:  # a new score of an old grading says which rows are old
        folder.rescore(lambda name: (runs.course.load(name), runs.course.versions(name)))
    stale = [check["id"] for check in runs.result("ann")["checks"] if check["stale"]]
    assert stale == [SERVES]
    runs.bench.scripts = [[report(SERVES, "fail", message="not any more"), END]]
    runs.bench.tasks.clear()
    result = runs.go()["ann"]
    assert [list(task.checks) for task in runs.bench.tasks] == [[SERVES], [SURVIVES]]
    assert {check["id"]: check["outcome"] for check in result["checks"]} == {
        READS: "fail",
        SECRET: "fail",
        SERVES: "fail",
        SURVIVES: "fail",
    }
    assert not any(check["stale"] for check in result["checks"])
    assert (runs.out / "ann/blocking" / picture).is_file()  # what the other check left is still to be seen
    assert check_of(result, READS)["pcapng"] == str(picture)


def test_a_new_check_waits_for_its_own_run(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.go()
    edit(
        runs,
        '[[checks]]\nid = "test_server.py::test_serves"',
        '[[checks]]\nid = "test_client.py::test_new"\nsuite = "public"\nstage = 1\npoints = 1\nsection = "1.3"\n'
        'rule = "New."\n\n[[checks]]\nid = "test_server.py::test_serves"',
    )
    edit(runs, "points = 2", "points = 1")
    with RunFolder(runs.out) as folder:
        folder.rescore(lambda name: (runs.course.load(name), runs.course.versions(name)))
    waiting = runs.result("ann")
    assert (waiting["state"], waiting["points"], waiting["undecided"]) == ("undecided", 14, 1)
    assert check_of(waiting, "new")["message"] == "This check is newer than the grading. Grade the submission again."
    runs.bench.scripts = [[report("test_client.py::test_new"), END]]
    runs.bench.tasks.clear()
    assert runs.go()["ann"]["points"] == 15
    assert [list(task.checks) for task in runs.bench.tasks] == [["test_client.py::test_new"]]


def test_what_waits_for_a_person_can_be_decided_and_taken_back(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [[*passing()[:3], report(SURVIVES, "inconclusive", message="the machine was busy"), END]]
    assert (runs.go()["ann"]["state"], runs.result("ann")["undecided"]) == ("undecided", 6)
    word(runs, SURVIVES, 4.5)
    result = runs.result("ann")
    assert (result["state"], result["points"], result["undecided"]) == ("graded", 13.5, 0)
    check = check_of(result, SURVIVES)
    word_on_it = check["decided"]
    assert (word_on_it["by"], word_on_it["because"]) == ("maria", "seen in the lab")
    assert (check["outcome"], word_on_it["before"]) == ("fail", {"outcome": "inconclusive", "points": 0})
    edit(runs, 'rule = "Survive."', 'rule = "Live on."')
    assert runs.go()["ann"]["points"] == 13.5  # it survives a new score
    word(runs, SURVIVES, None)
    assert (runs.result("ann")["state"], runs.result("ann")["undecided"]) == ("undecided", 6)


def test_a_word_on_a_stage_settles_all_of_it_and_never_gives_more_than_there_is(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [[report(READS, "fail"), *passing()[2:3], report(SURVIVES, "inconclusive"), END]]
    runs.go()
    word(runs, "stage 2", 99.0)
    result = runs.result("ann")
    assert (result["state"], result["points"]) == ("graded", 10)
    assert [stage["points"] for stage in result["stages"]] == [0, 10]
    assert result["stages"][1]["decided"]["by"] == "maria"


def test_who_passes_a_check_opens_those_that_waited_for_it(runs: Runs) -> None:
    """They were never run, so nobody knows: they wait, and `--again` runs them."""
    hand_in(runs.submitted, "ann")
    skipped = report(SURVIVES, "skipped", because=SERVES)
    runs.bench.scripts = [[*passing()[:2], report(SERVES, "fail"), END], [skipped, END]]
    assert runs.go()["ann"]["points"] == 2  # the script gives the hidden suite one record
    word(runs, SERVES, "pass")
    result = runs.result("ann")
    assert (result["points"], check_of(result, SURVIVES)["outcome"]) == (6, "inconclusive")
    assert "a person has passed it since" in check_of(result, SURVIVES)["message"]


def test_a_word_is_about_one_copy(runs: Runs) -> None:
    folder = hand_in(runs.submitted, "ann")
    runs.bench.scripts = [[*passing()[:3], report(SURVIVES, "fail"), END]]
    runs.go()
    word(runs, SURVIVES, "pass")
    assert runs.result("ann")["points"] == 15
    (folder / "client.py").write_text("print(2)\n")
    runs.go()
    assert runs.result("ann")["points"] == 9


def test_results_of_an_early_version_are_read_and_not_scored_again(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.go()
    folder = runs.out / "ann/blocking"
    (folder / "outcomes.json").unlink()
    old = {key: value for key, value in runs.result("ann").items() if key not in ("short", "kind", "versions")}
    old["checks"] = [{k: v for k, v in row.items() if k not in ("decided", "stale")} for row in old["checks"]]
    (folder / "result.json").write_text(json.dumps(old))
    said: list[str] = []
    with RunFolder(runs.out) as run:
        assert run.rescore(lambda name: (runs.course.load(name), runs.course.versions(name)), say=said.append) == []
        run.write_index([])
    assert said == ["ann/blocking: an earlier version graded it; grader run grades it again."]
    with pytest.raises(SetupError, match="Grade the submission again: grader run"):
        Record(runs.out).front("ann", "blocking").outcomes()
    assert runs.go()["ann"]["points"] == 15
    assert [one.current for one in Record(runs.out).history("ann", "blocking")] == [False, True]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not the folder of a run"):
        Record(tmp_path)
    with pytest.raises(UsageError, match=r"is not the folder of a run"):
        RunFolder(tmp_path, new=False)
    assert list(tmp_path.iterdir()) == []


def test_what_is_asked_for_by_a_wrong_name_is_told_the_nearest(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.go()
    record = Record(runs.out)
    for names, says in ((("an", "blocking"), 'Did you mean "ann"'), (("ann", "bloking"), 'Did you mean "blocking"')):
        with pytest.raises(UsageError, match=says):
            record.front(*names)
    with pytest.raises(UsageError, match=r'has no check "survive".*Did you mean "survives"'):
        check_of(record.front("ann", "blocking").result, "survive")


def test_outcomes_survive_the_way_to_the_disk(runs: Runs) -> None:
    """A result made from the file is the one that was made from the run, whatever a program has said."""
    hand_in(runs.submitted, "ann")
    long = "x" * 30_000
    told = [{"at": 1.5, "who": "link", "what": long}]
    runs.bench.scripts = [
        [
            report(READS, "fail", message=long, seen="\x1b[31m\udce9", story=told),
            report(SERVES, "timeout", link={"engine": "e", "lost": 3, "late_p99": 0.25}, waited=0.5, used=0.25),
            END,
        ]
    ]
    first = runs.go()["ann"]
    (runs.out / "ann/blocking/result.json").unlink()
    assert runs.go()["ann"] == first
    assert set(first["checks"][0]["story"][0]) == {"at", "who", "what"}
    assert len(ALL) == len(first["checks"])
    assert isinstance(runs.bench, FakeBench)
