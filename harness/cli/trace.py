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
from harness.errors import UsageError
from harness.pictures.capture import BadCapture, from_capture
from harness.text.printable import printable
from harness.transport.checks.simulation import PROGRAM
from harness.transport.oracle.judge import judge
from harness.transport.oracle.verdicts import Case
from harness.transport.pictures.bundle import BadBundle, Bundle, findings_of, from_json, to_json
from harness.transport.pictures.dissector import lua_dissector
from harness.transport.pictures.pictures import Recording
from harness.transport.segments import WireFormat, load_wire
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


@dataclass(frozen=True)
class LoadedRun:
    """A run, and what there is to say about it besides its packets."""

    bundle: Bundle
    lines: Sequence[str] = ()  #: how it went
    wrong: Sequence[str] = ()  #: what was wrong with it; empty: all was well

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
) -> LoadedRun:
    """Run a solution against itself or another one. Raises CommandError."""
    if role not in ("client", "server"):
        raise UsageError(f"--role {role}: your solution plays client or server")
    solution = checking.find_solution(assignment, folder, Path.cwd())
    if PROGRAM not in solution.assignment.programs:
        raise UsageError(f"{assignment} has no connection that could be simulated; lab sim is for transport")
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


def _simulated(what: experiment.Experiment) -> LoadedRun:
    outcome, bundle = experiment.run(what)
    return LoadedRun(bundle, experiment.summary_of(outcome), [f"wrong: {fault.text}" for fault in outcome.faults])


def load(path: Path, term: Path | None) -> LoadedRun:
    """Load a bundle, or a capture as if it were one. Raises CommandError."""
    data = _read(path)
    if data[:1] == b"{":
        try:
            bundle = from_json(data)
        except BadBundle as error:
            raise UsageError(f"{path}: {error}") from None
        return LoadedRun(bundle, wrong=[f"it failed: {bundle.message}"] if bundle.message else [])
    wire = _wire(term)
    try:
        packets = tuple(from_capture(data))
    except BadCapture as error:
        raise UsageError(f"{path}: {error}") from None
    findings = findings_of(judge(packets, wire, Case(real=True)))
    remark = f"read with magic 0x{wire.magic:02X} and {wire.checksum}"
    return LoadedRun(
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
    """The Lua script for a term. Raises CommandError."""
    return lua_dissector(_wire(term))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} is larger than {MOST_BYTES // 1_000_000} MB")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _wire(term: Path | None) -> WireFormat:
    """The wire of a term.toml: the given one, else that of the assignment within reach, else the default."""
    if term is None:
        folder = checking.find_assignments(Path.cwd()).get("transport")
        term = folder / "term.toml" if folder else None
        if term is None or not term.is_file():
            return WireFormat()
    return load_wire(term)


def _folder(path: Path | None) -> Path | None:
    if path is not None and not path.is_dir():
        raise UsageError(f"{path} is not a folder: give the folder that holds the other solution")
    return path.resolve() if path is not None else None


# -- run it again ------------------------------------------------------------------------------------------------


def replay(console: Console, path: Path, folder: Path | None, *, peer: Path | None, rows: int) -> bool:
    """Run a bundle's check or simulation again; returns whether all is well now. Raises CommandError."""
    try:
        bundle = from_json(_read(path))
    except BadBundle as error:
        raise UsageError(f"{path}: {error}. `lab trace` shows captures.") from None
    solution = checking.find_solution(bundle.assignment, folder, Path.cwd())
    if bundle.check:
        return _check_again(console, bundle, solution)
    what = experiment.from_options(solution.assignment, solution.folder, bundle.run, _folder(peer))
    return tell(console, _simulated(what), rows=rows)


def _check_again(console: Console, bundle: Bundle, solution: checking.Solution) -> bool:
    known = {check.id: check for check in solution.assignment.checks if check.suite == "public"}
    if bundle.check not in known or not bundle.seed:
        raise UsageError(f"{printable(bundle.check)} is not a public check of {solution.assignment.name}")
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
    for record in checking.run_checks(solution, [check], bundle.seed):
        report.hear(record, results.keep(record))
    if report.passed:
        console.print("It passes now.", style="green")
    return report.passed


# -- print it ----------------------------------------------------------------------------------------------------


def tell(console: Console, seen: LoadedRun, *, rows: int) -> bool:
    """Print the ladder in colours, how it went, and the broken rules; returns whether all was well."""
    recording = seen.recording()
    console.print(Text(printable(recording.title), style="bold"), soft_wrap=True)
    if recording.remark:
        console.print(Text(printable(recording.remark), style="dim"), soft_wrap=True)
    draw(console, recording, rows)
    console.print()
    for text in [*recording.summary(), *seen.lines]:
        console.print(Text(printable(text)), soft_wrap=True)
    for text in seen.wrong:
        console.print(Text(printable(text), style="red"), soft_wrap=True)
    for text in seen.bundle.misfortunes:
        console.print(Text(f"it takes: {printable(text)}"), soft_wrap=True)
    for must, word, style in ((True, "broken", "red"), (False, "should be kept", "yellow")):
        found = [row for row in seen.bundle.findings if row.must is must]
        for row in found[:MOST_TOLD]:
            console.print(Text(f"{word}: #{row.packet} {printable(row.text)}", style=style), soft_wrap=True)
        if len(found) > MOST_TOLD:
            console.print(Text(f"{word}: {len(found) - MOST_TOLD} more", style=style))
    return not seen.wrong and not any(row.must for row in seen.bundle.findings)


def draw(console: Console, recording: Recording, rows: int) -> None:
    """Print the ladder in colours, at most so many packets of it."""
    for line in recording.ladder(rows):
        console.print(Text(printable(line.text), style=_STYLES.get(line.kind, "")), soft_wrap=True)


# -- write it ----------------------------------------------------------------------------------------------------


def write(
    seen: LoadedRun,
    *,
    ladder: Path | None = None,
    pcap: Path | None = None,
    plot: Path | None = None,
    bundle: Path | None = None,
) -> list[Path]:
    """Write the files that were asked for; their suffixes choose the format. Raises CommandError."""
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
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None
        written.append(path)
    return written


def _content(recording: Recording, what: str, suffix: str) -> bytes:
    if what == "ladder":
        text = recording.ladder_text() + "\n" if suffix == ".txt" else recording.ladder_svg()
        return text.encode("utf-8")
    if what == "pcap":
        return recording.pcapng()
    return recording.plot("png" if suffix == ".png" else "svg")
