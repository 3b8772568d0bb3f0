"""Looks at the roster's repositories, puts what is new into the queue, and posts what becomes of it.

Rule 1: a commit is fetched as data before it is queued; what of it is new is seen from the hashes of its folders.
Rule 2: a repository, or a forge, that cannot be reached stops no other. It is tried again at its next turn.
Rule 3: a verdict that could not be posted is kept on the disk, and posted later; a newer one takes its place.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from grader.collect.git import checked
from grader.course import Course
from grader.course_file import CourseFile
from grader.daemon.grading import Verdict, mirror_of
from grader.daemon.whose import forge_of, roster_of, rules_of, secret_header, token_of
from grader.export.convert import result_of
from grader.forges.api import Api, ForgeError
from grader.forges.status import State, Status
from grader.git import GitError
from grader.push.folder import PushFolder
from grader.push.order import Push
from grader.push.queue import BadPush, Queue
from grader.push.rules import Rules
from grader.push.trees import changed
from grader.record.journal import write_file
from harness.errors import CommandError, UsageError
from harness.formats.choose import FORMATS
from harness.formats.result import Context, Result
from harness.tester.border.outcome import Outcome

#: Characters of a summary: GitHub takes comments of 65,536.
MOST_SUMMARY = 60_000


class Poller:
    """Of one course, in a thread of its own."""

    def __init__(self, ours: Course, folder: PushFolder, *, log: Callable[[str], None]) -> None:
        self._ours, self._folder, self._log = ours, folder, log
        self._apis: dict[str, Api] = {}
        self._tips: dict[str, str] = {}  # address -> the commit that was seen last
        self._said: dict[str, set[str]] = defaultdict(set)  # address -> what is wrong with it
        self._lock = threading.Lock()
        self._file = folder.kept / "unposted.json"
        self._unposted: dict[str, dict[str, Any]] = self._kept()

    def check(self, course: CourseFile) -> int:
        """How many repositories there are to look at. Raises CommandError: no repository, a token that is missing."""
        addresses = {person.repository for person in roster_of(course).active if person.repository}
        if not addresses:
            raise UsageError(f"nobody in {course.roster} has a repository. Fill in its column `repository`.")
        for address in sorted(addresses):
            checked(address)
        for forge in course.push.forges:
            token_of(course, forge)
        return len(addresses)

    @contextlib.contextmanager
    def looking(self, course: Callable[[], CourseFile]) -> Iterator[None]:
        """Look again and again, until the block ends."""
        over = threading.Event()

        def look() -> None:
            queue = Queue(self._folder.queue)
            while not over.is_set():
                begun = time.monotonic()
                self.round(course(), queue, over.is_set)
                over.wait(max(0.1, course().push.every - (time.monotonic() - begun)))

        thread = threading.Thread(target=look, name="poller")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def round(self, course: CourseFile, queue: Queue, stopped: Callable[[], bool] = lambda: False) -> None:
        """Look once at every repository, and post what could not be posted before."""
        try:
            roster = roster_of(course)
        except CommandError as error:
            return self._complain("", str(error))
        rules = rules_of(course, self._ours, roster)
        whose = {person.repository: person.id for person in reversed(roster.active) if person.repository}
        for address, student in whose.items():
            if stopped():
                return None
            try:
                self._look(course, rules, queue, address, student)
                self._said.pop(address, None)
            except (ForgeError, CommandError, BadPush, GitError, OSError) as error:
                self._complain(address, f"{student}: {error}")
        return self._post_later(course)

    def _complain(self, address: str, text: str) -> None:
        """Say it, once until all is well again."""
        if text not in self._said[address]:
            self._said[address].add(text)
            self._log(text)

    def _look(self, course: CourseFile, rules: Rules, queue: Queue, address: str, student: str) -> None:
        mirror = mirror_of(self._folder, address, secret_header(course, address))
        api = self._api(course, address)
        tip = api.tip(address, rules.branch) if api else mirror.tip(rules.ref)
        if tip is None or tip == self._tips.get(address):
            return
        if not mirror.has(tip):
            mirror.fetch(rules.ref)
        if not mirror.has(tip):
            return  # it has moved on in between: the next look sees where to
        for name in rules.assignments:
            owner = rules.hands_in(student, name)
            last = queue.last(owner, name, address)
            if name in changed(mirror.path, last[0] if last else "", tip, rules.assignments):
                self._put(course, queue, name, owner, address, rules.ref, tip)
        self._tips[address] = tip

    def _put(self, course: CourseFile, queue: Queue, name: str, owner: str, address: str, ref: str, tip: str) -> None:
        # Posted before it is in the queue: its verdict may be there at once, and has to come after this.
        self._post(course, address, tip, Status(assignment=name, state="pending", text="queued, to be graded"))
        place = queue.put(student=owner, assignment=name, repository=address, ref=ref, commit=tip, now=time.time())
        self._folder.ring()
        self._log(f"{owner}/{name} {tip[:8]} is new: number {place.push.id}, {place.place} before it")
        for older in place.instead_of:
            text = "not graded: a newer push took its place"
            self._post(course, address, older.commit, Status(assignment=name, state="error", text=text))

    def _api(self, course: CourseFile, address: str) -> Api | None:
        forge = forge_of(course, address)
        if forge is None:
            return None
        with self._lock:
            api = self._apis.get(forge.url)
            token = token_of(course, forge)
            if api is None or (api.forge, api.token) != (forge, token):
                api = self._apis[forge.url] = Api(forge, token)
        return api

    # -- what is posted ------------------------------------------------------------------------------------------------

    def ends(self, course: CourseFile, push: Push, verdict: Verdict) -> None:
        """A push has its verdict."""
        self._post(course, push.repository, push.commit, status_of(push, verdict))

    def _post(self, course: CourseFile, address: str, commit: str, status: Status) -> None:
        """Post a status; one that counts and cannot be posted is kept for later."""
        key, counts = f"{address} {commit} {status.assignment}", status.state != "pending"
        try:
            if (api := self._api(course, address)) is not None:
                api.post(address, commit, status)
            if counts:
                self._keep(key, None)
        except (ForgeError, CommandError) as error:
            self._complain(address, f"{address}: {error}")
            if counts:
                self._keep(key, {"repository": address, "commit": commit, "status": asdict(status)})

    def _keep(self, key: str, row: dict[str, Any] | None) -> None:
        with self._lock:
            if self._unposted.get(key) == row:
                return
            self._unposted.pop(key, None)
            if row is not None:
                self._unposted[key] = row
            with contextlib.suppress(OSError):  # a full disk: it is still known until this ends
                write_file(self._file, json.dumps(self._unposted).encode("ascii"), mode=0o600)

    def _post_later(self, course: CourseFile) -> None:
        for key, row in list(self._unposted.items()):
            try:
                self._post(course, row["repository"], row["commit"], Status(**row["status"]))
            except (KeyError, TypeError):  # the file was damaged
                self._keep(key, None)

    def _kept(self) -> dict[str, dict[str, Any]]:
        try:
            kept = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}


def status_of(push: Push, verdict: Verdict) -> Status:
    """What is posted of a verdict: the student's view, and a link if a browser can open the page."""
    link = verdict.page if verdict.page.startswith(("https://", "http://")) else ""
    if verdict.view is None or verdict.state == "lost":
        state: State = "error" if verdict.state == "lost" else "failure"
        return Status(assignment=push.assignment, state=state, text=verdict.said, link=link)
    result = result_of(verdict.view)
    first = result.first
    more = f" First: {first.section} {first.title}" if first else f" {result.message}" if result.message else ""
    summary = FORMATS["github-summary"](result, Context(now=datetime.now(UTC)))[:MOST_SUMMARY]
    text = f"{verdict.said}{more}"
    return Status(assignment=push.assignment, state=_state(result), text=text, link=link, summary=summary)


def _state(result: Result) -> State:
    """Green if everything has passed, red if something has not; what nobody has decided is neither."""
    outcomes = {check.outcome for check in result.checks}
    if result.first is not None or any(stage.message for stage in result.stages):
        return "failure"
    return "success" if outcomes == {Outcome.PASS} else "pending" if result.undecided else "failure"
