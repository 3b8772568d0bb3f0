"""What can become of a check. Pure.

Rule: an outcome says whose turn it is. Only `pass` gives points, only `inconclusive` leaves them open.
"""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """One of six. The value is the word used in records and in result.json."""

    PASS = "pass"
    FAIL = "fail"
    TIMEOUT = "timeout"
    ERROR = "error"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"

    @property
    def symbol(self) -> str:
        """One character, for tables."""
        return _SYMBOLS[self]

    @property
    def sentence(self) -> str:
        """What it means, for people."""
        return _SENTENCES[self]

    @property
    def well(self) -> bool:
        """Whether there is nothing to explain: it passed, or was not run."""
        return self in (Outcome.PASS, Outcome.SKIPPED)

    @property
    def failed(self) -> bool:
        """Whether it is the submission that did not do its part."""
        return self in (Outcome.FAIL, Outcome.TIMEOUT, Outcome.ERROR)

    @property
    def decided(self) -> bool:
        """Whether it settles the check's points."""
        return self is not Outcome.INCONCLUSIVE


_SYMBOLS = {
    Outcome.PASS: "✓",
    Outcome.FAIL: "✗",
    Outcome.TIMEOUT: "◷",
    Outcome.ERROR: "!",
    Outcome.INCONCLUSIVE: "?",
    Outcome.SKIPPED: "–",
}

_SENTENCES = {
    Outcome.PASS: "The program did what the check asks.",
    Outcome.FAIL: "The program did something else.",
    Outcome.TIMEOUT: "The program did not get there in time.",
    Outcome.ERROR: "The program could not be started.",
    Outcome.INCONCLUSIVE: "The lab could not tell, through no fault of the program: a person decides.",
    Outcome.SKIPPED: "Not run, because a check it builds on did not pass.",
}
