"""Notebooks of questions, from the text of their author to points, without a kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kernels import TEXT, Scripted, answered

from grader.job import questions as job
from grader.questions import cells
from grader.questions.executed import executed, harmless_markdown, harmless_text, outputs_of
from grader.questions.judge import NotPlain, asking, is_right, plain
from grader.questions.result import Answered, answers_of, said_of, to_row
from grader.questions.source import Source, private_lines, read_source
from grader.questions.submitted import cells_of
from harness.errors import SetupError, SubmissionError

HERE = Path()


@pytest.fixture
def source() -> Source:
    return read_source(TEXT, "questions.md")


RIGHT = {"port": "port = 5000", "ports": "def ports(n): return list(range(n))", "why": "16 bits."}


def points(graded: job.Graded) -> list[tuple[str, str, float]]:
    return [(one.name, one.outcome, one.points) for one in graded.answers]


def graded(source: Source, answers: dict[str, str], nodes: Scripted | None = None, **own: str) -> job.Graded:
    handed = answered(cells.unanswered(source), answers, own=own)
    return job.grade(nodes or Scripted(), HERE, source, cells_of(source, handed))


# -- what authors write ------------------------------------------------------------------------------------------------


def test_a_source_is_cells_and_questions(source: Source) -> None:
    assert [cell.kind for cell in source.cells] == (
        ["text", "text", "code", "free", "answer", "graded", "text", "answer", "graded", "words"]
    )
    assert "$ this is text" in source.cells[0].source
    assert source.points == 6
    assert [(one.name, one.points, one.hand) for one in source.questions] == [
        ("port-points", 2, False),
        ("ports-points", 3, False),
        ("why", 1, True),
    ]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("graded=port points=2", "graded=prt points=2", "no answer in code named prt above it"),
        ("graded=port points=2", "graded=port points=two", "points=two is not a number"),
        ("graded=port points=2", "graded=port", "says points=N besides its name"),
        ("python free", "python fee", "a cell of python that says 'fee'"),
        ("answer=ports", "answer=port", "the name port is there twice"),
        ("answer=ports", "answer=Ports!", "is not a name of small letters"),
        ("port = 4711", "port = = 4711", "this is not Python"),
        ('values.mine = "port"', 'values.mine = "port +"', "this is not Python"),
        ('"mine > 1024"', '"meine > 1024"', "names meine, which is none of the values"),
        ('what = "`port`: an int"', "what = ", "this is not TOML"),
        ('what = "`port`: an int"', "", "what says in words which value counts"),
        ('holds = ["type(mine) is int", "mine > 1024"]', "", "needs values.NAME = EXPRESSION"),
        ('hint = "Look', 'hnt = "Look', "hnt means nothing here"),
        ("# Ports: questions", "Ports", "it begins with its title"),
        ("    ### END SOLUTION\n", "", "an answer has one region"),
        ("Because a port is 16 bits.\n```", "Because", "this cell never ends"),
    ],
)
def test_a_mistake_has_its_line(before: str, after: str, told: str) -> None:
    assert before in TEXT
    with pytest.raises(SetupError, match=r"questions\.md") as caught:
        read_source(TEXT.replace(before, after, 1), "questions.md")
    assert told in str(caught.value)


def test_what_students_get_has_no_answer_and_no_expression(source: Source) -> None:
    text = cells.unanswered(source).decode()
    for lines in private_lines(source):
        for line in lines:
            assert not line.strip() or line.strip() not in text
    assert "port = None  # a number" in text
    assert cells.CODE_STUB in text
    assert "ports(3)" not in text


# -- what comes out of a kernel ----------------------------------------------------------------------------------------


class Equal:
    """Equal to everything, larger than everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __gt__(self, other: object) -> bool:
        return True

    __hash__ = None


class Liar(int):
    def __repr__(self) -> str:
        return "5000"

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None


@pytest.mark.parametrize(
    "value", [None, True, 1, 1.5, "a'\"\n\\ é😀\ud800", b"\x00\xff", [1, [2]], {"a": b"x", "b": []}]
)
def test_plain_data_comes_out_as_it_is(value: object) -> None:
    assert plain(repr(eval(asking("x"), {"x": value}))) == value


def test_a_number_that_lies_about_itself_comes_out_as_what_it_is() -> None:
    found = plain(repr(eval(asking("x"), {"x": Liar(7)})))
    assert (type(found), found) == (int, 7)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_what_is_no_number_is_nothing(value: object) -> None:
    with pytest.raises(NotPlain):
        plain(repr(eval(asking("x"), {"x": value})))


def test_an_object_does_not_come_out() -> None:
    with pytest.raises(TypeError):
        eval(asking("x"), {"x": Equal()})


@pytest.mark.parametrize(
    "said",
    [
        "5000", "[1]", "__import__('os').system('true')", "'1' + '2'", "f'{1}'", "'[1'", "''", "'" + "[" * 5000 + "'",
        "'" + "1" * 5000 + "'", "'" + "x" * 70_000 + "'", "'NaN'", "'1'; 2", "'\\x'", "b'1'",
        "'" + "[" * 30 + "]" * 30 + "'",
        "'{\"bytes in hex\": \"zz\"}'",
    ],
)  # fmt: skip
def test_what_a_kernel_says_instead_is_nothing(said: str) -> None:
    with pytest.raises(NotPlain):
        plain(said)


@pytest.mark.parametrize("value", [None, "x", [], {}, b"", True])
def test_values_of_another_kind_are_not_right_and_break_nothing(value: object) -> None:
    assert not is_right(["mine[0] > 3", "mine.real == 2"], {"mine": value})
    assert not is_right(["type(mine) is int", "mine > 1024"], {"mine": value})


def test_expressions_reach_nothing_else() -> None:
    assert is_right(["mine == 1"], {"mine": 1})
    assert not is_right(["open('/etc/passwd')"], {"mine": 1})
    assert not is_right(["__import__('os')"], {"mine": 1})


# -- what was handed in ------------------------------------------------------------------------------------------------


def test_the_reference_gets_all_and_an_untouched_notebook_nothing(source: Source) -> None:
    reference = job.grade(Scripted(), HERE, source, cells_of(source, cells.notebook(source)))
    assert points(reference) == [("port-points", "pass", 2), ("ports-points", "pass", 3), ("why", "hand", 0)]
    assert sum(one.undecided for one in reference.answers) == 1
    nothing = graded(source, {})
    assert points(nothing) == [("port-points", "fail", 0), ("ports-points", "fail", 0), ("why", "fail", 0)]
    assert not any(one.waits for one in nothing.answers)


def test_no_expression_goes_into_the_kernel_that_is_shown(source: Source) -> None:
    nodes = Scripted()
    found = graded(source, RIGHT, nodes)
    assert nodes.started == 2
    assert len(nodes.asked) == 3  # one for the first question, two for the second
    half = len(nodes.ran) // 2
    assert nodes.ran[:half] == nodes.ran[half:]
    assert not any("dumps" in cell for cell in nodes.ran)
    assert any(outputs for outputs in found.outputs)


def test_locks_names_points_and_outputs_are_ours(source: Source) -> None:
    whole = json.loads(answered(cells.unanswered(source), RIGHT))
    for cell in whole["cells"]:
        about = cell["metadata"].get("nbgrader", {})
        if about.get("grade"):
            about["points"] = 1000
        about["locked"] = False
        if cell["id"] in ("code-1", "port-points"):
            cell["source"] = "raise SystemExit"
    extra = {"cell_type": "code", "source": "", "outputs": [], "metadata": whole["cells"][-1]["metadata"]}
    whole["cells"] += [extra, {**whole["cells"][5], "source": "port = 1"}]  # a second one of the same name
    found = cells_of(source, json.dumps(whole).encode())
    assert [cell.source for cell in found if cell.name == "code-1"] == ["import socket"]
    assert [cell.source for cell in found if cell.name == "port"] == ["port = 5000"]
    answers = job.grade(Scripted(), HERE, source, found).answers
    assert sum(one.possible for one in answers) == 6
    assert sum(one.points for one in answers) == 5


def test_cells_of_ones_own_stay_where_they_were_and_missing_ones_come_back(source: Source) -> None:
    whole = json.loads(
        answered(cells.unanswered(source), {**RIGHT, "port": "port = mine"}, own={"code-1": "mine = 2000"})
    )
    whole["cells"] = [cell for cell in whole["cells"] if cell.get("id") not in ("text-1", "port-points", "free-1")]
    found = cells_of(source, json.dumps(whole).encode())
    names = [cell.name for cell in found]
    assert names.index("") == names.index("code-1") + 1
    assert "port-points" in names
    assert points(job.grade(Scripted(), HERE, source, found))[0] == ("port-points", "pass", 2)


@pytest.mark.parametrize(
    ("handed_in", "told"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a notebook of format 4"),
        (b'{"nbformat": 3, "worksheets": []}', "not a notebook of format 4"),
        (b'{"nbformat": 4, "cells": [3]}', "neither code nor text"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": [3]}]}', "without a source"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "%s"}]}' % (b"x" * 70_000), "more than 60,000"),
        (b'{"nbformat": 4, "cells": [%s]}' % b",".join([b"0"] * 500), "more than 400 cells"),
        (b" " * 17_000_000, "more than 16,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_notebook_is_refused_in_a_sentence(source: Source, handed_in: bytes, told: str) -> None:
    with pytest.raises(SubmissionError, match=told):
        cells_of(source, handed_in)


# -- kernels that die and do not end -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("ended", "kernels"), [("gone", 4), ("stuck", 4), ("late", 2)])
def test_a_cell_that_takes_the_kernel_along_costs_itself_only(source: Source, ended: str, kernels: int) -> None:
    nodes = Scripted({"TROUBLE": ended})
    found = graded(source, RIGHT, nodes, port="TROUBLE")
    assert points(found)[:2] == [("port-points", "pass", 2), ("ports-points", "pass", 3)]
    assert nodes.started == kernels


def test_an_answer_that_takes_the_kernel_along_loses_its_own_points(source: Source) -> None:
    found = graded(source, {**RIGHT, "port": "TROUBLE"}, Scripted({"TROUBLE": "gone"}))
    assert points(found)[:2] == [("port-points", "fail", 0), ("ports-points", "pass", 3)]
    assert found.answers[0].fault == "submission"
    assert "ended the kernel" in found.answers[0].told


def test_a_notebook_that_ends_every_kernel_comes_to_an_end(source: Source) -> None:
    trouble = {name: f"TROUBLE {name}" for name in ("port", "ports")}
    nodes = Scripted({"TROUBLE": "stuck"})
    found = graded(
        source, trouble, nodes, **dict.fromkeys(("code-1", "free-1", "text-1", "text-2", "setup"), "TROUBLE")
    )
    assert points(found)[:2] == [("port-points", "timeout", 0), ("ports-points", "timeout", 0)]
    assert nodes.started <= 2 * job.MOST_KERNELS
    assert not any(one.waits for one in found.answers[:2])


def test_our_fault_is_tried_once_more_and_then_said(source: Source) -> None:
    from harness.lab.interface import LabError

    assert points(graded(source, RIGHT, Scripted(broken=1)))[0] == ("port-points", "pass", 2)
    with pytest.raises(LabError):
        graded(source, RIGHT, Scripted(broken=2))


def test_a_machine_without_processor_decides_nothing(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    queued = iter(range(0, 10**9, 1000))
    monkeypatch.setattr(job, "machine_queued", lambda: next(queued))
    found = graded(source, {**RIGHT, "port": "TROUBLE"}, Scripted({"TROUBLE": "late"}))
    assert (found.answers[0].outcome, found.answers[0].fault) == ("inconclusive", "machine")
    assert found.answers[0].waits
    assert found.attempts == 2


# -- what is kept and shown --------------------------------------------------------------------------------------------


def test_what_is_shown_does_not_act() -> None:
    hostile = [
        {"kind": "data", "data": {"text/html": "<script>harm()</script>", "text/plain": "\x1b]0;x\x07fine"}},
        {"kind": "data", "data": {"application/javascript": "harm()"}},
        {"kind": "data", "data": {"image/svg+xml": "<svg onload=harm()>", "image/png": "PHN2Zz4="}},
        {"kind": "data", "data": {"text/markdown": "<img src=x onerror=harm()> [x](javascript:harm())"}},
        {"kind": "stream", "name": "evil", "text": "x"},
        {"kind": "stream", "name": "stdout", "text": "<script>" * 100_000},
        {"kind": "error", "text": "\x1b[31mValueError\x1b[0m: no"},
        3, None, {"kind": "data", "data": 3},
    ]  # fmt: skip
    shown = outputs_of(hostile)
    text = json.dumps(shown)
    assert [one["output_type"] for one in shown] == ["display_data", "display_data", "stream", "error"]
    assert "html" not in text and "svg" not in text and "\\u001b" not in text and "<img" not in text
    assert "javascript:" not in text
    assert len(text) < 30_000
    assert outputs_of("nothing") == []


def test_words_keep_their_code_and_lose_their_tags() -> None:
    assert harmless_markdown("a < b <script>x</script> `<EOF>`") == "a < b &lt;script>x&lt;/script> `<EOF>`"
    assert "\u202e" not in harmless_text("a\u202eb")


def test_the_executed_notebook_says_the_points_and_the_same_each_time(source: Source) -> None:
    handed = answered(cells.unanswered(source), {**RIGHT, "port": "port = 5"}, own={"port": "<b>"})
    mine = cells_of(source, handed)
    found = job.grade(Scripted(), HERE, source, mine)
    said = {q.name: said_of(q, a) for q, a in zip(source.questions, found.answers, strict=True)}
    assert said["port-points"] == "0 of 2 points. Look at the handout."
    one = executed(source, mine, found.outputs, said, {"hash": "h"})
    assert one == executed(source, mine, found.outputs, said, {"hash": "h"})
    whole = json.loads(one)
    graded_cell = next(cell for cell in whole["cells"] if cell["id"] == "ports-points")
    assert graded_cell["outputs"][-1]["text"] == "3 of 3 points\n"
    assert graded_cell["metadata"]["nbgrader"]["points"] == 3


def test_a_result_is_kept_and_read_again() -> None:
    answers = (
        Answered(name="a", possible=2, outcome="pass", values={"x": 1}),
        Answered(name="b", possible=1, outcome="hand"),
    )
    row = json.loads(json.dumps(to_row("ann", "blocking", answers, state="graded")))
    assert (row["points"], row["possible"], row["undecided"]) == (2, 3, 1)
    assert [one.outcome for one in answers_of(row)] == ["pass", "hand"]
