"""Everything of the meetings that is looked at: what is kept of a cell, and the files that are written in the end.

Rule 1: a picture is made here from data that was checked when it was read; none comes from a tester.
Rule 2: a student's picture has only the findings about their own side.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from grader.interop.table import side_of, students_view
from grader.interop.who import Played
from grader.record.meetings import MeetingsFolder
from grader.reports.interop_view import cell_page, leaderboard_page, matrix_page, points_csv, student_page
from harness.transport.pictures import artefacts
from harness.transport.pictures.bundle import BadBundle, Bundle, Finding, from_json, to_json
from harness.transport.simulation.meetings import MEETINGS, meeting_id

#: Endings of the files of a cell.
LADDER, TEXT, PACKETS, BUNDLE = ".ladder.svg", ".ladder.txt", ".pcapng", ".bundle.json"
_MOST_STEPS = 200


def seen_of(played: Played) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The stories of the cells that are not well, and their files: name -> content."""
    stories: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    scenario = {meeting.letter: meeting.scenario for meeting in MEETINGS}
    for cell in played.cells:
        report = played.reports.get(meeting_id(scenario[cell.letter], cell.role))
        if cell.state == "well" or report is None:
            continue
        stories[cell.name] = [vars(step) for step in (report.story or ())[:_MOST_STEPS]]
        bundle = artefacts.bundle_of(report.bundle)
        if bundle is not None and bundle.packets:
            files |= _drawn(cell.name, bundle)
    return stories, files


def _drawn(name: str, bundle: Bundle) -> dict[str, bytes]:
    """A run's pictures; what cannot be drawn costs its picture and nothing else."""
    found = {f"{name}{BUNDLE}": to_json(bundle).encode("ascii")}
    with contextlib.suppress(Exception):
        made = artefacts.pictures(bundle, plot=False)
        found |= {
            f"{name}{LADDER}": made[artefacts.LADDER],
            f"{name}{TEXT}": made[artefacts.TEXT],
            f"{name}{PACKETS}": made[artefacts.PACKETS],
        }
    return found


def write(folder: MeetingsFolder, table: Mapping[str, Any], kept: Collection[str]) -> None:
    """interop.json, the matrix, a page for each cell that is not well, the leaderboard, what students get."""
    folder.put_table(table, kept)
    for row in table["meetings"]:
        known = folder.known(row["key"]) or {}
        for cell in _open(row):
            name = f"{cell['letter']}-{cell['role']}"
            picture = folder.file(row["key"], f"{name}{LADDER}") is not None
            text = (folder.file(row["key"], f"{name}{TEXT}") or b"").decode("utf-8", "replace")
            story = known.get("stories", {}).get(name, [])
            page = cell_page(table, row, cell, story=story, ladder=text, picture=picture)
            folder.put(f"meetings/{row['key']}/{name}.html", page.encode("utf-8"))
    folder.put("index.html", matrix_page(table).encode("utf-8"))
    if table["board"]:
        folder.put("leaderboard.html", leaderboard_page(table).encode("utf-8"))
    if table["possible"]:
        folder.put("points.csv", points_csv(table).encode("utf-8", "surrogateescape"))
    folder.hand_out_to_nobody()
    for place, entrant in enumerate(table["entrants"]):
        folder.hand_out(entrant["student"], _students_files(folder, table, place))


def _open(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (cell for cell in row["cells"] if cell["state"] != "well")


def _students_files(folder: MeetingsFolder, table: Mapping[str, Any], place: int) -> dict[str, bytes]:
    """A student's row, and a page with the ladder of each cell that fails by their own doing."""
    view = students_view(table, place)
    files: dict[str, bytes] = {}
    sides = {row["key"]: side_of(row, place) for row in table["meetings"] if place in (row["first"], row["second"])}
    for meeting in view["meetings"]:
        for cell in meeting["cells"]:
            if cell["state"] != "fails" or not cell["parts"]:
                continue
            name = f"{meeting['key'][:8]}-{cell['name']}"
            bundle = _own_bundle(folder.file(meeting["key"], f"{cell['name']}{BUNDLE}"), cell["parts"])
            drawn = _drawn(name, bundle) if bundle is not None else {}
            files |= {key: data for key, data in drawn.items() if not key.endswith(TEXT)}
            text = drawn.get(f"{name}{TEXT}", b"").decode("utf-8", "replace")
            shown = {**meeting, "side": sides[meeting["key"]]}
            page = cell_page(view, shown, cell, story=[], ladder=text, picture=f"{name}{LADDER}" in drawn, name=name)
            files[f"{name}.html"] = page.encode("utf-8")
            cell["page"] = f"{name}.html"
    files["index.html"] = student_page(view).encode("utf-8")
    return files


def _own_bundle(data: bytes | None, parts: Sequence[Mapping[str, Any]]) -> Bundle | None:
    """The run with what was found about one side only."""
    try:
        bundle = from_json(data) if data is not None else None
    except BadBundle:
        bundle = None
    if bundle is None:
        return None
    mine = tuple(Finding(part["packet"], f"rule {part['rule']}: {part['text']}") for part in parts if part["packet"])
    return replace(bundle, findings=mine, message="")
