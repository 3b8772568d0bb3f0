"""Stage 2: echo_server sends everything back, to many clients, whatever they do about it."""

from harness.testing import NotMeasured, Profile, Scene, Server

#: More than the kernel's buffers, the link and ours hold together.
MUCH = 16_000_000


def still_serves(lab: Scene, server: Server) -> None:
    """A new client is echoed at once."""
    peer = lab.connects(server, name="a new client")
    peer.sends(b"are you there?")
    peer.reads_exactly(b"are you there?", within=2)
    peer.closes()


def is_refused(lab: Scene, at: str, *, stolen: str) -> None:
    """Another server cannot listen there; `stolen` says what it has done if it can."""
    second = lab.runs("echo_server", at)
    still_runs = second.status(within=5) is None
    lab.expect(not still_runs, f"another server cannot listen at {at}", expected="exit status 3", otherwise=stolen)
    second.exits(3)


def test_a_large_echo_over_a_home_link(lab: Scene) -> None:
    lab.link(
        "a home, seen from the street",
        up=Profile(delay=0.01, rate=50_000_000),
        down=Profile(delay=0.01, rate=2_400_000, limit=200),
    )
    server = lab.serves("echo_server")
    peer = lab.connects(server)
    data = lab.random_bytes(900_000)
    peer.sends_in_background(data)
    peer.reads_exactly(data, within=12)


def test_where_it_listens(lab: Scene) -> None:
    server = lab.serves("echo_server", at="127.0.0.1:0")
    lab.says("at another address of the same machine the same port is free for somebody else")
    other = lab.runs("echo_server", f"127.0.0.3:{server.address.port}")
    lab.waits_until(lambda: b"listening on" in other.stdout or not other.runs())
    otherwise = "a server that was told to listen at 127.0.0.1 has taken the port of other addresses, too"
    lab.expect(other.runs(), "another server listens at 127.0.0.3", seen=other.ending(), otherwise=otherwise)
    at_socket = lab.serves("echo_server", at="unix:echo.sock")
    lab.connects(at_socket, name="a client that stays and does not read").sends_what_fits(lab.random_bytes(MUCH))
    at_socket.terminates(within=2.2)
    lab.expect(
        lab.kind_of("echo.sock") == "missing",
        "the socket's file is removed at the end",
        otherwise="the server left the file of its Unix socket behind: SIGTERM came while a client was connected",
    )
    at_socket.prints(b"listening on unix:echo.sock\n")


def test_little_is_held_for_each(lab: Scene) -> None:
    server = lab.serves("echo_server")
    still_serves(lab, server)
    before = lab.kernel.usage().memory_bytes
    lab.says("16 clients send and do not read, of whose output the system keeps little")
    peers = [lab.connects(server, segment=536, receive_buffer=2048, quietly=True) for _ in range(16)]
    data = lab.random_bytes(MUCH)
    taken = [peer.sends_what_fits(data, quiet=0.1) for peer in peers]
    grown = lab.kernel.usage().memory_bytes - before
    lab.expect(
        max(taken) < MUCH and grown < 2.5e6 + 16 * 262_144,
        "the server holds 256 KiB at most for each client that does not read",
        expected="6.7 MB at most",
        seen=f"{grown / 1e6:.1f} MB more than before",
        otherwise="the server holds more than 256 KiB for each client that does not read",
    )
    peers[0].reads_exactly(data[: taken[0]], within=10)


def test_stops_reading_and_goes_on(lab: Scene) -> None:
    server = lab.serves("echo_server")
    still_serves(lab, server)
    before = lab.kernel.usage().memory_bytes
    data = lab.random_bytes(MUCH)
    lab.says("six clients send and do not read")
    peers = [lab.connects(server, receive_buffer=16384, quietly=True) for _ in range(6)]
    taken = [peer.sends_what_fits(data, quiet=0.15) for peer in peers]
    seen = f"{max(taken):,} bytes were taken"
    lab.expect(
        max(taken) < MUCH,
        "the server stops reading",
        expected="a full connection",
        seen=seen,
        otherwise="the server kept reading although its output was stuck",
    )
    grown = lab.kernel.usage().memory_bytes - before
    lab.expect(
        grown < 4e6 + 6 * 262_144,
        "the server holds 256 KiB at most for each client that does not read",
        expected="6 MB at most",
        seen=f"{grown / 1e6:.1f} MB more than before",
        otherwise="the server holds more than 256 KiB for each client that does not read",
    )
    still_serves(lab, server)
    lab.says("they begin to read, and go on sending")
    for peer, count in zip(peers, taken, strict=True):
        peer.reads_exactly(data[:count], within=10)
        peer.sends(b"and more")
        peer.reads_exactly(b"and more")


def test_ipv6_and_unix(lab: Scene) -> None:
    server = lab.serves("echo_server", at="[::]:0")
    peer = lab.connects(server)
    data = lab.random_bytes(10_000)
    peer.sends(data)
    peer.reads_exactly(data)
    server.terminates()
    server = lab.serves("echo_server", at="unix:echo.sock")
    peer = lab.connects(server)
    peer.sends(data)
    peer.reads_exactly(data)
    server.terminates()
    lab.expect(
        lab.kind_of("echo.sock") == "missing",
        "the socket's file is removed at the end",
        otherwise="the server left the file of its Unix socket behind when SIGTERM ended it",
    )
    killed = lab.serves("echo_server", at="unix:echo.sock")
    killed.signal(9)
    killed.exits(-9)
    again = lab.serves("echo_server", at="unix:echo.sock")
    still_serves(lab, again)
    lab.says("a socket of a server that lives is left alone, and so is a file that is none")
    is_refused(lab, "unix:echo.sock", stolen="a second server has stolen the socket file of one that runs")
    lab.expect(
        lab.kind_of("echo.sock") == "socket",
        "the socket file of a server that runs is left alone",
        otherwise="a second server, which could not listen, removed the socket file of the one that runs",
    )
    still_serves(lab, again)
    file = next(name for name in ("programs.toml", "echo_server.py") if lab.kind_of(name) == "file")  # in a fresh copy
    is_refused(lab, f"unix:{file}", stolen="a server listens where an ordinary file was: it deleted the file")
    lab.expect(
        lab.kind_of(file) == "file",
        "an ordinary file in the way is left alone",
        otherwise="a server that could not listen deleted the ordinary file that was in its way",
    )


def test_refuses_what_it_cannot_do(lab: Scene) -> None:
    server = lab.serves("echo_server")
    taken = f"0.0.0.0:{server.address.port}"
    for words, status in (
        ((taken,), 3),
        (("nonsense",), 2),
        (("udp:127.0.0.1:0",), 2),
        ((), 2),
        (("127.0.0.1:0", "--idle", "long"), 2),
        (("127.0.0.1:0", "--idle", "0"), 2),
    ):
        lab.runs("echo_server", *words).fails(status)
    still_serves(lab, server)


def test_a_byte_at_a_time(lab: Scene) -> None:
    server = lab.serves("echo_server")
    data = lab.random_bytes(60)
    peer = lab.clients.misbehaving(server).drips(data, apart=0.005)
    peer.reads_exactly(data)
    sipper = lab.clients.misbehaving(server, receive_buffer=4096).sips(data * 3000, every=0.05, count=10)
    still_serves(lab, server)
    peer.sends(data)
    peer.reads_exactly(data)
    lab.pauses(0.3)
    read = sipper.stops()
    lab.expect(
        read and (data * 3000).startswith(read),
        "who reads little gets the right bytes",
        seen=read[:40],
        otherwise="a client that reads a little at a time got other bytes than it had sent",
    )
    sipper.peer.reads_exactly((data * 3000)[len(read) :], within=8)


def test_nobody_stalls_another(lab: Scene) -> None:
    server = lab.serves("echo_server")
    lab.clients.misbehaving(server).stay_silent(30)
    data = lab.random_bytes(MUCH)
    for _ in range(5):
        lab.clients.misbehaving(server, receive_buffer=16384).never_reads(data, quiet=0.1)
    load = lab.clients.load(server, idle=10, active=10)
    load.drives(seconds=1, rate=10).stays_fair(at_most=0.2)


def test_idle_without_cpu(lab: Scene) -> None:
    server = lab.serves("echo_server")
    lab.kernel.finds_idle(server, for_=0.6, at_most=0.1)
    lab.clients.misbehaving(server).stay_silent(5)
    peer, taken = lab.clients.misbehaving(server, receive_buffer=16384).never_reads(lab.random_bytes(MUCH), quiet=0.2)
    lab.expect(
        0 < taken < MUCH,
        "a client that does not read is stuck",
        seen=f"{taken:,} bytes taken",
        otherwise="the server took everything from a client that does not read, or nothing",
    )
    still_serves(lab, server)
    lab.kernel.finds_idle(server, for_=0.6, at_most=0.1)
    lab.says("another one ends its side, and does not read either what waits for it")
    ended = lab.connects(server, segment=536, receive_buffer=2048, name="a client that ends and does not read")
    ended.sends(lab.random_bytes(60_000))
    ended.ends()
    lab.pauses(0.2)
    lab.kernel.finds_idle(server, for_=0.6, at_most=0.1)
    lab.says("the client that was stuck resets")
    peer.resets()
    still_serves(lab, server)
    lab.kernel.finds_idle(server, for_=0.6, at_most=0.1)


def test_one_thread_one_process(lab: Scene) -> None:
    server = lab.serves("echo_server")
    load = lab.clients.load(server, idle=30, active=20)
    lab.kernel.finds_one_thread(server)
    load.drives(seconds=0.6, rate=5)
    lab.kernel.finds_one_thread(server)


def test_resets_harm_nobody(lab: Scene) -> None:
    server = lab.serves("echo_server")
    patient = lab.connects(server, name="a patient client")
    data = lab.random_bytes(400_000)
    for number in range(30):
        peer = lab.connects(server, receive_buffer=4096, quietly=True)
        peer.sends_what_fits(data[: 1 + number * 13_000], quiet=0.01)
        peer.resets()
    lab.says("10 clients with output waiting, all of which reset while the server stands still")
    gone = [lab.connects(server, receive_buffer=2048, segment=536, quietly=True) for _ in range(10)]
    for peer in gone:
        peer.sends_what_fits(data, quiet=0.02)
    with server.stands_still():
        for peer in gone:
            peer.resets()
    patient.sends(b"still here")
    patient.reads_exactly(b"still here")
    lab.says("new clients, as many as have left: nothing of what waited for those is sent to them")
    for number in range(10):
        peer = lab.connects(server, name=f"new client {number}")
        peer.sends(b"are you there?")
        peer.reads_exactly(b"are you there?", within=2)


def test_descriptors_come_back(lab: Scene) -> None:
    server = lab.serves("echo_server")
    still_serves(lab, server)
    lab.pauses(0.3)
    before = lab.kernel.usage()
    lab.says("320 clients: some close, some half-close, some reset, some both, some with output waiting")
    for _ in range(10):
        peers = [lab.connects(server, quietly=True) for _ in range(32)]
        for number, peer in enumerate(peers):
            peer.sends(b"x" * (1 + number * 200), may_fail=True)
        with server.stands_still():
            for number, peer in enumerate(peers):
                if number % 2 == 0:
                    peer.ends_quietly()
                if number % 4:
                    (peer.closes if number % 4 == 3 else peer.resets)()
        for peer in peers[::4]:
            peer.reads_to_end()
            peer.closes()
    try:
        lab.kernel.finds_all_given_back(before, within=4)
    except NotMeasured as why:
        lab.says(f"descriptors are not counted here: {why}")
    still_serves(lab, server)


def test_bursts_over_a_mobile_link(lab: Scene) -> None:
    lab.link("mobile")
    server = lab.serves("echo_server")
    peer = lab.connects(server, receive_buffer=8192)
    lab.says("five bursts, and half a second of silence after each: none waits for the next one to come back whole")
    for _ in range(5):
        data = lab.random_bytes(40_001)
        sending = peer.sends_in_background(data)
        lab.pauses(0.5)
        peer.reads_exactly(data, within=8)
        sending.join(5)
    peer.ends()
    peer.sees_end()
