"""formgrader in a browser: it shows scores and stories, takes a person's word, and can do no harm."""

from __future__ import annotations

import importlib.util
import json
import time
from pathlib import Path

import pytest
from fakes import story
from terms import Term

if importlib.util.find_spec("websocket") is not None:  # comes with the extra dev
    from chromium import Page, chromium

pytestmark = [pytest.mark.nbgrader, pytest.mark.browser]

#: What complains by itself: formgrader loads MathJax from the net, and there is none here.
NBGRADERS_OWN = ("MathJax", "mathjax", "favicon")
SCRIPT = "<script>window.harm = 14</script>"
#: Its boxes are filled by two requests, one for scores and one for comments; who types before the second has come loses
#: what was typed, since it writes the box anew.
FILLED = "[...document.querySelectorAll('input.score, textarea.comment')].every(one => one.placeholder !== '')"
#: And they are saved by two: what its server keeps of one cell.
KEPT = """
Promise.all(['grades', 'comments'].map(kind => fetch(`${base_url}/api/${kind}?submission_id=${submission_id}`)
    .then(answer => answer.json()).then(all => all.find(one => one.name === 'stage-2'))))
    .then(([grade, comment]) => grade.manual_score === 9 && comment.manual_comment === 'nearly right')
"""

#: Cells as a student could hand them in, each of which would do something.
HOSTILE = {
    "markdown": """
<script>window.harm = 1</script> <img src=x onerror="window.harm = 2"> <svg onload="window.harm = 3"></svg>
<iframe srcdoc="<script>parent.harm = 4</script>"></iframe> <form action="/harm"><button id=b>x</button></form>
<a class="full-credit" id="bait" href="javascript:window.harm=5">click me</a> [mark](javascript:window.harm=6)
<style>body {display: none}</style> <math><mtext></mtext></math><input autofocus onfocus="window.harm = 7">
<meta http-equiv="refresh" content="0;url=/harm"> <base href="http://harm.example/"> <object data="/harm"></object>
<details open ontoggle="window.harm=8">x</details>
""",
    "html": "<script>window.harm = 9</script><b class='no-credit' id='bait2' onclick='window.harm = 10'>bait</b>",
    "svg": "<svg xmlns='http://www.w3.org/2000/svg' onload='window.harm = 11'><script>window.harm = 12</script></svg>",
    "javascript": "window.harm = 13",
}


def synced(term: Term) -> None:
    term.roster()
    for student in ("ann", "cyd"):
        term.hands_in(student, student)
    term.will_see(
        secretly_reads={"outcome": "fail", "message": "HIDDEN"},
        serves={
            "outcome": "fail",
            "message": "<script>window.harm = 14</script>",
            "story": story("came", "<b>went</b>"),
        },
    )
    term.grades()
    term.does("gradebook", "sync", term.folder)


def signed_in(page: Page, address: str) -> None:
    page.goes_to(f"{address}/login?token=secret")


def opens_submission(page: Page, address: str) -> None:
    page.goes_to(f"{address}/formgrader/gradebook/blocking/checks", until="!!document.querySelector('td a')")
    page.goes_to(page.js("document.querySelector('td a').href"), until="!!document.querySelector('input.score')")
    page.waits_for(FILLED)


def test_an_instructor_reads_overrules_and_is_refused_autograde(term: Term, tmp_path: Path, jupyter: str) -> None:
    synced(term)
    with chromium(tmp_path / "profile") as page:
        signed_in(page, jupyter)
        page.goes_to(
            f"{jupyter}/formgrader/manage_submissions/blocking", until="!!document.querySelector('.autograde a')"
        )
        assert "10 / 15" in page.js("document.body.innerText")
        before = {path: path.read_bytes() for path in term.folder.glob("autograded/**/*.ipynb")}
        page.clicks(".autograde a")
        page.waits_for("!!document.querySelector('#error-modal')")
        said = page.js("document.querySelector('#error-modal').textContent")
        assert "Grade them with `grader run`, then bring the results here with `grader gradebook sync`." in said
        assert before and before == {path: path.read_bytes() for path in term.folder.glob("autograded/**/*.ipynb")}

        opens_submission(page, jupyter)
        text = page.js("document.body.innerText")
        for part in (
            "10 of 15 points",
            "Serve one after the other.",
            "<script>window.harm = 14</script>",
            "<b>went</b>",
        ):
            assert part in text
        assert "HIDDEN" not in text
        assert page.js("[...document.querySelectorAll('input.score')].map(one => one.placeholder)") == ["2", "6", "2"]
        page.clicks("#stage-2")
        page.types("9")
        page.clicks("#stage-2-comment")
        page.types("nearly right")
        page.clicks("#remarks-comment")
        page.waits_for(KEPT)
        decided = term.brings()
        assert "blocking, stage 2: 9 points (nearly right)" in decided

        page.js("document.querySelector(\"a[href*='report.html']\").click()")  # to the instructor's page, with the rest
        page.waits_for("location.pathname.endsWith('/report.html')")
        assert "HIDDEN" in page.waits_for("document.body.innerText")
        assert page.js("typeof window.harm") == "undefined"
        assert not [error for error in page.errors if not any(word in error for word in NBGRADERS_OWN)]

    # It survives that the submission is graded again, worse.
    who = decided[decided.index("/blocking") - 3 :][:3]
    term.hands_in(who, "print('again')\n")
    term.will_see(serves={"outcome": "fail"}, survives={"outcome": "fail"}, secretly_reads={"outcome": "fail"})
    term.grades()
    assert f"{who}/blocking: 13 -> 13. A person gave points" in term.does("gradebook", "sync", term.folder)
    assert term.points("--undecided", "zero")[who] == "13"


def test_nothing_that_a_student_wrote_acts(term: Term, tmp_path: Path, jupyter: str) -> None:
    synced(term)
    (term.folder / "roster.csv").write_text(
        "id,first,last\nann,<img src=x onerror=window.harm=15>,<script>window.harm=16</script>\ncyd,C,D\n"
    )
    term.does("gradebook", "sync", term.folder)
    for file in term.folder.glob("autograded/*/blocking/checks.ipynb"):
        whole = json.loads(file.read_text())
        cells = {cell["id"]: cell for cell in whole["cells"]}
        cells["head"]["source"] = cells["remarks"]["source"] = HOSTILE["markdown"]
        cells["head"]["attachments"] = {"x.svg": {"image/svg+xml": HOSTILE["svg"]}}
        cells["head"]["metadata"]["tags"] = ['"><script>window.harm = 17</script>']
        cells["stage-1"]["source"] = HOSTILE["html"]
        data = {"text/html": HOSTILE["html"]}
        cells["stage-1"]["outputs"] = [
            {"output_type": "display_data", "metadata": {"text/html": {"isolated": True}}, "data": data},
            {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": HOSTILE["svg"]}},
            {"output_type": "display_data", "metadata": {}, "data": {"application/javascript": HOSTILE["javascript"]}},
            {"output_type": "display_data", "metadata": {}, "data": {"text/markdown": HOSTILE["markdown"]}},
            {"output_type": "display_data", "metadata": {}, "data": {"text/latex": HOSTILE["html"]}},
            {"output_type": "stream", "name": "stdout", "text": HOSTILE["html"]},
            {"output_type": "error", "ename": "x", "evalue": "y", "traceback": [HOSTILE["html"]]},
        ]
        whole["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {"x": "</script><script>harm=18"}}
        file.chmod(0o644)
        file.write_text(json.dumps(whole))
    term.does("gradebook", "feedback", term.folder)
    with chromium(tmp_path / "profile") as page:
        signed_in(page, jupyter)
        opens_submission(page, jupyter)
        is_harmless(page)
        assert page.js("document.querySelectorAll('.full-credit').length") == 3  # formgrader's own buttons
        for who in ("ann", "cyd"):
            page.goes_to((term.folder / "feedback" / who / "blocking" / "checks.html").as_uri())
            is_harmless(page)
        page.goes_to(f"{jupyter}/formgrader/manage_students", until="!!document.querySelector('td a')")
        assert page.js("typeof window.harm") == "undefined"


def is_harmless(page: Page) -> None:
    time.sleep(0.3)  # for what would happen by itself a moment later
    assert page.js("typeof window.harm") == "undefined"
    within = "#notebook-container"
    active = "script, iframe, form, object, embed, base, meta, svg, style, link, math, img"
    assert page.js(f"document.querySelectorAll('{within} :is({active})').length") == 0
    attributes = f"[...document.querySelectorAll('{within} .rendered_html *')].flatMap(one => one.getAttributeNames())"
    assert set(page.js(attributes)) <= {"href", "title", "tabindex"}  # the last is formgrader's
    links = f"[...document.querySelectorAll('{within} .rendered_html a[href]')].map(one => one.protocol)"
    assert set(page.js(links)) <= {"http:", "https:", "mailto:", "file:"}
    assert not [url for url in page.asked if "harm" in url and "manage" not in url]
    assert not page.dialogs
