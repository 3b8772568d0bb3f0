"""What there is to see of the checks that did not pass: pictures, packets and bundles, made from the tester's records.

Rule 1: a picture is made here, from data that is checked when it is read; no picture comes from a tester.
Rule 2: a drawing that fails costs its picture and nothing else: no grade depends on one.
Rule 3: hidden checks' files go into a folder that is never handed out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from grader.verdict.rubric import Verdict
from harness.course.assignment import Assignment, Check
from harness.tester.border.records import MOST_TEXT, Report, cut
from harness.transport.pictures import artefacts
from harness.transport.pictures.bundle import Bundle
from harness.transport.segments import BadWire, WireFormat, load_wire

#: Plots of one submission: each takes a quarter of a second; `lab trace BUNDLE --plot` draws any other.
MOST_PLOTS = 12
#: Where each file goes: what is added to the check's name.
_ENDINGS = {
    artefacts.PACKETS: ".pcapng",
    artefacts.BUNDLE: ".bundle.json",
    artefacts.LADDER: ".ladder.svg",
    artefacts.PLOT: ".plot.svg",
}

#: By check: file name as `harness.transport.pictures.artefacts` has it -> content.
Looks = Mapping[str, Mapping[str, bytes]]


def looks_of(assignment: Assignment, verdicts: Sequence[Verdict]) -> dict[str, dict[str, bytes]]:
    """The files of all checks that have some."""
    wire = _wire(assignment)
    looks: dict[str, dict[str, bytes]] = {}
    plots = 0
    for verdict in verdicts:
        report = verdict.report
        if report is None or (report.bundle is None and report.pcapng is None):
            continue
        files = _files(report, verdict.check, wire, plot=plots < MOST_PLOTS)
        plots += artefacts.PLOT in files
        looks[verdict.check.id] = files
    return looks


def _files(report: Report, check: Check, wire: WireFormat | None, *, plot: bool) -> dict[str, bytes]:
    try:
        bundle = artefacts.bundle_of(report.bundle) or _captured(report, check, wire)
        if bundle is not None:
            return artefacts.pictures(bundle, pcapng=report.pcapng, plot=plot)
    except Exception as error:  # our fault, and not a reason to lose a grade
        files = {artefacts.TEXT: f"(the pictures could not be drawn: {type(error).__name__}: {error})".encode()}
        return {artefacts.PACKETS: report.pcapng, **files} if report.pcapng else files
    return {artefacts.PACKETS: report.pcapng} if report.pcapng else {}


def _captured(report: Report, check: Check, wire: WireFormat | None) -> Bundle | None:
    """A capture of real sockets, if it is of the transport's own protocol."""
    if report.pcapng is None or wire is None:
        return None
    return artefacts.from_wires(report.pcapng, wire, title=check.rule)


def _wire(assignment: Assignment) -> WireFormat | None:
    """The term's wire format, where the assignment has one."""
    try:
        return load_wire(assignment.path.parent / "term.toml")
    except (OSError, BadWire):
        return None


# -- names -------------------------------------------------------------------------------------------------------


def file_name(number: int, check: Check, what: str) -> str:
    """Where a file goes, below the result's folder: hidden checks' in a folder that is never handed out."""
    name = re.sub(r"[^\w.-]+", "-", check.id.rpartition("::")[2])[:60]
    return f"captures/{check.suite}/{number:02d}-{name}{_ENDINGS[what]}"


def files_of(verdicts: Sequence[Verdict], looks: Looks) -> dict[str, dict[str, str]]:
    """Check -> what there is to see of it -> its path; the ladder as text, cut as every text of a result is."""
    keys = {
        "pcapng": artefacts.PACKETS,
        "bundle": artefacts.BUNDLE,
        "ladder_svg": artefacts.LADDER,
        "plot": artefacts.PLOT,
    }
    found: dict[str, dict[str, str]] = {}
    for number, verdict in enumerate(verdicts, 1):
        if files := looks.get(verdict.check.id, {}):
            named = {key: file_name(number, verdict.check, what) for key, what in keys.items() if what in files}
            if artefacts.TEXT in files:
                named["ladder"] = cut(files[artefacts.TEXT].decode("utf-8"), MOST_TEXT)
            found[verdict.check.id] = named
    return found


def captures_of(verdicts: Sequence[Verdict], looks: Looks) -> dict[str, bytes]:
    """File name -> content, for everything that is written beside a result."""
    return {
        file_name(number, verdict.check, what): data
        for number, verdict in enumerate(verdicts, 1)
        for what, data in looks.get(verdict.check.id, {}).items()
        if what in _ENDINGS
    }
