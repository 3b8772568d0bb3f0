"""Stage 3: the end of a program that takes one connection, and of two pipes over a bad network."""

import pytest

from harness.testing import Broken, Scene, TlsPeer, exchange

ROLES = pytest.mark.parametrize("role", ["client", "server"])


def _fails(tls: TlsPeer) -> None:
    try:
        tls.handshakes()
        tls.is_refused()
    except Broken:
        if tls.ending is None:
            raise


def test_two_pipes_end(lab: Scene) -> None:
    lab.link("mobile")
    backend = lab.listens()
    server = lab.pipes.server(backend=backend)
    client = lab.pipes.client(target=lab.tls.middle(server).address)
    left = lab.connects(client, name="the client")
    right = backend.accepts(within=8)
    question, answer = lab.random_bytes(60_000), lab.random_bytes(60_000)
    left.sends(question)
    left.ends()
    right.reads_exactly(question, within=8)
    right.sees_end()
    right.sends(answer)
    right.ends()
    left.reads_exactly(answer, within=8)
    left.sees_end()
    lab.pipes.ends_as(client, "closed", within=8)
    lab.pipes.ends_as(server, "closed", within=8)


def test_two_pipes_and_a_cut_between(lab: Scene) -> None:
    backend = lab.listens()
    server = lab.pipes.server(backend=backend)
    middle = lab.tls.middle(server)
    client = lab.pipes.client(target=middle.address)
    left = lab.connects(client, name="the client")
    right = backend.accepts()
    left.sends(b"half a file")
    right.reads_exactly(b"half a file")
    middle.cuts("up")
    lab.pipes.only_a_reset_comes_out(right, "no more was sent before the cut")
    lab.pipes.ends_as(server, "truncated")
    lab.says("and what that pipe does about it arrives at the other one")
    lab.pipes.only_a_reset_comes_out(left, "nothing was answered")
    lab.pipes.ends_as(client, "reset", "broken", "truncated", "refused")


@ROLES
def test_once(lab: Scene, role: str) -> None:
    pipe, behind = lab.pipes.starts(role, "--once")
    plain, tls = lab.pipes.joins(role, pipe, behind)
    exchange(plain, tls)
    before = len(behind.peers)
    try:
        second = lab.connects(pipe, name="a second one", within=1)
        second.sends(b"is anybody there?", may_fail=True)
    except Broken as refused:
        lab.says(f"a second one is not accepted: {refused.seen}")
    behind.hears_not_a_byte(for_=0.2)
    lab.expect(
        len(behind.peers) == before,
        "nobody is connected to for a second one",
        otherwise="the pipe made a second connection although it was told --once",
    )
    exchange(plain, tls)
    plain.ends()
    tls.sees_close_notify()
    tls.ends()
    plain.sees_end()
    pipe.exits(0)
    lab.pipes.ends_as(pipe, "closed")
    lab.says("and if nobody comes, SIGTERM ends it")
    pipe, _ = lab.pipes.starts(role, "--once")
    pipe.terminates(within=2.2)


@ROLES
def test_once_and_what_went_wrong(lab: Scene, role: str) -> None:
    for how, status in (("truncated", 4), ("reset", 4), ("broken", 4), ("unreachable", 3), ("timeout", 5)):
        lab.says(f"a pipe for one connection, which ends as {how}")
        if how == "unreachable":
            nobody = lab.nobody()
            if role == "client":
                pipe = lab.pipes.client("--once", target=nobody)
                lab.connects(pipe)
            else:
                pipe = lab.pipes.server("--once", backend=nobody)
                lab.tls.client(lab.connects(pipe), name=None)
        elif how == "timeout":
            pipe, behind = lab.pipes.starts(role, "--once", "--handshake-timeout", "0.3")
            lab.pipes.reaches(role, pipe, behind)
        else:
            pipe, behind = lab.pipes.starts(role, "--once")
            _, tls = lab.pipes.joins(role, pipe, behind)
            if how == "truncated":
                tls.cuts()
            elif how == "reset":
                tls.resets()
            else:
                tls.sends_raw(b"*" * 99)
        pipe.exits(status)
        lab.pipes.ends_as(pipe, how)
    if role == "client":
        pipe, behind = lab.pipes.starts(role, "--once")
        lab.connects(pipe)
        identity = lab.tls.zoo.specimen("wrong-name").identity
        _fails(lab.tls.server(behind.accepts(), identity=identity, shakes=False))
    else:
        pipe, behind = lab.pipes.starts(role, "--once")
        _fails(lab.tls.client(lab.connects(pipe), ca=lab.tls.zoo.stranger_ca, shakes=False))
    pipe.exits(4)
    lab.pipes.ends_as(pipe, "refused")
