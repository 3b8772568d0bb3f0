"""The guest by itself, and its page: what docs/guest.md shows is what it does."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.transport.calls import calls, guest, meter, remote

ROOT = Path(__file__).parent.parent.parent.parent
PAGE = (ROOT / "docs" / "guest.md").read_text()
PLAIN = Path(__file__).parent / "plain"


def dialogue(*lines: str, folder: Path = PLAIN) -> list[dict[str, object]]:
    """What a guest in a process of its own answers."""
    done = subprocess.run(
        [sys.executable, "-I", "-B", guest.__file__],
        cwd=folder,
        input="".join(line + "\n" for line in lines).encode(),
        capture_output=True,
        check=True,
        timeout=20,
    )
    assert done.stderr == b""
    return [json.loads(line) for line in done.stdout.splitlines()]


def conversations() -> Iterator[tuple[str, str]]:
    block = PAGE.split("$ ./connection\n")[1].split("```")[0].splitlines()
    yield from zip(block[::2], block[1::2], strict=True)


def test_the_page_shows_what_happens():
    asked, expected = zip(*conversations(), strict=True)
    answers = dialogue(*asked)
    assert answers[1:] == [json.loads(line) for line in expected[1:]]
    assert set(answers[0]["calls"]) <= set(json.loads(expected[0])["calls"])  # type: ignore[call-overload]


def test_the_page_names_every_call_and_every_key():
    methods = {name.removeprefix("do_") for name in vars(guest.Guest) if name.startswith("do_")}
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == methods
    table = PAGE.split("## A step")[1].split("## When")[0]
    keys = set(guest.take_step.__kwdefaults__)
    assert keys == set(re.findall(r"^\| `(\w+)`:", table, re.MULTILINE))
    assert set(calls.EVENTS) == set(re.findall(r'`"([a-z ]+)"`', table))


def test_the_page_names_the_limits():
    assert remote.MOST_LINE == 4 << 20
    assert "4 MiB" in PAGE
    assert f"{calls.MOST_DATAGRAMS:,} datagrams" in PAGE
    assert f"{remote.MOST_ERROR_OUTPUT // 1_000_000} MB" in PAGE
    assert meter.TIMES_PEER == 5
    assert meter.LEAST_BUDGET == 2


@pytest.mark.parametrize(
    "line", ["", "7", "[]", "{}", '{"do": 3}', '{"do": "x"}', '{"do": "__init__"}', "\x00", "{" * 5000]
)
def test_what_is_no_call_is_answered(line: str):
    first, second = dialogue(line, '{"do": "hello"}')
    assert "not a call" in str(first["error"])
    assert second["protocol"] == 1


def test_an_unknown_key_or_id_is_answered():
    wrong, missing = dialogue('{"do":"hello","more":1}', '{"do":"step","id":9,"now":0}')
    assert "TypeError" in str(wrong["error"])
    assert "KeyError" in str(missing["error"])


def test_a_starter_is_recognised(tmp_path: Path):
    (tmp_path / "connection.py").write_text(
        "class Connection:\n"
        "    def __init__(self, role, *, isn, receive_buffer=1):\n"
        "        raise NotImplementedError('stage 3')\n"
    )
    hello, made = dialogue(
        '{"do":"hello"}', '{"do":"new","id":1,"role":"client","isn":1,"receive_buffer":9}', folder=tmp_path
    )
    assert hello["calls"] == ["new"]
    assert made == {
        "error": "NotImplementedError: stage 3",
        "where": ["connection.py, line 3, in __init__"],
        "missing": True,
    }


def test_modules_of_the_submission_do_not_stand_in_for_the_standard_library(tmp_path: Path):
    for name in ("json", "base64", "os", "traceback", "sitecustomize", "usercustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)\n")
    (hello,) = dialogue('{"do":"hello"}', folder=tmp_path)
    assert hello == {"protocol": 1, "calls": []}


def test_an_exception_that_cannot_be_shown_is_answered(tmp_path: Path):
    (tmp_path / "checksums.py").write_text(
        "class Worse(Exception):\n    def __str__(self): raise self\ndef checksum(data): raise Worse\n"
    )
    (found,) = dialogue('{"do":"checksum","data":""}', folder=tmp_path)
    assert found["error"] == "Worse"


def test_it_is_one_file_of_the_standard_library():
    tree = ast.parse(Path(guest.__file__).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)
