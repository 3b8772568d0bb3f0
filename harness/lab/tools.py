"""What a submission finds on the machine it runs on: Python, the compilers, make, OpenSSL, and which system that is.

Of the images docker/prepare-student.sh writes the same down; harness/lab/docker/images.py reads it.
"""

from __future__ import annotations

import platform
import re
import ssl
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

#: What is told of a machine, in this order, and how it is called in a sentence.
TOOLS = {
    "system": "",
    "python": "Python",
    "gcc": "gcc",
    "go": "Go",
    "rust": "Rust",
    "java": "Java",
    "make": "GNU make",
    "openssl": "OpenSSL",
}


def tools_here() -> dict[str, str]:
    """Tool -> version on this machine; one that is not there is left out."""
    found = {
        "system": _system(),
        "python": platform.python_version(),
        "gcc": _first_word("gcc", "-dumpfullversion", "-dumpversion"),
        "go": _first_word("go", "version", after="go version go"),
        "rust": _first_word("rustc", "--version", after="rustc "),
        "java": _first_word("java", "--version", after=r"openjdk "),
        "make": _first_word("make", "--version", after="GNU Make "),
        "openssl": ssl.OPENSSL_VERSION.split()[1],
    }
    return {name: version for name, version in found.items() if version}


def in_words(tools: Mapping[str, Any]) -> str:
    """The versions in one line; empty if nothing is known.

    >>> in_words({"system": "Debian GNU/Linux 12 (bookworm)", "python": "3.11.2", "make": "4.3"})
    'Debian GNU/Linux 12 (bookworm), Python 3.11.2, GNU make 4.3'
    """
    return ", ".join(f"{called} {tools[name]}".strip() for name, called in TOOLS.items() if tools.get(name))


def _system() -> str:
    if sys.platform == "linux":
        try:
            return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
        except OSError:
            return "Linux"
    return f"macOS {platform.mac_ver()[0]}" if sys.platform == "darwin" else platform.platform(terse=True)


def _first_word(program: str, *options: str, after: str = "") -> str:
    """The first word that a program prints (after a text); empty if it cannot be had."""
    try:
        done = subprocess.run([program, *options], capture_output=True, text=True, errors="replace", timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.match(re.escape(after) + r"([\w.+-]{1,40})", done.stdout)
    return found[1] if found and done.returncode == 0 else ""
