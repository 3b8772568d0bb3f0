"""`git push`, and the answer in the terminal: real git, the real hook, the daemon as a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from grader.daemon.grading import mirror_of
from grader.push.folder import PushFolder
from grader.push.queue import Queue

if TYPE_CHECKING:
    from pushing import Pushing


def told(said: str) -> list[str]:
    """What the student reads of ours."""
    return [row.strip() for row in re.findall(r"^remote: socketlab: (.*)$", said, re.MULTILINE)]


# -- with a daemon of its own ------------------------------------------------------------------------------------------


def test_a_push_is_graded_and_answered_line_by_line(pushing: Pushing) -> None:
    pushing.roster("s00")
    said = pushing.types("hook", "install", "--course", pushing.term)
    assert "s00.git: made, with the hook; main is graded" in said and "until the daemon runs: grader hook serve" in said
    commit = pushing.commits("s00", "test_serves")
    push = pushing.begins_to_push("s00")
    push.says("No grader is at work now. What is queued stays queued")
    pushing.serves()
    page = pushing.term / "push" / "kept" / "run" / "s00" / "blocking" / "student.html"
    assert told(push.ends()) == [
        f"blocking at {commit[:8]} is queued as number 1: it is next, a verdict in about 30 s.",
        "Ctrl-C ends the watching, not the grading.",
        "No grader is at work now. What is queued stays queued, and is graded when it is started again.",
        f"Grading blocking at {commit[:8]}.",
        "✓ stage 1, Reading: 5 of 5 points",
        "✗ stage 2, Serving: 6 of 10 points",
        "11 of 15 points.",
        "First: section 2.1: Serve one after the other. (costs 4 points)",
        "test_serves",
        f"Page: {page}",
    ]
    assert page.is_file()
    assert "another daemon grades what is pushed here" in pushing.types("hook", "serve", pushing.term, status=2)
    assert f"s00/blocking {commit[:8]} (number 1): 11 of 15 points." in pushing.kill(signal.SIGTERM)


def test_a_stopped_daemon_gives_back_what_it_grades(pushing: Pushing) -> None:
    pushing.roster("s00")
    pushing.installs()
    pushing.pauses()
    pushing.serves()
    pushing.commits("s00", "")
    push = pushing.begins_to_push("s00")
    push.says("Grading blocking")
    log = pushing.kill(signal.SIGTERM)
    assert [(row["state"], row["attempts"]) for row in pushing.rows()] == [("waiting", 0)], log
    pushing.pauses(False)
    pushing.serves()
    assert "15 of 15 points." in push.ends()


@pytest.mark.slow
@pytest.mark.parametrize("many", [5, pytest.param(20, marks=pytest.mark.audit)])
def test_two_pushes_by_each_student_and_the_daemon_is_killed(pushing: Pushing, many: int) -> None:
    """None is lost, the newest is graded, everybody is told the truth."""
    students = [f"s{number:02}" for number in range(many)]
    pushing.roster(*students)
    pushing.installs()
    pushing.pauses()
    pushing.serves()
    older, newer, commits = [], [], {}
    for student in students:
        pushing.commits(student, "test_reads, the older one")
        older.append(pushing.begins_to_push(student))
    for push in older:
        push.says("Ctrl-C ends the watching")
    pushing.until(lambda: any(row["state"] == "running" for row in pushing.rows()))
    pushing.kill()
    for student in students:
        commits[student] = pushing.commits(student, "test_serves")
        newer.append(pushing.begins_to_push(student))
    for push in newer:
        push.says("Ctrl-C ends the watching")
    pushing.serves()
    pushing.until(lambda: any(row["state"] == "running" for row in pushing.rows()))
    pushing.kill()
    pushing.pauses(False)
    pushing.serves()
    for push in newer:
        assert "11 of 15 points." in told(push.ends()), push.said
    found = pushing.rows()
    assert len(found) == 2 * many
    for student, push in zip(students, older, strict=True):
        said = told(push.ends())
        row = next(row for row in found if row["student"] == student)
        assert re.fullmatch(r"a newer push took its place \(number \d+\)", row["said"])
        assert f"Number {row['id']} is not graded: {row['said']}." in said, push.said
    assert {row["student"]: row["commit_id"] for row in found if row["state"] == "done"} == commits


# -- with one that all of these share ----------------------------------------------------------------------------------


def test_of_a_hidden_check_only_what_its_author_wrote_is_told(served: Pushing) -> None:
    said = served.pushes(served.student(), "test_survives, and a secret of the tests")
    assert "Think of clients that vanish." in said
    assert "secret" not in said and "test_survives" not in said and "Survive." not in said


def test_who_stops_watching_is_graded_all_the_same(served: Pushing) -> None:
    ann = served.student()
    served.pauses()
    served.commits(ann, "")
    push = served.begins_to_push(ann)
    push.says("Ctrl-C ends the watching")
    os.killpg(push.process.pid, signal.SIGINT)
    push.ends()
    served.pauses(False)
    served.until(lambda: served.rows(ann)[0]["state"] == "done")
    assert served.rows(ann)[0]["said"] == "15 of 15 points."


def test_only_the_branch_that_counts_is_graded(served: Pushing) -> None:
    ann = served.student()
    kept = ["trial is kept and not graded: the branch that counts is main."]
    assert told(served.pushes(ann, "", "HEAD:trial")) == kept
    assert "15 of 15 points." in served.pushes(ann)
    assert told(served.pushes(ann, None, ":trial")) == kept
    served.commits(ann, "", {"NOTES": "nothing of an assignment"})
    nothing = ["Nothing to grade: no file in a folder of an assignment (blocking) has changed."]
    assert told(served.pushes(ann)) == nothing
    served.git(served.work(ann), "reset", "--hard", "HEAD~2")
    served.commits(ann, "test_reads")
    assert "13 of 15 points." in served.pushes(ann)  # what was pushed over is no more
    assert "deletion of the current branch prohibited" in served.pushes(ann, None, ":main")
    assert [row["said"] for row in served.rows(ann)] == ["15 of 15 points.", "13 of 15 points."]


def test_who_is_not_in_the_roster_is_told_so(served: Pushing) -> None:
    ann, bob = served.student(), served.student()
    served.roster(bob)
    assert "15 of 15 points." in served.pushes(bob, "")  # the daemon reads the roster for each push
    assert told(served.pushes(ann, "")) == [
        f"Your commit is kept, and not graded: {ann} is not in the course's roster."
    ]


def test_a_days_budget_of_full_verdicts(served: Pushing) -> None:
    ann, bob = served.student(), served.student()
    served.settings(assignment="verdicts_per_day = 1")
    assert "13 of 15 points." in served.pushes(ann, "test_reads")
    said = told(served.pushes(ann, "test_serves test_survives"))
    assert said[3:6] == [
        "✓ stage 1, Reading: 2 of 2 points",
        "✗ stage 2, Serving: 0 of 4 points",
        "2 of 6 points (public checks only).",
    ]
    assert re.match(r"Hidden checks were not run: 1 of 1 full verdicts of \d\d \w+ are used.", said[8]), said
    assert not any("Survive" in row or "vanish" in row for row in said)
    assert "15 of 15 points." in served.pushes(bob, "")  # each has their own
    kept = served.term / "push" / "kept"
    assert json.loads((kept / f"run/{ann}/blocking/result.json").read_text())["points"] == 13


def test_before_the_deadline_no_more_is_told_than_pages_show(served: Pushing) -> None:
    ann = served.student()
    served.settings(assignment="due = 2100-01-01", more='[students]\nbefore_due = "public"')
    said = told(served.pushes(ann, "test_survives"))
    assert "6 of 6 points (public checks only)." in said
    assert "Hidden checks are not run on push before the deadline." in said
    served.settings(assignment="due = 2100-01-01", more='[students]\nbefore_due = "nothing"')
    assert told(served.pushes(ann, "x"))[2:] == ["Not graded: what was earned is shown after the deadline."]
    served.settings(assignment="due = 2020-01-01")
    assert "It was pushed after the deadline (2020-01-01 23:59 CET)." in " ".join(told(served.pushes(ann, "y")))
    served.settings(assignment="opens = 2100-01-01T08:00:00")
    assert told(served.pushes(ann, "z"))[2:] == ["Not graded: blocking opens on 2100-01-01 08:00 CET."]


def test_what_breaks_through_our_fault_costs_nothing_and_may_be_pushed_again(served: Pushing) -> None:
    ann = served.student()
    served.settings(assignment="verdicts_per_day = 1")
    mirror = mirror_of(PushFolder(served.term / "push"), str(served.here / f"git/{ann}.git"), None).path
    mirror.parent.mkdir(exist_ok=True)
    mirror.write_text("a file where a folder has to be")
    why = "is not graded: the grader broke, through no fault of yours; your instructor can see why."
    assert told(served.pushes(ann, ""))[-1].endswith(why)
    mirror.unlink()
    served.git(served.work(ann), "commit", "--allow-empty", "-m", "once more")
    assert "15 of 15 points." in served.pushes(ann)


def test_a_mistake_in_course_toml_changes_nothing_meanwhile(served: Pushing) -> None:
    file = served.term / "course.toml"
    file.write_text(file.read_text() + "\nwieght = 2\n")
    assert "15 of 15 points." in served.pushes(served.student(), "")


def test_a_group_hands_in_under_its_name(served: Pushing) -> None:
    served.settings(push='identity = "key"', assignment="groups = true")
    served.writes("roster.csv", "id,group\nann,red\nbob,red\ncyd,\n")
    served.installs()
    assert "13 of 15 points." in served.pushes("red", "test_reads", SOCKETLAB_STUDENT="ann")
    assert "11 of 15 points." in served.pushes("red", "test_serves", SOCKETLAB_STUDENT="bob")
    assert "the repository is red's, and cyd pushed to it" in served.pushes("red", "x", SOCKETLAB_STUDENT="cyd")
    assert "and somebody without a name pushed to it" in served.pushes("red", "y")
    assert len(served.rows("red")) == 2
    served.settings(push='identity = "key"')
    served.installs()
    assert told(served.pushes("red", "z", SOCKETLAB_STUDENT="bob")) == [
        "blocking is no group work: not graded from here."
    ]


def test_a_page_is_put_where_a_web_server_finds_it(served: Pushing) -> None:
    ann = served.student()
    served.settings(push='pages = "www"\nlink = "https://x.example/{student}/{assignment}.html"')
    assert f"Page: https://x.example/{ann}/blocking.html" in served.pushes(ann, "test_survives")
    page = (served.term / "www" / ann / "blocking.html").read_text()
    assert "Think of clients that vanish." in page and "test_survives" not in page


def test_a_row_that_claims_somebody_elses_repository_is_not_believed(served: Pushing) -> None:
    ann, bob = served.student(), served.student()
    commit = served.commits(ann, "")
    served.git(served.work(ann), "push", served.here / f"git/{ann}.git", "HEAD:refs/heads/other")
    queue = Queue(PushFolder(served.term / "push").queue)
    hers, work = str(served.here / f"git/{ann}.git"), str(served.work(ann))
    claims = [(bob, hers, "blocking"), (ann, work, "blocking"), ("zoe", hers, "blocking"), (ann, hers, "x")]
    said = []
    for student, repository, name in claims:
        words = {"repository": repository, "ref": "refs/heads/main", "commit": commit, "now": 1.0}
        number = queue.put(student=student, assignment=name, **words).push.id  # type: ignore[arg-type]
        served.until(lambda number=number: queue.state_of(number)[0] == "done")
        said.append(queue.state_of(number)[1])
    assert said == [
        f"Not graded: {hers} is not a repository of {bob}.",
        f"Not graded: {work} is not a repository of {ann}.",
        f"Not graded: {hers} is not a repository of zoe.",
        "Not graded: x is not an assignment of this course.",
    ]
