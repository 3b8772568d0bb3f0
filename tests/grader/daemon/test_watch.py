"""`grader watch`: repositories on forges, fetched as data; the student's view posted to the commit."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from fake_forge import TOKEN, FakeForge

from grader.course import Course
from grader.course_file import CourseFile, load_course_file
from grader.course_push import KINDS
from grader.daemon.grading import Verdict
from grader.daemon.poller import Poller
from grader.push.folder import PushFolder
from grader.push.order import Push
from grader.push.queue import Queue
from harness.errors import CommandError

if TYPE_CHECKING:
    from pushing import Pushing

MAIN = "refs/heads/main"


@pytest.fixture
def forge(request: pytest.FixtureRequest, pushing: Pushing) -> Iterator[FakeForge]:
    """A forge with a repository for each student, and a course that looks at them."""
    kind = getattr(request, "param", "github")
    with FakeForge(kind, pushing.here / "forge") as made:
        (pushing.term / ".token").write_text(f"{TOKEN}\n")
        (pushing.term / ".token").chmod(0o600)
        pushing.settings(
            more=f"[watch]\nseconds = 0.2\n{made.toml}", push='link = "https://x.example/{student}/{assignment}"'
        )
        pushing.roster("ann", "bob", repository=f"{made.url}/course/NAME.git")
        for student in ("ann", "bob"):
            bare = pushing.here / "forge" / "course" / f"{student}.git"
            bare.mkdir(parents=True)
            pushing.git(bare, "init", "--bare")
        yield made


def up(pushing: Pushing, student: str, client: str) -> str:
    """A student pushes to the forge; the commit."""
    commit = pushing.commits(student, client)
    pushing.git(pushing.work(student), "push", "--force", pushing.here / f"forge/course/{student}.git", f"HEAD:{MAIN}")
    return commit


@pytest.mark.parametrize(
    "forge",
    ["github", *(pytest.param(kind, marks=pytest.mark.audit) for kind in KINDS if kind != "github")],
    indirect=True,
)
def test_a_commit_on_a_forge_is_graded_and_gets_its_status(pushing: Pushing, forge: FakeForge) -> None:
    first = up(pushing, "ann", "test_survives, a secret of the tests")
    pushing.serves(command=("watch",))
    pushing.until(lambda: len(forge.state_of(first)) == 2)
    second = up(pushing, "ann", "")
    pushing.until(lambda: len(forge.state_of(second)) == 2)
    red, green = ("failed", "success") if forge.kind == "gitlab" else ("failure", "success")
    assert (forge.state_of(first), forge.state_of(second)) == (["pending", red], ["pending", green])
    assert forge.statuses[1]["description"].startswith("9 of 15 points. First: 2")
    assert forge.statuses[3]["description"] == "15 of 15 points."
    assert not any("secret" in row["description"] or "test_survives" in row["description"] for row in forge.statuses)
    if forge.kind != "forgejo":
        pushing.until(lambda: len(forge.comments) == 2)
        assert forge.comments[0].startswith("## Programs that wait: 9 of 15 points")
        assert "Think of clients that vanish." in forge.comments[0]
        assert "secret" not in forge.comments[0] and "test" not in forge.comments[0]
    log = pushing.kill(signal.SIGTERM)
    assert TOKEN not in log and "ann/blocking" in log and "Traceback" not in log
    for path in pushing.term.rglob("*"):  # the token is nowhere but in its file
        assert path.name == ".token" or not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


class Looking:
    """A poller without a thread, and what it has said."""

    def __init__(self, pushing: Pushing) -> None:
        self.pushing, self.log = pushing, list[str]()
        self.folder = PushFolder(pushing.term / "push")
        self.folder.make()
        self.ours = Course(pushing.here / "course")
        self.poller = Poller(self.ours, self.folder, log=self.log.append)
        self.queue = Queue(self.folder.queue)

    @property
    def course(self) -> CourseFile:
        return load_course_file(self.pushing.term / "course.toml", self.ours.names())

    def looks(self) -> list[tuple[str, str, str]]:
        self.poller.round(self.course, self.queue)
        return [(row["student"], row["commit_id"], row["state"]) for row in self.pushing.rows()]

    def ends(self, commit: str, text: str) -> None:
        address = self.course.push.forges[0].url + "/course/ann.git"
        push = Push(1, "ann", "blocking", address, MAIN, commit, 1.0, 1.0)
        self.poller.ends(self.course, push, Verdict("lost", text))


def test_what_is_not_new_is_not_graded_again(pushing: Pushing, forge: FakeForge) -> None:
    looking = Looking(pushing)
    assert looking.looks() == []  # nothing has been pushed
    commit = up(pushing, "ann", "")
    assert looking.looks() == looking.looks() == [("ann", commit, "waiting")]
    assert Looking(pushing).looks() == [("ann", commit, "waiting")]  # nor by the next one that is started
    pushing.commits("ann", "", {"NOTES": "nothing of an assignment"})
    up(pushing, "ann", "")
    assert len(looking.looks()) == 1
    newer = up(pushing, "ann", "newer")
    assert looking.looks() == [("ann", commit, "dropped"), ("ann", newer, "waiting")]
    assert forge.state_of(commit) == ["pending", "error"]
    assert forge.statuses[-1]["description"] == "not graded: a newer push took its place"


def test_what_was_handed_out_and_nobody_has_touched_is_not_graded(pushing: Pushing, forge: FakeForge) -> None:
    pushing.git(pushing.work("ann"), "push", pushing.here / "forge/course/ann.git", f"HEAD~0:{MAIN}")
    pushing.git(pushing.work("ann"), "commit", "--allow-empty", "-m", "nothing")
    pushing.git(pushing.work("ann"), "push", pushing.here / "forge/course/ann.git", f"HEAD:{MAIN}")
    assert Looking(pushing).looks() == [] and forge.statuses == []


def test_a_forge_that_is_down_loses_no_verdict(pushing: Pushing, forge: FakeForge) -> None:
    looking = Looking(pushing)
    commit = up(pushing, "ann", "")
    forge.down = True
    looking.ends(commit, "the newest")
    assert looking.looks() == [] and any("502" in row for row in looking.log)
    said = len(looking.log)
    looking.looks()
    assert len(looking.log) == said  # it is said once
    forge.down = False
    again = Looking(pushing)  # killed, and started again
    again.looks()
    assert [row["description"] for row in forge.statuses if row["state"] == "error"] == ["the newest"]
    again.looks()
    assert len([row for row in forge.statuses if row["state"] == "error"]) == 1


def test_one_repository_that_is_not_there_stops_no_other(pushing: Pushing, forge: FakeForge) -> None:
    pushing.roster("ann", "bob", repository=f"{forge.url}/course/NAME.git")
    (pushing.here / "forge/course/ann.git").rename(pushing.here / "elsewhere.git")
    commit = up(pushing, "bob", "")
    assert Looking(pushing).looks() == [("bob", commit, "waiting")]


def test_repositories_elsewhere_are_watched_without_an_api(pushing: Pushing) -> None:
    pushing.roster("ann", repository=f"{pushing.here}/plain/NAME.git")
    bare = pushing.here / "plain" / "ann.git"
    bare.mkdir(parents=True)
    pushing.git(bare, "init", "--bare")
    commit = pushing.commits("ann", "")
    pushing.git(pushing.work("ann"), "push", bare, f"HEAD:{MAIN}")
    looking = Looking(pushing)
    assert looking.poller.check(looking.course) == 1
    assert looking.looks() == looking.looks() == [("ann", commit, "waiting")]


@pytest.mark.usefixtures("forge")
def test_what_cannot_be_watched_is_said_before_it_begins(pushing: Pushing) -> None:
    looking = Looking(pushing)
    (pushing.term / ".token").chmod(0o644)
    with pytest.raises(CommandError, match=r"\.token can be read or changed by others, and is the token for http"):
        looking.poller.check(looking.course)
    (pushing.term / ".token").unlink()
    with pytest.raises(CommandError, match=r"the token for http.* cannot be read"):
        looking.poller.check(looking.course)
    pushing.roster("ann", repository="-oProxyCommand=x")
    with pytest.raises(CommandError, match="is not the address of a repository"):
        looking.poller.check(looking.course)
    pushing.roster("ann")
    with pytest.raises(CommandError, match=r"has a repository\. Fill in its column"):
        looking.poller.check(looking.course)
