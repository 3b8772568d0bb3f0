"""What is to be graded, as a bench is given it: of a submission, where it runs and with which seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from grader.bench.local import Place
from grader.bench.task import Task
from grader.course import Course, Versions
from grader.job.grading import fingerprint_of, identity_of, seed_of
from grader.record.record import Record
from grader.submission import readable_name
from harness.course.assignment import Assignment


def make_task(
    course: Course,
    place: Place,
    tools: Mapping[str, str],
    *,
    student: str,
    assignment: Assignment,
    versions: Versions,
    submission: str,
    seed: str,
    until_failure: bool = False,
) -> Task:
    """`submission` is the copy's hash, or what stands for it; `tools` are those of the place; `seed` as `seed_of`."""
    name = assignment.name
    return Task(
        student=student,
        assignment=assignment,
        suites=course.suites(name),
        versions=versions.of(check.id for check in assignment.checks),
        until_failure=until_failure,
        others=course.files_of_others(name),
        reference=course.reference(name),
        seed=seed,
        identity=identity_of(
            submission=submission,
            tests=versions.base,
            image=place.image,
            lab=place.kind,
            engine=place.engine,
            seed=seed,
            **({"until": "a failure"} if until_failure else {}),
        ),
        lab={
            "kind": place.kind,
            "engine": place.engine,
            "image": place.image or None,
            "unprotected": place.unprotected or None,
            "machine": {**tools, "processors": assignment.limits.cpus, "memory_mb": assignment.limits.memory_mb},
        },
    )


def of_another_secret(record: Record, secret: bytes, asked: Iterable[tuple[str, str]]) -> list[str]:
    """Whose results (of some students' assignments) derive from another secret, as names for messages.

    What was not run has no seed that anybody would miss.
    """
    found = []
    for student, name in asked:
        result = record.load(student, name)
        if result is None or result["state"] in ("refused", "ours"):
            continue
        if result["seed"]["fingerprint"] != fingerprint_of(seed_of(secret, student, name)):
            found.append(f"{readable_name(student)}/{name}")
    return found
