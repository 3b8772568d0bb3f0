"""Simulations as a test uses them: the submission in a node of its own, the reference here, failures that say all."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.actors.story import Broken, Story
from harness.course.assignment import Limits
from harness.lab.interface import LabError
from harness.lab.local.lab import LocalNode
from harness.transport.checks.fairness import Sharing
from harness.transport.checks.simulation import SimulationCheck, Transport
from harness.transport.pictures.bundle import Bundle
from harness.transport.segments import WireFormat
from harness.transport.simulation.catalogue import scenario

PLAIN = Path(__file__).parent / "plain"
#: A change of the plain solution: (what stands there, what stands there instead).
Change = tuple[str, str]
Drive = Callable[..., Transport]


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Drive]:
    """The plain solution as a submission, changed in one place."""
    nodes: list[LocalNode] = []
    driven: list[Transport] = []

    def make(*changes: Change, reference: Path | None = PLAIN, seed: int = 1) -> Transport:
        folder = tmp_path / f"submission{len(nodes)}"
        shutil.copytree(PLAIN, folder, ignore=shutil.ignore_patterns("__pycache__"))
        text = (folder / "connection.py").read_text()
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (folder / "connection.py").write_text(text)
        node = LocalNode(folder, Limits())
        nodes.append(node)
        node.build(None, timeout=10)
        node.fresh()
        story = Story(time.monotonic)
        driven.append(Transport(node, story, program=None, seed=seed, wire=WireFormat(), reference=reference))
        return driven[-1]

    yield make
    for transport in driven:
        transport.dismiss()
    for node in nodes:
        node.close()


def simulation(transport: Transport, name: str, **how: str) -> SimulationCheck:
    kept: list[Bundle] = []
    transport.keep = kept.append
    check = SimulationCheck(transport, name, **{"student": "client", **how})  # type: ignore[arg-type]
    check.kept = kept  # type: ignore[attr-defined]
    return check


NO_REPEAT = ("            self.sent_at = None\n", "            pass\n")
_SIZE = "        size = 0 if current is None else current.syn + current.fin + len(current.payload)\n"
SPOILT_AFTER_A_LOSS = (_SIZE, _SIZE + "        if self.tries > 1 and ahead: self.outgoing[0:0] = b'?'\n")
_DECODE = "        segment = decode(data)\n"
NAPS = (_DECODE, "        import time; time.sleep(0.01)\n" + _DECODE)
_ENDS = "        self.ending = True\n"
COUNTS_ITS_ENDS = (_ENDS, _ENDS + "        ENDS.append(1); assert len(ENDS) == 1\n")


@pytest.mark.parametrize("how", [{"student": "client"}, {"student": "server"}, {"peer": "itself"}])
def test_a_submission_that_works_passes_in_every_role(drive: Drive, how: dict[str, str]):
    transport = drive()
    for name in ("32 KiB", "first SYN lost", "10 % loss on both", "half-close", "a reader that sleeps"):
        outcome = simulation(transport, name, **how).completes()
        assert outcome.well
    told = " ".join(step.what for step in transport.story.steps)
    assert "simulates '32 KiB'" in told
    assert "sees both streams whole" in told


def test_a_failure_says_scenario_role_and_the_fewest_misfortunes(drive: Drive):
    check = simulation(drive(SPOILT_AFTER_A_LOSS), "10 % loss on data")
    with pytest.raises(Broken) as told:
        check.completes()
    message = told.value.message
    assert message.startswith("simulation '10 % loss on data'")
    assert "(the submission is the client, the reference its peer)" in message
    assert "the server did not read what the client sent" in message
    assert "it fails when only the" in message
    assert "data segment of the client is lost" in message
    bundle = check.kept[-1]  # type: ignore[attr-defined]
    assert len(bundle.misfortunes) == 1
    assert [p.fate for p in bundle.packets].count("lost") == 1


def test_a_segment_that_is_not_repeated_is_late(drive: Drive):
    check = simulation(drive(NO_REPEAT), "first data segment lost")
    with pytest.raises(Broken, match="the first data segment of the client is lost"):
        check.completes()


def test_what_fails_without_misfortunes_is_told_so(drive: Drive):
    check = simulation(drive(("self.ending = True", "pass")), "2 % loss on data")
    with pytest.raises(Broken, match="it fails even when nothing is lost"):
        check.completes()


def test_a_dead_process_does_not_end_the_check(drive: Drive):
    transport = drive((_ENDS, "        raise SystemExit(3)\n"))
    with pytest.raises(Broken, match="raised SystemExit"):
        simulation(transport, "32 KiB").completes()
    transport = drive((_ENDS, "        import os; os._exit(3)\n"))
    for _ in range(2):
        with pytest.raises(Broken, match="ended in the middle of a call, with exit status 3"):
            simulation(transport, "32 KiB").completes()


def test_a_nap_is_found_and_not_shrunk(drive: Drive):
    transport = drive(NAPS)
    with pytest.raises(Broken, match="a call sleeps") as told:
        simulation(transport, "10 % loss on data").completes()
    assert "it fails when" not in told.value.message


def test_two_processes_play_a_submission_against_itself(drive: Drive):
    """A variable of the module is not shared by the two sides."""
    transport = drive(("TIME_WAIT = 4.0\n", "TIME_WAIT = 4.0\nENDS = []\n"), COUNTS_ITS_ENDS)
    simulation(transport, "1 byte", peer="itself").completes()


def test_without_a_reference_it_is_the_labs_fault(drive: Drive):
    with pytest.raises(LabError, match="needs the reference"):
        simulation(drive(reference=None), "32 KiB")
    simulation(drive(reference=None), "1 byte", peer="itself").completes()


def test_a_scenario_that_does_not_look_at_the_student_is_ours(drive: Drive):
    with pytest.raises(ValueError, match="does not look at the server"):
        simulation(drive(), "nobody there", student="server")


def test_the_reference_runs_the_same_setting(drive: Drive):
    check = simulation(drive(), "10 % loss on data")
    mine, other = check.completes(), check.by_reference()
    assert mine.setting.seed != check.setting(0).seed or mine.seconds == other.seconds
    assert check.run(0).packets == other.packets, "the same code with the same seed sends the same packets"


def test_seeds_come_from_the_check_and_the_number(drive: Drive):
    seeds = {simulation(drive(seed=seed), "32 KiB").setting(n).seed for seed in (1, 2) for n in (0, 1)}
    assert len(seeds) == 4


def test_a_megabyte_with_loss_is_quick(drive: Drive):
    """Measured: below 1 s of processor; the bound is the course's."""
    began = time.process_time()
    simulation(drive(), scenario("1 MB at 2 % loss").name, peer="itself").run()
    assert time.process_time() - began < 6


def test_of_two_connections_that_move_nothing_that_is_told(drive: Drive) -> None:
    deaf = (_DECODE, "        segment = None\n")
    with pytest.raises(Broken, match="neither of two connections on one link delivered a byte") as told:
        Sharing(drive(deaf)).is_fair()
    assert told.value.seen == "0 bytes read in all; the sender told nothing, the receiver nothing"
