"""Stage 4: one thread, many connections, bounded buffers. On your own machine 100 connections."""

import pytest

from harness.testing import PipeConnection, Scene

ROLES = pytest.mark.parametrize("role", ["server", "client"])

#: More than all buffers of the kernel hold on the way, in bytes.
MUCH = 48_000_000
#: What one stuck connection may cost in memory: 1 MiB for each direction, and what a runtime takes for moving data.
MORE_MEMORY = 24 << 20


def test_100_connections(lab: Scene) -> None:
    pipe = lab.pipes.server(backend=lab.tls.echo())
    load = lab.tls.load(pipe, count=100, active=20)
    with lab.kernel.measures(every=0.2) as seen:
        load.drives(seconds=0.6, rate=5)
    seen.one_thread(pipe)
    lab.kernel.finds_idle(pipe, for_=0.5, at_most=0.1)
    load.all_answer()
    load.closes()


@ROLES
def test_nobody_stalls_another(lab: Scene, role: str) -> None:
    if role == "server":
        backend = lab.listens()
        pipe = lab.pipes.server(backend=backend)
        lab.tls.stays_silent(pipe, count=10)
        begun = lab.now()
        tls = lab.tls.client(lab.connects(pipe))
        lab.pipes.carries(PipeConnection(pipe, tls, backend.accepts()))
    else:
        target = lab.listens()
        pipe = lab.pipes.client(target=target)
        lab.says("a server that takes connections and never shakes hands")
        for _ in range(5):
            lab.connects(pipe)
            target.accepts()
        begun = lab.now()
        plain = lab.connects(pipe, name="the plain side")
        lab.pipes.carries(PipeConnection(pipe, lab.tls.server(target.accepts()), plain))
    took = lab.now() - begun
    lab.expect(
        took < 3,
        "beside handshakes that stand still",
        expected="within 3 s",
        seen=f"{took:.1f} s",
        otherwise="a connection had to wait for handshakes that stand still",
    )


@ROLES
def test_handshake_timeout(lab: Scene, role: str) -> None:
    way = lab.pipes.opens(role, "--handshake-timeout", 0.7)
    silent = lab.connects(way.pipe, name="a client whose handshake stands still")
    silent.hears_nothing(for_=0.5)
    silent.sees_reset_or_end(within=3)
    lab.pipes.carries(way)


@ROLES
def test_who_does_not_read(lab: Scene, role: str) -> None:
    way = lab.pipes.opens(role, receive_buffer=16_384)
    lab.pipes.carries(way)
    data = lab.random_bytes(MUCH)
    with lab.kernel.measures() as seen:
        taken = way.tls.sends_what_fits(data, quiet=0.2)
    stops = f"{taken:,} of {MUCH:,} bytes were taken"
    lab.expect(
        taken < MUCH,
        "it stops reading",
        expected="a full connection",
        seen=stops,
        otherwise="it kept reading although nobody took what it had read",
    )
    seen.memory_stays_within(MORE_MEMORY, what="the plain side does not read")
    lab.says("the other direction goes on, and this one when there is room again")
    way.plain.sends(data[:30_000])
    way.tls.reads_exactly(data[:30_000])
    reading = way.tls.sends_in_background(data[taken : taken + 1000])
    way.plain.reads_exactly(data[: taken + 1000], within=10)
    reading.join(5)


def test_records_of_all_sizes(lab: Scene) -> None:
    way = lab.pipes.opens("server")
    data = lab.random_bytes(60_000)
    for size in (16_384, 1000, 1):
        piece = data[: min(60_000, size * 2000)]
        way.tls.sends(piece, record=size)
        way.plain.reads_exactly(piece)
    way.tls.in_pieces(1)
    way.tls.sends(data[:100])
    way.plain.reads_exactly(data[:100])
