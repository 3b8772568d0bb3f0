"""A notebook of questions, once round: released, answered in Jupyter, handed in, graded, by hand, feedback, grades."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from pathlib import Path

import pytest
from fakes import hand_in
from terms import Term, served

sys.path.append(str(Path(__file__).parents[1] / "questions"))
from kernels import TEXT

from grader.gradebook import book as books
from grader.gradebook.stages import Given
from grader.nbgrader import nbgrader
from grader.questions import cells
from grader.questions.result import Answered, to_row
from grader.questions.source import Source, read_source
from grader.questions.submitted import cells_of
from grader.record.questions import Questions
from grader.record.record import Record
from grader.release.notebooks import NOTEBOOK, from_nbgrader, is_fresh
from grader.submission import hash_of

if importlib.util.find_spec("websocket") is not None:  # comes with the extra dev
    from chromium import Page, chromium

pytestmark = pytest.mark.nbgrader

PLOT = """
```python
import matplotlib.pyplot as plot
import os

if os.environ.get("MPLBACKEND"):
    plot.plot([1, 4, 9])
    plot.show()
print("<script>window.harm = 1</script>")
```
"""
HOSTILE = (
    "16 bits. <script>window.harm = 2</script> <img src=x onerror='window.harm = 3'> [x](javascript:window.harm=4)"
)


@pytest.fixture
def asked(term: Term) -> Source:
    """The course's assignment has questions, and they count."""
    path = term.course.reference("blocking") / "questions.md"
    path.write_text(TEXT.replace("## 2. Two more\n", f"## 2. Two more\n{PLOT}"))
    file = term.folder / "course.toml"
    file.write_text(file.read_text().replace("weight = 1\n", "weight = 1\nquestions = true\n"))
    return read_source(path.read_text(), "questions.md")


def hands_in(inbox: Path, student: str, notebook: bytes) -> None:
    """A student's folder, as it comes in."""
    folder = hand_in(inbox, student)
    (folder / NOTEBOOK).write_bytes(notebook)
    (folder / "checks.ipynb").write_text("{}")  # as if it had any say


# -- released by nbgrader ----------------------------------------------------------------------------------------------


def test_nbgrader_makes_of_it_what_we_say_it_does_and_accepts_it(asked: Source, tmp_path: Path) -> None:
    made = from_nbgrader(asked)
    assert made == from_nbgrader(asked)
    assert is_fresh(asked, made)
    for before, after in (("port = None", "port = 0"), ("ports(n)", "port(n)"), ("Read, predict", "Read")):
        assert not is_fresh(read_source(TEXT.replace(before, after, 1), "questions.md"), made)
    for old, new in (
        (b"socket", b"sockets"),
        (b'"points": 2', b'"points": 3'),
        (b'"locked": true', b'"locked": false'),
    ):
        assert old in made and not is_fresh(asked, made.replace(old, new, 1))
    (tmp_path / NOTEBOOK).write_bytes(made)
    assert "Success! Your notebook passes all the tests." in nbgrader(
        ["validate", NOTEBOOK], tmp_path, to="validate it", environment={"HOME": str(tmp_path)}
    )


# -- the gradebook -----------------------------------------------------------------------------------------------------


def kept(term: Term, source: Source, student: str, *outcomes: str) -> str:
    """A graded notebook of what lies in submitted/, as `grader questions grade` keeps it; the copy's hash."""
    copy = hash_of(term.folder / "submitted" / student / "blocking")
    answers = [
        Answered(name=one.name, possible=one.points, outcome=outcome)
        for one, outcome in zip(source.questions, outcomes, strict=True)
    ]
    found = cells_of(source, cells.notebook(source))
    about = {"submission": {"hash": copy}, "identity": copy}
    row = to_row(student, "blocking", answers, state="graded", **about)
    Questions(term.folder).save(row, found, [[] for _ in found], b"")
    return copy


def test_hand_given_points_stand_until_there_is_another_text(term: Term, asked: Source) -> None:
    term.roster()
    for student in ("ann", "cyd"):
        term.hands_in(student, student)
    term.grades()
    assert "blocking: 2 notebooks have not been graded yet" in term.does("gradebook", "sync", term.folder)
    first = kept(term, asked, "cyd", "pass", "fail", "hand")
    said = term.does("gradebook", "sync", term.folder)
    assert "cyd/blocking, questions: nothing -> 2, 1 undecided" in said
    assert "1 notebook has not been graded yet" in said
    assert "0 changed" in term.does("gradebook", "sync", term.folder)
    said = term.does("gradebook", "export", term.folder, "--out", term.folder / "x.csv", status=2)
    assert "cyd/blocking: why" in said
    assert "ann/blocking: handed in, and its questions are not graded yet" in said
    assert "Grade them: grader run and grader questions grade, then grader gradebook sync." in said
    assert term.points("--undecided", "zero")["ann"] == ""
    kept(term, asked, "ann", "pass", "pass", "fail")
    term.does("gradebook", "sync", term.folder)
    assert term.points("--undecided", "zero")["cyd"] == "17"  # of 21: fifteen for programs, six for questions

    url = f"sqlite:///{term.folder / 'gradebook.db'}"
    with books.opened(term.folder, url, "term") as book:
        book.questions.give("blocking", "cyd", {"why": Given(0.5, None, "half of it")})
    assert "cyd/blocking, question why: 0.5 points (half of it)" in term.brings("--by", "ida")
    assert term.brings() == "0 new decisions\n"
    assert [word.target for word in Record(term.folder / "run").decisions()] == ["question why"]
    assert "does not count" not in term.does("rescore", term.folder / "run")
    assert term.points()["cyd"] == "17.5"
    assert "0 changed" in term.does("gradebook", "sync", term.folder)
    assert term.points()["cyd"] == "17.5"

    # Another notebook: until it is graded no points leave; then those given stand, and a person is asked to look again.
    term.hands_in("cyd", "print('again')\n")
    term.grades()
    said = term.does("gradebook", "sync", term.folder)
    assert "cyd/blocking: handed in again, and not graded yet. Grade its questions first: grader questions" in said
    said = term.does("gradebook", "export", term.folder, "--out", term.folder / "x.csv", status=2)
    assert "cyd/blocking: its questions: handed in again, and not graded yet" in said
    assert term.points("--undecided", "zero")["cyd"] == ""
    kept(term, asked, "cyd", "pass", "pass", "hand")
    assert "A person gave points for why: they stand" in term.does("gradebook", "sync", term.folder)
    assert term.points("--undecided", "zero")["cyd"] == "20.5"
    assert (term.folder / "questions" / "cyd" / "blocking" / "earlier" / first[:12] / "result.json").is_file()

    # Who leaves and comes back has them again.
    term.roster(cyd="no")
    term.does("gradebook", "sync", term.folder)
    term.roster()
    term.does("gradebook", "sync", term.folder)
    assert term.points("--undecided", "zero")["cyd"] == "20.5"


def test_a_group_has_one_notebook(term: Term, asked: Source) -> None:
    term.says("groups = true\n")
    term.roster()
    term.hands_in("ann")
    term.grades()
    kept(term, asked, "ann", "pass", "pass", "hand")
    term.does("gradebook", "sync", term.folder)
    url = f"sqlite:///{term.folder / 'gradebook.db'}"
    with books.opened(term.folder, url, "term") as book:
        book.questions.give("blocking", "bob", {"why": Given(1.0)})
    term.does("gradebook", "sync", term.folder)
    points = term.points()
    assert (points["ann"], points["bob"]) == ("21", "21")
    assert term.brings().count("question why") == 1


# -- the whole round ---------------------------------------------------------------------------------------------------


def answers_in_jupyter(folder: Path, tmp_path: Path, pictures: Path) -> None:
    """A student opens the notebook in JupyterLab, runs it, answers, runs it again, and saves."""
    words = ["-m", "jupyterlab", "--LabApp.expose_app_in_browser=True"]
    with served(folder, tmp_path / "student", words) as address, chromium(tmp_path / "students") as page:
        page.goes_to(
            f"{address}/lab/tree/{NOTEBOOK}?token=secret",
            until="!!window.jupyterapp && document.querySelectorAll('.jp-CodeCell').length > 3",
        )
        page.js("window.notebook = [...jupyterapp.shell.widgets('main')].find(one => one.content?.widgets), 0")
        page.waits_for("notebook.sessionContext.session?.kernel?.status === 'idle'")
        answers = {"port": "port = 5000", "ports": "def ports(n):\n    return [n]", "why": HOSTILE}
        for name, text in answers.items():
            cell = f"notebook.content.widgets.find(one => one.model.id === {json.dumps(name)})"
            page.js(f"{cell}.model.sharedModel.setSource({json.dumps(text)})")
        page.js("jupyterapp.shell.activateById(notebook.id)")
        page.js("void jupyterapp.commands.execute('notebook:run-all-cells')")
        page.waits_for("document.querySelectorAll('.jp-OutputArea-output img').length > 0")
        page.waits_for("notebook.content.widgets.every(one => one.model.type !== 'code' || one.model.executionCount)")
        assert "Traceback" not in page.js("document.body.innerText")
        page.js("notebook.context.save()")
        page.picture(pictures / "1-jupyterlab.png")
    assert "port = 5000" in (folder / NOTEBOOK).read_text()


def grades_by_hand(page: Page, address: str, pictures: Path) -> None:
    page.goes_to(f"{address}/login?token=secret")
    page.goes_to(f"{address}/formgrader/gradebook/blocking/questions", until="!!document.querySelector('td a')")
    for submission in page.js("[...document.querySelectorAll('td a')].map(one => one.href)"):  # nobody's name is said
        page.goes_to(submission, until="!!document.querySelector('#why')")
        page.waits_for("[...document.querySelectorAll('input.score')].every(one => one.placeholder !== '')")
        text = page.js("document.body.innerText")
        if "2 of 2 points" in text and "0 of 3 points" in text:
            break
    for part in ("2 of 2 points", "0 of 3 points", "window.harm = 1", "16 bits."):
        assert part in text, text
    assert page.js("document.querySelectorAll('#notebook-container img').length") == 1  # the plot
    page.picture(pictures / "2-formgrader.png")
    page.clicks("#why")
    page.types("0.5")
    page.clicks("#why-comment")
    page.types("and the address")
    page.clicks("#ports-comment")
    page.waits_for("[...document.querySelectorAll('.glyphicon-refresh')].length === 0")
    page.picture(pictures / "3-by-hand.png")
    assert page.js("typeof window.harm") == "undefined"


@pytest.mark.browser
@pytest.mark.docker
@pytest.mark.slow
def test_a_notebook_once_round(term: Term, asked: Source, tmp_path: Path, jupyter: str) -> None:
    pictures = Path(os.environ.get("PICTURES") or tmp_path)
    released = tmp_path / "released"
    released.mkdir()
    (released / NOTEBOOK).write_bytes(from_nbgrader(asked))
    answers_in_jupyter(released, tmp_path, pictures)
    term.roster()
    hands_in(tmp_path / "in", "ann", (released / NOTEBOOK).read_bytes())
    hands_in(tmp_path / "in", "cyd", from_nbgrader(asked))
    hands_in(tmp_path / "in", "dan", cells.notebook(asked))
    hands_in(tmp_path / "in", "eve", b"no notebook")
    assert term.does("collect", "folder", term.folder, "blocking", tmp_path / "in").count("/blocking: ") == 4
    term.grades()
    said = term.does("questions", "grade", term.folder, "--workers", 2)
    for line in (
        "ann/blocking: 2 of 6, 1 wait for a person",
        "cyd/blocking: 0 of 6\n",
        "dan/blocking: 5 of 6, 1 wait for a person",
        "eve/blocking: questions.ipynb is not a notebook: it is not JSON.",
        "4 graded, 0 as before",
    ):
        assert line in said, said
    assert "0 graded, 4 as before" in term.does("questions", "grade", term.folder)
    term.does("gradebook", "sync", term.folder)

    with chromium(tmp_path / "teachers") as page:
        grades_by_hand(page, jupyter, pictures)
        end, decided = time.monotonic() + 30, ""
        while "and the address" not in decided and time.monotonic() < end:
            decided += term.brings()
        assert "ann/blocking, question why: 0.5 points (and the address)" in decided
        term.does("gradebook", "feedback", term.folder)
        page.goes_to((term.folder / "feedback" / "ann" / "blocking" / "questions.html").as_uri())
        text = page.js("document.body.innerText")
        assert "and the address" in text and "2 of 2 points" in text
        page.picture(pictures / "4-feedback.png")
        assert page.js("typeof window.harm") == "undefined"
    points = term.points("--undecided", "zero")
    assert (points["ann"], points["cyd"], points["dan"], points["eve"]) == ("17.5", "15", "20", "15")
