"""The page that suites import from: every name is there, and nobody loads what is another assignment's."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness import testing


def loaded_by(statements: str) -> set[str]:
    """The rooms of the harness that a fresh interpreter has loaded after these statements."""
    code = f"{statements}\nimport sys\nprint(*{{name.split('.')[1] for name in sys.modules if name[:8] == 'harness.'}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_lab_of_another_assignment_loads_neither_transport_nor_tls() -> None:
    rooms = loaded_by("import harness.tester.run\nfrom harness.testing import Peer, Scene, Server")
    assert "actors" in rooms
    assert not {"transport", "tls"} & rooms


def test_a_subject_is_loaded_when_it_is_named() -> None:
    assert "transport" in loaded_by("from harness.testing import Seg")
    assert "tls" in loaded_by("from harness.testing import TLS12")


def test_every_name_is_there() -> None:
    assert all(getattr(testing, name) is not None for name in testing.__all__)
    with pytest.raises(AttributeError, match="no 'nonsense'"):
        _ = testing.nonsense
