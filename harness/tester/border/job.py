"""The job: what a tester is to run, against which submission, in which lab. Described in docs/records.md.

Rule: a tester trusts a job that could be read; what it cannot read is BadJob, and our fault.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from harness.lab.docker.description import DockerLab
from harness.tester.border.outcome import Outcome


class BadJob(Exception):
    """The text is not a job: grader and tester are of different versions. The message names the key."""


@dataclass(frozen=True)
class LocalLab:
    """The lab on this machine."""

    submission: Path  #: its folder
    second: Path | None = None  #: of another one, for the second node; None: the same one, if there are two nodes


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of some checks. Paths are as the tester sees them."""

    lab: LocalLab | DockerLab
    assignment: Path  #: assignment.toml
    suites: Mapping[str, Path]  #: "public" and "hidden" -> folder of test files, as far as they are wanted
    checks: Sequence[str]  #: ids, in the order to run them
    programs: Mapping[str, Sequence[str]]  #: name -> how it is started
    build: bool  #: whether it is to be built: it has the file that asks for that, and has not been built yet
    seed: str  #: secret; every hidden check derives its own from it
    look: bool = False  #: whether its sources are to be looked through for forbidden names
    pack: bool = False  #: whether what was built is to be sent
    until_failure: bool = False  #: whether to end with the first check that fails
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)  #: of checks that ran before: some need them
    public_seed: str = ""  #: the same for public checks, and no secret; derived from `seed` if it is empty
    reference: Path | None = None  #: the folder of the answers, which hidden checks play as a peer
    meets: bool = False  #: whether the checks are those of a meeting (harness/transport/simulation/meetings.py)
    second_programs: Mapping[str, Sequence[str]] | None = None  #: of the other submission of a meeting, if it is one

    def to_json(self) -> bytes:
        """One line of ASCII."""
        lab = {"kind": "local" if isinstance(self.lab, LocalLab) else "docker", **vars(self.lab)}
        row = {**vars(self), "lab": lab, "suites": dict(self.suites), "programs": dict(self.programs)}
        row["second_programs"] = None if self.second_programs is None else dict(self.second_programs)
        row["outcomes"] = {check: outcome.value for check, outcome in self.outcomes.items()}
        return json.dumps(row, default=str).encode("ascii")

    @classmethod
    def from_json(cls, text: str | bytes) -> Job:
        """The job in a text. Raises BadJob."""
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            raise BadJob("the job is not JSON: give the tester one job on its standard input") from None
        reference = _get(row, "reference", "a text or null")
        return cls(
            lab=_lab(_get(row, "lab", "a table")),
            assignment=Path(_get(row, "assignment", "a text")),
            suites={name: Path(folder) for name, folder in _get(row, "suites", "a table of texts").items()},
            checks=tuple(_get(row, "checks", "a list of texts")),
            programs=_get(row, "programs", "a table of lists of texts"),
            build=_get(row, "build", "true or false"),
            seed=_get(row, "seed", "a text"),
            look=_get(row, "look", "true or false"),
            pack=_get(row, "pack", "true or false"),
            until_failure=_get(row, "until_failure", "true or false"),
            outcomes={check: Outcome(word) for check, word in _get(row, "outcomes", "a table of outcomes").items()},
            public_seed=_get(row, "public_seed", "a text"),
            reference=Path(reference) if reference else None,
            meets=_get(row, "meets", "true or false"),
            second_programs=_get(row, "second_programs", "a table of lists of texts or null"),
        )


def _lab(row: Mapping[str, Any]) -> LocalLab | DockerLab:
    if _get(row, "kind", "local or docker") == "local":
        second = _get(row, "second", "a text or null")
        return LocalLab(Path(_get(row, "submission", "a text")), Path(second) if second else None)
    return DockerLab(
        agents=tuple(_get(row, "agents", "a list of texts")),
        warden=_get(row, "warden", "a text"),
        router=_get(row, "router", "a text"),
        captures=tuple(_get(row, "captures", "a list of texts")),
        engine=_get(row, "engine", "a text"),
    )


def _all(kind: type, values: Iterable[object]) -> bool:
    return all(isinstance(value, kind) for value in values)


#: What a value can have to be, in the words of the message when it is not.
_FITS: dict[str, Callable[[Any], bool]] = {
    "a text": lambda value: isinstance(value, str),
    "a text or null": lambda value: isinstance(value, str | None),
    "true or false": lambda value: isinstance(value, bool),
    "local or docker": lambda value: value in ("local", "docker"),
    "a table": lambda value: isinstance(value, dict),
    "a list of texts": lambda value: isinstance(value, list) and _all(str, value),
    "a table of texts": lambda value: isinstance(value, dict) and _all(str, value.values()),
    "a table of outcomes": lambda value: (
        isinstance(value, dict) and _all(str, value.values()) and set(value.values()) <= {one.value for one in Outcome}
    ),
    "a table of lists of texts": lambda value: (
        isinstance(value, dict) and _all(list, value.values()) and _all(str, chain(*value.values()))
    ),
}

_FITS["a table of lists of texts or null"] = lambda value: value is None or _FITS["a table of lists of texts"](value)


def _get(row: object, key: str, what: str) -> Any:
    value = row.get(key) if isinstance(row, dict) else None
    if not _FITS[what](value):
        raise BadJob(
            f'the job\'s "{key}" is not {what}: grader and tester are of different versions; start the lab again'
        )
    return value
