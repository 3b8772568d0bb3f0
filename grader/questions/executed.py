"""The notebook that stands in autograded/: what was run, what was seen, and nothing that acts. Pure.

Rule 1: of what a kernel sent, only texts and pictures are kept, within bounds; anything else is left out.
Rule 2: nothing in it acts, whoever opens it with what: HTML in a student's words becomes text.
Rule 3: the same input gives the same bytes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

from grader.questions.cells import WORDS_STUB, metadata_of, row, written
from grader.questions.source import Source
from grader.questions.submitted import Cell
from harness.text.printable import SPACES, printable

#: The most of a cell's texts, in characters, of one picture, in bytes, and of outputs in number.
MOST_TEXT, MOST_PICTURE, MOST_OUTPUTS = 20_000, 1_500_000, 60
_PICTURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CODE = re.compile(r"(```.*?```|~~~.*?~~~|`[^`\n]*`)", re.DOTALL)
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_SCHEME = re.compile(r"\b(javascript|vbscript|data)\s*:", re.IGNORECASE)
_CUT = "\n[...: the rest was left out]"


def harmless_text(text: str) -> str:
    """Without terminals' escapes, and no longer than is shown."""
    shown = printable(_COLOURS.sub("", text[: 4 * MOST_TEXT]), keep=f"\n\t{SPACES}")
    return shown if len(shown) <= MOST_TEXT else shown[:MOST_TEXT] + _CUT


def harmless_markdown(text: str) -> str:
    """Markdown in which no HTML is left; what stands in code is text anyway."""
    parts = _CODE.split(harmless_text(text))
    return "".join(
        part if number % 2 else _SCHEME.sub(r"\1 :", _TAG.sub("&lt;", part)) for number, part in enumerate(parts)
    )


def outputs_of(found: Any) -> list[dict[str, Any]]:
    """What a kernel sent for a cell, as nbformat has it; of what it is not sure to be, nothing."""
    kept: list[dict[str, Any]] = []
    left = MOST_TEXT
    for one in (found if isinstance(found, list) else [])[:MOST_OUTPUTS]:
        output = _output(one) if isinstance(one, Mapping) else None
        if output is not None and (left > 0 or output["output_type"] == "error"):
            left -= len(str(output.get("text", ""))) + len(str(output.get("data", {}).get("text/plain", "")))
            kept.append(output)
    return kept


def _output(one: Mapping[str, Any]) -> dict[str, Any] | None:
    match one:
        case {"kind": "stream", "name": "stdout" | "stderr" as name, "text": str(text)}:
            return {"output_type": "stream", "name": name, "text": harmless_text(text)}
        case {"kind": "error", "text": str(text)}:
            said = harmless_text(text)
            last = said.strip().splitlines()[-1:] or ["error"]
            name, _, value = last[0].partition(": ")
            return {"output_type": "error", "ename": name, "evalue": value, "traceback": [said]}
        case {"kind": "data", "data": Mapping() as data}:
            shown = _shown(data)
            return {"output_type": "display_data", "metadata": {}, "data": shown} if shown else None
    return None


def _shown(data: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    if isinstance(text := data.get("text/plain"), str):
        found["text/plain"] = harmless_text(text)
    if isinstance(text := data.get("text/markdown"), str):
        found["text/markdown"] = harmless_markdown(text)
    for kind, magic in _PICTURES.items():
        if isinstance(picture := data.get(kind), str) and len(picture) <= MOST_PICTURE:
            try:
                if base64.b64decode(picture).startswith(magic):
                    found[kind] = "".join(picture.split())
            except (binascii.Error, ValueError):
                pass
    return found


def executed(
    source: Source,
    cells: Sequence[Cell],
    outputs: Sequence[Any],
    said: Mapping[str, str],
    ours: Mapping[str, Any] | None = None,
    *,
    head: str = "",
) -> bytes:
    """The notebook: cells with what a kernel sent for each (in order), and what is said of each question's points.

    `head`: what is said of the whole, such as why it could not be read.
    """
    ours_by_name = {cell.name: cell for cell in source.cells}
    rows = []
    for number, cell in enumerate(cells):
        known = ours_by_name.get(cell.name)
        about = metadata_of(source, known) if known else {}
        text = cell.source if cell.kind == "code" else harmless_markdown(cell.source)
        if known and known.kind == "words" and not text.strip():
            text = WORDS_STUB
        shown = outputs_of(outputs[number]) if cell.kind == "code" and number < len(outputs) else []
        if cell.name in said and cell.kind == "code":
            shown.append({"output_type": "stream", "name": "stdout", "text": said[cell.name] + "\n"})
        rows.append(row(cell.name or f"own-{number}", cell.kind, printable(text, keep=f"\n\t{SPACES}"), about, shown))
    if head:
        rows.insert(0, row("head", "markdown", harmless_markdown(head), {}))
    return written(rows, ours)
