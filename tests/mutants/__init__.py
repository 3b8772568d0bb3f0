"""Where the bugs of `grader/audit/handwritten.py` are kept, and how a test makes one of them."""

from __future__ import annotations

from pathlib import Path

from grader.audit import handwritten
from grader.audit.handwritten import Mutant, files_of_stages, mutate
from grader.course import this_course

__all__ = ["Mutant", "copy_reference", "files_of_stages", "load_mutants", "mutate", "write_mutant"]


def load_mutants(assignment: str) -> list[Mutant]:
    """The mutants of an assignment, in the order of its stages."""
    return handwritten.load_mutants(this_course(), assignment)


def write_mutant(assignment: str, mutant: Mutant, folder: Path) -> None:
    """A copy of the reference with the bug in it."""
    handwritten.write_mutant(this_course(), assignment, mutant, folder)


def copy_reference(assignment: str, folder: Path) -> None:
    """The reference's programs as a submission."""
    handwritten.copy_reference(this_course(), assignment, folder)
