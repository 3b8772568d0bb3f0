"""The named links of profiles.toml, checked when they are read."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.link.profile import BadProfile, Profile, nearest

_FILE = Path(__file__).with_name("profiles.toml")


@dataclass(frozen=True, kw_only=True)
class NamedProfile:
    """A link by name."""

    name: str  #: as tests and reports call it
    why: str  #: a sentence: what it stands for, or what it shows
    up: Profile  #: from the student's program to the tester
    down: Profile  #: from the tester to the student's program


def load_profiles(path: Path = _FILE) -> dict[str, NamedProfile]:
    """All links of a file by name. Raises BadProfile naming file, link, direction and field."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BadProfile(f"{path.name}: not TOML: {error}") from None
    return {name: _named(path.name, name, table) for name, table in tables.items()}


def find_profile(name: str) -> NamedProfile:
    """The link of that name. Raises BadProfile with the nearest names there are."""
    profiles = _ours()
    if name not in profiles:
        raise BadProfile(f"{name!r}: there is no link profile of this name{nearest(name, list(profiles))}")
    return profiles[name]


@cache
def _ours() -> Mapping[str, NamedProfile]:
    return load_profiles()


def _named(file: str, name: str, table: object) -> NamedProfile:
    where = f"{file}: [{name}]"
    if not isinstance(table, dict):
        raise BadProfile(f"{where}: not a table (write [{name}] and below it why, up, down)")
    for key in table:
        if key not in ("why", "up", "down"):
            raise BadProfile(f"{where}: {key}: no such entry{nearest(key, ['why', 'up', 'down'])}")
    why = table.get("why")
    if not isinstance(why, str) or not why.strip():
        raise BadProfile(f"{where}: why: say in a sentence what this link stands for")
    return NamedProfile(name=name, why=why, up=_side(where, "up", table), down=_side(where, "down", table))


def _side(where: str, side: str, table: Mapping[str, object]) -> Profile:
    values = table.get(side, {})
    if not isinstance(values, dict):
        raise BadProfile(f"{where}: {side}: write the fields in braces: {side} = {{ delay = 0.02 }}")
    try:
        return Profile.from_dict(values)
    except BadProfile as error:
        raise BadProfile(f"{where}: {side}: {error}") from None
