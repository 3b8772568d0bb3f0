"""Every page is told, with the demonstration that it holds: what was seen is what the page says."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import SetupError
from harness.show import kernel, pages, telling
from harness.show.index import CONCEPTS, Concept, find
from harness.show.many import WAYS
from harness.show.telling import Line, Page

Values = Mapping[str, Any]
LINUX = sys.platform == "linux"
TWENTY = [1, 2, 2, 4, 6, 3, 7, 5, 10, 12, 13, 11, 13, 14, 18, 17, 19, 20]


def _queue(seen: Values) -> bool:
    return seen["connected"] + seen["waiting"] == 6 and (not LINUX or seen["connected"] == seen["queued"] == 3)


def _held(seen: Values) -> bool:
    kept = seen["unread"] is None or seen["unread"] + seen["unsent"] == seen["taken"]
    return kept and seen["read"] == seen["taken"] + seen["again"] and seen["more"] > 0


def _grows(seen: Values) -> bool:
    counted = {row[0]: (row[1], row[2]) for row in seen["rows"]}
    alone = counted["selectors"] == counted["asyncio"] == (1, 1)
    processes = "processes" not in counted or counted["processes"] == (41, 41)
    return list(counted) == list(WAYS) and counted["threads"] == (1, 41) and alone and processes


def _said(seen: Values) -> bool:
    return seen["said"] == ["BlockingIOError", "b'x'", "b''", "b''", "b''", "ConnectionResetError"]


def _unix(seen: Values) -> bool:
    return seen["taken"] is None or (seen["arrived"] == seen["taken"] > 0 and seen["refused"] in ("EAGAIN", "ENOBUFS"))


#: By concept, what has to have been seen.
SEEN: dict[str, Callable[[Values], bool]] = {
    "primitives": lambda seen: (
        [state for _, state in seen["path"][:3]] == ["closed", "bound", "LISTEN"]
        and ("client", "TIME-WAIT") in seen["path"]
    ),
    "five-tuple": lambda seen: len(set(seen["tuples"])) == 2 and len({row[4] for row in seen["tuples"]}) == 1,
    "listening-socket": lambda seen: seen["error"] == "ENOTCONN" and seen["alive"] and seen["late"] == "ECONNREFUSED",
    "ephemeral-port": lambda seen: len(set(seen["ports"])) == 5 and seen["inside"] in (True, None),
    "handshake": lambda seen: seen["states"] == ("ESTABLISHED",) * 2 and seen["segments"] in ((2, 1), None),
    "backlog": _queue,
    "process-per-connection": lambda seen: (
        seen["pids"] == [] or (len({*seen["pids"], seen["parent"], os.getpid()}) == 5 and seen["processes"] == 4)
    ),
    "short-read": lambda seen: seen["first"] == b"Saturday 3 March\n" and len(seen["sizes"]) > 1,
    "frame": lambda seen: seen["complete"] == [False, False, True],
    "byte-order": lambda seen: seen["wrong"] == 234_881_024 and (seen["padded"], seen["packed"]) == (8, 5),
    "bounded-buffer": _held,
    "end-of-stream": _said,
    "half-close": lambda seen: seen["end"] == b"" and seen["answers"] == [b"an answer", b"and another one"],
    "reset": lambda seen: seen["read_all"] == "end of the stream" and seen["on_purpose"] == "ConnectionResetError",
    "time-wait": lambda seen: (
        not LINUX or (seen["state"], seen["without"], seen["with_reuse"]) == ("TIME-WAIT", "EADDRINUSE", "ok")
    ),
    "datagram": lambda seen: (seen["first"], seen["third"], seen["empty"]) == (b"one..", b"three", b""),
    "best-effort": lambda seen: (
        (seen["lost"], seen["doubled"]) == ([8, 9, 15, 16], [2, 13]) and sorted(seen["received"]) == sorted(TWENTY)
    ),
    "connected-datagrams": lambda seen: seen["heard"] == b"hello" and seen["plain"][0] == "1 byte",
    "unix-socket": _unix,
    "blocking": lambda seen: (seen["answer"], seen["timed"], seen["end"]) == ("BlockingIOError", "TimeoutError", b""),
    "readiness": lambda seen: seen["ready"] == seen["again"] == [17, 42] and seen["edge"] in (None, (1, 0)),
    "busy-loop": lambda seen: seen["asked"] > 50 and seen["idle"] < seen["busy"],
    "many-clients": _grows,
    "checksum": lambda seen: (
        seen["noticed"]["internet-16"] == [True, False, False]
        and all(all(row) for name, row in seen["noticed"].items() if name != "internet-16")
    ),
    "three-answers": lambda seen: (
        seen["handed"]["wait"] == sorted(seen["handed"]["fill"])
        and seen["handed"]["fill"] == seen["arrivals"]
        and seen["handed"]["newest"] == [2, 3, 7, 8, 9, 10]
    ),
    "stop-and-wait": lambda seen: seen["times"]["0"] == 4.0 and seen["times"]["0.1"] > 8,
    "rto": lambda seen: seen["runs"]["0.03"][1] > 100 > seen["runs"]["0.06"][1],
    "sliding-window": lambda seen: seen["speeds"][50] == seen["speeds"][100] > 9 * seen["speeds"][5],
    "fast-retransmission": lambda seen: seen["fast"] < 0.2 and 1 < seen["slow"] < 1.2 and seen["last"] > 1,
    "window": lambda seen: seen["read"] > 0 and (seen["unsent_before"] is None or seen["unsent_before"] > 0),
    "aimd": lambda seen: len(seen["falls"]) > 5 and all(half == 0.5 for half in seen["halves"]),
    "head-of-line": lambda seen: max(seen["stream"]) > 0.2 > max(seen["datagrams"]) and seen["late"] > 2 * seen["lost"],
    "plain-text": lambda seen: seen["plain"] and not seen["private"] and seen["record"] == seen["length"] + 17,
    "tls-handshake": lambda seen: seen["name"] == "server.example" and not seen["certificate_seen"],
    "certificate": lambda seen: seen["signed"] == [True, True, True, False],
    "identity": lambda seen: seen["accepted"] == [True, False, True, False, False],
    "client-certificate": lambda seen: seen["client_done"] and seen["server"] and "CERTIFICATE" in seen["answer"],
    "truncation": lambda seen: (seen["end"], seen["cut_by_default"], seen["cut"]) == ("b''", "b''", "SSLEOFError"),
    "pending": lambda seen: (seen["readable"], seen["pending"], seen["rest"]) == (False, 7000, 7000),
}


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda concept: concept.name)
def test_what_a_page_says_was_seen(concept: Concept) -> None:
    lines: list[Line] = []
    values = pages.show(concept, lines.append)
    assert SEEN[concept.name](values), values
    text = "\n".join(line.text for line in lines)
    assert "Predict: " in text
    assert "What you saw: " in text
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda concept: concept.name)
def test_a_pages_prose_fits_and_says_what_it_is(concept: Concept) -> None:
    lines: list[Line] = []
    found = pages.page_of(concept)
    quiet = Page(found.says, found.asks, lambda _: None, found.seen)
    telling.tell(concept.title, quiet, lines.append)
    assert all(len(line.text) <= telling.WIDTH for line in lines if line.kind != "picture")
    assert len([line for line in lines if line.text]) <= 40
    assert len(found.says) > 60
    assert found.asks.endswith((".", "?"))


def test_a_demonstration_that_the_machine_stops_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> socket.socket:
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr(socket, "socket", broken)
    with pytest.raises(SetupError, match="half-close stopped here, through no fault of yours: no local port is free"):
        pages.show(find("half-close"), lambda _: None)


TABLES = (
    "primitives",
    "five-tuple",
    "handshake",
    "backlog",
    "bounded-buffer",
    "half-close",
    "time-wait",
    "window",
    "rto",
)


@pytest.mark.parametrize("name", [*TABLES, "ephemeral-port"])
def test_where_a_system_says_nothing_the_page_says_so_and_goes_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing() -> list[kernel.Row]:
        raise kernel.Untold("this system keeps its table to itself")

    monkeypatch.setattr(kernel, "_whole_table", nothing)
    monkeypatch.setattr(kernel, "sys", SimpleNamespace(platform="another"))
    monkeypatch.setenv("PATH", "/nowhere")
    lines: list[Line] = []
    pages.show(find(name), lines.append)
    text = "\n".join(line.text for line in lines)
    said = ("keeps its table to itself", "only Linux answers", "gave no answer here", "[untold]")
    assert any(words in text for words in said)
    assert "What you saw: " in text


def test_nothing_is_left_open() -> None:
    if not LINUX:
        pytest.skip("counts descriptors in /proc")
    for name in ("half-close", "best-effort", "tls-handshake", "process-per-connection"):
        pages.show(find(name), lambda _: None)
        before = len(os.listdir("/proc/self/fd"))
        pages.show(find(name), lambda _: None)
        assert len(os.listdir("/proc/self/fd")) == before
