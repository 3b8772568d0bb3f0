"""Stage 3: an end, a cut, a reset, half of an end."""

from harness.testing import Scene


def test_a_clean_end(lab: Scene) -> None:
    server = lab.listens()
    pipe = lab.pipes.client(target=server)
    data = lab.random_bytes(4000)
    plain = lab.connects(pipe, name="the plain side")
    tls = lab.tls.server(server.accepts())
    plain.sends(data)
    plain.ends()
    tls.reads_exactly(data)
    tls.sees_close_notify()
    tls.ends()
    plain.sees_end()
    tls.sees_end()
    lab.pipes.ends_as(pipe, "closed")

    backend = lab.listens()
    pipe = lab.pipes.server(backend=backend)
    tls = lab.tls.client(lab.connects(pipe), name=None)
    plain = backend.accepts(name="the plain side")
    tls.sends(data)
    tls.ends()
    lab.expect(
        plain.reads_to_end() == data,
        "all of it comes out, and then the end",
        otherwise="other bytes came out than had gone in before the end",
    )
    plain.ends()
    tls.sees_end()
    lab.pipes.ends_as(pipe, "closed")


def test_half_of_an_end(lab: Scene) -> None:
    server = lab.listens()
    pipe = lab.pipes.client(target=server)
    plain = lab.connects(pipe, name="the plain side")
    tls = lab.tls.server(server.accepts())
    plain.sends(b"a question, and there are no more")
    plain.ends()
    tls.reads_exactly(b"a question, and there are no more")
    tls.sees_close_notify()
    answer = lab.random_bytes(100_000)
    tls.sends(answer[:50_000])
    plain.reads_exactly(answer[:50_000])
    tls.sends(answer[50_000:])
    tls.ends()
    plain.reads_exactly(answer[50_000:])
    plain.sees_end()

    lab.says("and an end behind much, while nobody reads: the tester takes small segments, so it waits in the pipe")
    way = lab.pipes.opens("client", receive_buffer=2048, segment=536)
    taken = way.plain.sends_what_fits(answer, quiet=0.1)
    way.plain.ends()
    lab.pauses(0.15)
    came = way.tls.reads_to_close_notify(within=8)
    lost = f"close_notify came after {len(came):,} of {taken:,} bytes"
    lab.expect_same(came, answer[:taken], "all of it comes, and then close_notify", otherwise=lost)
    way.tls.ends()
    way.plain.sees_end()


def test_a_cut(lab: Scene) -> None:
    backend = lab.listens()
    pipe = lab.pipes.server(backend=backend)
    tls = lab.tls.client(lab.connects(pipe), name=None)
    plain = backend.accepts(name="the plain side")
    tls.sends(b"half a file")
    plain.reads_exactly(b"half a file")
    lab.says("somebody on the way ends the TCP connection, which anybody can")
    tls.cuts()
    plain.sees_reset()
    lab.pipes.ends_as(pipe, "truncated")

    server = lab.listens()
    pipe = lab.pipes.client(target=server)
    plain = lab.connects(pipe, name="the plain side")
    tls = lab.tls.server(server.accepts())
    tls.cuts()
    plain.sees_reset()
    lab.pipes.ends_as(pipe, "truncated")


def test_a_reset(lab: Scene) -> None:
    server = lab.listens()
    pipe = lab.pipes.client(target=server)
    plain = lab.connects(pipe, name="the plain side")
    tls = lab.tls.server(server.accepts())
    plain.sends(b"hello")
    tls.reads_exactly(b"hello")
    plain.resets()
    tls.sees_reset_or_alert()
    lab.pipes.ends_as(pipe, "reset")
    plain = lab.connects(pipe, name="the plain side")
    tls = lab.tls.server(server.accepts())
    tls.resets()
    plain.sees_reset()
    lab.pipes.ends_as(pipe, "reset", count=2)


def test_nobody_there(lab: Scene) -> None:
    pipe = lab.pipes.client(target=lab.nobody())
    lab.connects(pipe).sees_reset()
    lab.pipes.ends_as(pipe, "unreachable")
    pipe = lab.pipes.server(backend=lab.nobody())
    lab.tls.client(lab.connects(pipe), name=None).sees_reset_or_alert()
    lab.pipes.ends_as(pipe, "unreachable")
