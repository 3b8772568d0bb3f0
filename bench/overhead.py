"""What a check costs before it tests anything: where the time of a grading goes, phase by phase, in one Docker lab.

A star is started, groups of the reference's checks are run in it, and beside the seconds stands what the machine's
processors did meanwhile (of everybody: let nothing else run). Then what starting a program in a student's node costs.

    .venv/bin/python bench/overhead.py [ASSIGNMENT [GROUPS]]
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

import docker
from grader.bench.docker import DockerPlace
from grader.bench.task import Task
from grader.course import this_course
from harness.course.groups import cut
from harness.course.programs import load_programs
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import BadRecord, Phase, Record, Report

#: What a program of a student's node is started with, and what it imports first.
STARTS = (("python3",), ("python3", "-S"), ("python3", "-E"), ("python3", "-I"), ("python3", "-X", "frozen_modules=on"))
IMPORTS = ("pass", "import selectors, socket, threading", "import asyncio, ssl")
#: Runs in the container: medians of so many starts, in milliseconds; and how much of the library is compiled.
TRIED = """
import json, os, statistics, subprocess, sys, sysconfig, time
def took(words):
    begun = time.perf_counter(); subprocess.run(words, check=True); return time.perf_counter() - begun
rows = {}
for words in json.loads(sys.argv[1]):
    rows[json.dumps(words)] = 1e3 * statistics.median(took(words) for _ in range(21))
library, tag = sysconfig.get_paths()["stdlib"], sys.implementation.cache_tag
files = [os.path.join(at, f) for at, _, fs in os.walk(library) if "packages" not in at for f in fs if f.endswith(".py")]
def cache(file): return os.path.join(os.path.dirname(file), "__pycache__", f"{os.path.basename(file)[:-3]}.{tag}.pyc")
compiled = [file for file in files if os.path.exists(cache(file))]
print(json.dumps([rows, len(files), len(compiled)]))
"""


@contextmanager
def measured(name: str, table: dict[str, list[tuple[float, float]]]) -> Iterator[None]:
    """Seconds of the clock, and of all processors."""

    def used() -> float:
        times = psutil.cpu_times()
        return float(sum(times) - times.idle - times.iowait)

    begun, busy = time.monotonic(), used()
    yield
    table[name].append((time.monotonic() - begun, used() - busy))


def programs(image: str) -> None:
    """What starting Python in a student's node costs."""
    words = [[*start, "-c", what] for start in STARTS for what in IMPORTS]
    engine = docker.from_env()
    told = engine.containers.run(image, ["python3", "-c", TRIED, json.dumps(words)], network_mode="none", remove=True)
    rows, files, compiled = json.loads(told)
    print(
        f"\nPython in the student's image: {compiled} of {files} modules are compiled; milliseconds of a start (median)"
    )
    print(f"{'':28}" + "".join(f"{what:>38}" for what in IMPORTS))
    for start in STARTS:
        cells = [rows[json.dumps([*start, "-c", what])] for what in IMPORTS]
        print(f"{' '.join(start):28}" + "".join(f"{cell:38.1f}" for cell in cells))


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "blocking"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 6
    course = this_course()
    assignment, folder = course.load(name), course.reference(name)
    place = DockerPlace(course, [name], engine="auto", say=print)
    table: dict[str, list[tuple[float, float]]] = defaultdict(list)
    phases: dict[str, list[float]] = defaultdict(list)
    reports: list[Report] = []

    def hear(record: Record | BadRecord) -> None:
        if isinstance(record, Phase):
            phases[record.name].append(record.seconds)
        elif isinstance(record, Report):
            reports.append(record)

    groups = cut(assignment.checks_of(suite="hidden"), count)
    done = dict.fromkeys((check.id for check in assignment.checks), Outcome.PASS)
    try:
        with measured("start a star", table):
            bench = place.bench()
        for group in groups:
            task = Task(
                student="", assignment=assignment, suites=course.suites(name), seed="5", identity="", lab={},
                reference=folder, submission=folder, programs=load_programs(assignment.programs, folder),
                checks=group.checks, outcomes={check: done[check] for check in done if check not in group.checks},
                seconds=300.0,
            )  # fmt: skip
            with measured("a group", table):
                ended = bench.run(task, hear)
            for phase in ended.phases:
                phases[phase.name].append(phase.seconds)
        with measured("end a star", table):
            bench.close()
    finally:
        place.close()
    passed = sum(report.outcome is Outcome.PASS for report in reports)
    checks = sum(report.seconds for report in reports)
    print(f"{name}: {len(groups)} groups of hidden checks, {len(reports)} checks, {passed} passed\n")
    for what, rows in table.items():
        wall, busy = (statistics.fmean(column) for column in zip(*rows, strict=True))
        print(f"{what:16} {wall:6.2f} s, {busy:6.2f} s of processor   x {len(rows)}")
    print("of a group (mean seconds):")
    for what, seconds in phases.items():
        print(f"  {what:16} {sum(seconds) / len(groups):6.2f}")
    whole = sum(wall for wall, _ in table["a group"])
    print(f"  in checks        {checks / len(groups):6.2f}, beyond them {(whole - checks) / len(groups):6.2f}")
    print(f"  a check (mean)   {checks / max(1, len(reports)):6.2f}, and a fresh node for each, as above")
    programs(place.image.split()[0])


if __name__ == "__main__":
    main()
