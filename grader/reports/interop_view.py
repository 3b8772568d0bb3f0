"""The pages of submissions that meet: the matrix and its cells, a student's own row, the leaderboard. Pure.

What they are made from is interop.json (`grader/interop/table.py`), or what of it a student may see.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from grader.reports.pages import render

#: Up to so many submissions all pairs stand in one square, whoever met.
MOST_SQUARE = 40
#: What the course's own is called.
OWN = "the course's own"
#: How it is known whose doing it was, in words.
HOW = {
    "call": "its program failed",
    "stream": "its bytes are wrong",
    "rule": "seen on the wire",
    "silence": "read from how the run ended",
    "instead": "the same with the course's own as its peer",
    "node": "its node ended",
}


def matrix_page(table: Mapping[str, Any]) -> str:
    """The instructor's page: whose doing, and who meets whom."""
    names = _names(table)
    cells = [(row, cell) for row in table["meetings"] for cell in row["cells"]]
    count = Counter(cell["state"] for _, cell in cells)
    places = range(len(names))
    full = table["peers"] is None or len(names) <= MOST_SQUARE
    return render(
        "interop.html.j2",
        table=table,
        own=OWN,
        names=names,
        count=count,
        cells=len(cells),
        guilty=_guilty(table, names),
        open=[_link(row, cell, names) for row, cell in cells if cell["state"] == "undecided"],
        square=_square(table, names) if full else None,
        lines=None if full else [_line(table, names, place) for place in places],
        hopeless=[names[place] for place in places if table["entrants"][place]["hopeless"]],
    )


def _names(table: Mapping[str, Any]) -> list[str]:
    return [entrant["student"] for entrant in table["entrants"]]


def _name(names: Sequence[str], place: int | None) -> str:
    return OWN if place is None else names[place]


def _roles(row: Mapping[str, Any], cell: Mapping[str, Any]) -> dict[str, int | None]:
    """Who plays which role in a cell."""
    other = {"client": "server", "server": "client"}[cell["role"]]
    return {cell["role"]: row["first"], other: row["second"]}


def _link(row: Mapping[str, Any], cell: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A cell as marks and lists show it."""
    roles = _roles(row, cell)
    whose = sorted({_role_of(cell, part["side"]) for part in cell["parts"]})
    return {
        "letter": cell["letter"],
        "state": cell["state"],
        "client": _name(names, roles["client"]),
        "server": _name(names, roles["server"]),
        "whose": whose,
        "rules": sorted({part["rule"] for part in cell["parts"] if part["rule"]}),
        "text": cell["parts"][0]["text"] if cell["parts"] else cell["text"],
        "href": f"meetings/{row['key']}/{cell['letter']}-{cell['role']}.html",
    }


def _role_of(cell: Mapping[str, Any], side: str) -> str:
    """The role that a side plays in a cell."""
    if side == "first":
        return str(cell["role"])
    return {"client": "server", "server": "client"}[cell["role"]]


def _guilty(table: Mapping[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """Each submission that has a part in a failure, with its cells by rule; who has most comes first."""
    found: dict[int, dict[str, list[dict[str, Any]]]] = {}
    for row in table["meetings"]:
        for cell in row["cells"]:
            for part in cell["parts"]:
                place = row["first"] if part["side"] == "first" else row["second"]
                if place is not None:
                    link = {**_link(row, cell, names), "text": part["text"], "how": HOW[part["how"]]}
                    rows = found.setdefault(place, {}).setdefault(part["rule"], [])
                    if all(one["href"] != link["href"] for one in rows):
                        rows.append(link)
    told = [
        {
            "name": names[place],
            "cells": len({link["href"] for links in rules.values() for link in links}),
            "rules": sorted(rules.items(), key=lambda row: (-len(row[1]), row[0])),
        }
        for place, rules in found.items()
    ]
    return sorted(told, key=lambda one: (-one["cells"], one["name"]))


def _marks(table: Mapping[str, Any], names: Sequence[str]) -> dict[tuple[int | None, int | None], list[dict[str, Any]]]:
    """(client, server) -> the marks of their cells, in the order of the scenarios."""
    found: dict[tuple[int | None, int | None], list[dict[str, Any]]] = {}
    for row in table["meetings"]:
        for cell in row["cells"]:
            roles = _roles(row, cell)
            found.setdefault((roles["client"], roles["server"]), []).append(_link(row, cell, names))
    return found


def _square(table: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Rows are clients, columns servers; the course's own comes first."""
    marks = _marks(table, names)
    places: list[int | None] = [None, *range(len(names))]
    rows = [
        {"name": _name(names, client), "cells": [marks.get((client, server), []) for server in places]}
        for client in places
    ]
    return {"columns": [_name(names, place) for place in places], "rows": rows}


def _line(table: Mapping[str, Any], names: Sequence[str], place: int) -> dict[str, Any]:
    """A submission and whom it met: the course's own first."""
    marks = _marks_of(table, names, place)
    return {"name": names[place], "met": marks}


def _marks_of(table: Mapping[str, Any], names: Sequence[str], place: int) -> list[dict[str, Any]]:
    found = []
    for row in table["meetings"]:
        if place not in (row["first"], row["second"]):
            continue
        peer = row["second"] if row["first"] == place else row["first"]
        links = [(_roles(row, cell)["client"] == place, _link(row, cell, names)) for cell in row["cells"]]
        as_client, as_server = ([link for is_client, link in links if is_client is wanted] for wanted in (True, False))
        found.append({"peer": _name(names, peer), "own": peer is None, "client": as_client, "server": as_server})
    return sorted(found, key=lambda one: (not one["own"], one["peer"]))


# -- one cell ----------------------------------------------------------------------------------------------------------


def cell_page(
    table: Mapping[str, Any],
    row: Mapping[str, Any],
    cell: Mapping[str, Any],
    *,
    story: Sequence[Mapping[str, Any]],
    ladder: str,
    picture: bool,
    name: str = "",
) -> str:
    """One scenario of a meeting: whose doing, and its ladder.

    `table`: all of it, or a student's view, whose `row` has a `peer`; `name`: of its files, if that is another one.
    """
    scenario = next(one for one in table["scenarios"] if one["letter"] == cell["letter"])
    if "peer" in row:
        sides = {row["side"]: "you", ("second" if row["side"] == "first" else "first"): row["peer"] or OWN}
        played = {row["side"]: cell["role"]}
    else:
        names = _names(table)
        sides = {"first": _name(names, row["first"]), "second": _name(names, row["second"])}
        played = {"first": cell["role"]}
    other = {"client": "server", "server": "client"}
    for side, opposite in (("first", "second"), ("second", "first")):
        if side not in played:
            played[side] = other[played[opposite]]
    return render(
        "meeting.html.j2",
        table=table,
        scenario=scenario,
        cell=cell,
        who={played[side]: sides[side] for side in ("first", "second")},
        parts=[
            {**part, "who": sides[part["side"]], "role": played[part["side"]], "why": HOW[part["how"]]}
            for part in cell["parts"]
        ],
        story=story,
        ladder=ladder,
        picture=picture,
        files=name or f"{cell['letter']}-{cell['role']}",
        students="peer" in row,
    )


# -- what is handed out ------------------------------------------------------------------------------------------------


def student_page(view: Mapping[str, Any]) -> str:
    """A student's own row."""
    cells = [cell for meeting in view["meetings"] for cell in meeting["cells"]]
    mine = [
        {**cell, "peer": meeting["peer"] or OWN}
        for meeting in view["meetings"]
        for cell in meeting["cells"]
        if cell["state"] == "fails" and cell["parts"]
    ]
    meetings = [
        {
            "peer": meeting["peer"] or OWN,
            **{role: [c for c in meeting["cells"] if c["role"] == role] for role in ("client", "server")},
        }
        for meeting in view["meetings"]
    ]
    return render("interop_student.html.j2", view=view, own=OWN, cells=len(cells), mine=mine, meetings=meetings)


def leaderboard_page(table: Mapping[str, Any]) -> str:
    """Who fills the link: pseudonyms, in the order of the share with losses, then of the shorter queue."""
    rows = [
        {
            "name": OWN if row["entrant"] is None else table["entrants"][row["entrant"]]["pseudonym"],
            "own": row["entrant"] is None,
            "figures": row["figures"],
        }
        for row in table["board"]
        if row["figures"]
    ]
    rows.sort(key=lambda row: (-row["figures"][-1]["share"], row["figures"][-1]["queued"], row["name"]))
    losses = [figure["loss"] for figure in rows[0]["figures"]] if rows else []
    return render("leaderboard.html.j2", table=table, rows=rows, losses=losses)


def points_csv(table: Mapping[str, Any]) -> str:
    """Student, cells decided, cells without a part in a failure, points, possible: for a column of its own."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["student", "decided", "kept", "points", "possible"])
    for one in table["entrants"]:
        writer.writerow([one["student"], one["decided"], one["kept"], f"{one['points']:g}", f"{table['possible']:g}"])
    return out.getvalue()
