"""The queue of pushes: nobody waits for another one's hundred pushes, nothing that was answered is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from grader.push.order import Push, fair_order, seconds_until
from grader.push.queue import MOST_ATTEMPTS, BadPush, Place, Queue
from harness.errors import SetupError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "queue.sqlite")


def put(queue: Queue, student: str, now: float, assignment: str = "blocking", **more: str) -> Place:
    words: dict[str, Any] = {
        "repository": f"/srv/git/{student}.git",
        "ref": "refs/heads/main",
        "commit": COMMIT,
        **more,
    }
    return queue.put(student=student, assignment=assignment, now=now, **words)


def taken(queue: Queue, now: float = 100.0) -> list[str]:
    """Who is graded, one after the other, each at once."""
    found = []
    while (push := queue.take(now=now)) is not None:
        found.append(push.student)
        queue.end(push, "done", now=now + 1.0, said="passed")
        now += 1.0
    return found


def test_the_newest_push_is_graded_and_keeps_the_place_of_the_ones_before(queue: Queue) -> None:
    first = put(queue, "ann", 1.0)
    put(queue, "bob", 2.0)
    again = put(queue, "ann", 3.0, commit="f" * 40)
    assert again.instead_of == (first.push,) and (again.place, again.push.since) == (0, 1.0)
    state, said = queue.state_of(first.push.id)
    assert state == "dropped" and said == f"a newer push took its place (number {again.push.id})"
    push = queue.take(now=4.0)
    assert push is not None and push.commit == "f" * 40
    assert queue.state_of(push.id)[0] == "running"


def test_students_take_turns(queue: Queue) -> None:
    for number in range(5):
        put(queue, "ann", float(number), f"assignment-{number}")
    put(queue, "bob", 10.0)
    put(queue, "cyd", 11.0)
    assert taken(queue) == ["ann", "bob", "cyd", "ann", "ann", "ann", "ann"]


def test_who_was_served_last_is_last_however_often_they_push(queue: Queue) -> None:
    put(queue, "ann", 1.0)
    assert taken(queue, now=2.0) == ["ann"]
    for number in range(50):
        put(queue, "ann", 10.0 + number)
    place = put(queue, "bob", 70.0)
    assert place.place == 0
    assert taken(queue) == ["bob", "ann"]


def test_a_push_while_the_one_before_is_graded_waits_for_its_turn(queue: Queue) -> None:
    put(queue, "ann", 1.0)
    running = queue.take(now=2.0)
    again = put(queue, "ann", 3.0)
    assert running is not None and again.instead_of == () and again.place == 0
    put(queue, "bob", 4.0)
    after = queue.place_of(again.push.id)
    assert after is not None and after.place == 1  # ann is being served


def test_a_place_becomes_an_estimate(queue: Queue) -> None:
    assert queue.seconds_each(default=60.0) == 60.0
    for number, took in enumerate((10.0, 30.0, 20.0)):
        put(queue, f"s{number}", 0.0)
        push = queue.take(now=100.0)
        assert push is not None
        queue.end(push, "done", now=100.0 + took, said="passed")
    assert queue.seconds_each(default=60.0) == 20.0
    assert [seconds_until(place, each=20.0, workers=2) for place in range(4)] == [0.0, 0.0, 20.0, 20.0]


def test_what_ran_when_the_daemon_ended_runs_again_but_not_for_ever(queue: Queue) -> None:
    put(queue, "ann", 1.0)
    for attempt in range(1, MOST_ATTEMPTS):
        assert queue.take(now=2.0) is not None
        assert [(push.attempts, why) for push, why in queue.recover(now=3.0)] == [(attempt, "")]
    push = queue.take(now=4.0)
    assert push is not None and [why for _, why in queue.recover(now=5.0)] != [""]
    state, said = queue.state_of(push.id)
    assert state == "lost" and "tell your instructor" in said


def test_what_ran_is_dropped_if_a_newer_push_waits(queue: Queue) -> None:
    old = put(queue, "ann", 1.0)
    queue.take(now=2.0)
    new = put(queue, "ann", 3.0)
    assert [(push.id, why) for push, why in queue.recover(now=4.0)] == [
        (old.push.id, f"a newer push took its place (number {new.push.id})")
    ]
    assert queue.state_of(old.push.id)[0] == "dropped"
    assert (push := queue.take(now=5.0)) is not None and push.id == new.push.id


@pytest.mark.parametrize(
    "wrong",
    [
        {"student": "../ann"}, {"student": ""}, {"student": "-oProxyCommand=x"}, {"student": "a\x1bb"},
        {"student": ".x"},
        {"assignment": "a/b"}, {"repository": "srv/x"}, {"repository": "-oProxyCommand=x"}, {"repository": "/a\nb"},
        {"ref": "refs/tags/v1"}, {"ref": "refs/heads/a b"}, {"ref": "refs/heads/a:b"}, {"commit": "main"},
        {"commit": "0" * 41}, {"commit": COMMIT.upper()}, {"repository": "/" + "x" * 500}, {"commit": COMMIT + "\n"},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_push_is_refused(queue: Queue, wrong: dict[str, str]) -> None:
    words = {"student": "ann", "assignment": "blocking", **wrong}
    student, assignment = words.pop("student"), words.pop("assignment")
    with pytest.raises(BadPush):
        put(queue, student, 1.0, assignment, **words)
    assert queue.take(now=2.0) is None


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("student", "../../etc"), ("repository", "--upload-pack=x"), ("commit_id", "$(id)"), ("pushed", "soon"),
        ("since", float("inf")), ("attempts", "many"), ("student", b"\xff"), ("ref", "x" * 10_000),
    ],
)  # fmt: skip
def test_a_row_that_somebody_wrote_by_hand_stops_nobody(
    queue: Queue, tmp_path: Path, column: str, value: object
) -> None:
    bad = put(queue, "ann", 1.0).push.id
    put(queue, "bob", 2.0)
    with sqlite3.connect(tmp_path / "queue.sqlite") as table:
        table.execute(f"UPDATE pushes SET {column} = ? WHERE id = ?", (value, bad))
    table.close()
    assert taken(queue) == ["bob"]
    assert queue.state_of(bad)[0] == "dropped"


def test_a_file_that_is_no_queue_is_said(tmp_path: Path) -> None:
    (tmp_path / "queue").write_text("not a database, and long enough to be told from an empty one" * 20)
    with pytest.raises(SetupError, match="cannot be used: file is not a database"):
        Queue(tmp_path / "queue")
    with pytest.raises(SetupError, match="unable to open"):
        Queue(tmp_path / "nowhere/queue")


def test_whoever_may_write_the_folder_cannot_make_the_daemon_wait_for_ever(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(queue, "ann", 1.0)
    for what in ("", "-journal", "-wal", "-shm"):
        there, aside = tmp_path / f"queue.sqlite{what}", tmp_path / "aside"
        if there.exists():
            there.rename(aside)
        os.mkfifo(there)  # opening it to read would never return
        with pytest.raises(SetupError, match=f"sqlite{what} is nothing that a queue of pushes has: .* Remove it"):
            queue.any_waits()
        there.unlink()
        if aside.exists():
            aside.rename(there)
    assert taken(queue) == ["ann"]
    with sqlite3.connect(tmp_path / "queue.sqlite") as table:
        table.execute("ALTER TABLE pushes RENAME TO aside")
        numbers = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
        table.execute(f"CREATE VIEW pushes AS SELECT aside.* FROM aside, ({numbers})")
    monkeypatch.setattr("grader.push.queue._LONGEST", 0.0)
    with pytest.raises(SetupError, match=r"cannot be used: interrupted\. Move it away"):
        queue.any_waits()


def test_whoever_may_write_the_folder_cannot_lead_the_daemon_to_other_files(queue: Queue, tmp_path: Path) -> None:
    other, course = tmp_path / "gradebook.db", tmp_path / "course.toml"
    with sqlite3.connect(other) as table:
        table.execute("CREATE TABLE grades (points)")
    before = other.read_bytes()
    course.write_text("[course]")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/queue.sqlite").symlink_to(other)
    with pytest.raises(SetupError, match="somebody put it there"):
        Queue(tmp_path / "elsewhere/queue.sqlite")
    assert other.read_bytes() == before
    # The journal of a transaction over several databases: SQLite would delete the file that it names.
    name = str(course).encode()
    magic = bytes.fromhex("d9d505f920a163d7")
    sums = [len(name).to_bytes(4, "big"), sum(name).to_bytes(4, "big")]
    header = magic + (b"\0" * 8) + (1).to_bytes(4, "big") + (512).to_bytes(4, "big") + (4096).to_bytes(4, "big")
    page = (1 << 30 >> 12).to_bytes(4, "big")
    (tmp_path / "queue.sqlite-journal").write_bytes(header.ljust(512, b"\0") + page + name + b"".join(sums) + magic)
    with pytest.raises(SetupError, match="sqlite-journal is nothing that a queue of pushes has"):
        queue.any_waits()
    assert course.exists()


PUSHER = """
import sys
from pathlib import Path
from grader.push.queue import Queue
queue = Queue(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    place = queue.put(student=sys.argv[2], assignment="blocking", repository="/r", ref="refs/heads/main",
                      commit=f"{number:040x}", now=float(number))
    print(place.push.id, flush=True)
"""


@pytest.mark.slow
def test_twenty_students_push_at_once_and_two_are_killed(tmp_path: Path) -> None:
    file = tmp_path / "queue.sqlite"
    Queue(file)
    pushers = [
        subprocess.Popen(
            [sys.executable, "-c", PUSHER, str(file), f"s{number:02}", "2" if number >= 2 else "10000"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        for number in range(20)
    ]
    answered = []
    for pusher in pushers[:2]:
        assert pusher.stdout is not None
        answered.append(int(pusher.stdout.readline()))
        pusher.send_signal(signal.SIGKILL)
    for pusher in pushers:
        answered += [int(line) for line in pusher.communicate()[0].split()]
    queue = Queue(file)
    assert len(set(answered)) == len(answered) >= 38
    states = [queue.state_of(number)[0] for number in answered]  # nothing that was answered is lost
    assert set(states) == {"waiting", "dropped"}
    assert sorted(taken(queue)) == [f"s{number:02}" for number in range(20)]


def test_the_order_is_a_function_of_what_waits() -> None:
    rows = [
        Push(n, student, "a", "/r", "refs/heads/x", COMMIT, float(n), float(n)) for n, student in enumerate("aabbc")
    ]
    assert [row.id for row in fair_order(rows, {"a": 9.0, "c": 5.0})] == [2, 4, 0, 3, 1]
    assert fair_order(reversed(rows), {}) == fair_order(rows, {})
