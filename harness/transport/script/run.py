"""Runs one line of a script with a scripted peer. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.transport.script.conversation import SLACK
from harness.transport.script.text import BadScript, ScriptLine, read_range, read_segment

if TYPE_CHECKING:
    from harness.transport.script.peer import ScriptedPeer


def run_line(peer: ScriptedPeer, line: ScriptLine) -> None:
    """Let the time pass that the line asks for, then do what it says. Raises Broken, BadScript."""
    if line.until is not None and line.until < peer.now - SLACK:
        raise BadScript(f"it is {peer.now:g} s already")
    if line.wait or line.until is not None:
        peer.waits(line.wait if line.until is None else max(0.0, line.until - peer.now))
    rest = " ".join(line.words)
    if line.verb == "send":
        peer.sends(rest)
    elif line.verb == "app":
        _run_application(peer, line.words)
    elif line.verb == "open":
        peer.opens(window=read_segment(rest).win)
    elif line.verb == "wait":
        peer.waits(float(rest))
    else:
        _run_expectation(peer, line, rest)


def _run_expectation(peer: ScriptedPeer, line: ScriptLine, rest: str) -> None:
    within, during = line.limits.get("within", 0.0), line.limits.get("for", 0.0)
    first = line.words[:1]
    if line.verb == "expect" and first == ("bytes",):
        peer.expects_bytes(*read_range(rest.removeprefix("bytes ")), within=within)
    elif line.verb == "expect":
        peer.expects(rest, within=within, after=line.limits.get("after", 0.0))
    elif line.verb == "event":
        peer.event(rest, within=within)
    elif line.verb == "never" and first == ("event",):
        peer.never_event(rest.removeprefix("event "), during=during)
    elif line.verb == "silence":
        peer.silence(during=during)
    else:  # never, nothing
        peer.never(rest or "ANY", during=during)


def _run_application(peer: ScriptedPeer, words: tuple[str, ...]) -> None:
    match words:
        case ("send", count):
            peer.writes(int(count))
        case ("send", count, "takes", most):
            peer.writes(int(count), takes=int(most))
        case ("read", span) if ":" in span:
            peer.reads(*read_range(span))
        case ("read", most):
            peer.takes(int(most))
        case ("read", most, "gives", "nothing"):
            peer.takes(int(most), gives=0)
        case ("read", most, "gives", span):
            first, last = read_range(span)
            peer.takes(int(most), gives=last - first)
        case ("end",):
            peer.ends()
        case ("abort",):
            peer.aborts()
        case _:
            raise BadScript("an application sends, reads, ends or aborts")
