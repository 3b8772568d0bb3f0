"""The pages in a browser: readable by everybody, on a phone as well, by keyboard alone, with nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from typing import Any

import pytest
from fakes import READS, SECRET, SERVES, SURVIVES, report, result_of, story

from grader.course import Course
from grader.record.pages import Pages
from grader.reports.class_view import run_row
from grader.reports.html import audit_page, closed_page, runs_page
from harness.link.trace import Packet
from harness.pictures.ladder import Note, folded, rungs_of
from harness.pictures.ladder_svg import ladder_svg
from harness.transport.pictures.bundle import Bundle, Finding, as_data
from tests.harness.transport import sample

if importlib.util.find_spec("websocket") is not None:  # comes with the extra dev
    from chromium import Page

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
        place = folder / result["student"] / "blocking"
        for check in result["checks"]:
            for name in filter(None, (check["ladder_svg"], check["plot"])):
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_text(RUN.recording().ladder_svg())
        place.mkdir(parents=True, exist_ok=True)
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
PACKETS = "ann/blocking/captures/public/01-test_reads.packets.html"
MORE = (PACKETS, "bob/blocking/report.html", "runs.html", "closed.html")


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


def test_the_packets_have_a_page_of_their_own_with_zoom(tab: Page, run: Path) -> None:
    tab.looks_like(1280)
    opens(tab, run / "ann/blocking/report.html")
    tab.js("document.querySelectorAll('details').forEach(one => one.open = true)")
    tab.clicks("#check-1 a.picture")
    tab.waits_for(f"location.href.endsWith('{PACKETS}') && document.images[0].complete")
    assert tab.js("document.images[0].naturalWidth") == 1200
    focuses(tab, "#zoom-1")
    wide = tab.js("document.images[0].getBoundingClientRect().width")
    tab.presses("ArrowDown", "ArrowDown")
    assert tab.js("document.images[0].getBoundingClientRect().width") == pytest.approx(2 * wide)
    focuses(tab, ".zoomed")  # which the arrow keys scroll
    assert tab.errors == []


#: Of every two texts of a picture, turned as they are, whether one lies on the other: those that do.
ON_ANOTHER = """
(() => {
  const corners = text => {
    const box = text.getBBox(), to = text.getCTM();
    const at = (x, y) => [to.a * x + to.c * y + to.e, to.b * x + to.d * y + to.f];
    const top = box.y + 0.2 * box.height, end = box.y + 0.8 * box.height, right = box.x + box.width;
    return [at(box.x, top), at(right, top), at(right, end), at(box.x, end)];
  };
  const apart = (one, other) => [one, other].some(four => four.some((from, n) => {
    const to = four[(n + 1) % 4], away = [to[1] - from[1], from[0] - to[0]];
    const [mine, its] = [one, other].map(all => all.map(p => p[0] * away[0] + p[1] * away[1]));
    return Math.max(...mine) <= Math.min(...its) || Math.max(...its) <= Math.min(...mine);
  }));
  const texts = [...document.querySelectorAll('text')].filter(text => text.textContent.trim().length > 1);
  const placed = texts.map(text => [text.textContent, corners(text)]);
  const under = (one, n) => placed.slice(0, n).filter(two => !apart(one[1], two[1])).map(two => [one[0], two[0]]);
  return placed.flatMap(under);
})()
"""


@pytest.mark.parametrize("delay", [0.02, 0.1])
def test_in_a_burst_no_word_of_a_ladder_lies_on_another(tab: Page, tmp_path: Path, delay: float) -> None:
    dice, fates = random.Random(delay), ("delivered", "lost", "corrupted", "duplicated", "reordered")
    packets = []
    for number in range(1, 41):
        sent, fate = 0.001 * (number // 10), dice.choices(fates, [8, 1, 1, 1, 1])[0]
        arrived = None if fate == "lost" else sent + delay * (0.5 + dice.random())
        way = dice.choice(("up", "down"))
        packets.append(Packet(number, sent, arrived, way, b"x" * 9, b"x" * 9, fate, "drop" if fate == "lost" else ""))
    labels = {number: "ACK seq=31201 ack=1 win=65536 sack=32401-33601"[: dice.randint(3, 46)] for number in range(41)}
    notes = {number: [Note("a note " * dice.randint(1, 20), dice.random() < 0.5)] for number in range(1, 40, 3)}
    rows = rungs_of(packets, describe=lambda packet: labels[packet.number], notes=notes)
    for name, shown in (("all", rows), ("folded", folded(rows, 20))):
        file = tmp_path / f"{name}.svg"
        file.write_text(ladder_svg(shown, title="A burst", remark="of 40 packets"))
        opens(tab, file)
        assert tab.js("document.querySelectorAll('text').length") > 60
        assert tab.js(ON_ANOTHER) == []


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
