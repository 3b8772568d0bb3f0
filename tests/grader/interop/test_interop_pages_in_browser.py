"""The pages of meetings and of likeness in a browser: readable by everybody, on a phone as well, by keyboard alone."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from grader.interop import pages
from grader.interop.found import Cell, Goodput, Part
from grader.interop.names import pseudonyms
from grader.interop.table import key_of_meeting, row_of, table_of
from grader.interop.who import Entrant, Meeting, Played
from grader.likeness.hints import hint_of, view_of
from grader.record.meetings import MeetingsFolder
from grader.reports.likeness_view import hints_page, pair_page
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Report
from harness.transport.pictures.bundle import Bundle, as_data
from harness.transport.simulation.meetings import MEETINGS, meeting_id
from tests.grader.interop.runs import COURSE
from tests.harness.transport import sample

if importlib.util.find_spec("websocket") is not None:  # comes with the extra dev
    from chromium import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAMES = ["ann", "a-name-that-is-as-long-as-names-can-be-in-some-courses-of-ours", "cem", "dee", "eve"]
RUN = Bundle(assignment="transport", wire=sample.WIRE, packets=tuple(sample.packets()))
SOURCE = "\n".join(f"def function_{n}(value): return value * {n} + {'x' * 60}_{n}" for n in range(60))


def meeting(first: int, second: int | None, *, well: bool = False) -> Played:
    """One in which the first has a part in every third cell, and of the last cell nobody knows; or all is well."""
    cells, reports = [], {}
    for number, (one, role) in enumerate((one, role) for one in MEETINGS for role in ("client", "server")):
        part = Part("first", "rule", "3.5", "rule 3.5 (MUST), packet 3 at 0.1 s: " + "again " * 30, 3)
        state = "undecided" if number == 11 else "fails" if not number % 3 else "well"
        state = "well" if well else state
        cells.append(Cell(one.letter, role, state, (part,) if state == "fails" else (), "why", 1.5, 20))
        name = meeting_id(one.scenario, role)
        reports[name] = Report(check=name, outcome=Outcome.FAIL, message="m", story=(), bundle=as_data(RUN))
    identity = f"{first}{second}".ljust(64, "0")
    return Played(Meeting(first, second), identity, cells, reports=reports)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that is shown of meetings and of likeness."""
    path = tmp_path_factory.mktemp("run")
    for assignment, peers in (("transport", None), ("many", 2)):
        names = NAMES if peers is None else [f"student-{n}" for n in range(41)]
        places = range(len(names))
        met = [meeting(place, None, well=place > 4) for place in places]
        met += [meeting(place, (place + 1) % len(names), well=True) for place in places]
        figures = [Goodput(0.0, 0.98, 0.01, 0.02), Goodput(0.01, 0.3, 0.01, 0.001)]
        board = [Played(Meeting(place, None, "goodput"), f"{place}" * 64, goodput=figures) for place in (0, 1)]
        folder = MeetingsFolder(path, assignment)
        for played in met:
            stories, files = pages.seen_of(played)
            folder.keep(key_of_meeting(played.identity), {**row_of(played), "stories": stories}, files)
        table = table_of(
            COURSE.load("transport"),
            [Entrant(name, "h", Path(), {}, True) for name in names],
            [*met, *board],
            pseudonyms=pseudonyms(names, b"k"),
            hopeless={2},
            figures=figures,
            possible=5.0,
            at="2026-12-01T00:00:00+00:00",
            when="Tue 1 Dec 2026, 00:00 UTC",
            peers=peers,
            complete=False,
            lab={"kind": "local", "engine": "relay", "unprotected": "Nothing protects from anything here."},
        )
        pages.write(folder, table, {key_of_meeting(one.identity) for one in met})
    texts = [{"0.py": SOURCE}, {"0.py": SOURCE.replace("value", "what")}]
    hint = hint_of({"pair": ["0", "1"], "score": 99.5, "passages": [[["0.py", 1, 40], ["0.py", 5, 44]]]}, texts)
    assert hint is not None
    rows = view_of([hint], NAMES, [{"0.py": "connection.py"}, {"0.py": "x" * 90}])
    (path / "alike.html").write_text(hints_page("transport", rows, 2))
    (path / "pair-1.html").write_text(pair_page("transport", rows[0], texts))
    return path


def opens(tab: Page, page: Path) -> None:
    tab.goes_to(page.as_uri(), until=f"document.readyState === 'complete' && location.href === '{page.as_uri()}'")


def shown(run: Path) -> list[Path]:
    """Each kind of page."""
    there = run / "interop/transport"
    cell = next(there.glob("meetings/*/D-client.html"))
    own = next((there / "students/ann").glob("*-D-client.html"))
    names = ("index.html", "leaderboard.html", "students/ann/index.html")
    more = (run / "interop/many/index.html", run / "alike.html", run / "pair-1.html")
    return [*(there / name for name in names), cell, own, *more]


def found_by(axe: str, tab: Page) -> list[Any]:
    tab.js("document.querySelectorAll('details').forEach(one => one.open = true)")
    tab.js(f"{axe}; 1")
    what = "found.violations.map(one => [one.id, one.nodes.length, one.nodes[0].html.slice(0, 200)])"
    rows: list[Any] = tab.js(f"axe.run().then(found => {what})")
    return rows


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_everybody_can_read_the_meetings(tab: Page, axe: str, run: Path, width: int, dark: bool) -> None:
    tab.asked.clear()
    tab.looks_like(width, dark=dark)
    for page in shown(run) if (width, dark) in ((1280, False), (390, True)) else shown(run)[:3]:
        opens(tab, page)
        assert tab.js("document.documentElement.scrollWidth") <= width, page
        assert found_by(axe, tab) == [], page
        assert tab.js("document.documentElement.scrollWidth") <= width, f"{page}, everything unfolded"
    assert tab.errors == []
    assert [address for address in tab.asked if not address.startswith("file:")] == []


def test_from_a_failing_cell_to_its_ladder_by_keyboard_alone(tab: Page, run: Path) -> None:
    tab.looks_like(1280)
    opens(tab, run / "interop/transport/index.html")
    for _ in range(80):
        tab.presses("Tab")
        if tab.js("document.activeElement.matches('.matrix a.fail')"):
            break
    assert tab.js("document.activeElement.ariaLabel").endswith(", rule 3.5")
    tab.presses("Enter")
    tab.waits_for("location.pathname.includes('/meetings/') && document.images[0] && document.images[0].complete")
    assert tab.js("document.images[0].naturalWidth") > 100
    assert "broke rule 3.5" in tab.js("document.body.innerText")
    assert tab.errors == []
