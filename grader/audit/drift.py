"""Two audits beside each other: what has another verdict there. Pure: two audit.json in, sentences out.

Rule: only what both have graded is compared; what one of them lacks is counted, not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import UsageError

#: What of two machines is told where it differs.
MACHINE = ("system", "kernel", "python", "openssl", "processors", "cgroups", "docker")


@dataclass(frozen=True)
class Drift:
    """What is other."""

    machine: tuple[tuple[str, str, str], ...]  #: (what, there, here)
    verdicts: tuple[tuple[str, str, str], ...]  #: (specimen, there, here)
    both: int  #: specimens that both have
    only_there: int
    only_here: int
    versions: tuple[str, ...]  #: assignments whose tests or reference are others

    @property
    def none(self) -> bool:
        """Whether every verdict is the same."""
        return not self.verdicts


def drift(there: Mapping[str, Any], here: Mapping[str, Any]) -> Drift:
    """Raises UsageError where `there` is no audit that this version reads."""
    if there.get("schema") != here["schema"]:
        raise UsageError("this is no audit.json of this version. Give the one that `grader audit` has written.")
    before, after = _verdicts(there), _verdicts(here)
    both = before.keys() & after.keys()
    return Drift(
        machine=tuple(
            (what, str(there["machine"].get(what)), str(here["machine"].get(what)))
            for what in MACHINE
            if there["machine"].get(what) != here["machine"].get(what)
        ),
        verdicts=tuple((key, before[key], after[key]) for key in sorted(both) if before[key] != after[key]),
        both=len(both),
        only_there=len(before.keys() - both),
        only_here=len(after.keys() - both),
        versions=tuple(
            sorted(name for name, base in here["versions"].items() if there["versions"].get(name, base) != base)
        ),
    )


def _verdicts(audit: Mapping[str, Any]) -> dict[str, str]:
    """Specimen -> what became of it, with the checks that failed; a generated mutant's first one."""
    found = {}
    for row in audit["findings"]:
        key = f"{row['part']} {row['condition']}: {row['assignment']}, {row['name']}"
        checks = [*row["failed"], *(f"{check} (undecided)" for check in row["undecided"])]
        found[key] = f"{row['verdict']}{': ' if checks else ''}{', '.join(checks)}"
    return found
