"""What this machine cannot do is skipped by name; REQUIRE=docker,tun,... turns such a skip into a failure."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

from harness.lab import doctor
from harness.lab.doctor import Capability

CAPABILITIES = ("docker", "tun", "netem", "tshark", "peers")


def _nbgrader() -> Capability:
    there = importlib.util.find_spec("nbgrader") is not None
    return Capability("nbgrader", there, "" if there else "it is not installed", "make course")


def _browser() -> Capability:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
    return Capability("browser", bool(found), found or "there is no Chromium", "sudo apt-get install chromium")


def _postgres() -> Capability:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    what = str(found[-1]) if found else "there is no PostgreSQL server"
    return Capability("postgres", bool(found), what, "sudo apt-get install postgresql")


#: What only our own tests need.
OURS = {"nbgrader": _nbgrader, "browser": _browser, "postgres": _postgres}


def pytest_runtest_setup(item: pytest.Item) -> None:
    required = {word for word in os.environ.get("REQUIRE", "").replace(" ", "").split(",") if word}
    for name in (*CAPABILITIES, *OURS):
        if item.get_closest_marker(name) is None:
            continue
        found = OURS[name]() if name in OURS else doctor.look(name)
        if found.there:
            continue
        reason = f"{name}: {found.what}. {found.remedy}"
        if name in required:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
