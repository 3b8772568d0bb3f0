"""What came of all meetings: interop.json, and what of it a student may see. Pure.

Rule 1: a row of a meeting as it is kept is the only form there is: `row_of` makes it, `played_of` reads it again.
Rule 2: a student's view holds of others how it ended and nothing else: no name, no text, no lines of their program.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from grader.interop.found import Cell, Goodput, Part
from grader.interop.who import Entrant, Meeting, Played
from harness.course.assignment import Assignment
from harness.transport.simulation.meetings import MEETINGS

#: Version of interop.json and of the rows of meetings.
SCHEMA = 1


def row_of(played: Played) -> dict[str, Any]:
    """A meeting, as it is kept: without whose it was, since the same two may be two others' in another run."""
    return {
        "schema": SCHEMA,
        "identity": played.identity,
        "kind": played.meeting.kind,
        "seconds": round(played.seconds, 3),
        "text": played.text,
        "cells": [asdict(cell) for cell in played.cells],
        "goodput": None if played.goodput is None else [asdict(one) for one in played.goodput],
    }


def played_of(row: Mapping[str, Any]) -> Played | None:
    """A meeting that was kept; None if this version cannot use it."""
    try:
        if row["schema"] != SCHEMA:
            return None
        cells = [Cell(**{**cell, "parts": tuple(Part(**part) for part in cell["parts"])}) for cell in row["cells"]]
        goodput = None if row["goodput"] is None else [Goodput(**one) for one in row["goodput"]]
        nobody = Meeting(-1, None, str(row["kind"]))
        return Played(nobody, row["identity"], cells, goodput, float(row["seconds"]), str(row["text"]))
    except (KeyError, TypeError, ValueError):
        return None


def table_of(
    assignment: Assignment,
    entrants: Sequence[Entrant],
    played: Sequence[Played],
    *,
    pseudonyms: Mapping[str, str],
    hopeless: set[int],
    figures: Sequence[Goodput] | None,
    possible: float,
    **more: Any,
) -> dict[str, Any]:
    """interop.json. `figures`: of the course's own on the leaderboard's link; `possible`: points that it counts for."""
    meetings = [one for one in played if one.meeting.kind == "meeting"]
    rows = [
        {"first": one.meeting.first, "second": one.meeting.second, "key": key_of_meeting(one.identity), **row_of(one)}
        for one in sorted(meetings, key=_order)
    ]
    board = [
        {"entrant": one.meeting.first, "figures": [asdict(each) for each in one.goodput or ()]}
        for one in played
        if one.meeting.kind == "goodput"
    ]
    if figures is not None and board:
        board.append({"entrant": None, "figures": [asdict(each) for each in figures]})
    return {
        "schema": SCHEMA,
        "assignment": assignment.name,
        "title": assignment.title,
        **more,
        "scenarios": [asdict(meeting) for meeting in MEETINGS],
        "entrants": [
            {
                "student": one.student,
                "pseudonym": pseudonyms[one.student],
                "hash": one.hash,
                "listed": one.listed,
                "hopeless": place in hopeless,
                **_kept(rows, place, possible),
            }
            for place, one in enumerate(entrants)
        ],
        "possible": possible,
        "meetings": rows,
        "board": board,
    }


def _order(played: Played) -> tuple[int, int]:
    return played.meeting.first, -1 if played.meeting.second is None else played.meeting.second


def key_of_meeting(identity: str) -> str:
    """The name of a meeting's folder."""
    return identity[:20]


def side_of(row: Mapping[str, Any], place: int) -> str:
    """Which side of a meeting an entrant is."""
    return "first" if row["first"] == place else "second"


def _kept(rows: Sequence[Mapping[str, Any]], place: int, possible: float) -> dict[str, Any]:
    """In how many decided cells an entrant has no part in a failure, and what that is worth."""
    mine = [row for row in rows if place in (row["first"], row["second"])]
    cells = [(row, cell) for row in mine for cell in row["cells"] if cell["state"] != "undecided"]
    good = [cell for row, cell in cells if all(part["side"] != side_of(row, place) for part in cell["parts"])]
    share = len(good) / len(cells) if cells else 0.0
    return {"decided": len(cells), "kept": len(good), "points": round(math.fsum([possible * share]), 6)}


def students_view(table: Mapping[str, Any], place: int) -> dict[str, Any]:
    """What an entrant may see: its own row, the others under their pseudonyms."""
    me, meetings = table["entrants"][place], []
    for row in table["meetings"]:
        if place not in (row["first"], row["second"]):
            continue
        side = side_of(row, place)
        peer = row["second"] if side == "first" else row["first"]
        name = None if peer is None else table["entrants"][peer]["pseudonym"]
        cells = [_students_cell(cell, side) for cell in row["cells"]]
        meetings.append({"peer": name, "key": row["key"], "side": side, "cells": cells})
    meetings.sort(key=lambda one: (one["peer"] is not None, one["peer"] or ""))
    about = {key: table[key] for key in ("assignment", "title", "at", "scenarios", "possible")}
    return {**about, "me": me, "meetings": meetings}


def _students_cell(cell: Mapping[str, Any], side: str) -> dict[str, Any]:
    """A cell as one of the two sees it: `role` is theirs, `parts` are theirs."""
    other = {"client": "server", "server": "client"}
    return {
        "letter": cell["letter"],
        "name": f"{cell['letter']}-{cell['role']}",
        "role": cell["role"] if side == "first" else other[cell["role"]],
        "state": cell["state"],
        "parts": [part for part in cell["parts"] if part["side"] == side],
        "seconds": cell["seconds"],
        "theirs": any(part["side"] != side for part in cell["parts"]),
    }
