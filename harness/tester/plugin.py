"""The pytest plugin behind every suite: the fixture `lab`, the order of checks, and a record for each of them.

The same for public and hidden tests. Rule: a report that this file cannot explain is ours, never the submission's.
"""

from __future__ import annotations

import hashlib
import signal
import sys
import time
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest

from harness.actors.story import Broken
from harness.course.assignment import Assignment, Check
from harness.errors import shortage
from harness.lab.interface import CannotStart, LabError, LinkCounters, Network, Node, NodeGone, NodeMute, NotMeasured
from harness.lab.node.proc import machine_queued, queued_here
from harness.tester.border.doubt import floods, is_loud, was_starved
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Gone, Mute, Record, Report, Start, Trouble
from harness.tester.scene import Scene

#: A link that delivers its packets later than this (99th percentile, seconds) was not as requested.
LATE = 0.05
#: The share of a check's time in which anything on the machine had no processor, from which on a time-out is doubted:
#: in Docker the submission's node waits where the tester does not.
CROWDED = 0.8


class OutOfTime(BaseException):
    """The check's own time is up. A BaseException, so that no `except Exception` in a test catches it."""


@dataclass(frozen=True, kw_only=True)
class SuiteRun:
    """What one run of the suites needs to know."""

    assignment: Assignment
    suites: Mapping[str, Path]  #: "public" and "hidden" -> folder of test files
    wanted: Sequence[str]  #: ids of the checks to run, in this order
    outcomes: Mapping[str, Outcome]  #: of checks that ran before these
    node: Node
    second: Node | None  #: another one, with the same submission if the assignment asks for it, or with another one
    network: Network
    programs: Mapping[str, Sequence[str]]
    second_programs: Mapping[str, Sequence[str]] | None  #: of another submission; None: the same one
    seed: str  #: of this submission and secret; every hidden check derives its own from it
    public_seed: str  #: the same for the public checks: it may be shown, it reveals nothing of the other
    broken_build: str | None = None  #: what the build said, when it failed
    reference: Path | None = None  #: the folder of the answers, if a hidden check may use them as a peer
    until_failure: bool = False  #: whether to end with the first check that fails

    def seed_of(self, check: Check) -> int:
        """The seed of one check, 64 bit."""
        base = self.public_seed if check.suite == "public" else self.seed
        return int.from_bytes(hashlib.sha256(f"{base}\0{check.id}".encode()).digest()[:8], "big")


class StoryPlugin:
    """Registered with pytest by object, so that nothing of the submission's can replace it."""

    def __init__(self, session: SuiteRun, emit: Callable[[Record], None]) -> None:
        self._session = session
        self._emit = emit
        self._checks = {check.id: check for check in session.assignment.checks}
        self._outcomes = dict(session.outcomes)
        self._found: dict[object, str] = {}  # the test -> the id of its check
        self._scene: Scene | None = None
        self._began = (0.0, 0.0)  # wall clock, monotonic
        self._queued = self._crowd = 0.0
        self._cpu: tuple[float, ...] = ()  # of each node, before the check
        self._second_used = True  # until it has been made fresh once
        self._gone = False  # whether it was reported that the node is gone
        self.collected = self.made_fresh = 0.0  #: seconds until the tests were found, and for fresh nodes and links
        self._made = time.monotonic()

    # -- which tests, in which order ---------------------------------------------------------------------------

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the wanted checks, in the rubric's order; report those without a test."""
        self.collected = time.monotonic() - self._made
        by_check: dict[str, pytest.Item] = {}
        for item in items:
            for suite, folder in self._session.suites.items():
                if item.path.is_relative_to(folder):
                    check_id = f"{item.path.relative_to(folder).as_posix()}::{item.name}"
                    check = self._checks.get(check_id)
                    if check is not None and check.suite == suite:
                        by_check[check_id] = item
                        self._found[item] = check_id
        for check_id in self._session.wanted:
            if check_id not in by_check:
                self._emit(Trouble(f"no test was found for the check {check_id}"))
        items[:] = [by_check[check_id] for check_id in self._session.wanted if check_id in by_check]

    # -- one check ---------------------------------------------------------------------------------------------

    @pytest.fixture
    def lab(self, request: pytest.FixtureRequest) -> Generator[Scene, None, None]:
        """The lab of one test: fresh folders, a clean link, nothing left of the test before."""
        check = self._checks[self._found[request.node]]
        session, begun = self._session, time.monotonic()
        session.node.fresh()
        if session.second is not None and self._second_used:
            session.second.fresh()
        scene = Scene(
            session.node,
            session.network,
            assignment=session.assignment,
            programs=session.programs,
            seed=session.seed_of(check),
            second=session.second,
            second_programs=session.second_programs,
            reference=session.reference if check.suite == "hidden" else None,
        )
        scene.link("clean")
        scene.story.steps.clear()
        self.made_fresh += time.monotonic() - begun
        self._cpu = self._cpu_used()
        self._began = (time.time(), time.monotonic())
        self._queued, self._crowd = queued_here(), machine_queued()
        self._scene = scene
        yield scene
        self._second_used = scene.second_used
        scene.close()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Announce the check; give it its time and no more."""
        check = self._checks[self._found[item]]
        self._scene = None
        self._began = (time.time(), time.monotonic())
        self._queued, self._crowd = queued_here(), machine_queued()
        self._emit(Start(check.id, self._began[0]))
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Run the test body under its time limit."""
        check = self._checks[self._found[item]]
        with _time_limit(check.timeout):
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip what depends on a failed check, and everything when the build failed."""
        check = self._checks[self._found[item]]
        if self._session.broken_build is not None:
            raise Broken("the build failed", seen=self._session.broken_build, verdict="error")
        for needed in check.needs:
            if self._outcomes.get(needed, Outcome.PASS) is not Outcome.PASS:
                raise _Because(needed)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn what happened into the check's record: after the call, or after a set-up that did not succeed."""
        error = call.excinfo.value if call.excinfo else None
        if call.when == "call" or (call.when == "setup" and error is not None):
            outcome = self._report(self._checks[self._found[item]], error)
            if self._session.until_failure and outcome.failed:
                item.session.shouldfail = "one check has failed, and more was not asked for"
        elif call.when == "teardown" and error is not None:
            self._emit(Trouble(f"{item.name}: the lab could not be tidied up: {error}"))
        return (yield)

    # -- the record --------------------------------------------------------------------------------------------

    def _report(self, check: Check, error: BaseException | None) -> Outcome:
        report = replace(
            _explain(check, error),
            seconds=round(time.monotonic() - self._began[1], 4),
            waited=round(queued_here() - self._queued, 4),
        )
        self._notice(check, error)
        if self._scene is not None:
            report = self._with_scene(report, check, self._scene)
        if not report.outcome.well and check.suite == "public":
            report = replace(report, seed=self._session.public_seed)
        self._outcomes[check.id] = report.outcome
        self._emit(report)
        return report.outcome

    def _notice(self, check: Check, error: BaseException | None) -> None:
        """Report, before the check's report, that the node did not answer in this check, or (once) was lost."""
        if isinstance(error, NodeGone) and not self._gone:
            self._gone = True
            self._emit(Gone(check.id))
        elif isinstance(error, NodeMute):
            self._emit(Mute(check.id))

    def _with_scene(self, report: Report, check: Check, scene: Scene) -> Report:
        """With the story, the proof that the link was applied, what the kernel said, the packets."""
        if not report.outcome.well:
            scene.last_words()
        report = replace(report, story=scene.story.for_record(), facts=scene.facts or None)
        try:
            report = replace(report, used=round(self._most_used(), 4))
            counters = scene.network.counters()
            link = {"engine": scene.network.engine, "profile": scene.link_name, **asdict(counters)}
            report = replace(report, link=link)
            trouble = scene.node.trouble()  # asked after a pass, too: a dead node sends nothing wrong
            if report.outcome in (Outcome.FAIL, Outcome.TIMEOUT):
                if trouble:
                    report = replace(report, message=f"{report.message} ({trouble})")
                if crashes := scene.crashes():
                    report = replace(report, message=f"{'; '.join(crashes)}: {report.message}", crashed=True)
                if not (trouble or scene.flooded()):  # else it was its own output, or more than its limits allow
                    report = self._doubted(report, counters)
            if report.outcome.failed and (why := scene.doubt()):
                message = f"{why}; the check would have said: {report.message}"
                report = replace(report, outcome=Outcome.INCONCLUSIVE, message=message)
            if not report.outcome.well:
                packets = scene.network.capture(self._began[0], time.time())
                report = replace(report, pcapng=packets or None, bundle=self._attachment(report, check, scene))
        except (LabError, OSError) as broken:
            self._notice(check, broken)
            message = f"the lab broke during the check: {broken}"
            report = replace(report, outcome=Outcome.INCONCLUSIVE, message=message)
        return report

    def _attachment(self, report: Report, check: Check, scene: Scene) -> dict[str, object] | None:
        """What the words of its subject leave to look at, and to run it again with."""
        seed = self._session.public_seed if check.suite == "public" else ""
        return scene.attachment(check=check.id, title=check.rule, message=report.message, seed=seed)

    def _cpu_used(self) -> tuple[float, ...]:
        """Seconds of processor that the submission has used so far, in each of its nodes."""
        nodes = (self._session.node, self._session.second)
        return tuple(_cpu_seconds(node) for node in nodes if node is not None)

    def _most_used(self) -> float:
        """What the busiest of its nodes has used in this check: an assignment allows each so much (`cpus`)."""
        return max((now - before for now, before in zip(self._cpu_used(), self._cpu, strict=False)), default=0.0)

    def _doubted(self, report: Report, counters: LinkCounters) -> Report:
        """A failure on a link that was not as requested, or on a machine without time, is inconclusive.

        Unless the submission caused it.
        """
        elapsed = max(time.monotonic() - self._began[1], 0.001)
        # At home the submission itself can crowd the machine, and nobody counts what all of its processes take.
        crowded = 0.0 if self._session.network.engine == "relay" else (machine_queued() - self._crowd) / elapsed
        starved = was_starved(elapsed, waited=report.waited, crowded=crowded, most=CROWDED)
        busy = report.outcome is Outcome.TIMEOUT and starved
        if not busy and not counters.engine_drops and counters.late_p99 <= LATE:
            return report
        packets, data = (counters.data_up, counters.data_down), (counters.bytes_up, counters.bytes_down)
        if floods(elapsed, packets=packets, data=data):
            return report
        if is_loud(elapsed, used=report.used, cpus=self._session.assignment.limits.cpus):
            return report
        if busy:
            lacked = max(report.waited, min(crowded, 1.0) * elapsed)
            why = f"the machine had not enough processors in {lacked:.1f} of {elapsed:.1f} s"
        else:
            late = f"p99 {counters.late_p99 * 1000:.0f} ms late"
            why = f"the link was not as asked ({late}, {counters.engine_drops} packets lost by the engine)"
        message = f"{why}; the check would have said: {report.message}"
        return replace(report, outcome=Outcome.INCONCLUSIVE, message=message)


class _Because(Exception):
    """A check is skipped because the named one did not pass."""


def _explain(check: Check, error: BaseException | None) -> Report:
    """Outcome and message for what a test raised."""

    def report(outcome: Outcome, message: str = "") -> Report:
        return Report(check=check.id, outcome=outcome, message=message)

    if error is None:
        return report(Outcome.PASS)
    if isinstance(error, _Because):
        return replace(report(Outcome.SKIPPED, f"needs {error} to pass first"), because=str(error))
    if isinstance(error, Broken):
        found = report(Outcome(error.verdict), error.message)
        return replace(found, expected=error.expected, seen=error.seen)
    if isinstance(error, CannotStart):
        return report(Outcome.ERROR, str(error))
    if isinstance(error, OutOfTime):
        return report(Outcome.TIMEOUT, f"the check did not end within {check.timeout:g} s")
    if isinstance(error, NotMeasured):
        return replace(report(Outcome.INCONCLUSIVE, f"not measurable here: {error}"), unmeasured=True)
    if isinstance(error, LabError):
        return report(Outcome.INCONCLUSIVE, f"the lab could not do its part: {error}")
    if why := shortage(error):
        return report(Outcome.INCONCLUSIVE, f"the machine could not do its part: {why}")
    print("".join(traceback.format_exception(error)), file=sys.stderr)
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}, line {last.lineno}"
    return report(Outcome.INCONCLUSIVE, f"the test itself broke (ours): {type(error).__name__}: {error} ({where})")


def _cpu_seconds(node: Node) -> float:
    try:
        return node.usage().cpu_seconds
    except LabError:
        return 0.0


class _time_limit:
    """Raise OutOfTime in the main thread after that many seconds, if the system has interval timers."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        if hasattr(signal, "setitimer"):
            self._before = signal.signal(signal.SIGALRM, self._ring)
            # It fires again, in case a library swallowed the first one.
            signal.setitimer(signal.ITIMER_REAL, self._seconds, 1.0)

    def __exit__(self, *_: object) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)

    @staticmethod
    def _ring(*_: object) -> None:
        raise OutOfTime
