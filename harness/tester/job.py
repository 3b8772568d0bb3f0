"""The job: what a tester is to run, against which submission, in which lab. Described in docs/records.md.

Rule: a tester believes a job that could be read; what it cannot read is BadJob, and ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.lab.docker.description import DockerLab


class BadJob(Exception):
    """The text is not a job: grader and tester are not of one version. The message names the key."""


@dataclass(frozen=True)
class LocalLab:
    """The lab on this machine."""

    submission: Path  #: its folder


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of some checks. Paths are as the tester sees them."""

    lab: LocalLab | DockerLab
    assignment: Path  #: assignment.toml
    suites: Mapping[str, Path]  #: "public" and "hidden" -> folder of test files, as far as they are wanted
    checks: Sequence[str]  #: ids, in the order to run them
    programs: Mapping[str, Sequence[str]]  #: name -> how it is started
    build: bool  #: whether the submission has the file that asks for a build
    seed: str  #: secret; every hidden check derives its own from it
    public_seed: str = ""  #: the same for public checks, and no secret; derived from `seed` if it is empty
    reference: Path | None = None  #: the folder of the answers, which hidden checks play as a peer

    def to_json(self) -> bytes:
        """One line of ASCII."""
        lab = {"kind": "local" if isinstance(self.lab, LocalLab) else "docker", **vars(self.lab)}
        row = {**vars(self), "lab": lab, "suites": dict(self.suites), "programs": dict(self.programs)}
        return json.dumps(row, default=str).encode("ascii")

    @classmethod
    def from_json(cls, text: str | bytes) -> Job:
        """The job in a text. Raises BadJob."""
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            raise BadJob("the job is not JSON: give the tester one job on its standard input") from None
        reference = _get(row, "reference", lambda value: value is None or isinstance(value, str), "a text or null")
        return cls(
            lab=_lab(_get(row, "lab", lambda value: isinstance(value, dict), "a table")),
            assignment=Path(_text(row, "assignment")),
            suites={name: Path(folder) for name, folder in _get(row, "suites", _is_texts, "a table of texts").items()},
            checks=_list(row, "checks"),
            programs=_get(row, "programs", _is_programs, "a table of lists of texts"),
            build=_get(row, "build", lambda value: isinstance(value, bool), "true or false"),
            seed=_text(row, "seed"),
            public_seed=_text(row, "public_seed"),
            reference=Path(reference) if reference else None,
        )


def _lab(row: Mapping[str, Any]) -> LocalLab | DockerLab:
    match row.get("kind"):
        case "local":
            return LocalLab(Path(_text(row, "submission")))
        case "docker":
            return DockerLab(
                agents=_list(row, "agents"),
                warden=_text(row, "warden"),
                router=_text(row, "router"),
                captures=_list(row, "captures"),
                engine=_text(row, "engine"),
            )
    raise _bad("kind", "local or docker")


def _text(row: object, key: str) -> str:
    text: str = _get(row, key, lambda value: isinstance(value, str), "a text")
    return text


def _list(row: object, key: str) -> tuple[str, ...]:
    return tuple(_get(row, key, _is_list, "a list of texts"))


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and _is_list(list(value.values()))


def _is_programs(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_list, value.values()))


def _get(row: object, key: str, fits: Callable[[object], bool], what: str) -> Any:
    value = row.get(key) if isinstance(row, dict) else None
    if not fits(value):
        raise _bad(key, what)
    return value


def _bad(key: str, what: str) -> BadJob:
    return BadJob(f'the job\'s "{key}" is not {what}: grader and tester are of different versions; start the lab again')
