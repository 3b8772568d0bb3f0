"""What students get for a transport in C and in Go: every line of docs/guest.md becomes a call, and back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.course.languages import ENVIRONMENT

HERE = Path(__file__).parent / "guests"
GIVEN = Path(__file__).parents[3] / "reference/transport"
Ask = Callable[..., dict[str, Any]]


def build(language: str, folder: Path) -> None:
    """Put the mirror into what students get, and build it with their Makefile."""
    tool = {"c": "cc", "go": "go"}[language]
    if shutil.which(tool) is None or shutil.which("make") is None:
        pytest.skip(f"there is no {tool}, or no make")
    shutil.copytree(GIVEN / language, folder)
    shutil.copy(HERE / f"mirror.{language}", folder / {"c": "connection.c", "go": "main.go"}[language])
    told = {**os.environ, **ENVIRONMENT, "GOCACHE": str(folder / ".cache")}
    done = subprocess.run(["make", "CFLAGS=-std=c11 -Wall -Wextra -Werror"], cwd=folder, env=told, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(scope="module", params=["c", "go"])
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    folder = tmp_path_factory.mktemp("guest") / "copy"
    build(request.param, folder)
    with subprocess.Popen([folder / "connection"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as guest:
        assert guest.stdin and guest.stdout

        def ask(**line: Any) -> dict[str, Any]:
            assert guest.stdin and guest.stdout
            guest.stdin.write(json.dumps(line).encode() + b"\n")
            guest.stdin.flush()
            said: dict[str, Any] = json.loads(guest.stdout.readline())
            return said

        yield ask
        guest.stdin.close()
        assert guest.wait(10) == 0


def text(data: bytes) -> str:
    return b64encode(data).decode()


def test_it_says_what_it_offers(ask: Ask) -> None:
    assert ask(do="hello") == {"protocol": 1, "calls": ["checksum", "encode", "decode", "reassembler", "new"]}
    assert ask(do="dance")["error"] == "this guest has no such call"


@pytest.mark.parametrize("length", [0, 1, 2, 3, 1199, 1200])
def test_segments(ask: Ask, length: int) -> None:
    data = bytes(each % 251 for each in range(length))
    assert ask(do="checksum", data=text(data)) == {"value": sum(data)}
    segment = {"sequence": 2**32 - 1, "acknowledgement": 2, "window": 3, "syn": False, "ack": True, "fin": True}
    segment |= {"rst": False, "sack": [[10, 20], [4294967295, 5]][: length % 3], "payload": text(data)}
    assert ask(do="encode", segment=segment) == {"data": text(data)}
    assert ask(do="decode", data=text(data)) == {"segment": segment}
    assert ask(do="decode", data=text(b"else")) == {"segment": None}


def test_reassemblers(ask: Ask) -> None:
    for number, kind in enumerate(("InOrder", "WithGaps", "NewestOnly")):
        assert ask(do="reassembler", id=number, kind=kind, capacity=50) == {}
        assert ask(do="receive", id=number, position=2**40, data=text(b"hello")) == {}
    for number in range(3):
        assert ask(do="read", id=number) == {"pieces": [[2**40, text(b"hello")]]}
        assert ask(do="read", id=number) == {"pieces": []}
        assert ask(do="missing", id=number) == {"holes": [[number, 50], [number, 51]]}
        assert ask(do="drop", id=number) == {}
        assert "error" in ask(do="read", id=number)


def test_a_step(ask: Ask) -> None:
    assert ask(do="new", id=90, role="client", isn=7, receive_buffer=100, model=True) == {}
    assert ask(do="new", id=91, role="server", isn=7, receive_buffer=100) == {}
    nothing = {"accepted": 0, "read": "", "events": [], "datagrams": [], "timer": None}
    assert ask(do="step", id=90, now=0.0) == {**nothing, "events": ["connected"]}
    assert ask(do="step", id=91, now=0.0) == {**nothing, "events": ["reset"]}
    said = ask(do="step", id=90, now=2.5, receive=[text(b"ab"), text(b"cde")], send=text(b"123456"), read=4, end=True)
    assert (said["accepted"], b64decode(said["read"]), said["events"]) == (3, b"1234", ["end of stream"])
    assert said["timer"] == 3.5
    assert ask(do="step", id=90, now=3.5, timer=True, abort=True)["events"] == ["closed"]
    assert ask(do="step", id=90, now=4.0)["timer"] == 5.5
    assert ask(do="step", id=91, now=1.0, receive=[text(b"abcd"), text(b"e")])["datagrams"] == [
        text(b"abc"),
        text(b"de"),
    ]
    assert ask(do="drop", id=90) == ask(do="drop", id=91) == {}
    assert "error" in ask(do="step", id=90, now=5.0)


def test_a_panic_in_go_is_told_and_ends_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    build("go", folder)
    lines = b'{"do":"reassembler","id":1,"kind":"InOrder","capacity":-1}\nrubbish\n'
    lines += b'{"do":"read","id":1}\n{"do":"missing","id":1}\n'
    broken = (folder / "main.go").read_text().replace("pieces := r.pieces\n", "pieces := r.pieces[5:]\n")
    (folder / "main.go").write_text(broken)
    told = {**os.environ, **ENVIRONMENT, "GOCACHE": str(folder / ".cache")}
    subprocess.run(["make"], cwd=folder, env=told, check=True, capture_output=True)
    done = subprocess.run([folder / "connection"], input=lines, capture_output=True, timeout=30)
    made, rubbish, read, missing = map(json.loads, done.stdout.splitlines())
    assert made == {} and "error" in rubbish and "out of range" in read["error"] and len(missing["holes"]) == 2
    assert any("main.go, line 2" in place and "Read" in place for place in read["where"])
