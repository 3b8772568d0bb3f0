"""Stage 4: five hundred connections, buffers in every direction, timers, idleness, and no descriptors left."""

import pytest

from harness.testing import (
    BOTH,
    HANDSHAKE,
    TLS11,
    TLS12,
    TLS13,
    Broken,
    NotMeasured,
    Peer,
    PipeConnection,
    PipeConnections,
    Scene,
    Server,
    TlsLoad,
    TlsPeer,
)

ROLES = pytest.mark.parametrize("role", ["server", "client"])

#: More than all buffers of the kernel hold on the way, in bytes.
MUCH = 48_000_000
#: What one stuck connection may cost in memory: 1 MiB for each direction, and what a runtime takes for moving data.
MORE_MEMORY = 24 << 20
#: The header of a handshake record with 512 bytes, and the beginning of a ClientHello that never comes whole.
HALF_A_HELLO = bytes([22, 3, 1, 2, 0, 1, 0, 1])


def load_of(lab: Scene, role: str, count: int, active: int) -> tuple[Server, TlsLoad]:
    """Connections through a pipe in this role, with an echo behind it; (pipe, load)."""
    if role == "server":
        pipe = lab.pipes.server(backend=lab.tls.echo())
    else:
        pipe = lab.pipes.client(target=lab.tls.echo(tls=True))
    return pipe, lab.tls.load(pipe, count=count, active=active, plain=role == "client")


# -- many ----------------------------------------------------------------------------------------------------------


@ROLES
def test_500_connections(lab: Scene, role: str) -> None:
    pipe, load = load_of(lab, role, 500, 10)
    lab.kernel.finds_idle(pipe, for_=0.4, at_most=0.1)
    with lab.kernel.measures(every=0.2) as seen:
        if role == "server":
            load.drives(seconds=1, rate=2).stays_fair(at_most=0.2)
        load.all_answer()
    seen.one_thread(pipe)


def test_greedy_ones_among_many(lab: Scene) -> None:
    pipe = lab.pipes.server(backend=lab.tls.echo())
    rate = None if lab.engine == "relay" else 4e6  # what a router carries
    load = lab.tls.load(pipe, count=40, active=10, greedy_rate=rate)
    load.drives(seconds=0.8, rate=3, greedy=2).stays_fair(at_most=0.2)
    load.all_answer()


def test_all_come_at_once(lab: Scene) -> None:
    pipe = lab.pipes.server(backend=lab.tls.echo())
    silent = lab.tls.stays_silent(pipe, count=100)
    broken_off = lab.tls.stays_silent(pipe, count=100, says=HALF_A_HELLO)
    load = lab.tls.load(pipe, count=60, window=60, within=8)
    stayed = silent.count + broken_off.count
    lab.expect_same(stayed, 200, "who is silent may stay", otherwise="silent clients were sent away")
    load.all_answer()
    load.closes()


@ROLES
def test_who_is_stuck_stalls_nobody(lab: Scene, role: str) -> None:
    ways = lab.pipes.ways(role, receive_buffer=16_384)
    data = bytes(MUCH)
    stuck = [ways.opens() for _ in range(3)]
    stuck[0].tls.sends_what_fits(data, quiet=0.15)
    stuck[1].plain.sends_what_fits(data, quiet=0.15)
    lab.says("and connections whose handshake stands still")
    for _ in range(3):
        near = lab.connects(ways.pipe)
        if role == "server":
            near.sends(HALF_A_HELLO)
        else:
            ways.listener.accepts()
    begun = lab.now()
    ways.carries(ways.opens())
    ways.carries(stuck[2])
    took = lab.now() - begun
    lab.expect(took < 3, "all others are served", seen=f"{took:.1f} s", otherwise="others waited for stuck ones")


# -- time ----------------------------------------------------------------------------------------------------------


@ROLES
def test_a_slow_handshake_is_none(lab: Scene, role: str) -> None:
    ways = lab.pipes.ways(role, "--handshake-timeout", 0.7)
    open_before = ways.opens()
    begun = lab.now()
    near = lab.connects(ways.pipe, name="one whose handshake comes byte by byte")
    if role == "server":
        slow = lab.tls.client(near, shakes=False)
    else:
        slow = lab.tls.server(ways.listener.accepts(), shakes=False)
    slow.in_pieces(4, apart=0.05)
    slow.handshake_fails(within=6)
    took = lab.now() - begun
    lab.expect(took > 0.6, "it gets its 0.7 s", seen=f"{took:.2f} s", otherwise="it was given up too early")
    lab.expect(took < 3, "and 1 s more at most", seen=f"{took:.1f} s", otherwise="it was not given up in time")
    if role == "client":
        near.sees_reset_or_end()
    ways.carries(open_before)
    ways.carries(ways.opens())


def test_many_silent_ones_end(lab: Scene) -> None:
    ways = lab.pipes.ways("server", "--handshake-timeout", 0.8)
    way = ways.opens()
    silent = lab.tls.stays_silent(ways.pipe, count=150)
    later = lab.tls.stays_silent(ways.pipe, count=50, says=HALF_A_HELLO)
    silent.all_end(within=4, after=0.7)
    later.all_end(within=4, after=0.7)
    lab.pipes.ends_as(ways.pipe, "timeout", count=200)
    ways.carries(way)


# -- buffers -------------------------------------------------------------------------------------------------------


@ROLES
def test_both_directions_full(lab: Scene, role: str) -> None:
    ways = lab.pipes.ways(role, receive_buffer=16_384)
    way = ways.opens()
    ways.carries(way)
    up = lab.random_bytes(MUCH)
    down = up[::-1]
    with lab.kernel.measures() as seen:
        sent = way.tls.sends_what_fits(up, quiet=0.25), way.plain.sends_what_fits(down, quiet=0.25)
    stops = f"{sent[0]:,} and {sent[1]:,} of {MUCH:,} bytes were taken"
    lab.expect(max(sent) < MUCH, "it stops reading", seen=stops, otherwise="the pipe read on, its output stuck")
    seen.memory_stays_within(MORE_MEMORY, what="nobody reads")
    lab.kernel.finds_idle(way.pipe, for_=0.4, at_most=0.1)
    lab.says("they read, first the one and then the other, and what could not be sent follows")
    rest = way.tls.sends_in_background(up[sent[0] : sent[0] + 50_000], ends=True)
    way.plain.reads_exactly(up[: sent[0] + 50_000], within=15)
    rest.join(5)
    more = way.plain.sends_in_background(down[sent[1] : sent[1] + 50_000])
    way.tls.reads_exactly(down[: sent[1] + 50_000], within=15)
    more.join(5)
    way.plain.ends()
    way.plain.sees_end()
    way.tls.sees_close_notify()


@ROLES
def test_both_send_before_they_read(lab: Scene, role: str) -> None:
    ways = lab.pipes.ways(role, receive_buffer=16_384, versions=(TLS12, TLS12) if role == "server" else BOTH)
    way = ways.opens()
    data = lab.random_bytes(12_000_000)
    for sending in (way.tls.sends_in_background(data), way.plain.sends_in_background(data)):
        sending.join(0.2)
    way.plain.reads_exactly(data, within=15)
    way.tls.reads_exactly(data, within=15)


# -- records -------------------------------------------------------------------------------------------------------


@ROLES
def test_records_as_they_come(lab: Scene, role: str) -> None:
    ways = lab.pipes.ways(role)
    way = ways.opens()
    data = lab.random_bytes(400_000)
    for size in (1, 2, 511, 16_383, 16_384):
        piece = data[: min(len(data), size * 3000)]
        way.tls.sends(piece, record=size)
        way.plain.reads_exactly(piece)
    for pieces, size in ((1, 300), (7, 2000), (1448, 16_384), (16_406, 16_384)):
        way.tls.in_pieces(pieces)
        count = 200 if pieces == 1 else 3000 if pieces == 7 else 200_000
        way.tls.sends(data[:count], record=size)
        way.plain.reads_exactly(data[:count])
    way.tls.in_pieces(0)
    lab.says("a handshake a byte at a time")
    near = lab.connects(ways.pipe)
    if role == "server":
        slow = lab.tls.client(near, shakes=False)
    else:
        slow = lab.tls.server(ways.listener.accepts(), shakes=False)
    slow.in_pieces(1)
    slow.handshakes()
    ways.carries(PipeConnection(ways.pipe, slow, ways.listener.accepts() if role == "server" else near))
    lab.says("and what the pipe makes of one byte, and of a lot")
    for count in (1, 16_384, 16_385, 400_000):
        way.plain.sends(data[:count])
        way.tls.reads_exactly(data[:count])


@ROLES
def test_half_a_record_waits_whole_ones_do_not(lab: Scene, role: str) -> None:
    ways = lab.pipes.ways(role, versions=(TLS12, TLS12) if role == "client" else BOTH)
    way = ways.opens()
    ways.carries(way)
    sizes = (16_384, 16_384, 1, 5000, 16_384)
    for whole, cut in ((1, 5), (2, 1), (4, 16_000), (3, 0)):
        data = lab.random_bytes(sum(sizes))
        held: list[bytes] = []

        def holds(record: bytes, held: list[bytes] = held) -> bytes:
            held.append(record)
            return b""

        way.tls.tampers(holds)
        for index, size in enumerate(sizes):
            way.tls.sends(data[sum(sizes[:index]) :][:size])
        way.tls.tampers(None)
        at = sum(map(len, held[:whole])) + cut
        raw, there = b"".join(held), sum(sizes[:whole])
        lab.says(f"{whole} records come whole, and {cut} bytes of the next one")
        way.tls.sends_raw(raw[:at])
        way.plain.reads_exactly(data[:there])
        way.plain.hears_nothing(for_=0.03)
        way.tls.sends_raw(raw[at:])
        way.plain.reads_exactly(data[there:])


def test_half_a_message(lab: Scene) -> None:
    ways = lab.pipes.ways("client", versions=(TLS13, TLS13))
    ways.carries(ways.opens())
    way = ways.opens()
    sealer = lab.tls.seals(way.tls)
    #: A session ticket (RFC 8446, section 4.6.1): lifetime, age_add, nonce, ticket, extensions.
    body = bytes(2) + b"\x1c\x20" + lab.random_bytes(4) + b"\1n" + b"\0\x20" + lab.random_bytes(32) + bytes(2)
    ticket = bytes([4]) + len(body).to_bytes(3, "big") + body
    sealer.sends(sealer.seals(ticket[:20], HANDSHAKE), what="the first half of a session ticket")
    lab.pauses(0.1)
    data = lab.random_bytes(5000)
    way.plain.sends(data)
    lab.pauses(0.1)
    sealer.sends(sealer.seals(ticket[20:], HANDSHAKE), what="the second half")
    way.tls.reads_exactly(data)
    sealer.sends(sealer.seals(data[::-1]), what="data")
    way.plain.reads_exactly(data[::-1])


# -- nothing to do -------------------------------------------------------------------------------------------------


@ROLES
def test_nothing_to_do(lab: Scene, role: str) -> None:
    ways = lab.pipes.ways(role, receive_buffer=16_384)
    way = ways.opens()
    lab.says("silent ones, half-closed ones, stuck ones, and handshakes that stand still")
    others = [ways.opens() for _ in range(4)]
    others[0].tls.sends_close_notify()
    others[0].plain.sees_end()
    others[1].plain.ends()
    others[1].tls.sees_close_notify()
    others[2].plain.ends()
    others[2].tls.sends_what_fits(bytes(MUCH), quiet=0.1)
    others[3].tls.sends_close_notify()
    others[3].plain.sends_what_fits(bytes(MUCH), quiet=0.1)
    for number in range(6):
        near = lab.connects(ways.pipe, quietly=True)
        if role == "client":
            ways.listener.accepts()
        elif number % 2:
            near.sends(HALF_A_HELLO)
    lab.kernel.finds_idle(ways.pipe, for_=0.5, at_most=0.1)
    ways.carries(way)


# -- descriptors ---------------------------------------------------------------------------------------------------


def ends_before_it_began(lab: Scene, ways: PipeConnections, kind: int) -> None:
    """One connection without a handshake, and one of the ways in which they end."""
    near = lab.connects(ways.pipe, quietly=True)
    wire = near if ways.role == "server" else ways.listener.accepts()
    if kind == 0:
        wire.sends(HALF_A_HELLO)
        wire.ends()
    elif kind == 1:
        wire.sends(b"this is no record of TLS, and not the beginning of one")
        near.sees_reset_or_end()  # and stays as it is, until the end of the test
    elif kind == 2:
        wire.resets()
    elif kind == 3:
        wire.closes()
    elif ways.role == "server":
        lab.tls.client(wire, versions=(TLS11, TLS11), shakes=False).tries_handshake()
    else:
        lab.tls.server(wire, identity=lab.tls.zoo.stranger("server"), shakes=False).tries_handshake()


def ends_somehow(lab: Scene, ways: PipeConnections, number: int) -> None:
    """One connection, and one of the ways in which they end."""
    kind = number % 8
    if kind == 7:
        ends_before_it_began(lab, ways, number // 8 % 5)
        return
    way = ways.opens(quietly=True)
    way.tls.sends(b"some words")
    if kind == 0:
        way.tls.ends()
        way.plain.reads_exactly(b"some words")
        way.plain.closes()
    elif kind == 1:
        way.plain.ends()
        way.tls.sees_close_notify()
        way.tls.ends()
    elif kind == 2:
        way.tls.resets()
    elif kind == 3:
        way.plain.resets()
    elif kind == 4:
        way.tls.cuts()
    elif kind == 5:
        way.tls.sends_raw(b"these are no records of TLS, and no end", may_fail=True)
    else:
        way.plain.ends()
        way.tls.sees_close_notify()
        way.tls.resets()


@ROLES
def test_descriptors_come_back(lab: Scene, role: str) -> None:
    ways = lab.pipes.ways(role)
    lasting = ways.opens()
    ways.carries(lasting)
    lab.pauses(0.2)
    before = lab.kernel.usage()
    if role == "server":
        lab.says("three end as they should, and the client's TCP connection never does")
        for _ in range(3):
            way = ways.opens()
            way.tls.sends_close_notify()
            way.plain.ends()
            way.plain.sees_end()
            way.tls.sees_close_notify()
    lab.says("200 connections end in every way there is")
    for number in range(200):
        ends_somehow(lab, ways, number)
    try:
        lab.kernel.finds_all_given_back(before, within=9)
    except NotMeasured as why:
        lab.says(f"descriptors are not counted here: {why}")
    ways.carries(lasting)
    ways.carries(ways.opens())
    lab.says("and some for whom there is nobody at the other end")
    ways.listener.closes()
    for _ in range(5):
        near = lab.connects(ways.pipe, quietly=True)
        if role == "server":
            lab.tls.client(near, shakes=False).tries_handshake()
        near.sees_reset_or_end()
    ways.carries(lasting)


@ROLES
def test_descriptors_run_out(lab: Scene, role: str) -> None:
    if role == "server":
        pipe = lab.pipes.server(backend=lab.tls.echo(), files=128)
    else:
        pipe = lab.pipes.client(target=lab.tls.echo(tls=True), files=128)

    def comes() -> TlsPeer | Peer:
        near = lab.connects(pipe, quietly=True)
        return lab.tls.client(near) if role == "server" else near

    def echoes(end: TlsPeer | Peer) -> None:
        end.sends(b"still here?")
        end.reads_exactly(b"still here?", within=3)

    def is_served() -> bool:
        try:
            echoes(comes())
        except Broken:
            return False  # reset, while there was no second descriptor for it
        return True

    inside = [comes() for _ in range(15)]
    for end in inside:
        echoes(end)
    lab.says("150 more connect: there are not so many descriptors")
    crowd = [lab.connects(pipe, quietly=True) for _ in range(150)]
    lab.pauses(0.3)
    for end in inside:
        echoes(end)
    lab.kernel.finds_idle(pipe, for_=0.5, at_most=0.2)
    for peer in crowd:
        peer.closes()
    lab.says("they leave, and another one comes")
    again, otherwise = lab.waits_until(is_served, within=8, every=0.2), "nobody was served when there was room again"
    lab.expect(again, "when there is room again, others are served", otherwise=otherwise)
    for end in inside:
        echoes(end)
