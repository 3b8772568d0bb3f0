"""Stages 5 and 6: readers of whose output the kernel takes nothing are silent, too."""

import pytest

from harness.testing import LabError, Peer, Scene, Server

ALL = pytest.mark.parametrize("program", ["echo_server", "chat_server", "chat_server_asyncio"])
TEXT = b"x" * 3900


@ALL
def test_idle_readers_that_are_stuck(lab: Scene, program: str) -> None:
    if program == "echo_server":
        closes_clients_that_do_not_read(lab)
    else:
        speakers_go_on(lab, program)
        lines_for_it_are_no_sign_of_life(lab, program)
        who_reads_slowly_is_not_silent(lab, program)


def closes_clients_that_do_not_read(lab: Scene) -> None:
    """Three clients send and never read; the descriptors are given back, for nobody here could see an end."""
    server = lab.serves("echo_server", "--idle", "1.2")
    lab.connects(server).closes()
    lab.pauses(0.3)
    before = lab.kernel.usage()
    for number in range(3):
        stuck = lab.connects(server, receive_buffer=2048, segment=536, name=f"client {number} that never reads")
        taken = stuck.sends_what_fits(lab.random_bytes(16_000_000), quiet=0.1)
        lab.expect(
            taken < 16_000_000,
            "the server stops reading",
            seen=f"{taken:,} bytes taken",
            otherwise="the server kept reading although its output was stuck",
        )
    lab.kernel.finds_all_given_back(before, within=1.2 + 2.5)


def speakers_go_on(lab: Scene, program: str) -> None:
    """With --slow wait a speaker waits for a reader that is stuck, until that one is closed."""
    ada = speaks_to_a_stuck_reader(lab, lab.serves(program, "--slow", "wait", "--idle", "1.2"))
    lines = 400
    ada.sends_in_background(b"".join(b"say tea %d %s\n" % (number, TEXT) for number in range(lines)))
    answered = ada.reads_what_comes().count(b"ok\n")
    lab.expect(
        answered < lines,
        "ada has to wait for a reader that is behind",
        seen=f"{answered} of {lines} answered",
        otherwise="ada did not have to wait for a reader that was behind",
    )
    lab.says("the reader never reads: it is closed after 1.2 s, and 2 s later at most, and ada goes on")
    ada.reads_exactly(b"ok\n" * (lines - answered), within=1.2 + 2.5)


def lines_for_it_are_no_sign_of_life(lab: Scene, program: str) -> None:
    """With --slow drop the reader is closed as well, although more and more is said."""
    ada = speaks_to_a_stuck_reader(lab, lab.serves(program, "--slow", "drop", "--idle", "1.2"))
    ada.sends(b"say tea %s\n" % TEXT * 40)
    ada.reads_exactly(b"ok\n" * 40)

    def closed() -> bool:
        ada.sends(b"say tea %s\n" % TEXT)
        ada.reads_exactly(b"ok\n")
        ada.sends(b"nick stuck\n")
        return ada.reads_line() == b"ok\n"

    lab.expect(
        lab.waits_until(closed, within=1.2 + 2.5, every=0.1),
        "a reader that takes nothing is closed, whatever comes for it",
        seen="it still has its name",
        otherwise="a reader that took nothing for longer than the limit is still connected",
    )


def who_reads_slowly_is_not_silent(lab: Scene, program: str) -> None:
    """A reader that says nothing and takes some 50 KB a second gets all that was said, beyond the limit as well."""
    server = lab.serves(program, "--slow", "wait", "--idle", "2")
    ada, slow = speaks_and_listens(lab, server, b"slow")
    lines = b"".join(b"tea ada %d %s\n" % (number, TEXT) for number in range(46))
    lab.says("slow reads about 50 KB a second, and says nothing")
    ada.sends_in_background(lines.replace(b"tea ada", b"say tea"))
    came, latest, over = b"", lab.now(), False
    while len(came) < len(lines) and not over:
        lab.waits_until(lambda: False, within=0.005, every=0.01)
        if lab.now() - latest > 0.8:
            raise LabError("the machine was busy: the slow reader did not read for a while")
        latest = lab.now()
        if (piece := slow.sips(536)) is not None:
            came += piece
            over = not piece
    lab.expect(
        came == lines,
        "every line comes to who reads slowly",
        seen=f"{len(came):,} of {len(lines):,} bytes",
        otherwise="a reader that said nothing was sent away, although it took what waited for it",
    )


def speaks_to_a_stuck_reader(lab: Scene, server: Server) -> Peer:
    """ada, in a room with somebody who never reads."""
    return speaks_and_listens(lab, server, b"stuck")[0]


def speaks_and_listens(lab: Scene, server: Server, name: bytes) -> tuple[Peer, Peer]:
    """ada, in a room with somebody else; of what waits for the latter the kernel keeps little."""
    ada = lab.connects(server, name="ada")
    stuck = lab.connects(server, receive_buffer=2048, segment=536, name=name.decode())
    for peer, called in ((ada, b"ada"), (stuck, name)):
        peer.sends(b"nick " + called + b"\njoin tea\n")
        peer.reads_exactly(b"ok\nok\n")
    return ada, stuck
