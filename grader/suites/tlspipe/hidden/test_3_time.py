"""Stage 3, hidden: what is given up after ten seconds, and what may last."""

from harness.testing import Address, NotMeasured, Peer, Scene, Server, TlsPeer, exchange


def test_nobody_answers(lab: Scene) -> None:
    pipe, behind = lab.pipes.starts("server", receive_buffer=2048, segment=536)
    long_lived, half, other_half = (lab.pipes.joins("server", pipe, behind) for _ in range(3))
    stuck, reader = lab.pipes.joins("server", pipe, behind, buffer=2048, segment=536)
    data = lab.random_bytes(300_000)
    taken = stuck.sends_what_fits(data, quiet=0.1)
    half[0].ends()
    half[1].sees_close_notify()
    other_half[1].sends_close_notify()
    other_half[0].sees_end()
    lab.says("handshakes that never begin, and a pipe that was not told for how long it may wait")
    _, wire = lab.pipes.reaches("server", pipe, behind)
    client, target = lab.pipes.starts("client")
    near, _ = lab.pipes.reaches("client", client, target)
    assert near is not None
    try:
        plain, tls = _meet_silence(lab, lab.silence())
    except NotMeasured as why:
        lab.says(f"nobody can be silent here: {why}")
        near.hears_nothing(for_=9)
    else:
        lab.says("the connection is neither taken nor refused")
        plain[0].hears_nothing(for_=9.5)
        tls[0].hears_nothing(for_=0.1)
        lab.pipes.only_a_reset_comes_out(plain[0], "nobody answered", within=6)
        tls[0].sees_reset_or_alert(data=False)
        lab.pipes.ends_as(plain[1], "unreachable")
        lab.pipes.ends_as(tls[1], "unreachable")
    lab.says("10 seconds are the time that a handshake has, if nobody says another one")
    lab.pipes.only_a_reset_comes_out(near, "no handshake came", within=5)
    wire.sees_reset_or_end(within=5)
    lab.pipes.ends_as(client, "timeout")
    lab.pipes.ends_as(pipe, "timeout")
    lab.says("connections over which nothing came all the time are as good as ever, whole or half")
    exchange(*long_lived)
    half[1].sends(b"the other direction goes on for as long as it likes")
    half[0].reads_exactly(b"the other direction goes on for as long as it likes")
    other_half[0].sends(b"so does this one")
    other_half[1].reads_exactly(b"so does this one")
    reader.reads_exactly(data[:taken], within=8)


def _meet_silence(lab: Scene, silence: Address) -> tuple[tuple[Peer, Server], tuple[TlsPeer, Server]]:
    """What connects through a pipe in each role to where nobody answers, with its pipe."""
    client, server = lab.pipes.client(target=silence), lab.pipes.server(backend=silence)
    plain = lab.connects(client, name="the plain side")
    return (plain, client), (lab.tls.client(lab.connects(server), name=None), server)
