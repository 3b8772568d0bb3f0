"""The table [interop] of a course's file: what the meetings of submissions are for. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from harness.text.toml_rows import TomlFile


@dataclass(frozen=True, kw_only=True)
class InteropSettings:
    """What the course says of meetings; without a word of it they count for nothing."""

    points: float = 0.0  #: that they count for in an assignment whose submissions meet; they make up for lost ones
    peers: int = 4  #: how many others each submission meets
    leaderboard: bool = True  #: whether there is one, for those who ask to be on it


def interop_settings(file: TomlFile) -> InteropSettings:
    """Raises TomlMistake."""
    row = file.row("interop", tuple(InteropSettings.__dataclass_fields__))
    return InteropSettings(
        points=row.number("points", 0.0) if row.data.get("points") else 0.0,
        peers=row.whole("peers", InteropSettings.peers),
        leaderboard=row.flag("leaderboard") if "leaderboard" in row.data else True,
    )
