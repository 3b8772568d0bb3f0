"""The page of what was submitted: bounded, escaped, and its lines can be linked to."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.reports import source
from grader.reports.source import source_page, sources_of
from grader.reports.traces import Shown, parts


def shown_lines(page: str) -> list[str]:
    """The lines of the page's code as text."""
    return [
        html.unescape(re.sub(r"<[^>]+>", "", row)) for row in re.findall(r'<li id="f\d+-\d+">(.*?)</li>', page, re.S)
    ]


def test_every_line_is_there_once_with_its_anchor() -> None:
    text = b'"""Doc\nstring."""\n\ndef f(x):\n\treturn x  # a & b\n'
    page = source_page({"a.py": text, "b.c": b"int main(void) { return 0; } /* a\nb */\n", "notes": b"x\n"})
    assert shown_lines(page) == [*text.decode().splitlines(), "int main(void) { return 0; } /* a", "b */", "x"]
    assert re.findall(r'id="(f\d+-\d+)"', page) == [*(f"f0-{n}" for n in range(1, 6)), "f1-1", "f1-2", "f2-1"]


@pytest.mark.parametrize("ending", ["py", "c", "txt"])
@given(text=st.text(max_size=200))
@settings(max_examples=40, deadline=None)
def test_no_content_changes_the_structure_or_the_number_of_lines(ending: str, text: str) -> None:
    name = f"x.{ending}"
    data = text.encode("utf-8", "surrogatepass")
    page = source_page({name: data})
    said = sources_of({name: data})[name].lines
    assert len(re.findall(r'<li id="f0-', page)) == said
    assert page.count("<script") == 0
    page.encode("utf-8")


def test_hostile_names_and_contents_are_text() -> None:
    evil = '</ol><script>alert(1)</script>\x1b[2J\u202e"'
    page = source_page({f"{evil}.py": f"x = '''{evil}'''\n".encode(), "bad\udcff.py": b"\xff\xfe = 1\n"}, title=evil)
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page
    page.encode("utf-8")


def test_what_is_not_text_and_what_is_empty_are_named() -> None:
    page = source_page({"a.out": b"\x7fELF\0" * 100, "empty.py": b"", "__init__.py": b"\n"})
    assert "500 bytes that are not text" in page
    assert "empty" in page
    assert {name: row.lines for name, row in sources_of({"a": b"\0", "b": b"", "c": b"\n"}).items()} == {
        "a": 0,
        "b": 0,
        "c": 1,
    }


def test_the_page_is_bounded_and_says_what_it_leaves_out() -> None:
    many = {f"{n:03}.py": b"x = 1\n" for n in range(source.MOST_FILES + 3)}
    assert "3 more files" in source_page(many)
    long = {"a.py": b"x = 1\n" * 100_000, "b.txt": b"y" * 5000}
    assert sources_of(long)["a.py"].lines == source.MOST_LINES
    page = source_page(long)
    assert "the rest of 600,000 bytes is not shown" in page
    assert "y" * 1001 not in page and "y" * 1000 + "…" in page
    huge = {f"{n}.txt": b"z\n" * 90_000 for n in range(20)}
    assert len(source_page(huge)) < 100 * source.MOST_LINES * 7


# --- links from a traceback ---

SOURCES = {"a.py": Shown(0, 9), "pkg/b.py": Shown(1, 3)}


@pytest.mark.parametrize(
    ("text", "anchors"),
    [
        ('File "/work/a.py", line 3, in <module>', ["f0-3"]),
        ('File "/work/pkg/b.py", line 3\n  File "a.py", line 9', ["f1-3", "f0-9"]),
        ('File "/usr/lib/python3.11/a.py", line 3', []),
        ('File "/work/a.py", line 10', []),
        ('File "/work/a.py", line 0', []),
        ('File "/work/other.py", line 1', []),
        ('File "/work/b.py", line 1', []),
        ("nothing at all", []),
        (f'File "{"x" * 500}a.py", line 1', []),
    ],
)
def test_a_traceback_leads_to_its_line(text: str, anchors: list[str]) -> None:
    found = parts(text, SOURCES)
    assert [part.anchor for part in found if part.anchor] == anchors
    assert "".join(part.text for part in found) == text
    assert [part for part in parts(text, {}) if part.anchor] == []
