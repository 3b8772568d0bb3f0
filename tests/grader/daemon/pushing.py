"""A course whose students push, with real git and the real hook, and the daemon as a process of its own.

The daemon grades with a bench that follows a script in a file: no program runs, so a test takes what git takes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes import TOML

from grader.course import Course
from grader.course_file import load_course_file
from grader.daemon.whose import roster_of, rules_of
from grader.push.folder import PushFolder
from grader.push.install import install

ROOT = Path(__file__).parents[3]
#: Seconds that something may take on a machine that is busy with other things.
PATIENCE = 60.0

#: The daemon's program: `grader` in the small course, whose bench takes its time from a file and passes what a
#: submission's client.py names.
GRADER = """
import json, sys, time
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
import grader.cli.hook, grader.course
from fakes import END, FakeBench, FakePlace, report
from grader.course import Course
from harness.tester.border.records import Start

here = Path({here!r})
course = Course(here / "course")
grader.course.this_course = lambda: course

bench = FakeBench([])

def script(task, on_record):
    from fakes import heard, Ended
    text = (Path(task.submission) / "client.py").read_bytes().decode()
    for check in task.checks:
        pause = here / "pause"
        while pause.exists() and not bench.cancelled:
            time.sleep(0.01)
        well = check.rpartition("::")[2] not in text
        row = report(check, "pass") if well else report(check, "fail", message=text)
        on_record(heard(json.dumps(row).encode()))
    on_record(heard(json.dumps(END).encode()))
    return Ended(status=0, cancelled=bench.cancelled)

bench.scripts.append(script)
grader.cli.hook.choose_place = lambda *_, **__: FakePlace(lambda: bench)
from grader.cli.main import main
sys.argv[0] = "grader"
main()
"""


@dataclass
class Pushed:
    """A `git push` that runs."""

    process: subprocess.Popen[str]
    said: str = ""

    def ends(self) -> str:
        """What it printed, when it has ended."""
        assert self.process.stdout is not None
        self.said += self.process.stdout.read()
        self.process.wait(PATIENCE)
        return self.said

    def says(self, text: str) -> None:
        """Wait until it has printed that."""
        assert self.process.stdout is not None
        while text not in self.said:
            row = self.process.stdout.readline()
            assert row, self.said
            self.said += row


@dataclass
class Pushing:
    """A course in a folder."""

    here: Path
    daemon: subprocess.Popen[str] | None = None
    _given: int = 0

    def __post_init__(self) -> None:
        (self.here / "course" / "reference" / "blocking").mkdir(parents=True)
        (self.here / "course" / "reference" / "blocking" / "assignment.toml").write_text(TOML)
        for suite in ("public", "hidden"):
            folder = self.here / "course" / "grader" / "suites" / "blocking" / suite
            folder.mkdir(parents=True)
            (folder / "test_client.py").write_text("def test_reads(lab): ...\n")
        (self.here / "grader.py").write_text(
            GRADER.format(root=str(ROOT), tests=str(ROOT / "tests" / "grader"), here=str(self.here))
        )
        self.term.mkdir()
        self.settings()
        self.everybody()

    def everybody(self) -> None:
        """Put some students into the roster."""
        self.roster(*(f"s{number:02}" for number in range(26)))

    def student(self) -> str:
        """One of them whom nobody has had yet."""
        self._given += 1
        return f"s{self._given - 1:02}"

    @property
    def term(self) -> Path:
        return self.here / "term"

    def settings(self, push: str = "", assignment: str = "", more: str = "") -> None:
        """Write course.toml."""
        self.writes(
            "course.toml",
            '[course]\nschema = 1\nname = "networks"\nzone = "Europe/Berlin"\nsecret = "env:SECRET"\n'
            f'[push]\nrepositories = "{self.here}/git/{{student}}.git"\n{push}\n'
            f'{more}\n[[assignments]]\nname = "blocking"\n{assignment}\n',
        )

    def roster(self, *students: str, repository: str = "") -> None:
        rows = "".join(f"{name},{repository.replace('NAME', name)}\n" for name in students)
        self.writes("roster.csv", f"id,repository\n{rows}")

    def writes(self, name: str, text: str) -> None:
        """A file of the course; a daemon that runs has read it when this returns."""
        rules = self.term / "push" / "answers" / "rules.json"
        before = rules.stat().st_mtime_ns if self.daemon else 0
        (self.term / name).write_text(text)
        if self.daemon is not None:
            PushFolder(self.term / "push").ring()
            self.until(lambda: rules.stat().st_mtime_ns != before)

    def rows(self, student: str = "") -> list[dict[str, Any]]:
        """What is in the queue, or of it a student's."""
        with contextlib.closing(sqlite3.connect(PushFolder(self.term / "push").queue)) as table:
            table.row_factory = sqlite3.Row
            found = [dict(row) for row in table.execute("SELECT * FROM pushes ORDER BY id")]
        return [row for row in found if student in ("", row["student"])]

    def environment(self, **more: str) -> dict[str, str]:
        plain = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        who = {f"GIT_{role}_{key}": "s@x" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        settings = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(self.here), "SECRET": "s"}
        return {**plain, **who, **settings, **more}

    def types(self, *words: object, status: int = 0, **more: str) -> str:
        """`grader` with these words."""
        done = subprocess.run(
            [sys.executable, self.here / "grader.py", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(**more),
            timeout=PATIENCE,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return " ".join((done.stdout + done.stderr).split())

    def installs(self) -> None:
        """What `grader hook install` does, without a process of its own."""
        ours = Course(self.here / "course")
        course = load_course_file(self.term / "course.toml", ours.names())
        rules, folder = rules_of(course, ours, roster_of(course)), PushFolder(course.push.folder)
        folder.make()
        rules.write(folder.told)
        for student in rules.people:
            for path in rules.repositories_of(student):
                install(Path(path), folder, rules)

    def git(self, folder: Path, *words: object, given: str = "") -> str:
        command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *map(str, words)]
        done = subprocess.run(
            command, cwd=folder, env=self.environment(), input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def work(self, student: str) -> Path:
        """A student's clone, made from a commit that everybody has."""
        folder = self.here / "work" / student
        if not folder.exists():
            folder.mkdir(parents=True)
            self.git(folder, "init")
            self.commits(student, "", files={"blocking/README": "handed out"})
        return folder

    def commits(self, student: str, client: str, files: dict[str, str] | None = None) -> str:
        """A commit: `client` names the checks that fail."""
        folder = self.work(student)
        for name, text in (files or {"blocking/client.py": client}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        self.git(folder, "add", "-A")
        self.git(folder, "commit", "--allow-empty", "-m", "work")
        return self.git(folder, "rev-parse", "HEAD").strip()

    def begins_to_push(self, student: str, *words: str, **more: str) -> Pushed:
        """`git push` of what is committed, which goes on."""
        words = words or ("HEAD:main",)
        process = subprocess.Popen(
            ["git", "push", "--force", self.here / "git" / f"{student}.git", *words],
            cwd=self.work(student),
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return Pushed(process)

    def pushes(self, student: str, client: str | None = None, *words: str, **more: str) -> str:
        """A commit, and `git push` to its end."""
        if client is not None:
            self.commits(student, client)
        return self.begins_to_push(student, *words, **more).ends()

    def serves(self, *words: str, command: tuple[str, ...] = ("hook", "serve")) -> None:
        """Start the daemon, and wait until it waits."""
        self.daemon = subprocess.Popen(
            [sys.executable, self.here / "grader.py", *command, self.term, *words],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.daemon.stdout is not None
        rows = []
        for row in self.daemon.stdout:
            rows.append(row)
            if "waits for" in row:
                return
        raise AssertionError("".join(rows))

    def kill(self, with_: signal.Signals = signal.SIGKILL) -> str:
        """End the daemon; what it has logged."""
        assert self.daemon is not None
        self.daemon.send_signal(with_)
        said = self.daemon.communicate(timeout=PATIENCE)[0]
        self.daemon = None
        return said

    def pauses(self, paused: bool = True) -> None:
        """Let each check wait before it reports, or go on."""
        if paused:
            (self.here / "pause").touch()
        else:
            (self.here / "pause").unlink()

    @staticmethod
    def until(true: Callable[[], object]) -> None:
        """Wait for something that another process does."""
        over = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < over
            time.sleep(0.01)
