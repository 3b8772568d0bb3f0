"""How the lab's helpers are asked and answer."""

from __future__ import annotations

import pytest

from harness.lab.interface import LabError
from harness.lab.node.reply import Refused, decode, encode, otherwise, perform


class Server:
    def do_add(self, *, one: int, other: int) -> dict[str, int]:
        return {"sum": one + other}

    def do_nothing(self) -> None:
        pass


def test_what_is_said_is_heard() -> None:
    assert decode(encode(perform(Server(), b'{"op": "add", "one": 2, "other": 3}'))) == {"sum": 5}
    assert decode(encode(perform(Server(), b'{"op": "nothing"}'))) == {}


@pytest.mark.parametrize(
    ("error", "kind", "text", "number"),
    [(Refused("os", "it is full", 28), "os", "it is full", 28), (KeyError("seed"), "request", "KeyError: 'seed'", 0)],
)
def test_what_is_refused_is_refused_with_a_reason(error: Exception, kind: str, text: str, number: int) -> None:
    with pytest.raises(Refused) as refused:
        decode(encode(error))
    assert (refused.value.kind, str(refused.value), refused.value.number) == (kind, text, number)
    with pytest.raises(LabError, match=f"^it cannot be done: {text}$"), otherwise(LabError, "it cannot be done"):
        decode(encode(error))


def test_only_verbs_that_are_offered_are_performed() -> None:
    with pytest.raises(Refused, match=r"no such verb: 'add' \(there are nothing\)"):
        perform(Server(), b'{"op": "add", "one": 2, "other": 3}', ["nothing"])
    with pytest.raises(Refused, match="a request of more than 1,048,576 bytes"):
        perform(Server(), None)


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b"null", b'{"ok": false}'])
def test_what_is_no_answer_is_not_taken_for_one(answer: bytes) -> None:
    with pytest.raises(ValueError, match=r"not an answer|Expecting value"):
        decode(answer)
