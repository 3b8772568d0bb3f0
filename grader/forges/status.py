"""What is posted to a commit: the student's view in a line, and a link. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.formats.words import line

State = Literal["pending", "success", "failure", "error"]
#: Longest description that all of them take: GitHub 140 characters, GitLab 255.
MOST = 140


@dataclass(frozen=True, kw_only=True)
class Status:
    """One status of a commit; a later one with the same context takes its place."""

    assignment: str
    state: State  #: pending: nobody has decided yet; error: through our fault
    text: str  #: in a line, for the student
    link: str = ""  #: the student's page; empty: none that a browser could open
    summary: str = ""  #: more of it, in Markdown that is harmless

    @property
    def context(self) -> str:
        """What tells it from other statuses of the commit."""
        return f"socketlab/{self.assignment}"

    @property
    def description(self) -> str:
        """The text, harmless, as long as all forges take it."""
        text = line(self.text)
        return text if len(text) <= MOST else f"{text[: MOST - 1]}…"
