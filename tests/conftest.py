"""What this machine cannot do is skipped by name; REQUIRE=docker,tun,... turns such a skip into a failure."""

from __future__ import annotations

import os

import pytest

from harness.lab import doctor

CAPABILITIES = ("docker", "tun", "netem", "tshark", "peers")


def pytest_runtest_setup(item: pytest.Item) -> None:
    required = {word for word in os.environ.get("REQUIRE", "").replace(" ", "").split(",") if word}
    for name in CAPABILITIES:
        if item.get_closest_marker(name) is None:
            continue
        found = doctor.look(name)
        if found.there:
            continue
        reason = f"{name}: {found.what}. {found.remedy}"
        if name in required:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
