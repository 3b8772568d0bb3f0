"""Times as people read them. Pure: no clock and no time zone of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def when_of(result: Mapping[str, Any]) -> str:
    """When a result was graded: in the course's zone if the result says it, else in UTC."""
    return str(result.get("when") or moment(str(result["graded_at"])))


def moment(iso: str) -> str:
    """A time in ISO 8601 for people; anything else as it is.

    >>> moment("2026-11-30T21:52:34+00:00"), moment("soon")
    ('30 Nov 2026, 21:52 UTC', 'soon')
    """
    try:
        time = datetime.fromisoformat(iso).astimezone(UTC)
    except (ValueError, OverflowError):
        return iso
    month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][time.month - 1]
    return f"{time.day} {month} {time.year}, {time:%H:%M} UTC"
