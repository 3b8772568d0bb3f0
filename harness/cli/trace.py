"""What `lab sim`, `lab trace` and `lab replay` do: load or run something, print it, write the wanted files.

Rule: whatever is in a file is printed safely; what cannot be read, run or written gives a sentence, never a traceback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.cli import check as checking
from harness.cli import check_report, experiment
from harness.course.assignment import AssignmentError
from harness.course.programs import ProgramsError
from harness.pictures.capture import BadCapture, from_capture
from harness.pictures.ladder import one_line
from harness.pictures.plots import NoPlots
from harness.transport.oracle.judge import judge
from harness.transport.oracle.verdicts import Case
from harness.transport.pictures.bundle import BadBundle, Bundle, Finding, from_json, to_json
from harness.transport.pictures.dissector import lua_dissector
from harness.transport.pictures.pictures import Recording
from harness.transport.segments import BadWire, Wire, load_wire
from harness.transport.simulation.catalogue import CATALOGUE

#: Most bytes of a file that is read; most broken rules that are printed.
MOST_BYTES, MOST_TOLD = 100_000_000, 20
_STYLES: Mapping[str, str] = {
    "head": "bold",
    "lost": "red",
    "damaged": "yellow",
    "copy": "magenta",
    "overtook": "cyan",
    "fold": "dim",
    "broken": "bold red",
    "note": "dim",
}


class SeeError(Exception):
    """What was asked for cannot be shown, run or written; the message says why and what to do."""


@dataclass(frozen=True)
class Seen:
    """A run, and what there is to say about it besides its packets."""

    bundle: Bundle
    lines: Sequence[str] = ()  #: how it went
    well: bool = True

    def recording(self) -> Recording:
        """The recording that pictures are made from."""
        return self.bundle.recording()


# -- load it, or run it ------------------------------------------------------------------------------------------


def scenario_list() -> str:
    """The names of the scenarios, a line each with the reason for it."""
    return "\n".join(f"{row.name}: {row.why or 'the plain case'}" for row in CATALOGUE.values())


def simulate(
    assignment: str,
    folder: Path | None,
    *,
    profile: str,
    scenario: str,
    seed: int,
    size: int,
    back: int,
    peer: Path | None,
    role: str,
) -> Seen:
    """Run a solution against itself or another one. Raises SeeError."""
    if role not in ("client", "server"):
        raise SeeError(f"--role {role}: your solution plays client or server")
    solution = _solution(assignment, folder)
    return _simulated(
        experiment.Experiment(
            assignment=solution.assignment,
            folder=solution.folder,
            peer=_folder(peer),
            role="server" if role == "server" else "client",
            profile=profile,
            scenario=scenario,
            size=size,
            back=back,
            seed=seed,
        )
    )


def _simulated(what: experiment.Experiment) -> Seen:
    try:
        outcome, bundle = experiment.run(what)
    except experiment.SimError as error:
        raise SeeError(str(error)) from None
    return Seen(bundle, experiment.told(outcome), outcome.well)


def load(path: Path, term: Path | None) -> Seen:
    """Load a bundle, or a capture as if it were one. Raises SeeError."""
    data = _read(path)
    if data[:1] == b"{":
        try:
            bundle = from_json(data)
        except BadBundle as error:
            raise SeeError(f"{path}: {error}") from None
        return Seen(bundle, [f"it failed: {bundle.message}"] if bundle.message else [], not bundle.message)
    wire = _wire(term)
    try:
        packets = tuple(from_capture(data))
    except BadCapture as error:
        raise SeeError(f"{path}: {error}") from None
    findings = tuple(
        Finding(row.packet, f"rule {row.rule}: {row.text}", must=row.level == "MUST")
        for row in judge(packets, wire, Case(real=True))
    )
    remark = f"read with magic 0x{wire.magic:02X} and {wire.checksum}"
    return Seen(
        Bundle(
            assignment="transport",
            title=path.name,
            remark=remark,
            wire=wire,
            names=("first", "second"),
            packets=packets,
            findings=findings,
        )
    )


def dissector(term: Path | None) -> str:
    """The Lua script for a term. Raises SeeError."""
    return lua_dissector(_wire(term))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SeeError(f"{path} is larger than {MOST_BYTES // 1_000_000} MB")
        return path.read_bytes()
    except OSError as error:
        raise SeeError(f"{path} cannot be read: {error.strerror}") from None


def _wire(term: Path | None) -> Wire:
    """The wire of a term.toml: the given one, else that of the assignment within reach, else the default."""
    if term is None:
        folder = checking.find_assignments(Path.cwd()).get("transport")
        term = folder / "term.toml" if folder else None
        if term is None or not term.is_file():
            return Wire()
    try:
        return load_wire(term)
    except BadWire as error:
        raise SeeError(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SeeError(f"{term} cannot be read: {error}") from None


def _folder(path: Path | None) -> Path | None:
    if path is not None and not path.is_dir():
        raise SeeError(f"{path} is not a folder: give the folder that holds the other solution")
    return path.resolve() if path is not None else None


def _solution(assignment: str, folder: Path | None) -> checking.Solution:
    try:
        return checking.find_solution(assignment, folder, Path.cwd())
    except (checking.CheckError, AssignmentError) as error:
        raise SeeError(str(error)) from None


# -- run it again ------------------------------------------------------------------------------------------------


def replay(console: Console, path: Path, folder: Path | None, *, peer: Path | None, rows: int) -> bool:
    """Run a bundle's check or simulation again; returns whether all is well now. Raises SeeError."""
    try:
        bundle = from_json(_read(path))
    except BadBundle as error:
        raise SeeError(f"{path}: {error}. `lab trace` shows captures.") from None
    solution = _solution(bundle.assignment, folder)
    if bundle.check:
        return _check_again(console, bundle, solution)
    try:
        what = experiment.from_options(solution.assignment, solution.folder, bundle.run, _folder(peer))
    except experiment.SimError as error:
        raise SeeError(str(error)) from None
    return tell(console, _simulated(what), rows=rows)


def _check_again(console: Console, bundle: Bundle, solution: checking.Solution) -> bool:
    known = {check.id: check for check in solution.assignment.checks if check.suite == "public"}
    if bundle.check not in known or not bundle.seed:
        raise SeeError(f"{one_line(bundle.check)} is not a public check of {solution.assignment.name}")
    check = known[bundle.check]
    report = check_report.CheckReport(
        console=console,
        assignment=solution.assignment,
        wanted=[check],
        stage=check.stage,
        forbidden={},
        command=f"lab check {solution.assignment.name}",
    )
    results = checking.Results(Path.cwd(), solution.assignment.name)
    try:
        for record in checking.run_checks(solution, [check], bundle.seed):
            report.hear(record, results.keep(record))
    except (checking.CheckError, ProgramsError) as error:
        raise SeeError(str(error)) from None
    if report.passed:
        console.print("It passes now.", style="green")
    return report.passed


# -- print it ----------------------------------------------------------------------------------------------------


def tell(console: Console, seen: Seen, *, rows: int) -> bool:
    """Print the ladder in colours, how it went, and the broken rules; returns whether all was well."""
    recording = seen.recording()
    console.print(Text(one_line(recording.title), style="bold"), soft_wrap=True)
    if recording.remark:
        console.print(Text(one_line(recording.remark), style="dim"), soft_wrap=True)
    for line in recording.ladder(rows):
        console.print(Text(line.text, style=_STYLES.get(line.kind, "")), soft_wrap=True)
    console.print()
    for text in [*recording.summary(), *seen.lines]:
        style = "red" if text.startswith(("wrong: ", "it failed: ")) else ""
        console.print(Text(one_line(text), style=style), soft_wrap=True)
    for text in seen.bundle.misfortunes:
        console.print(Text(f"it takes: {one_line(text)}"), soft_wrap=True)
    for must, word, style in ((True, "broken", "red"), (False, "should be kept", "yellow")):
        found = [row for row in seen.bundle.findings if row.must is must]
        for row in found[:MOST_TOLD]:
            console.print(Text(f"{word}: #{row.packet} {one_line(row.text)}", style=style), soft_wrap=True)
        if len(found) > MOST_TOLD:
            console.print(Text(f"{word}: {len(found) - MOST_TOLD} more", style=style))
    return seen.well and not any(row.must for row in seen.bundle.findings)


# -- write it ----------------------------------------------------------------------------------------------------


def write(
    seen: Seen,
    *,
    ladder: Path | None = None,
    pcap: Path | None = None,
    plot: Path | None = None,
    bundle: Path | None = None,
) -> list[Path]:
    """Write the files that were asked for; their suffixes choose the format. Raises SeeError."""
    recording = seen.recording()
    written = []
    for path, what in ((ladder, "ladder"), (pcap, "pcap"), (plot, "plot"), (bundle, "bundle")):
        if path is None:
            continue
        data = to_json(seen.bundle).encode() if what == "bundle" else _content(recording, what, path.suffix.lower())
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise SeeError(f"{path} cannot be written: {error.strerror}") from None
        written.append(path)
    return written


def _content(recording: Recording, what: str, suffix: str) -> bytes:
    if what == "ladder":
        text = recording.ladder_text() + "\n" if suffix == ".txt" else recording.ladder_svg()
        return text.encode("utf-8")
    if what == "pcap":
        return recording.pcapng()
    try:
        return recording.plot("png" if suffix == ".png" else "svg")
    except NoPlots as error:
        raise SeeError(str(error)) from None
