"""A submission in C, by the guest.h and guest.c that students get, simulated like any other."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.actors.story import Broken, Story
from harness.course.assignment import Limits
from harness.lab.local.lab import LocalNode
from harness.transport.checks.simulation import SimulationCheck, Transport
from harness.transport.segments import WireFormat

HERE = Path(__file__).parent
SOURCES = ("main.c", "connection.c", "segment.c")
#: What students get for it.
GIVEN = Path(__file__).parents[3] / "reference/transport/c"

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="cc: no C compiler. Install gcc or clang")


@pytest.fixture(scope="module")
def transport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transport]:
    folder = tmp_path_factory.mktemp("c")
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fno-sanitize-recover"]
    plain = [flag for flag in flags if "sanitize" not in flag]
    sources = [*(str(HERE / "c_guest" / name) for name in SOURCES), str(GIVEN / "guest.c"), f"-I{GIVEN}"]
    for chosen in (flags, plain):  # not every compiler brings the sanitizer's library
        done = subprocess.run(
            ["cc", *chosen, "-o", str(folder / "guest"), *sources], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr
    node = LocalNode(folder, Limits())
    node.build(None, timeout=10)
    node.fresh()
    made = Transport(
        node, Story(time.monotonic), program=["./guest"], seed=3, wire=WireFormat(), reference=HERE / "plain"
    )
    yield made
    made.dismiss()
    node.close()


@pytest.mark.parametrize("student", ["client", "server", "both"])
@pytest.mark.parametrize(
    "name",
    [
        "empty stream",
        "1201 bytes",
        "32 KiB",
        "ping-pong",
        "both directions",
        "first SYN lost",
        "SYN-ACK lost",
        "first data segment lost",
        "FIN lost",
        "a segment lost four times",
        "10 % loss on both",
        "20 % damage",
        "garbage from the peer",
        "20 % duplicates",
        "half-close",
        "a reader that sleeps",
        "sequence wrap",
    ],
)
def test_it_passes_what_a_solution_in_python_passes(transport: Transport, name: str, student: str):
    assert SimulationCheck(transport, name, student=student).completes(seeds=1).well  # type: ignore[arg-type]


def test_what_it_does_not_offer_is_told(transport: Transport):
    with pytest.raises(Broken, match="answered with an error: this guest has no such call"):
        transport.reassembler("InOrder", 100)
