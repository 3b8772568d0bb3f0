"""An audit from its options to audit.json and audit.html; the same folder again finishes what is left.

OUT/audit.json, OUT/audit.html         what came of it
OUT/<part>-<lab>[-<load>]/             a run (grader/record) of that part's specimens: every story, report and packet
OUT/specimens/<part>-<lab>.../<name>/  what was graded
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from grader.audit.drift import drift
from grader.audit.load import under
from grader.audit.measure import Caught, Finding, count_caught, finding_of
from grader.audit.parts import Batch, Options
from grader.audit.summary import Line, lines_of
from grader.bench.choose import choose_place
from grader.bench.local import closing
from grader.campaign.campaign import Campaign, JobEvent
from grader.campaign.crowd import labs_here
from grader.campaign.estimate import Estimate
from grader.campaign.plan import GradingJob
from grader.course import Course
from grader.record.journal import write_file
from grader.record.run_folder import RunFolder
from grader.reports.html import audit_page

#: Version of audit.json.
SCHEMA = 1
#: Whoever watches: is given the events of a batch, its estimate and how many jobs it has.
Watch = Callable[[Iterator[JobEvent], Estimate, Batch], None]


@dataclass
class Audit:
    """One call of `grader audit`."""

    course: Course
    out: Path
    options: Options
    say: Callable[[str], None]
    workers: int = 0
    findings: list[Finding] = field(default_factory=list)
    left: int = 0  #: specimens without a result yet
    _asked: dict[str, list[str]] = field(default_factory=dict)  # report of a mutant -> checks that it met
    _engines: dict[str, str] = field(default_factory=dict)
    _ended: set[tuple[str, str, str]] = field(default_factory=set)  # batch, specimen's folder, assignment

    def grade(self, batch: Batch, watch: Watch, until: float | None = None) -> None:
        """Grade a batch, at most `until` (seconds, monotonic), and note what became of it. Raises CommandError.

        At an interrupt, what was graded is noted as well.
        """
        jobs = [self._laid(batch, number) for number in range(len(batch.specimens))]
        names = sorted({job.assignment.name for job in jobs})
        place = choose_place(
            self.course,
            lab=batch.lab,
            engine=self.options.engine if batch.lab == "docker" else "auto",
            submitted=self.out,
            trusted=batch.lab == "local",
            assignments=names,
            say=self.say,
        )
        self._engines[batch.label] = place.engine
        with RunFolder(self.out / batch.label) as run, closing(place):
            campaign = Campaign(
                self.course, run, place, run.secret(self.options.seed), workers=self.workers or labs_here()
            )
            estimate = Estimate(jobs, lambda: campaign.crowd.now, os.cpu_count() or 1)
            try:
                with under(batch.load):
                    watch(self._seen(batch, _until(campaign.events(jobs), until)), estimate, batch)
            finally:
                run.write_index()
                self._note(batch, run)

    def _seen(self, batch: Batch, events: Iterator[JobEvent]) -> Iterator[JobEvent]:
        """The events; which specimens have come to their end is noted."""
        with contextlib.closing(events):  # type: ignore[type-var]
            for event in events:
                if event.kind == "ends":
                    self._ended.add((batch.label, event.job.student, event.job.assignment.name))
                yield event

    def _laid(self, batch: Batch, number: int) -> GradingJob:
        """The job of a specimen, whose files are there afterwards."""
        specimen = batch.specimens[number]
        folder = self.out / "specimens" / batch.label / specimen.folder / specimen.assignment.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        specimen.write(folder)
        return specimen.job(folder)

    def _note(self, batch: Batch, run: RunFolder) -> None:
        nothing = {}
        for specimen in batch.specimens:
            if specimen.kind == "empty" and (result := run.load(specimen.folder, specimen.assignment.name)):
                passed = {row["id"] for row in result["checks"] if row["outcome"] == "pass"}
                nothing[specimen.assignment.name] = passed
        for specimen in batch.specimens:
            name = specimen.assignment.name
            result, folder = run.load(specimen.folder, name), run.folder(specimen.folder, name)
            stopped = (batch.label, specimen.folder, name) not in self._ended
            if result is None or (result["state"] == "ours" and stopped):  # it waited for its second round
                self.left += 1
                continue
            report = f"{batch.label}/{specimen.folder}/{name}/report.html"
            page = folder / "student.html"
            finding = finding_of(
                specimen,
                result,
                condition=batch.condition,
                report=report,
                page=page.read_text(encoding="utf-8") if page.is_file() else "",
                nothing=nothing.get(name, ()),
            )
            self.findings.append(finding)
            self._asked[report] = [row["id"] for row in result["checks"] if row["outcome"] != "skipped"]

    def checks(self) -> list[Caught]:
        """Which check caught what."""
        names = {finding.assignment for finding in self.findings if finding.part == "mutants"}
        rows = [
            Caught(check.id, name, check.suite, check.stage)
            for name in sorted(names)
            for check in self.course.load(name).checks
        ]
        count_caught(self.findings, rows, self._asked)
        return rows

    def written(self, command: str, *, against: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], list[Line]]:
        """audit.json and audit.html; what they say. `against`: another audit.json. Raises OSError, UsageError."""
        checks = self.checks()
        lines = lines_of(self.findings, () if self.left else checks)  # which catch nothing is known at the end
        audit: dict[str, Any] = {
            "schema": SCHEMA,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "options": self.options.to_json(),
            "machine": {**machine(), "engines": self._engines},
            "versions": {name: self.course.versions(name).base for name in self.course.names()},
            "left": self.left,
            "lines": [{**asdict(line), "bound": line.bound} for line in lines],
            "findings": [asdict(finding) for finding in self.findings],
            "checks": [asdict(check) for check in checks],
        }
        audit["drift"] = asdict(drift(against, audit)) if against is not None else None
        write_file(self.out / "audit.json", json.dumps(audit, indent=1).encode("ascii") + b"\n")
        write_file(self.out / "audit.html", audit_page(audit).encode("utf-8"))
        return audit, lines


def _until(events: Iterator[JobEvent], until: float | None) -> Iterator[JobEvent]:
    """The events, but none after a moment: then what runs is stopped."""
    try:
        for event in events:
            yield event
            if until is not None and time.monotonic() > until:
                break
    finally:
        events.close()  # type: ignore[attr-defined]


def machine() -> dict[str, Any]:
    """What a verdict may hang on, of the machine that grades."""
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "") if platform.system() == "Linux" else ""
    return {
        "system": system or platform.platform(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "processors": os.cpu_count() or 1,
        "memory_mb": psutil.virtual_memory().total >> 20,
        "cgroups": 2 if Path("/sys/fs/cgroup/cgroup.controllers").is_file() else 1,
    }


def shares(batches: Sequence[Batch], minutes: float | None) -> Iterator[tuple[Batch, float | None]]:
    """Each batch, and until when it may go on: of the time that is left each has an equal part."""
    end = None if minutes is None else time.monotonic() + 60 * minutes
    for number, batch in enumerate(batches):
        now = time.monotonic()
        yield batch, None if end is None else now + max(0.0, end - now) / (len(batches) - number)
