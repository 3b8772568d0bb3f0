"""A small course and benches that follow a script, so that the judge is tested without running anything."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.bench.local import Bench, Ended, OnRecord, heard
from grader.bench.task import Task
from grader.campaign.campaign import Campaign
from grader.campaign.plan import make_plan
from grader.course import Course
from grader.job.grading import grade
from grader.record.run_folder import RunFolder
from grader.submission import Submission
from harness.tester.border.records import PCAPNG_MAGIC, BadRecord, Built, End, Forbidden, Piece, Record

TOML = """\
[assignment]
schema = 1
name = "blocking"
title = "Programs that wait"
handout = "handout.md"

[programs]
client = ["python3", "client.py"]
server = ["python3", "server.py"]

[build]
file = "Makefile"
command = ["make"]
timeout = 7

[limits]
seconds = 30

[[stages]]
number = 1
title = "Reading"
points = 5
section = "Stage 1"
programs = ["client"]

[[stages]]
number = 2
title = "Serving"
points = 10
section = "Stage 2"
programs = ["server"]
forbidden = ["asyncio"]

[[checks]]
id = "test_client.py::test_reads"
suite = "public"
stage = 1
points = 2
section = "1.1"
rule = "Read to the end."
hint = "recv may return less."

[[checks]]
id = "test_client.py::test_secretly_reads"
suite = "hidden"
stage = 1
points = 3
needs = ["test_client.py::test_reads"]
section = "1.2"
rule = "The rule of a hidden check."
hint = "The hint of a hidden check."
feedback = "Read section 1.2 again."

[[checks]]
id = "test_server.py::test_serves"
suite = "public"
stage = 2
points = 4
section = "2.1"
rule = "Serve one after the other."

[[checks]]
id = "test_server.py::test_survives"
suite = "hidden"
stage = 2
points = 6
needs = ["test_server.py::test_serves"]
section = "2.2"
rule = "Survive."
feedback = "Think of clients that vanish."
"""

READS, SECRET, SERVES, SURVIVES = (
    "test_client.py::test_reads",
    "test_client.py::test_secretly_reads",
    "test_server.py::test_serves",
    "test_server.py::test_survives",
)
ALL = (READS, SECRET, SERVES, SURVIVES)


def report(check: str, outcome: str = "pass", **more: Any) -> dict[str, Any]:
    """A report as the tester writes it."""
    return {"record": "report", "check": check, "outcome": outcome, "seconds": 0.1, **more}


def story(*what: str) -> list[dict[str, Any]]:
    return [{"at": 0.01 * n, "who": "student", "what": text} for n, text in enumerate(what)]


def packets(text: str = "packets") -> str:
    return base64.b64encode(PCAPNG_MAGIC + text.encode()).decode("ascii")


def passing() -> list[dict[str, Any]]:
    return [report(check) for check in ALL]


END = {"record": "end"}

#: What a bench is told to do: records to write (with the end or without), or a function of the task.
Script = Iterable[Any] | Callable[[Task, OnRecord], Ended]


def said(record: dict[str, Any]) -> Record | BadRecord:
    """What a bench makes of a record as the tester writes it."""
    return heard(json.dumps(record).encode())


def tar_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            row = tarfile.TarInfo(name)
            row.size = len(data)
            tar.addfile(row, io.BytesIO(data))
    return out.getvalue()


@dataclass
class FakeBench:
    """Writes the records of a script, one script per task, in turn; the last one again and again."""

    scripts: list[Script]
    tasks: list[Task] = field(default_factory=list)
    cancelled: bool = False
    closed: bool = False
    endings: list[Ended] = field(default_factory=list)  #: of the next tasks; after these, as it should be
    builds: list[Task] = field(default_factory=list)  #: these only build
    build_says: str = ""  #: why it fails
    built: dict[str, bytes] = field(default_factory=dict)  #: what it makes
    forbidden: dict[int, str] = field(default_factory=dict)  #: what is found when it is looked for

    @property
    def gradings(self) -> list[Task]:
        """The tasks that begin a grading: all public checks."""
        return [task for task in self.tasks if list(task.checks) == [READS, SERVES]]

    def run(self, task: Task, on_record: OnRecord) -> Ended:
        if task.pack:
            self.builds.append(task)
            return self._build(on_record)
        if task.look:
            on_record(Forbidden(self.forbidden))
        script = self.scripts[min(len(self.tasks), len(self.scripts) - 1)]
        self.tasks.append(task)
        if callable(script):
            return script(task, on_record)
        for record in script:
            if isinstance(record, dict) and record.get("record") == "report" and record["check"] not in task.checks:
                continue
            on_record(heard(record) if isinstance(record, bytes | None) else said(record))
        return self.endings.pop(0) if self.endings else Ended(status=0, cancelled=self.cancelled)

    def _build(self, on_record: OnRecord) -> Ended:
        on_record(Built(not self.build_says, self.build_says))
        if not self.build_says:
            on_record(Forbidden(self.forbidden))
            on_record(Piece(tar_of(self.built), last=False))
            on_record(Piece(b"", last=True))
        on_record(End())
        return Ended(status=0)

    def cancel(self) -> None:
        self.cancelled = True

    def close(self) -> None:
        self.closed = True


@dataclass
class FakePlace:
    """Makes benches with a function."""

    make: Callable[[], Bench]
    kind: str = "fake"
    engine: str = "none"
    image: str = "image-1"
    unprotected: str = ""
    closed: bool = False
    machines: int = 1
    found: dict[str, str] = field(default_factory=dict)  #: tools

    def bench(self) -> Bench:
        return self.make()

    def tools(self) -> dict[str, str]:
        return self.found

    def close(self) -> None:
        self.closed = True


class Runs:
    """A course, submissions, and a bench to grade them with."""

    def __init__(self, course: Course, tmp_path: Path) -> None:
        self.course, self.submitted, self.out = course, tmp_path / "in", tmp_path / "out"
        self.submitted.mkdir()
        self.bench = FakeBench([[*passing(), END]])
        self.place = FakePlace(lambda: self.bench)
        self.secret: str | None = "course secret"

    def go(self, **options: Any) -> dict[str, dict[str, Any]]:
        """Run a campaign to its end; the results of this call by student."""
        results = {}
        plan = make_plan(self.course, self.submitted)
        with RunFolder(self.out) as folder:
            campaign = Campaign(self.course, folder, self.place, folder.secret(self.secret), **options)
            for event in campaign.events(plan.jobs):
                if event.kind == "ends" and event.result:
                    results[event.job.student] = event.result
            folder.write_index(plan.remarks)
        return results

    def task(self, student: str) -> Task:
        """A task for a bench: what a student handed in."""
        return Task(
            student=student,
            assignment=self.course.load("blocking"),
            suites=self.course.suites("blocking"),
            seed="ab",
            identity="id",
            lab={},
            submission=self.submitted / student / "blocking",
            checks=(READS, SERVES),
            seconds=30.0,
        )

    def result(self, student: str) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((self.out / student / "blocking" / "result.json").read_text())
        return data


def hand_in(submitted: Path, student: str, assignment: str = "blocking", **files: str) -> Path:
    """A submission with some files (default: a client)."""
    folder = submitted / student / assignment
    folder.mkdir(parents=True)
    for name, text in (files or {"client.py": "print(1)\n"}).items():
        (folder / name).write_text(text)
    return folder


def result_of(course: Course, *records: dict[str, Any], student: str = "ann") -> dict[str, Any]:
    """A result as a grading makes it. A check without a report was not run, because of the one before it."""
    told = {record["check"] for record in records}
    skipped = [
        report(check, "skipped", because=first)
        for first, check in ((READS, SECRET), (SERVES, SURVIVES))
        if check not in told
    ]
    task = Task(
        student=student,
        assignment=course.load("blocking"),
        suites=course.suites("blocking"),
        seed="ab",
        identity="id",
        lab={"kind": "fake", "engine": "none", "image": None, "unprotected": None},
    )
    (course.root / "copy").mkdir(exist_ok=True)
    for name in ("client.py", "server.py"):
        (course.root / "copy" / name).write_text("print(1)\n")
    submission = Submission(student, "blocking", course.root / "copy", "hash", 1, 10)
    return grade(task, submission, FakeBench([[*records, *skipped, END]]), lambda _: None).result
