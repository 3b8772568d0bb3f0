"""Programs on two nodes and the reference as a peer, in the local lab: the words of stage 8 of the transport."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.actors.story import Broken
from harness.course.assignment import Limits, load_assignment
from harness.lab.interface import LabError
from harness.lab.local.lab import LocalNode, local_lab
from harness.link.profile import Profile
from harness.tester.scene import Scene
from harness.transport.segments import WireFormat, load_wire

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "reference" / "transport"
ASSIGNMENT = load_assignment(REFERENCE / "assignment.toml")
PROGRAMS = {**ASSIGNMENT.programs, "other": ("python3", "other.py")}

pytestmark = pytest.mark.slow

Make = Callable[..., Scene]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A function that makes the scene for a submission: the reference's files, and others in their place."""
    ends: list[Callable[[], object]] = []

    def scene(**files: str) -> Scene:
        folder = tmp_path / "submission"
        shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text)
        node, network, leave = local_lab(folder, Limits())
        second = LocalNode(folder, Limits())
        made = Scene(
            node, network, assignment=ASSIGNMENT, programs=PROGRAMS, seed=1, second=second, reference=REFERENCE
        )
        ends.extend([made.close, leave, second.close])
        for each in (node, second):
            each.build(None, timeout=10)
            each.fresh()
        return made

    yield scene
    for end in ends:
        end()


def test_a_submission_with_itself(make: Make) -> None:
    lab = make()
    lab.link("slow", up=Profile(delay=0.005), down=Profile(delay=0.005))
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0", node="second")
    sender = lab.runs("rdt_send", lab.address_of(receiver), stdin=b"from one to two\n" * 500)
    receiver.prints(b"from one to two\n" * 500, sent_by=sender)
    receiver.exits(0)
    lab.transport.came_over_the_link(receiver)
    lab.transport.keeps_the_rules(sender)
    lab.transport.keeps_the_rules(receiver)
    assert "starts rdt_recv udp:0.0.0.0:0 on the second node" in [step.what for step in lab.story.steps]
    assert lab.second_used


@pytest.mark.parametrize("family", [4, 6])
def test_the_reference_in_either_role(make: Make, family: int) -> None:
    lab = make()
    listener = lab.transport.peer_serves("rdt_pipe", family=family, flags=["--listen"], stdin=b"down")
    connector = lab.runs("rdt_pipe", lab.address_of(listener), stdin=b"up")
    listener.prints(b"up", sent_by=connector)
    connector.prints(b"down")
    lab.transport.came_over_the_link(connector)
    listener = lab.serves("rdt_pipe", at="udp:[::]:0" if family == 6 else "udp:0.0.0.0:0", flags=["--listen"])
    listener.stdin_ends()
    connector = lab.transport.peer_runs("rdt_pipe", lab.address_of(listener), stdin=b"again")
    listener.prints(b"again")
    assert connector.name == "the reference's rdt_pipe"


def test_other_bytes_than_the_link_brought_are_noticed(make: Make) -> None:
    text = (REFERENCE / "streams.py").read_text()
    old = "return os.write(1, data[: self._at_once])"
    assert text.count(old) == 1
    lab = make(streams=text.replace(old, "return os.write(1, bytes(data[: self._at_once]).upper())"))
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0", node="second")
    lab.runs("rdt_send", lab.address_of(receiver), stdin=b"small")
    receiver.prints(b"SMALL")
    with pytest.raises(Broken, match="did not come over the link"):
        lab.transport.came_over_the_link(receiver)


def test_a_rule_broken_on_the_wire_is_noticed(make: Make) -> None:
    text = (REFERENCE / "checksums.py").read_text()
    old = "zlib.crc32(data)"
    assert text.count(old) == 1
    lab = make(checksums=text.replace(old, "zlib.crc32(data) ^ 1"))
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0", node="second")
    sender = lab.runs("rdt_send", lab.address_of(receiver), stdin=bytes(5000))
    receiver.prints(bytes(5000))
    with pytest.raises(Broken, match=r"rdt_send broke rule 1\.4"):
        lab.transport.keeps_the_rules(sender)


def test_who_has_ended_sends_nothing_more(make: Make) -> None:
    lab = make(other="import sys\nprint('cannot', file=sys.stderr)\nsys.exit(7)\n")
    receiver = lab.transport.peer_serves("rdt_recv")
    sender = lab.runs("other", lab.address_of(receiver))
    begun = lab.now()
    with pytest.raises(Broken, match="other ended before the reference's rdt_recv had everything") as broken:
        receiver.prints(b"something", within=60, sent_by=sender)
    assert lab.now() - begun < 10
    assert "exit status 7" in str(broken.value.seen)


def test_what_is_not_there_is_ours(make: Make, tmp_path: Path) -> None:
    lab = make()
    lab.second = lab.reference = None
    with pytest.raises(LabError, match="nodes = 2"):
        lab.runs("rdt_recv", "udp:0.0.0.0:0", node="second")
    with pytest.raises(LabError, match="needs the reference"):
        lab.transport.peer_runs("rdt_send", "udp:127.0.0.1:9")
    lab.reference = tmp_path  # which has no rdt_recv.py
    with pytest.raises(LabError, match="the reference does not listen"):
        lab.transport.peer_serves("rdt_recv")


def test_a_forger_who_knows_every_number(make: Make) -> None:
    lab = make()
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0")
    peer = lab.transport.by_hand(receiver)
    peer.connects()
    stranger = peer.stranger()
    stranger.says(ack=True, payload=b"forged")
    stranger.hears_nothing(for_=0.1)
    with pytest.raises(Broken, match="a miracle did not come within"):
        peer.hears("a miracle", lambda _: False, within=0.1)
    peer.sends(b"genuine", fin=True)
    peer.ends_with(peer.hears("its FIN", lambda seg: seg.fin))
    receiver.prints(b"genuine")


def test_the_wire_is_the_terms() -> None:
    assert load_wire(REFERENCE / "term.toml") == WireFormat()


def test_what_has_to_be_the_same_is_shown_with_what_it_should_have_been(make: Make) -> None:
    scene = make()
    scene.expect_same(b"ok\n", b"ok\n", "a put is answered ok", otherwise="a put got another answer than ok")
    with pytest.raises(Broken) as caught:
        scene.expect_same(b"no\n", b"ok\n", "a put is answered ok", otherwise="a put got another answer than ok")
    told = caught.value
    assert (told.message, told.expected, told.seen) == ("a put got another answer than ok", '"ok\\n"', '"no\\n"')
    assert [step.what for step in scene.story.steps][-1] == "finds: a put is answered ok"
