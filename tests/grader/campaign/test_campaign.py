"""A run: what is done once is done, what breaks stops no other, what is killed goes on."""

from __future__ import annotations

import itertools
import json
import os
import platform
import stat
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import ALL, END, READS, SECRET, SERVES, SURVIVES, FakeBench, Runs, hand_in, packets, passing, report, said

from grader.bench import local
from grader.bench.local import Ended, LocalPlace, OnRecord
from grader.bench.task import Task
from grader.campaign.campaign import Campaign
from grader.campaign.plan import make_plan
from grader.record.journal import Journal
from grader.record.run_folder import RunFolder
from harness.errors import SetupError, UsageError
from harness.lab.interface import LabError
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Forbidden


def test_a_submission_is_graded_from_folder_to_report(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [[report(READS), report(SECRET, "fail", pcapng=packets()), report(SERVES), END]]
    runs.go()
    result = runs.result("ann")
    assert (result["points"], result["possible"], result["undecided"], result["state"]) == (6, 15, 0, "graded")
    assert [check["outcome"] for check in result["checks"]] == ["pass", "fail", "pass", "fail"]
    folder = runs.out / "ann" / "blocking"
    assert result["checks"][1]["pcapng"] == "captures/hidden/02-test_secretly_reads.pcapng"
    assert (folder / result["checks"][1]["pcapng"]).read_bytes().endswith(b"packets")
    assert "ann" in (folder / "report.html").read_text()
    assert "ann" in (runs.out / "index.html").read_text()
    assert (folder / "student.html").exists()
    assert not (runs.out / ".work").exists()
    assert runs.bench.closed


def test_what_the_bench_is_given(runs: Runs) -> None:
    folder = hand_in(runs.submitted, "ann")
    (folder / "Makefile").write_text("all:\n")
    (folder / "programs.toml").write_text('[programs]\nclient = ["./client"]\n')
    runs.go()
    (build,) = runs.bench.builds
    assert (build.build, build.look, build.checks, build.seconds) == (True, True, (), 7 + 15 + 60)
    public, hidden = runs.bench.tasks
    assert [public.checks, hidden.checks] == [(READS, SERVES), (SECRET, SURVIVES)]
    for task in (public, hidden):
        assert not (task.build or task.look)  # it was built, and looked through, before
        assert task.programs == {"client": ["./client"], "server": ["python3", "server.py"]}
        assert task.submission not in (folder, build.submission)  # what was built
        assert task.local_job().seed == task.seed
    assert 30 * 1.25 + 15 >= public.seconds > hidden.seconds  # one limit for both
    assert (public.outcomes, set(hidden.outcomes)) == ({SECRET: Outcome.FAIL, SURVIVES: Outcome.FAIL}, {READS, SERVES})


def test_a_finished_job_is_not_run_again(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    first = runs.go()
    assert runs.go() == first
    assert len(runs.bench.gradings) == 1


@pytest.mark.parametrize("change", ["submission", "helper", "limits", "image", "engine", "secret"])
def test_a_job_is_run_again_when_anything_that_decides_it_changes(runs: Runs, change: str) -> None:
    folder = hand_in(runs.submitted, "ann")
    runs.go()
    if change == "submission":
        (folder / "client.py").write_text("print(2)\n")
    elif change == "helper":
        (runs.course.suites("blocking")["hidden"] / "helpers.py").write_text("# changed\n")
    elif change == "limits":
        path = runs.course.reference("blocking") / "assignment.toml"
        path.write_text(path.read_text().replace("seconds = 30", "seconds = 31"))
    elif change == "image":
        runs.place.image = "image-2"
    elif change == "engine":
        runs.place.engine = "other"
    else:
        runs.secret = "another secret"
    runs.go()
    assert len(runs.bench.gradings) == 2
    assert len((runs.out / "journal.jsonl").read_text().splitlines()) == 2


def test_seeds_stay_with_the_student(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    hand_in(runs.submitted, "bob")
    runs.go()
    (runs.submitted / "ann" / "blocking" / "client.py").write_text("print(2)\n")
    runs.go()
    ann, bob, ann_again = (task.seed for task in runs.bench.gradings)
    assert ann == ann_again != bob


def test_a_secret_is_made_once_and_kept_private(runs: Runs) -> None:
    runs.secret = None
    hand_in(runs.submitted, "ann")
    runs.go()
    kept = runs.out / "campaign.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    runs.go()
    assert len(runs.bench.gradings) == 1
    secret = json.loads(kept.read_text())["secret"]
    assert len(secret) == 64
    for path in runs.out.rglob("*"):
        if path.is_file() and path != kept:
            text = path.read_bytes()
            assert secret.encode() not in text
            assert runs.bench.tasks[0].seed.encode() not in text


def test_a_killed_run_finishes_only_what_is_left(runs: Runs) -> None:
    for student in ("ann", "bob", "eve"):
        hand_in(runs.submitted, student)
    plan = make_plan(runs.course, runs.submitted)
    with RunFolder(runs.out) as folder:
        events = Campaign(runs.course, folder, runs.place, folder.secret("course secret")).events(plan.jobs)
        while next(events).kind != "ends":
            pass
        # The process ends here: ann is journalled, the rest is not.
        runs.bench.cancelled = True
        events.close()  # type: ignore[attr-defined]
    done = {row["student"] for row in Journal(runs.out / "journal.jsonl").rows()}
    assert "ann" in done
    # The line of whoever was last is torn.
    journal = runs.out / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"schema": 1, "student": "bo')
    runs.bench = FakeBench([[*passing(), END]])
    results = runs.go()
    assert set(results) == {"ann", "bob", "eve"}
    assert len(runs.bench.gradings) == 3 - len(done)
    assert len(Journal(journal).finished()) == 3


def test_a_result_that_is_gone_is_made_again(runs: Runs) -> None:
    """From what happened, if that is there; else the submission is graded again."""
    hand_in(runs.submitted, "ann")
    first = runs.go()
    (runs.out / "ann" / "blocking" / "result.json").write_text("{torn")
    assert runs.go() == first
    assert len(runs.bench.gradings) == 1
    (runs.out / "ann" / "blocking" / "outcomes.json").write_text("{torn")
    runs.go()
    assert len(runs.bench.gradings) == 2
    assert json.loads((runs.out / "ann" / "blocking" / "result.json").read_text())["points"] == 15


def test_an_interrupt_keeps_what_is_done_and_cancels_the_rest(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")

    def interrupted(_task: Task, on_record: OnRecord) -> Ended:
        on_record(said(report(READS)))
        return Ended(status=None, cancelled=True)

    runs.bench.scripts = [interrupted]
    assert runs.go() == {}
    assert not (runs.out / "ann").exists()
    assert Journal(runs.out / "journal.jsonl").rows() == []


def test_a_second_interrupt_leaves_no_thread_behind(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_in(runs.submitted, "ann")
    joins = threading.Thread.join

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        if thread.name == "campaign":
            raise KeyboardInterrupt
        joins(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runs.go(workers=3)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


def test_undecided_checks_are_tried_once_more(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    first = [report(READS), report(SECRET, "inconclusive", message="late"), *passing()[2:], END]
    runs.bench.scripts = [first, first, [*passing(), END]]
    runs.go()
    assert [list(task.checks) for task in runs.bench.tasks] == [[READS, SERVES], [SECRET, SURVIVES], [SECRET]]
    result = runs.result("ann")
    assert (result["points"], result["state"], result["attempts"]) == (15, "graded", 2)


def test_what_is_undecided_is_tried_again_when_all_others_are_done_and_alone(runs: Runs) -> None:
    for student in ("ann", "bob", "eve"):
        hand_in(runs.submitted, student)
    late = [report(READS, "inconclusive"), *passing()[1:], END]
    running, most = 0, []

    class Counted(FakeBench):
        def run(self, task: Task, on_record: OnRecord) -> Ended:
            nonlocal running
            running += 1
            most.append((task.student, running))
            try:
                script = late if task.student == "ann" and len(task.checks) == 2 and READS in task.checks else passing()
                for record in [*script, END]:
                    if record.get("check", READS) in task.checks:
                        on_record(said(record))
                if task.look:
                    on_record(Forbidden({}))
                return Ended(status=0)
            finally:
                running -= 1

    runs.place.make = lambda: Counted([])
    results = runs.go(workers=3)
    assert {name: result["points"] for name, result in results.items()} == {"ann": 15, "bob": 15, "eve": 15}
    assert most[-1] == ("ann", 1)
    assert [student for student, _ in most].count("ann") == 3


def test_a_hidden_check_that_was_skipped_for_an_undecided_one_gets_its_run(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    late = [*passing()[:2], report(SERVES, "inconclusive"), report(SURVIVES, "skipped", because=SERVES), END]
    runs.bench.scripts = [late, late, [*passing(), END]]
    runs.go()
    assert [list(task.checks) for task in runs.bench.tasks[2:]] == [[SERVES], [SURVIVES]]
    assert runs.result("ann")["points"] == 15


@pytest.mark.parametrize("built", [False, True])
def test_a_lab_that_breaks_in_the_public_checks_twice_decides_no_hidden_one(runs: Runs, built: bool) -> None:
    hand_in(runs.submitted, "ann", **({"Makefile": "all:\n"} if built else {"client.py": ""}))
    runs.bench.scripts = [[report(READS)], [report(SERVES)], [], []]
    runs.bench.endings = [Ended(status=1)] * 4
    runs.go()
    result = runs.result("ann")
    assert [check["outcome"] for check in result["checks"]] == ["pass", "inconclusive", "pass", "inconclusive"]
    assert result["state"] == "ours"


def test_a_check_that_waited_for_one_that_passed_as_the_lab_broke_is_open(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    skipped = report(SURVIVES, "skipped", because=SERVES)
    first = [report(READS), report(SERVES, "inconclusive"), END]
    runs.bench.scripts = [first, [report(SECRET), skipped, END], [report(SERVES)], [*passing(), END]]
    runs.bench.endings = [Ended(status=0), Ended(status=0), Ended(status=1), Ended(status=0)]
    runs.go()
    assert runs.result("ann")["points"] == 15


def test_time_that_was_lost_through_us_is_taken_from_no_other_check(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(runs.submitted, "ann")
    clock = itertools.count(step=60.0)
    monkeypatch.setattr(local, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(local, "machine_queued", lambda: 0.0)
    still = Ended(status=None, late=True, stopped="the lab's link node was stopped by a signal")
    runs.bench.scripts, runs.bench.endings = [[report(READS)], [*passing(), END]], [still]
    runs.go()
    assert runs.result("ann")["points"] == 15


def test_a_lab_that_is_gone_at_the_second_try_leaves_what_the_first_has_decided(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")

    def gone(_task: Task, _on_record: OnRecord) -> Ended:
        raise LabError("the engine went away")

    late = [report(READS), report(SERVES, "inconclusive"), report(SECRET), report(SURVIVES, "skipped"), END]
    runs.bench.scripts = [late, late, gone]
    runs.go()
    result = runs.result("ann")
    assert [check["outcome"] for check in result["checks"]] == ["pass", "pass", "inconclusive", "inconclusive"]


def test_what_stays_undecided_waits_for_a_person(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [[report(READS), report(SECRET, "inconclusive", message="late"), *passing()[2:], END]]
    runs.go()
    result = runs.result("ann")
    assert (result["points"], result["undecided"], result["state"]) == (12, 3, "undecided")
    assert len(runs.bench.tasks) == 3
    runs.go()
    assert len(runs.bench.tasks) == 3
    runs.bench.scripts = [[*passing(), END]]
    assert runs.go(again=True)["ann"]["points"] == 15


def test_what_passed_stays_passed_when_others_are_tried_again(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    first = [report(READS), report(SECRET, "inconclusive"), *passing()[2:], END]
    runs.bench.scripts = [first, first, [report(READS, "fail"), report(SECRET), END]]
    runs.go()
    assert runs.result("ann")["points"] == 15


def test_a_broken_lab_decides_nothing_and_is_tried_again_next_time(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    hand_in(runs.submitted, "bob")

    def breaks(_task: Task, _on_record: OnRecord) -> Ended:
        raise LabError("the engine went away")

    well = [*passing(), END]
    # ann; bob, bob; ann again at the end, and her hidden checks twice
    runs.bench.scripts = [breaks, well, well, breaks, breaks, breaks, well]
    runs.go()
    result = runs.result("ann")
    assert (result["points"], result["undecided"], result["state"]) == (0, 15, "ours")
    assert "the lab broke: the engine went away" in result["notes"]
    assert runs.result("bob")["points"] == 15
    assert runs.go()["ann"]["points"] == 15


def test_what_is_ours_replaces_no_result(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.go()
    assert runs.result("ann")["points"] == 15
    (runs.submitted / "ann/blocking/client.py").write_text("print(2)\n")
    runs.bench.scripts, runs.bench.endings = [[report(READS)]], [Ended(status=-9), Ended(status=-9)]
    again = runs.go()
    assert again["ann"]["state"] == "ours"  # and so the exit status of the run is 1
    assert (runs.result("ann")["points"], runs.result("ann")["state"]) == (15, "graded")
    assert "ann/blocking: grading it again broke" in (runs.out / "index.html").read_text()
    runs.bench.scripts = [[*passing(), END]]
    assert runs.go()["ann"]["state"] == "graded"
    assert "grading it again broke" not in (runs.out / "index.html").read_text()


def test_a_lab_that_breaks_replaces_no_result(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.go()

    def breaks(*_: object) -> Ended:
        raise LabError("no engine")

    (runs.submitted / "ann/blocking/client.py").write_text("print(2)\n")
    runs.bench.scripts = [breaks]
    assert runs.go()["ann"]["state"] == "ours"
    assert runs.result("ann")["points"] == 15


def test_a_run_is_where_it_was_asked_for_wherever_testers_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with RunFolder(Path("run")) as folder:
        assert folder.work == tmp_path / "run/.work"


def test_a_bug_of_ours_spoils_one_job_only_and_keeps_the_log(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    hand_in(runs.submitted, "bob")

    def bug(_task: Task, _on_record: OnRecord) -> Ended:
        raise ZeroDivisionError("a bug")

    runs.bench.scripts = [bug, [*passing(), END]]
    runs.go()
    assert runs.result("ann")["state"] == "ours"
    assert "ZeroDivisionError: a bug" in runs.result("ann")["log"]
    assert runs.result("bob")["points"] == 15


def test_a_bench_that_cannot_be_had_is_our_fault(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")

    def none() -> FakeBench:
        raise LabError("no more memory")

    runs.place.make = none
    runs.go()
    assert runs.result("ann")["message"] == "The lab broke: no more memory"


def test_time_that_is_up_is_a_timeout(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")

    def late(_task: Task, on_record: OnRecord) -> Ended:
        on_record(said(report(READS)))
        return Ended(status=None, late=True)

    runs.bench.scripts = [late]
    runs.go()
    assert [check["outcome"] for check in runs.result("ann")["checks"]] == ["pass", *["timeout"] * 3]


def test_time_that_undecided_checks_have_used_up_is_ours(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")

    def late(_task: Task, on_record: OnRecord) -> Ended:
        on_record(said(report(READS, "inconclusive")))
        return Ended(status=None, late=True)

    runs.bench.scripts = [late, [*passing(), END]]
    runs.go()
    assert [check["outcome"] for check in runs.result("ann")["checks"]] == ["pass"] * 4


@pytest.mark.parametrize(
    "noise",
    [b"hello", b"\xff\x00", b"{}", None, b'{"record": "report", "check": "a", "outcome": "pass", "points": 1e9}'],
)
def test_noise_between_records_is_noted_and_ignored(runs: Runs, noise: bytes | None) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [[noise, report(READS), noise, END]]
    runs.go()
    result = runs.result("ann")
    assert (result["points"], result["state"]) == (2, "graded")
    assert any("ignored" in note for note in result["notes"])


def test_a_check_that_a_proper_tester_does_not_report_fails(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [[report(READS), END]]
    runs.go()
    result = runs.result("ann")
    assert (result["points"], result["undecided"], result["state"]) == (2, 0, "graded")


@pytest.mark.parametrize(
    ("told", "ended", "why"),
    [
        ([], Ended(status=0), "ended with exit status 0 before its last record"),
        ([report(READS)], Ended(status=1, log="a\nOSError: x\n"), "exit status 1 before its last record: OSError: x"),
        (
            [],
            Ended(status=1, log="harness.X.OSError: x\n7 errors in 0.1s\n"),
            "before its last record: harness.X.OSError: x",
        ),
        ([report(READS)], Ended(status=-9), "was killed by signal 9 before its last record"),
        ([report(READS), END], Ended(status=3), "ended with exit status 3"),
        ([report(READS)], Ended(status=None, late=True, stopped="the tester was stopped by a signal"), "was stopped"),
    ],
)
def test_a_tester_that_did_not_end_as_it_should_decides_nothing(
    runs: Runs, told: list[dict[str, Any]], ended: Ended, why: str
) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts, runs.bench.endings = [told], [ended] * 4
    runs.go()
    result = runs.result("ann")
    earned = 2 if told else 0
    assert (result["points"], result["undecided"], result["state"]) == (earned, 15 - earned, "ours")
    assert any(why in note for note in result["notes"])
    assert 3 <= len(runs.bench.tasks) <= 4  # each suite again, once, with the same seed
    assert len({task.seed for task in runs.bench.tasks}) == 1
    runs.bench.scripts = [[*passing(), END]]
    runs.go()  # it was not taken for done
    assert (runs.result("ann")["points"], runs.result("ann")["state"]) == (15, "graded")


def test_a_second_run_that_ends_as_it_should_decides(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts, runs.bench.endings = [[report(READS)], [*passing(), END]], [Ended(status=-9)]
    runs.go()
    result = runs.result("ann")
    assert (result["points"], result["state"], result["attempts"]) == (15, "graded", 2)


@pytest.mark.parametrize(
    ("waited", "used", "crowded", "tries"),
    [(0.5, 1.0, 0.0, 1), (20.0, 1.0, 0.0, 2), (0.5, 1.0, 0.9, 2), (20.0, 40.0, 0.9, 1)],
)
def test_time_that_the_machine_did_not_give_costs_nothing(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, waited: float, used: float, crowded: float, tries: int
) -> None:
    """The time is up after 60 s; the tester waited, the machine was crowded, or the submission took the processor."""
    hand_in(runs.submitted, "ann")
    clock = itertools.count(step=60.0)
    monkeypatch.setattr(local, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    psi = itertools.count(step=60.0 * crowded)
    monkeypatch.setattr(local, "machine_queued", lambda: next(psi))
    runs.bench.scripts = [[report(READS, waited=waited, used=used)]]
    runs.bench.endings = [Ended(status=None, late=True)] * 3
    runs.go()
    assert runs.result("ann")["attempts"] == tries  # and then it is undecided, or what the second try says


def test_programs_that_lie_elsewhere_are_the_first_thing_that_is_said(runs: Runs) -> None:
    (runs.submitted / "ann/blocking/old").mkdir(parents=True)
    (runs.submitted / "ann/blocking/old/client.py").write_text("print(1)\n")
    (runs.submitted / "ann/blocking/Server.py").write_text("print(1)\n")
    runs.bench.scripts = [[report(check, "error") for check in ALL] + [END]]
    runs.go()
    said = "found old/client.py; move it up; found Server.py; rename it to server.py."
    assert runs.result("ann")["message"].endswith(said)
    for page in ("ann/blocking/report.html", "ann/blocking/student.html", "index.html"):
        assert "found old/client.py; move it up" in (runs.out / page).read_text()


def test_forbidden_names_cost_their_stage(runs: Runs) -> None:
    hand_in(runs.submitted, "ann", **{"server.py": "import asyncio\n", "client.py": ""})
    runs.bench.forbidden = {2: "Stage 2 forbids asyncio (server.py, line 1)."}
    runs.go()
    result = runs.result("ann")
    assert [stage["points"] for stage in result["stages"]] == [5, 0]
    assert result["stages"][1]["forbidden"] == "Stage 2 forbids asyncio (server.py, line 1)."


def test_sources_that_nobody_looked_through_decide_nothing(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")

    def forgets(_task: Task, on_record: OnRecord) -> Ended:
        for record in (*passing(), END):
            on_record(said(record))
        return Ended(status=0)

    class Silent(FakeBench):
        def run(self, task: Task, on_record: OnRecord) -> Ended:
            return forgets(task, on_record)

    runs.bench = Silent([])
    runs.go()
    result = runs.result("ann")
    assert (result["points"], result["undecided"], result["state"]) == (0, 15, "ours")
    assert any("did not look for forbidden names" in note for note in result["notes"])


def test_a_wrong_programs_table_is_told_to_its_author(runs: Runs) -> None:
    hand_in(runs.submitted, "ann", **{"programs.toml": "[programs\n"})
    runs.go()
    result = runs.result("ann")
    assert result["state"] == "refused"
    assert "programs.toml, line 1: this is not TOML" in result["message"]
    assert runs.bench.tasks == []


def test_a_failed_build_is_shown(runs: Runs) -> None:
    hand_in(runs.submitted, "ann", Makefile="x\n")
    runs.bench.build_says = "make: *** missing separator"
    runs.go()
    result = runs.result("ann")
    assert (result["message"], result["build"]["log"]) == ("The build failed.", "make: *** missing separator")
    assert (result["points"], result["state"]) == (0, "graded")
    assert runs.bench.tasks == []  # nothing was tried on it
    assert "missing separator" in (runs.out / "ann" / "blocking" / "student.html").read_text()


# --- bad input: each has its message, the others are graded ---


def test_bad_submissions_are_refused_one_by_one(runs: Runs) -> None:
    hand_in(runs.submitted, "good")
    (runs.submitted / "empty" / "blocking").mkdir(parents=True)
    hand_in(runs.submitted, "link").joinpath("secret").symlink_to("/etc/passwd")
    hand_in(runs.submitted, "unreadable").joinpath("client.py").chmod(0)
    with open(hand_in(runs.submitted, "large") / "output", "wb") as file:
        file.truncate(1 << 30)
    strange = os.fsdecode(b"caf\xe9")
    hand_in(runs.submitted, strange)
    results = runs.go(workers=2)
    messages = {student: result["message"] for student, result in results.items()}
    assert messages == {
        "good": "",
        strange: "",
        "empty": "The folder is empty: no file was handed in.",
        "link": "secret is a symbolic link (to /etc/passwd). Hand in the file itself: links are not followed.",
        "unreadable": "client.py cannot be read by anyone. Make it readable: chmod u+r.",
        "large": "The files are larger than 32 MB together (reached at output). Hand in sources, not data.",
    }
    assert [results[name]["points"] for name in ("good", strange)] == [15, 15]
    assert runs.result(strange)["student"] == strange
    assert "caf\\xe9" in (runs.out / "index.html").read_text()
    refused = [result for result in results.values() if result["state"] == "refused"]
    assert len(refused) == 4
    assert runs.go(workers=2) == results
    assert len(runs.bench.gradings) == 2


def test_what_is_no_submission_is_named(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    hand_in(runs.submitted, "bob", "bloking")
    (runs.submitted / "notes.txt").write_text("x")
    (runs.submitted / ".DS_Store").write_text("x")
    (runs.submitted / "eve").symlink_to(runs.submitted / "ann")
    hand_in(runs.submitted, "index.html")
    (runs.course.root / "reference" / "later").mkdir()
    hand_in(runs.submitted, "dan", "later")
    missing = runs.course.root / "reference" / "later" / "assignment.toml"
    plan = make_plan(runs.course, runs.submitted)
    assert [job.name for job in plan.jobs] == ["ann/blocking"]
    assert plan.remarks == [
        "eve: is a symbolic link, not a folder. Not graded.",
        'bob/bloking: there is no assignment "bloking". Did you mean "blocking"? Not graded.',
        f"dan/later: {missing} is missing, so nothing says how to grade it. Not graded.",
        "index.html: a student's folder cannot have this name; rename it. Not graded.",
    ]


def test_nobody_vanishes_when_one_assignment_is_asked_for(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    hand_in(runs.submitted, "bob", "Blocking")
    hand_in(runs.submitted, "chen", "blocking (1)")
    (runs.submitted / "dora").mkdir()
    hand_in(runs.submitted, "emil", "nonblocking")
    (runs.submitted / "fatima.zip").write_bytes(b"PK")
    (runs.submitted / "george").mkdir()
    (runs.submitted / "george/blocking.zip").write_bytes(b"PK")
    plan = make_plan(runs.course, runs.submitted, assignments=["blocking"])
    assert [job.name for job in plan.jobs] == ["ann/blocking"]
    assert plan.remarks == [
        "fatima.zip: is an archive, not a folder; unpack it. Not graded.",
        "bob/Blocking: is not called blocking; rename it. Not graded.",
        "chen/blocking (1): is not called blocking; rename it. Not graded.",
        "george/blocking.zip: is an archive, not a folder; unpack it. Not graded.",
    ]
    assert plan.absent == [f"{name}/: nothing of blocking was handed in." for name in ("dora", "emil", "george")]


def test_an_empty_folder_of_a_student_is_named(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    (runs.submitted / "dora").mkdir()
    assert make_plan(runs.course, runs.submitted).absent == ["dora/: nothing was handed in."]
    for name in (".git", ".carl"):
        (runs.submitted / name / "blocking").mkdir(parents=True)
    assert make_plan(runs.course, runs.submitted).remarks == [".carl: is a hidden folder; rename it. Not graded."]


def test_nothing_to_grade_says_what_to_give(runs: Runs) -> None:
    with pytest.raises(UsageError, match="holds no submissions"):
        make_plan(runs.course, runs.submitted)
    with pytest.raises(UsageError, match="is not a folder"):
        make_plan(runs.course, runs.submitted / "nowhere")
    hand_in(runs.submitted, "ann", "bloking")
    with pytest.raises(UsageError, match='Did you mean "blocking"'):
        make_plan(runs.course, runs.submitted)
    hand_in(runs.submitted, "ann")
    with pytest.raises(UsageError, match=r'no student "anne"\. Did you mean "ann"'):
        make_plan(runs.course, runs.submitted, students=["anne"])


def test_only_what_is_asked_for_is_graded(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    hand_in(runs.submitted, "bob")
    plan = make_plan(runs.course, runs.submitted, assignments=["blocking"], students=["bob"])
    assert [job.student for job in plan.jobs] == ["bob"]


# --- the run's folder ---


def test_a_folder_with_other_files_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="holds other files"):
        RunFolder(tmp_path)


def test_two_graders_do_not_share_a_folder(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "out"), pytest.raises(UsageError, match=r"in use by .*; process \d+ on .*Wait for it"):
        RunFolder(tmp_path / "out")


def test_a_damaged_campaign_is_named(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "out") as folder:
        folder.secret(None)
        (tmp_path / "out" / "campaign.json").write_text("{")
        with pytest.raises(SetupError, match="is damaged"):
            folder.secret(None)


def test_a_torn_line_is_no_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    row = {"student": "a\udce9", "assignment": "b", "identity": "c"}
    Journal(path).add(row)
    path.write_bytes(path.read_bytes() + b'{"student": "x", "assi')
    journal = Journal(path)
    assert [got["student"] for got in journal.rows()] == ["a\udce9"]
    journal.add({**row, "student": "d"})
    assert [got["student"] for got in Journal(path).rows()] == ["a\udce9", "d"]


def test_a_result_tells_the_machine(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    assert runs.go()["ann"]["lab"]["machine"] == {"processors": 1.0, "memory_mb": 256}  # nothing is known of a fake
    runs.place.image, runs.place.found = "another", {"python": "3.12.1"}
    machine = runs.go()["ann"]["lab"]["machine"]
    assert machine == {"python": "3.12.1", "processors": 1.0, "memory_mb": 256}
    assert LocalPlace(runs.course.root).tools()["python"] == platform.python_version()
