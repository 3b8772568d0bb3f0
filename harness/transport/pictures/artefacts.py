"""What a failing check leaves to look at: ladder, plot, packets, and a bundle to run it again. Data in, files out.

Rule 1: the tester sends a bundle or a capture; pictures are made where they are viewed, from checked data.
Rule 2: this file does not know who may see them: the caller keeps a hidden check's files apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.pictures.capture import BadCapture, from_capture
from harness.pictures.plots import NoPlots
from harness.transport.oracle.judge import judge
from harness.transport.pictures.bundle import BadBundle, Bundle, as_data, findings_of, fitting, from_data, to_json
from harness.transport.segments import WireFormat, parse

#: The files, by content. `save` writes and removes these names and no others.
PACKETS, BUNDLE, LADDER, TEXT, PLOT = "packets.pcapng", "bundle.json", "ladder.svg", "ladder.txt", "plot.svg"
NAMES = (PACKETS, BUNDLE, LADDER, TEXT, PLOT)
#: The share of a capture's datagrams that have to be segments for it to be one of our protocol.
_OURS = 0.5
#: Most broken rules that a bundle keeps: more say nothing new.
_MOST_FINDINGS = 100


def bundled(run: Bundle, **facts: str) -> dict[str, object]:
    """A simulation as a record carries it, small enough, with the rules that its packets break.

    `facts`: fields that only the reporter knows: assignment, check, message, seed; a title if the run has none.
    """
    findings = run.findings or findings_of(judge(run.packets, run.wire))
    kept = tuple(fitting(run.packets, findings))
    title = run.title or facts.pop("title", "")
    facts = {**facts, "title": title}
    left_out = run.left_out + len(run.packets) - len(kept)
    findings = findings[:_MOST_FINDINGS]
    return as_data(replace(run, packets=kept, findings=findings, left_out=left_out, **facts))  # type: ignore[arg-type]


def bundle_of(data: object) -> Bundle | None:
    """The bundle that came with a record; what is none counts as none, since it is to look at and no grade needs it."""
    try:
        return from_data(data)
    except BadBundle:
        return None


def from_wires(pcapng: bytes, wire: WireFormat, *, title: str = "", assignment: str = "transport") -> Bundle | None:
    """The capture of a run on real sockets as a bundle; None if it does not hold the transport's segments."""
    try:
        packets = from_capture(pcapng)
    except BadCapture:
        return None
    if sum(parse(packet.data, wire) is not None for packet in packets) < _OURS * len(packets):
        return None
    names = ("student", "peer")
    return Bundle(
        assignment=assignment, title=title, remark="real sockets", wire=wire, names=names, packets=tuple(packets)
    )


def pictures(bundle: Bundle, *, pcapng: bytes | None = None, plot: bool = True) -> dict[str, bytes]:
    """File name -> content. `pcapng`: the real capture, if there is one. `plot`: False if there is no time for it."""
    recording = bundle.recording()
    files = {
        PACKETS: pcapng or recording.pcapng(),
        BUNDLE: to_json(bundle).encode("ascii"),
        LADDER: recording.ladder_svg().encode("utf-8"),
        TEXT: recording.ladder_text().encode("utf-8") + b"\n",
    }
    if plot:
        try:
            files[PLOT] = recording.plot()
        except NoPlots:
            pass  # optional; `lab trace --plot` says what is missing
    return files


def keep(check: str, data: object, place: Path, *, plot: bool = True) -> list[Path]:
    """Write what there is to see of a check's bundle into a folder of its own below `place`; without one, remove what
    an earlier run left there. Raises OSError.
    """
    name = re.sub(r"[^\w.-]+", "-", check.rpartition("::")[2])[:60]
    bundle = bundle_of(data)
    if bundle is None:
        if (place / name).is_dir():
            save(place / name, {})
        return []
    return save(place / name, pictures(bundle, plot=plot))


def save(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write the files into a folder of their own; those of an earlier run are removed. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / name).unlink(missing_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    if not files and not any(folder.iterdir()):
        folder.rmdir()
    return [folder / name for name in files]
