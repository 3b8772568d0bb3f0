"""What was kept stays whole: killed writers, damaged files, words that cannot count, backups."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from fakes import SURVIVES, FakePlace, Runs, hand_in
from typer.testing import CliRunner

import grader.cli.record
import grader.cli.rerun
import grader.cli.run
from grader.campaign.again import Rerun
from grader.cli.main import app
from grader.record import front
from grader.record.backup import back_up
from grader.record.record import Record, check_of
from grader.record.run_folder import RunFolder
from grader.verdict.decisions import points
from harness.errors import SetupError, UsageError
from tests.grading import ROOT


@pytest.fixture
def runs(course: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs(course, tmp_path)
    monkeypatch.setattr(grader.course, "this_course", lambda: course)
    for module in (grader.cli.run, grader.cli.rerun):
        monkeypatch.setattr(module, "choose_place", lambda *_, **__: FakePlace(lambda: made.bench))
    grader.cli.record._rubric.cache_clear()
    return made


def typed(*words: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == status, (result.output, result.exception)
    return result.output


def edit(runs: Runs, old: str, new: str) -> None:
    path = runs.course.reference("blocking") / "assignment.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    grader.cli.record._rubric.cache_clear()


def words_in(run: Path) -> list[str]:
    path = run / "decisions.jsonl"
    return path.read_text().splitlines() if path.exists() else []


# -- writers that are killed ---------------------------------------------------------------------------------------


class Killed(BaseException):
    """kill -9: nothing of the process goes on."""


def fill(folder: Path, text: str, parts: tuple[str, ...]) -> dict[str, str]:
    for part in parts:
        path = folder / part / "public/a.pcapng" if part == "captures" else folder / part
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return seen(folder)


def seen(folder: Path) -> dict[str, str]:
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    return {name: text for name, text in found.items() if name[0] != "."}


@pytest.mark.parametrize("missing", ["captures", "source.html", ""])
@pytest.mark.parametrize("step", range(12))
def test_a_result_that_was_killed_on_its_way_is_there_as_a_whole_at_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, missing: str
) -> None:
    folder = tmp_path / "ann" / "blocking"
    old = fill(folder, "old", front.PARTS)
    new = fill(folder / ".new", "new", tuple(part for part in front.PARTS if part != missing))
    left = iter(range(step))

    def until_killed(real: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            if next(left, None) is None:
                raise Killed
            return real(*args, **options)

        return call

    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        for of, name in ((os, "rename"), (os, "replace"), (shutil, "rmtree"), (Path, "unlink")):
            patch.setattr(of, name, until_killed(getattr(of, name)))
        front.take_place(folder / ".new", folder)
    for found in front.unfinished(tmp_path):
        front.go_on(found)
        front.settled(found)
    assert seen(folder) in (old, new)
    assert not list(tmp_path.rglob(".*"))


def test_what_a_killed_writer_has_put_in_place_gets_its_line(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_in(runs.submitted, "ann")

    def killed(*_: object) -> None:
        raise Killed

    with pytest.raises(Killed), RunFolder(runs.out) as folder:
        monkeypatch.setattr(folder, "_note", killed)
        graded = graded_of(runs, folder)
        folder.save(graded)
    assert Record(runs.out).journal.finished() == {}
    with RunFolder(runs.out) as folder:
        assert folder.front("ann", "blocking").short == graded.outcomes.short
    assert runs.go()["ann"]["short"] == graded.outcomes.short  # and it is not graded twice
    assert len(Record(runs.out).journal.rows()) == 1


def graded_of(runs: Runs, folder: RunFolder) -> Any:
    """A grading that has not been saved."""
    from grader.bench.task import Task
    from grader.campaign.tasks import make_task
    from grader.job.grading import grade, seed_of
    from grader.submission import take_submission

    copy = take_submission(
        runs.submitted / "ann/blocking", folder.work / "0/submission", student="ann", assignment="blocking"
    )
    task: Task = make_task(
        runs.course,
        runs.place,
        {},
        student="ann",
        assignment=runs.course.load("blocking"),
        versions=runs.course.versions("blocking"),
        submission=copy.hash,
        seed=seed_of(folder.secret(runs.secret), "ann", "blocking"),
    )
    return grade(task, copy, runs.bench, lambda _: None)


SCRIPT = r"""
import os, sys, time
from pathlib import Path
from grader.course import Course
from grader.record import scores
from grader.record.run_folder import RunFolder
course = Course(Path(sys.argv[1]))
def slow(pair):
    os.write(1, b"scoring\n")
    time.sleep(600)
scores._again = slow
with RunFolder(Path(sys.argv[2])) as folder:
    folder.rescore(lambda name: (course.load(name), course.versions(name)))
"""


def test_a_killed_rescore_of_a_class_leaves_nobody_who_holds_the_lock(runs: Runs) -> None:
    """Its further processes have the lock as well."""
    for number in range(30):
        hand_in(runs.submitted, f"s{number}", **{"client.py": f"print({number})\n"})
    runs.go()
    words = [sys.executable, "-c", SCRIPT, str(runs.course.root), str(runs.out)]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "scoring\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout.read().replace("scoring\n", "") == ""  # until the last of its processes has ended
    process.stdout.close()
    with RunFolder(runs.out, wait=10.0):
        pass


def test_half_a_copy_never_goes_for_one(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """prune was killed; then the same submission comes again."""
    folder = hand_in(runs.submitted, "ann")
    runs.go()
    (hash_,) = Record(runs.out).copies_wanted()

    def killed(path: Path, **_: object) -> None:
        (path / "client.py").unlink()
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(shutil, "rmtree", killed)
        Record(runs.out).copies.prune([])
    shutil.rmtree(runs.out / "ann")
    assert runs.go()["ann"]["submission"]["hash"] == hash_
    copies = Record(runs.out).copies
    assert (copies.path / hash_ / "client.py").read_text() == (folder / "client.py").read_text()
    assert copies.prune([hash_]) == []
    assert [path.name for path in copies.path.iterdir()] == [hash_]


# -- damaged files -------------------------------------------------------------------------------------------------


DEEP = b"[" * 100_000 + b"\n"


def test_lines_that_are_damaged_do_not_count_and_stop_nothing(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.go()
    for name in ("journal.jsonl", "decisions.jsonl"):
        with open(runs.out / name, "ab") as file:
            file.write(b"\xff\0\n" + DEEP + b'{"student":')
    typed("decide", runs.out, "ann", "blocking", "reads", "fail", "--because", "no")
    assert runs.result("ann")["points"] == 13


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b'{"schema": 2}', DEEP])
def test_a_damaged_result_is_named_and_graded_again(runs: Runs, data: bytes) -> None:
    hand_in(runs.submitted, "ann")
    due = runs.go()["ann"]["points"]
    for name in ("outcomes.json", "result.json"):
        (runs.out / "ann/blocking" / name).write_bytes(data)
        typed("rescore", runs.out)
        typed("queue", runs.out)
        again = typed("rerun", runs.out, "ann", "blocking", "--seed", "course secret", status=2 * (name[0] == "o"))
        assert ("Grade the submission again: grader run" in again) == (name[0] == "o")
        typed("run", runs.submitted, "--out", runs.out, "--seed", "course secret")
        assert runs.result("ann")["points"] == due


def test_no_copy_is_removed_because_something_else_is_damaged(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.go()
    (runs.out / "journal.jsonl").write_bytes(b"\0")
    assert "0 copies removed" in typed("prune", runs.out)
    (runs.out / "ann/blocking/result.json").write_bytes(b"{")
    assert "grader run" in typed("prune", runs.out, status=2)
    assert len(list((runs.out / ".copies").iterdir())) == 1


# -- words of people -----------------------------------------------------------------------------------------------


def test_a_word_that_could_not_count_is_not_kept(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.go()
    edit(runs, "test_survives", "test_lives_on")  # and nobody has counted by it yet
    said = typed("decide", runs.out, "ann", "blocking", "survives", "fail", "--because", "no", status=2)
    assert "grader rescore" in said
    edit(runs, "points = 4", "points = four")
    said = typed("decide", runs.out, "ann", "blocking", "reads", "fail", "--because", "no", status=2)
    assert "assignment.toml, line" in said
    assert words_in(runs.out) == []


def test_a_word_on_what_the_rubric_has_no_more_is_told(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.go()
    typed("decide", runs.out, "ann", "blocking", "survives", "2", "--because", "half", "--by", "maria")
    edit(runs, "test_survives", "test_lives_on")
    said = typed("rescore", runs.out)
    assert f"maria's word on {SURVIVES} does not count" in said
    edit(runs, "test_lives_on", "test_survives")
    assert "does not count" not in typed("rescore", runs.out)
    assert runs.result("ann")["points"] == 11


def test_what_is_taken_back_cannot_be_taken_back_again(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.go()
    typed("decide", runs.out, "ann", "blocking", "reads", "1", "--because", "no")
    typed("decide", runs.out, "ann", "blocking", "reads", "undo", "--because", "yes")
    said = typed("decide", runs.out, "ann", "blocking", "reads", "undo", "--because", "yes", status=2)
    assert "nothing to undo" in said
    assert len(words_in(runs.out)) == 2


def test_a_word_on_what_could_not_be_taken_counts_until_it_can(runs: Runs) -> None:
    folder = hand_in(runs.submitted, "ann")
    (folder / "away").symlink_to("/etc")
    assert runs.go()["ann"]["state"] == "refused"
    typed("decide", runs.out, "ann", "blocking", "stage 1", "3", "--because", "shown in the lab")
    assert runs.result("ann")["points"] == 3
    (folder / "away").unlink()
    assert runs.go()["ann"]["points"] == 15


def test_nothing_can_be_said_of_what_we_broke(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.bench.scripts = [lambda *_: 1 / 0]  # type: ignore[list-item, return-value]
    assert runs.go()["ann"]["state"] == "ours"
    said = typed("decide", runs.out, "ann", "blocking", "reads", "pass", "--because", "so", status=2)
    assert "grader run" in said
    assert words_in(runs.out) == []


def test_points_have_a_sign_only_when_they_are_refused() -> None:
    assert str(points("-0.0")) == "0.0"


def test_a_name_that_two_checks_have_is_asked_back() -> None:
    checks = [{"number": n, "id": f"test_{n}.py::test_reads"} for n in (1, 2)]
    result = {"assignment": "blocking", "checks": checks}
    with pytest.raises(UsageError, match=r"test_1.py::test_reads, test_2.py::test_reads"):
        check_of(result, "reads")
    assert check_of(result, "test_2.py::test_reads") is checks[1]
    assert check_of(result, "2") is checks[1]


def test_a_short_name_that_two_results_have_is_asked_back(runs: Runs) -> None:
    for student in ("ann", "bob"):
        hand_in(runs.submitted, student)
    short = runs.go()["ann"]["short"]
    path = runs.out / "bob/blocking/result.json"
    path.write_text(path.read_text().replace(runs.result("bob")["short"], short))
    with pytest.raises(UsageError, match="the name of 2 results"):
        Record(runs.out).find(short)


def test_an_assignment_that_is_gone_stops_no_other(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.go()
    edit(runs, 'rule = "Survive."', 'rule = "Live on."')
    rows = Record(runs.out).journal
    rows.add({**rows.rows()[0], "assignment": "earlier"})
    said = typed("rescore", runs.out)
    assert "earlier: there is no assignment" in said
    assert check_of(runs.result("ann"), SURVIVES)["rule"] == "Live on."


# -- copies, secrets, backups --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["windows", "wrapped"])
def test_a_copy_is_what_was_graded_however_it_came(runs: Runs, kind: str) -> None:
    """A script with the line ends of Windows; folders inside each other, more than are taken off."""
    folder = hand_in(runs.submitted, "ann")
    if kind == "windows":
        (folder / "run.sh").write_bytes(b"#!/bin/sh\r\necho 1\r\n")
    else:
        (folder / "a/b/c/d").mkdir(parents=True)
        (folder / "client.py").rename(folder / "a/b/c/d/client.py")
    runs.go()
    with RunFolder(runs.out) as run:
        again = Rerun(runs.course, run, runs.place, run.secret(runs.secret), run.front("ann", "blocking"))
        (one,) = again.go(1, lambda _: None)
    assert one.differences == ()


def test_another_secret_grades_nothing_again_without_a_word(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_in(runs.submitted, "ann")
    typed("run", runs.submitted, "--out", runs.out, "--seed", "one")
    count = len(runs.bench.tasks)
    for more in ([], ["--seed", "two"]):
        assert "graded with another secret" in typed("run", runs.submitted, "--out", runs.out, *more, status=2)
    monkeypatch.setenv("SOCKETLAB_SECRET", "two")
    assert "--reseed" in typed("run", runs.submitted, "--out", runs.out, status=2)
    assert len(runs.bench.tasks) == count
    typed("run", runs.submitted, "--out", runs.out, "--reseed")
    assert len(runs.bench.tasks) == 2 * count


@pytest.mark.usefixtures("runs")
def test_a_course_has_one_secret(tmp_path: Path) -> None:
    folder = tmp_path / "course"
    typed("course", "new", folder)
    hand_in(folder / "submitted", "ann")
    said = typed("run", folder, "--seed", "another", status=2)
    assert "course.toml names" in said
    assert "Leave --seed out" in said
    typed("run", folder)


def test_a_backup_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "course").mkdir()
    (tmp_path / "course/roster.csv").write_text("id\n")
    to = tmp_path / "kept.tar.gz"

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(tarfile.TarFile, "add", killed)
        back_up(tmp_path / "course", to)
    assert not to.exists()
    assert back_up(tmp_path / "course", to) == to.stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["course", "kept.tar.gz"]
    with pytest.raises(UsageError, match="Give the name of a new file"):
        back_up(tmp_path / "course", to)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_database_that_is_being_written_is_kept_as_it_was_before(tmp_path: Path, mode: str) -> None:
    """What SQLite has beside it while it writes would be taken for a crash, and undone, where it is unpacked."""
    (tmp_path / "course").mkdir()
    path = tmp_path / "course/gradebook.db"
    with contextlib.closing(sqlite3.connect(path)) as book:
        book.execute(f"pragma journal_mode = {mode}")
        book.execute("create table grade (n, text)")
        book.executemany("insert into grade values (?, ?)", [(n, "x" * 900) for n in range(300)])
        book.commit()
        if mode == "wal":
            book.execute("update grade set text = 'written'")
            book.commit()
        else:
            book.execute("begin")
            book.execute(
                "update grade set text = 'half'  where n = 1"
            )  # a journal lies beside it, unlocked for readers
        assert len(list((tmp_path / "course").iterdir())) > 1
        back_up(tmp_path / "course", tmp_path / "kept.tar.gz")
        book.rollback()
    with tarfile.open(tmp_path / "kept.tar.gz") as tar:
        tar.extractall(tmp_path / "there", filter="data")
    assert [one.name for one in (tmp_path / "there/course").iterdir()] == ["gradebook.db"]
    with contextlib.closing(sqlite3.connect(tmp_path / "there/course/gradebook.db")) as book:
        assert book.execute("pragma integrity_check").fetchone() == ("ok",)
        assert book.execute("select count(*) from grade where text = 'half'").fetchone() == (0,)


def test_a_backup_by_a_link_into_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with pytest.raises(UsageError, match="is inside"):
        back_up(tmp_path / "run", tmp_path / "link" / "kept.tar.gz")


def test_a_copy_that_is_gone_is_told_with_what_to_do(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    runs.go()
    shutil.rmtree(runs.out / ".copies")
    with RunFolder(runs.out) as run:
        again = Rerun(runs.course, run, runs.place, run.secret(runs.secret), run.front("ann", "blocking"))
        with pytest.raises(SetupError, match="grader run"):
            list(again.go(1, lambda _: None))


def test_a_backup_does_not_wait_for_ever_for_who_keeps_a_database(tmp_path: Path) -> None:
    (tmp_path / "course").mkdir()
    file = tmp_path / "course" / "gradebook.db"
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE grades (points)")
        other.commit()
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(
            UsageError, match=rf"gradebook.db was kept by .*process {os.getpid()}.* for 0.2 s, so nothing"
        ):
            back_up(tmp_path / "course", tmp_path / "kept.tar.gz", patience=0.2)
        assert [path.name for path in tmp_path.iterdir()] == ["course"]
        other.rollback()
    assert back_up(tmp_path / "course", tmp_path / "kept.tar.gz") > 0
