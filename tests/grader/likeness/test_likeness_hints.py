"""Hints of likeness without a container: what is compared, what is believed, what a page says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grader.likeness.container import recipe
from grader.likeness.hints import Hint, hint_of, view_of
from grader.likeness.sources import gather, request
from grader.record.record import Record
from grader.reports.likeness_view import hints_page, pair_page
from tests.grader.interop.runs import COURSE, kept
from tests.grader.likeness.twins import renamed, reordered

TEXTS = [{"0.py": "a = 1\nb = 2\nc = 3\nd = 4\n"}, {"0.py": "x = 1\ny = 2\n", "1.c": "int x;\n"}]
ROW: dict[str, Any] = {"pair": ["0", "1"], "score": 5.5, "passages": [[["0.py", 1, 2], ["0.py", 1, 2]]]}


def test_a_line_of_the_node_is_a_hint() -> None:
    hint = hint_of(ROW, TEXTS)
    assert isinstance(hint, Hint)
    assert (hint.one, hint.other, hint.score) == (0, 1, 5.5)
    assert hint.shares == (0.5, pytest.approx(2 / 3))


@pytest.mark.parametrize(
    "change",
    [
        {"pair": ["0", "0"]},
        {"pair": ["0", "7"]},
        {"pair": ["../../etc", "1"]},
        {"pair": [0, 1]},
        {"score": float("nan")},
        {"score": "high"},
        {"score": -1},
    ],
)
def test_what_is_no_pair_is_not_taken(change: dict[str, Any]) -> None:
    assert hint_of({**ROW, **change}, TEXTS) is None


@pytest.mark.parametrize(
    "passage",
    [
        [["../../../etc/passwd", 1, 2], ["0.py", 1, 2]],
        [["0.py", 0, 2], ["0.py", 1, 2]],
        [["0.py", 1, 10**9], ["0.py", 1, 2]],
        [["0.py", True, 2], ["0.py", 1, 2]],
        ["0.py", "0.py"],
        None,
    ],
)
def test_a_passage_names_lines_that_we_have_or_is_not_taken(passage: object) -> None:
    hint = hint_of({**ROW, "passages": [passage]}, TEXTS)
    assert hint is not None
    assert hint.passages == ()


def test_pages_hold_our_text_and_say_that_they_are_no_verdict() -> None:
    texts = [{"0.py": "<script>alert(1)</script>\n" * 4}, TEXTS[1]]
    hint = hint_of(ROW, texts)
    assert hint is not None
    rows = view_of([hint], ["ann", "<b>bob"], [{"0.py": "one.py"}, {"0.py": "<i>two.py"}])
    page, pair = hints_page("transport", rows, 2), pair_page("transport", rows[0], texts)
    assert "Hints, not verdicts." in page
    assert "a hint, not a verdict" in pair
    assert "&lt;script&gt;alert(1)" in pair
    assert "<script>" not in pair
    assert "<b>bob" not in page
    assert "one.py, lines 1 to 2" in pair


def test_what_was_given_is_compared_with_nobody(tmp_path: Path) -> None:
    given = COURSE.released("transport")
    ada = COURSE.root / "examples/class/ada/transport"
    kept(tmp_path / "run", {"ada": ada, "starter": given})
    found, names = gather(Record(tmp_path / "run"), "transport", given, tmp_path / "place")
    ours = {one.student: one for one in found}
    assert ours["starter"].files == {}
    assert "connection.py" in ours["ada"].files.values()
    same = [path.name for path in ada.glob("*.py") if (given / path.name).is_file()]
    same = [name for name in same if (ada / name).read_text() == (given / name).read_text()]
    assert same
    assert not set(same) & set(ours["ada"].files.values())
    asked = request(found, names, 10)
    assert list(asked["submissions"]) == [str(found.index(ours["ada"]))]  # type: ignore[call-overload]
    assert names
    assert all(name.split(".")[0].isdecimal() for name in ours["ada"].files)


def test_the_node_has_no_network_and_is_bounded(tmp_path: Path) -> None:
    made = recipe("image", tmp_path)
    assert made.host["network_mode"] == "none"
    assert made.host["read_only"]
    assert made.host["cap_drop"] == ["ALL"]
    assert made.host["mem_limit"] == made.host["memswap_limit"]
    assert made.host["mounts"][0]["ReadOnly"]
    assert {"pids_limit", "nano_cpus"} <= made.host.keys()
    assert {"nofile", "fsize"} <= made.limits.keys()


def test_a_twin_is_another_text() -> None:
    text = "class A:\n    def one(self, rows):\n        return len(rows)\n    def two(self):\n        return 2\n"
    twin = renamed(reordered(text))
    assert "one" not in twin
    assert twin.index("owt") < twin.index("eno")
    compile(twin, "twin", "exec")
