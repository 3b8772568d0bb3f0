"""A result as a page: for the instructor, for the student, and the class and its runs as tables. Pure.

What each reader may see decides `view.py`; how a page is made safe, `pages.py`.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from typing import Any

from grader.reports.class_view import FIRST_CAUSES, MOST_CAUSES, MOST_OPEN, class_view
from grader.reports.pages import STATE_WORDS as STATE_WORDS
from grader.reports.pages import render
from grader.reports.traces import Shown
from grader.reports.view import instructor_view, student_view


def instructor_page(
    result: Mapping[str, Any],
    *,
    before: Mapping[str, Any] | None = None,
    sources: Mapping[str, Shown] | None = None,
    students: Mapping[str, Any] | None = None,
) -> str:
    """The whole of a result.

    `before`: the student's view of the submission before this one; `sources`: the files of the page source.html beside
    this one (`grader.reports.source.sources_of`), None if there is no such page; `students`: the student's view of this
    one, where it has been made already.
    """
    view = instructor_view(result, before=before, students=students)
    return render("instructor.html.j2", view=view, sources=sources or {})


def student_page(result: Mapping[str, Any], *, before: Mapping[str, Any] | None = None) -> str:
    """What the student may see of it. `before`: the student's view of their submission before this one."""
    return students_page(student_view(result, before=before))


def students_page(view: Mapping[str, Any]) -> str:
    """The same from the student's view."""
    return render("student.html.j2", view=view, sources={})


def closed_page(result: Mapping[str, Any], opens: str) -> str:
    """What a student finds while the course shows no results; `opens`: until when, empty if nobody knows."""
    return render(
        "closed.html.j2", name=result["student"], title=result["title"], short=result.get("short"), opens=opens
    )


def packets_page(result: Mapping[str, Any], check: Mapping[str, Any]) -> str:
    """The packets of one check as a picture of its own, to look at closely; it lies beside the picture."""
    picture, capture = (os.path.basename(check[key] or "") for key in ("ladder_svg", "pcapng"))
    about = {"name": result["student"], "title": result["title"], "check": check}
    return render("packets.html.j2", picture=picture, capture=capture, **about)


def index_page(
    results: Sequence[Mapping[str, Any]],
    remarks: Sequence[str] = (),
    *,
    left: int = 0,
    going: bool = False,
    course: Mapping[str, Any] | None = None,
) -> str:
    """The class, with links to the reports.

    `left`: submissions without a result yet; `going`: the run goes on, and the page renews itself. Otherwise it was
    interrupted. `course`: what is known of it of `name`, `term`, `when` (texts) and `weights` (by assignment).
    """
    most = {"first_causes": FIRST_CAUSES, "most_causes": MOST_CAUSES, "most_open": MOST_OPEN}
    view = class_view(results, course or {})
    return render("index.html.j2", view=view, remarks=remarks, left=left, going=going, **most)


def audit_page(audit: Mapping[str, Any]) -> str:
    """An audit of the grader, as audit.json has it."""
    odd = [row for row in audit["findings"] if row["verdict"] not in ("caught", "same", "right", "held")]
    checks: dict[str, list[dict[str, Any]]] = {}
    for row in audit["checks"]:
        idle = bool(row["asked"]) and not row["written"] and not row["generated"]
        checks.setdefault(row["assignment"], []).append({**row, "idle": idle})
    return render("audit.html.j2", audit=audit, odd=odd, checks=checks)


def runs_page(runs: Sequence[Mapping[str, Any]], *, title: str = "Runs") -> str:
    """A folder of runs, the newest first. Each is what `grader.reports.class_view.run_row` makes of it."""
    rows = sorted(runs, key=lambda run: str(run["at"]), reverse=True)
    return render("runs.html.j2", runs=rows, title=title)
