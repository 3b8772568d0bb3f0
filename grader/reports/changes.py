"""What is different from the submission before: two views of one student in, plain data out. Pure.

Rule: only what both views show is compared, so that nothing is told that a student may not see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def changes_since(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Points by stage, and which public checks pass now or do not any more."""
    earlier = {stage["number"]: stage["points"] for stage in before["stages"]}
    stages = [
        {"number": stage["number"], "title": stage["title"], "before": earlier[stage["number"]], "now": stage["points"]}
        for stage in now["stages"]
        if stage["number"] in earlier and stage["points"] != earlier[stage["number"]]
    ]
    was, is_ = _public(before), _public(now)
    both = [name for name in is_ if name in was]
    return {
        "when": before["when"],
        "short": before["short"],
        "before": before["points"],
        "now": now["points"],
        "same": bool(now["hash"]) and before["hash"] == now["hash"],
        "stages": stages,
        "passes": [is_[name] for name in both if _passed(is_[name]) and not _passed(was[name])],
        "fails": [is_[name] for name in both if _passed(was[name]) and not _passed(is_[name])],
    }


def _public(view: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {check["id"]: check for stage in view["stages"] for check in stage["checks"] if check["suite"] == "public"}


def _passed(check: Mapping[str, Any]) -> bool:
    return bool(check["outcome"] == "pass")
