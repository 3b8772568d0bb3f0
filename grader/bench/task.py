"""What is to be graded: from the campaign, which knows whose it is, to the tester, which is told how to run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from grader.course import Versions
from harness.course.assignment import Assignment, Limits, Suite
from harness.course.misplaced import Others
from harness.lab.docker.description import DockerLab
from harness.tester.border.job import Job, LocalLab
from harness.tester.border.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Task:
    """A submission to grade. Fields for a single run of the tester have defaults and are filled in before it."""

    student: str  #: under which name the result goes
    assignment: Assignment
    suites: Mapping[Suite, Path]
    seed: str  #: hex, of this student and assignment
    identity: str  #: equal identities have equal results
    lab: Mapping[str, Any]  #: kind, engine, image, what it does not protect from: for the result
    versions: Versions = field(default_factory=Versions)  #: of the tests
    others: Others = field(default_factory=dict)  #: files of other assignments, to tell who handed in the wrong one
    reference: Path | None = None  #: the folder of the answers, for tests that play them against the submission

    submission: Path = Path()  #: the safe copy
    programs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    meets: bool = (
        False  #: whether the checks are those of a meeting; the assignment is what `as_assignment` makes of it
    )
    second: Path | None = None  #: of a meeting: the copy of the other submission; None: it meets the course's own
    second_programs: Mapping[str, Sequence[str]] | None = None  #: and how that one is started
    build: bool = False  #: whether the submission is to be built
    look: bool = False  #: whether its sources are to be looked through for forbidden names
    pack: bool = False  #: whether what was built is to be sent
    until_failure: bool = False  #: whether to end with the first check that fails
    checks: Sequence[str] = ()  #: ids, in the order to run them
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)  #: of checks that ran before: some need them
    seconds: float = 0.0  #: after which everything is ended
    alone: bool = False  #: whether nothing else may run on its machine meanwhile

    @property
    def limits(self) -> Limits:
        """Of the node it runs in: a build may use more than what is built."""
        build = self.assignment.build
        return build.limits(self.assignment.limits) if self.build and build is not None else self.assignment.limits

    def local_job(self) -> Job:
        """For a tester on this machine."""
        return self._job(
            LocalLab(self.submission, self.second),
            assignment=self.assignment.path.resolve(),
            suites={suite: folder.resolve() for suite, folder in self.suites.items()},
            reference=self.reference and self.reference.resolve(),
        )

    def docker_job(self, lab: DockerLab, code: PurePosixPath) -> Job:
        """For a tester in a container, which has the assignments below the folder `code`."""
        folder = Path(code / self.assignment.name)
        return self._job(
            lab,
            assignment=folder / "assignment.toml",
            suites={suite: folder / path.name for suite, path in self.suites.items()},
            reference=self.reference and folder / "reference",
        )

    def _job(
        self, lab: LocalLab | DockerLab, *, assignment: Path, suites: Mapping[str, Path], reference: Path | None
    ) -> Job:
        return Job(
            lab=lab,
            assignment=assignment,
            suites=suites,
            checks=self.checks,
            programs=self.programs,
            build=self.build,
            look=self.look,
            pack=self.pack,
            until_failure=self.until_failure,
            outcomes=self.outcomes,
            seed=self.seed,
            reference=reference,
            meets=self.meets,
            second_programs=self.second_programs,
        )
