"""A conversation with a node of ours: what its lines say, and what a line says that was torn off."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from harness.lab.docker.channel import Channel
from harness.lab.interface import LabError


class Stream:
    """What the SDK hands out for an attached container."""

    def __init__(self, end: socket.socket) -> None:
        self._sock = end

    def close(self) -> None:
        self._sock.close()


class Node:
    """The other end: a container whose streams come in Docker's frames."""

    def __init__(self) -> None:
        self._end, other = socket.socketpair()
        self.channel = Channel(Stream(other), "tester")

    def writes(self, data: bytes, stream: int = 1) -> None:
        self._end.sendall(bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data)

    def ends(self) -> None:
        self._end.close()

    def reads(self) -> bytes:
        return self._end.recv(1000)


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node()
    yield made
    made.ends()
    made.channel.close()


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([b'{"a": 1}\n[2]\n'], [{"a": 1}, [2]]),
        ([b'{"a"', b": 1", b"}\n"], [{"a": 1}]),
        ([b'\n\n{"a": 1}\n\n'], [{"a": 1}]),
        ([b'{"record": "rep\n{"nursery": "done"}\n'], ['{"record": "rep', {"nursery": "done"}]),
        ([b"[" * 100_000 + b"\n\xff\n"], ["[" * 100_000, "\ufffd"]),
    ],
)
def test_a_line_is_what_it_says_and_a_torn_one_a_text(node: Node, pieces: list[bytes], said: list[Any]) -> None:
    for piece in pieces:
        node.writes(piece)
    assert [node.channel.hear(5) for _ in said] == said
    assert node.channel.hear(0) is None


def test_what_is_said_is_a_line(node: Node) -> None:
    node.writes(b'{"ok": true, "policy": 1}\n')
    assert node.channel.ask({"op": "policy"}) == {"policy": 1}
    assert json.loads(node.reads()) == {"op": "policy"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"ok": false, "error": "node", "text": "no wire", "errno": 0}', "no wire"),
        (b'{"ok": false, "text": "no wire"}', "not an answer: KeyError"),
        (b'{"ok": tr', "Expecting value"),
    ],
)
def test_an_answer_that_is_none_is_the_labs_fault(node: Node, line: bytes, why: str) -> None:
    node.writes(line + b"\n")
    with pytest.raises(LabError, match=f"the lab's tester says: {why}"):
        node.channel.answer()


def test_a_node_that_ended_leaves_its_last_words(node: Node) -> None:
    node.writes(b"Traceback\nKeyError: 'x'\n", stream=2)
    node.ends()
    for _ in range(2):
        with pytest.raises(LabError, match="the lab's tester node ended: KeyError: 'x'"):
            node.channel.hear(5)
