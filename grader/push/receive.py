"""What runs in git's post-receive: puts rows into the queue, says so at once, and shows the answer while it grows.

Rule 1: it decides nothing and grades nothing. What is said to be queued is on the disk; whoever stops watching (Ctrl-C,
        a lost connection) stops nothing else.
Rule 2: nothing of its environment but GIT_DIR and the name of the student is used, and git gets a clean one.
Rule 3: it is not the place of a rich library: its first line comes while somebody waits.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.git import GitError
from grader.push.folder import PushFolder, Reader
from grader.push.order import seconds_until
from grader.push.queue import BadPush, Place, Queue
from grader.push.rules import VARIABLE, Rules, read_rules
from grader.push.trees import changed, is_nothing
from harness.errors import CommandError
from harness.formats.words import line

#: Seconds that a grading takes before one has been seen.
FIRST_GUESS = 30.0
#: How often the answer is read, and the queue asked (seconds).
_LOOKS, _ASKS = 0.05, 0.5
Say = Callable[[str], None]


@dataclass(frozen=True)
class Update:
    """A branch that was pushed."""

    old: str
    new: str
    ref: str


def updates(given: Iterable[str]) -> list[Update]:
    """What git writes to the hook's standard input (githooks(5), post-receive): old, new, ref on each line."""
    return [Update(*words) for row in given if len(words := row.rstrip("\n").split(" ", 2)) == 3]


def owner_of(rules: Rules, repository: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Whose repository it is, and its one assignment, or "" for all. Raises BadPush: it is not that of who pushes."""
    place = rules.place_of(repository)
    if place is None:
        raise BadPush(f"{repository} is not one of the course's repositories ({rules.repositories}).")
    owner, assignment = place
    if not rules.takes_part(owner):
        raise BadPush(f"{owner} is not in the course's roster.")
    if rules.identity != "path":
        student = environment.get(VARIABLE[rules.identity], "")
        if not student or owner not in (student, rules.people.get(student)):
            raise BadPush(f"the repository is {owner}'s, and {student or 'somebody without a name'} pushed to it.")
    return owner, assignment


def receive(
    folder: PushFolder, repository: str, rows: Iterable[Update], environment: Mapping[str, str], now: float, say: Say
) -> list[Place]:
    """Queue what counts of a push, and say what became of each part. Raises CommandError."""
    rules = read_rules(folder.told)
    queue = Queue(folder.queue)
    places: list[Place] = []
    for update in rows:
        if not update.ref.startswith("refs/heads/"):
            continue
        branch = update.ref.removeprefix("refs/heads/")
        if update.ref != rules.ref:
            say(f"{branch} is kept and not graded: the branch that counts is {rules.branch}.")
        elif is_nothing(update.new):
            say(f"{branch} was deleted. Nothing is graded; what was graded before stands.")
        else:
            places += _queue(queue, rules, repository, update, environment, now, say)
    if places:
        folder.ring()
    for place in places:
        say(_queued(queue, place))
    return places


def _queue(
    queue: Queue, rules: Rules, repository: str, update: Update, environment: Mapping[str, str], now: float, say: Say
) -> list[Place]:
    places = []
    try:
        owner, only = owner_of(rules, repository, environment)
        names = [only] if only else changed(Path(repository), update.old, update.new, rules.assignments)
        if not only:
            lost = (name for name in rules.assignments if name not in names)
            names += [name for name in lost if _was_lost(queue, owner, name, repository)]
        if not names:
            known = ", ".join(rules.assignments)
            say(f"Nothing to grade: no file in a folder of an assignment ({known}) has changed.")
        for name in names:
            if not rules.may_hand_in(owner, name):
                say(f"{name} is {'group work' if name in rules.groups else 'no group work'}: not graded from here.")
                continue
            push = {"student": owner, "assignment": name, "repository": repository, "ref": update.ref}
            places.append(queue.put(**push, commit=update.new, now=now))
    except (BadPush, GitError) as why:
        say(f"Your commit is kept, and not graded: {why}")
    return places


def _was_lost(queue: Queue, student: str, name: str, repository: str) -> bool:
    last = queue.last(student, name, repository)
    return last is not None and last[1] == "lost"


def _queued(queue: Queue, place: Place) -> str:
    older = f" instead of number {', '.join(str(push.id) for push in place.instead_of)}" if place.instead_of else ""
    push = place.push
    return f"{push.assignment} at {push.commit[:8]} is queued as number {push.id}{older}: {_when(queue, place)}."


def _when(queue: Queue, place: Place) -> str:
    each = queue.seconds_each(FIRST_GUESS)
    until = seconds_until(place.place, each=each, workers=1) + each
    where = "it is next" if not place.place else f"{place.place} before it"
    return f"{where}, a verdict in {_about(until)}"


def _about(seconds: float) -> str:
    if seconds < 100:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} minutes"


class Following:
    """Shows the answers to some pushes until all of them have ended."""

    def __init__(self, folder: PushFolder, places: list[Place], say: Say) -> None:
        self._folder, self._say = folder, say
        self._queue = Queue(folder.queue)
        self._open = {place.push.id: Reader(folder, place.push.id) for place in places}
        self._names = {place.push.id: f"{place.push.assignment}: " if len(places) > 1 else "" for place in places}
        self._ahead = {place.push.id: place.place for place in places}
        self._served = True

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return not self._open

    def show(self) -> bool:
        """Say what has come since the last call; whether something has, or a push is over."""
        changed = [number for number, reader in self._open.items() if reader.has_changed()]
        for number in changed:
            self._show(number)
        return bool(changed)

    def _show(self, number: int) -> None:
        for text in self._open[number].lines():
            self._say(f"{self._names[number]}{text}")

    def ask(self) -> None:
        """Ask the queue what became of the pushes, and say it where no answer does."""
        served = self._folder.is_served()
        if not served and self._served:
            self._say("No grader is at work now. What is queued stays queued, and is graded when it is started again.")
        self._served = served
        for number in list(self._open):
            state, said = self._queue.state_of(number)
            if state == "waiting":
                place = self._queue.place_of(number)
                if served and place is not None and place.place < self._ahead[number]:
                    self._ahead[number] = place.place
                    self._say(f"{self._names[number]}{_when(self._queue, place)}.")
            elif state != "running":
                self._show(number)  # what was written before it ended
                if state != "done":
                    self._say(f"{self._names[number]}Number {number} is not graded: {said}.")
                del self._open[number]


def watch(folder: PushFolder, places: list[Place], patience: float, say: Say) -> None:
    """Show the answers as they come, at most for so many seconds. Raises CommandError."""
    following, begun, asked = Following(folder, places, say), time.monotonic(), 0.0
    say("Ctrl-C ends the watching, not the grading.")
    while not following.over:
        now = time.monotonic()
        if now - begun > patience:
            say(f"The grading goes on; watching ends after {_about(patience)}.")
            return
        if following.show() or now - asked >= _ASKS:
            following.ask()
            asked = now
        if not following.over:
            time.sleep(_LOOKS)


def main(arguments: list[str]) -> int:
    """The hook: `arguments` is the folder that it shares with the daemon."""
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]

    def say(text: str) -> None:
        print(f"socketlab: {line(text)}", flush=True)

    folder = PushFolder(Path(arguments[0]))
    repository = os.path.realpath(os.environ.get("GIT_DIR", "."))
    try:
        places = receive(folder, repository, updates(sys.stdin), os.environ, time.time(), say)
        if places:
            watch(folder, places, read_rules(folder.told).patience, say)
    except CommandError as error:
        say(f"Your commit is kept. It is not graded, through no fault of yours: {error}")
        say("Tell your instructor.")
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(130)  # nobody listens any more, and nothing is left to do
    return 0
