"""Errors whose message is for whoever typed the command, split by whose fault it is. Pure; every room may import it.

Each message says what happened, to what, and what to do about it. `lab` and `grader` catch `CommandError` in one place
(harness/cli/console.py), print the message and end with status 2.
"""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot be carried out. Raise one of the three below, which say whose fault that is."""


class UsageError(CommandError):
    """What was typed: an argument, an option, or the file or folder that it names."""


class SubmissionError(CommandError):
    """The submission's fault: it cannot be taken, built or run as it was handed in."""


class SetupError(CommandError):
    """Ours or the machine's fault: a file of the course is wrong, the lab broke, or something is not installed."""
