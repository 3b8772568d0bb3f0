"""The pages in a browser: readable by everybody, on a phone as well, by keyboard alone, with nothing from elsewhere."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import READS, SECRET, SERVES, SURVIVES, report, result_of, story

from grader.course import Course
from grader.record.pages import Pages
from grader.reports.class_view import run_row
from grader.reports.html import audit_page, closed_page, runs_page
from harness.transport.pictures.bundle import Bundle, Finding, as_data
from tests.harness.transport import sample

if importlib.util.find_spec("websocket") is not None:  # comes with the extra dev
    from chromium import Page, chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SEEN = 'Traceback (most recent call last):\n  File "/work/client.py", line 40, in <module>\n' + "x" * 900
SOURCE = "\n".join(f"line_{n} = '{'wide ' * 40}'  # {n}" for n in range(1, 60))
RUN = Bundle(assignment="blocking", wire=sample.WIRE, packets=tuple(sample.packets()), findings=(Finding(5, "so"),))

#: An audit in which everything is shown: what was missed, what another audit has otherwise, checks that caught nothing.
ODD = {
    "part": "mutants",
    "kind": "generated",
    "assignment": "blocking",
    "condition": "local lab",
    "report": "a/report.html",
}
AUDIT: dict[str, Any] = {
    "at": "2026-12-01T00:00:00+00:00",
    "command": "grader audit " + "--only x " * 30,
    "left": 3,
    "lines": [
        {"what": "wide " * 20, "share": {"count": n, "of": 1000}, "bound": "at most 1.0%", "goal": "0", "met": not n}
        for n in range(2)
    ],
    "findings": [
        {**ODD, "name": "n" * 80, "verdict": verdict, "told": "t" * 200, "about": "- a\n+ b" * 40}
        for verdict in ("missed", "undecided")
    ],
    "checks": [
        {
            "id": READS,
            "assignment": "blocking",
            "suite": "hidden",
            "stage": 1,
            "asked": 3,
            "written": n,
            "generated": 0,
            "names": ["a"],
        }
        for n in range(2)
    ],
    "machine": {"system": "Debian", "memory_mb": 1, "engines": {"mutants-local": "relay"}},
    "drift": {
        "machine": [["kernel", "6.1", "6.12"]],
        "verdicts": [["x" * 90, "caught", "missed"]],
        "both": 1,
        "only_there": 0,
        "only_here": 0,
        "versions": ["blocking"],
    },
}


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core: finds what some people cannot read or reach."""
    import axe_core_python

    return (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def run(course: Course, tmp_path: Path) -> Path:
    """Pages of a class: ann fails with a long story and packets, bob waits for a person, and 40 have everything."""
    folder, copy = tmp_path / "run", tmp_path / "handed-in"
    copy.mkdir()
    (copy / "client.py").write_text(SOURCE)
    pages = Pages(folder, None)
    long = story(*(f"says {n} " + "ab " * (n % 50) for n in range(60)))
    fails = report(READS, "fail", message="no" * 60, seen=SEEN, expected="y" * 900, story=long, bundle=as_data(RUN))
    again = report(SERVES, "fail", seen=SEEN, expected="y" * 900, bundle=as_data(RUN))
    ann = result_of(course, fails, report(SECRET, "fail", story=long), again)
    before = result_of(course, report(READS), report(SECRET), report(SERVES), report(SURVIVES, "fail"))
    open_ = result_of(course, report(READS), report(SECRET), report(SERVES, "inconclusive"), student="bob")
    good = result_of(course, *[report(check) for check in (READS, SECRET, SERVES, SURVIVES)], student="zoe")
    results = [ann, open_, *({**good, "student": f"student-{n:02}"} for n in range(40))]
    for result in results[:2]:
        (place := folder / result["student"] / "blocking").mkdir(parents=True)
        pages.write(place, result, copy=copy, history=[before])
    (folder / "index.html").write_bytes(pages.index(results, ["cem/blocking: the archive is damaged."]))
    (folder / "runs.html").write_text(runs_page([run_row("run", results, name="Sockets", term="2026")]))
    (folder / "closed.html").write_text(closed_page(ann, "2026-12-24 12:00 CET"))
    (folder / "audit.html").write_text(audit_page(AUDIT))
    return folder


PAGES = (
    "ann/blocking/report.html",
    "ann/blocking/student.html",
    "ann/blocking/source.html",
    "index.html",
    "audit.html",
)
MORE = ("bob/blocking/report.html", "runs.html", "closed.html")


def opens(tab: Page, page: Path) -> None:
    tab.goes_to(page.as_uri(), until=f"document.readyState === 'complete' && location.href === '{page.as_uri()}'")


def found_by(axe: str, tab: Page) -> list[Any]:
    """What axe finds on the page with everything unfolded."""
    tab.js("document.querySelectorAll('details').forEach(one => one.open = true)")
    tab.js(f"{axe}; 1")
    what = "found.violations.map(one => [one.id, one.nodes.length, one.nodes[0].html.slice(0, 200)])"
    rows: list[Any] = tab.js(f"axe.run().then(found => {what})")
    return rows


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_everybody_can_read_every_page(tab: Page, axe: str, run: Path, width: int, dark: bool) -> None:
    tab.asked.clear()
    tab.looks_like(width, dark=dark)
    for name in PAGES if dark else (*PAGES, *MORE):
        opens(tab, run / name)
        assert tab.js("document.documentElement.scrollWidth") <= width, name
        assert found_by(axe, tab) == [], name
        assert tab.js("document.documentElement.scrollWidth") <= width, f"{name}, everything unfolded"
    assert tab.errors == []
    assert [address for address in tab.asked if not address.startswith("file:")] == []


def names(tab: Page) -> list[str]:
    rows = "document.querySelectorAll('#class tbody tr:not([hidden]) th')"
    shown: list[str] = tab.js(f"[...{rows}].map(one => one.innerText)")
    return shown


def empties(tab: Page, field: str, event: str) -> None:
    sets(tab, field, event, "")


def sets(tab: Page, field: str, event: str, value: str) -> None:
    it = f"document.getElementById('{field}')"
    tab.js(f"{it}.value = '{value}'; {it}.dispatchEvent(new Event('{event}'))")


def focuses(tab: Page, what: str) -> None:
    """Go on by Tab until the focus is there."""
    for _ in range(30):
        if tab.js(f"document.activeElement.matches({what!r})"):
            return
        tab.presses("Tab")
    raise AssertionError(f"no key leads to {what}")


def test_a_class_is_searched_and_sorted_by_keyboard_alone(tab: Page, run: Path) -> None:
    tab.looks_like(1280)
    opens(tab, run / "index.html")
    assert names(tab)[:3] == ["ann", "bob", "student-00"]
    focuses(tab, "#find")
    tab.types("student-1")
    assert len(names(tab)) == 10
    assert tab.js("document.getElementById('count').innerText") == "10 of 42"
    empties(tab, "find", "input")
    assert len(names(tab)) == 42
    focuses(tab, "#show")
    sets(tab, "show", "change", "?")  # a browser without a screen opens no list
    assert names(tab) == ["bob"], "who waits for a decision"
    empties(tab, "show", "change")
    focuses(tab, "#class thead th:nth-child(2) button")
    tab.presses("Enter")
    assert names(tab)[0] == "student-00"
    assert tab.js("document.querySelector('#class [aria-sort]').ariaSort") == "descending"
    tab.presses("Space")
    assert names(tab)[0] == "ann"
    assert tab.js("document.querySelector('#class [aria-sort]').ariaSort") == "ascending"


def test_from_the_class_to_the_line_of_the_traceback_in_three_clicks(tab: Page, run: Path) -> None:
    tab.looks_like(1280)
    opens(tab, run / "index.html")
    tab.clicks("#s1 a")
    tab.waits_for("location.href.endsWith('ann/blocking/report.html') && document.readyState === 'complete'")
    tab.clicks("ol.why a[href='#check-1']")
    tab.waits_for("location.hash === '#check-1'")
    tab.clicks("#check-1 a[href^='./source.html#']")
    tab.waits_for("location.pathname.endsWith('source.html') && document.readyState === 'complete'")
    assert tab.js("document.querySelector('li:target').innerText").startswith("line_40 = ")
    assert tab.errors == []
