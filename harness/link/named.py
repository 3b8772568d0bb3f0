"""The named links of profiles.toml, checked when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.link.profile import BadProfile, Profile
from harness.text.nearest import nearest
from harness.text.toml_rows import Row, TomlFile, TomlMistake

_FILE = Path(__file__).with_name("profiles.toml")


@dataclass(frozen=True, kw_only=True)
class NamedProfile:
    """A link by name."""

    name: str  #: as tests and reports call it
    why: str  #: a sentence: what it stands for, or what it shows
    up: Profile  #: from the student's program to the tester
    down: Profile  #: from the tester to the student's program


def load_profiles(path: Path = _FILE) -> dict[str, NamedProfile]:
    """All links of a file by name. Raises BadProfile naming file, line, link, direction and field."""
    try:
        file = TomlFile.read(path, name=path.name)
        return {name: _named(file.row(name, ("why", "up", "down"))) for name in file.data}
    except TomlMistake as mistake:
        raise BadProfile(str(mistake)) from None


def find_profile(name: str) -> NamedProfile:
    """The link of that name. Raises BadProfile with the nearest names there are."""
    profiles = _ours()
    if name not in profiles:
        raise BadProfile(f"{name!r}: there is no link profile of this name. {nearest(name, profiles)}")
    return profiles[name]


@cache
def _ours() -> Mapping[str, NamedProfile]:
    return load_profiles()


def _named(row: Row) -> NamedProfile:
    why = row.text("why", example='"What this link stands for."')
    return NamedProfile(name=row.table, why=why, up=_side(row, "up"), down=_side(row, "down"))


def _side(row: Row, side: str) -> Profile:
    values = row.data.get(side, {})
    if not isinstance(values, dict):
        row.wrong(side, f'"{side}" has to be a table', f"Write the fields in braces: {side} = {{ delay = 0.02 }}")
    try:
        return Profile.from_dict(values)
    except BadProfile as error:
        raise BadProfile(f"{row.where(side)}: [{row.table}]: {side}: {error}") from None
