"""`lab trace`: a bundle or a capture on the terminal, and as files to look at with other programs.

Rule: whatever is in the file comes out printable; a file that cannot be read is a sentence, never a traceback.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.ladder import Line, one_line
from harness.plots import NoPlots
from harness.transport.bundle import BadBundle, Bundle, Finding, from_json
from harness.transport.capture import BadCapture, from_capture
from harness.transport.pictures import Recording
from harness.transport.segments import Wire

#: Most bytes of a file that is read.
MOST_BYTES = 100_000_000
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


class ShowError(Exception):
    """What was asked for cannot be shown or written; the message says why and what to do."""


def load(path: Path, wire: Wire) -> Bundle:
    """A bundle, or a capture read with that wire as if it were one. Raises ShowError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ShowError(f"{path} is larger than {MOST_BYTES // 1_000_000} MB")
        data = path.read_bytes()
    except OSError as error:
        raise ShowError(f"{path} cannot be read: {error.strerror}") from None
    if data[:1].isspace() or data[:1] == b"{":
        try:
            return from_json(data)
        except BadBundle as error:
            raise ShowError(f"{path}: {error}") from None
    try:
        packets = tuple(from_capture(data))
    except BadCapture as error:
        raise ShowError(f"{path}: {error}") from None
    return Bundle(assignment="transport", title=path.name, remark="a capture", wire=wire, packets=packets)


def say(console: Console, lines: list[Line]) -> None:
    """A ladder in colours, where the terminal has them."""
    for line in lines:
        console.print(Text(line.text, style=_STYLES.get(line.kind, "")), soft_wrap=True)


def say_summary(console: Console, recording: Recording, findings: tuple[Finding, ...]) -> None:
    """How it went, and which rules were broken how often."""
    for line in recording.summary():
        console.print(line, markup=False, soft_wrap=True)
    for must, words, style in ((True, "broken", "red"), (False, "not kept (SHOULD)", "yellow")):
        for finding in [finding for finding in findings if finding.must is must][:20]:
            text = f"{words}: {one_line(finding.text)}"
            console.print(Text(text, style=style), soft_wrap=True)


def write(
    recording: Recording, *, ladder: Path | None = None, pcap: Path | None = None, plot: Path | None = None
) -> list[Path]:
    """The files that were asked for; a ladder is a picture unless its name ends in .txt. Raises ShowError."""
    written = []
    for path, what in ((ladder, "ladder"), (pcap, "pcap"), (plot, "plot")):
        if path is not None:
            _write(path, _content(recording, what, path.suffix.lower()))
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
        raise ShowError(str(error)) from None


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise ShowError(f"{path} cannot be written: {error.strerror}") from None
