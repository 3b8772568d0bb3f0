"""An address where nobody answers: connecting is neither taken nor refused."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from harness.lab.interface import NotMeasured
from tests.harness.tester.local_scene import local_scenes


@pytest.mark.skipif(sys.platform != "linux", reason="what a full queue does is Linux's")
@pytest.mark.parametrize("family", [4, 6])
def test_connecting_takes_for_ever(tmp_path: Path, family: int) -> None:
    with local_scenes(tmp_path, {}) as make:
        lab = make()
        try:
            address = lab.silence(family=6 if family == 6 else 4)
        except NotMeasured as why:
            pytest.skip(str(why))
        with socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET) as client:
            client.settimeout(0.3)
            with pytest.raises(TimeoutError):
                client.connect(address.pair)
