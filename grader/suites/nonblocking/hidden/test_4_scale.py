"""Stage 4: ten thousand clients, what they cost, and whether anybody is starved."""

import pytest

from harness.testing import NotMeasured, Scene

PROGRAMS = pytest.mark.parametrize("program", ["chat_server", "chat_server_asyncio"])


def crowd(lab: Scene) -> tuple[int, int]:
    """How many idle and active clients: fewer where both ends share one machine's limits."""
    return (3_000, 300) if lab.engine == "relay" else (10_000, 1_000)


def renames(number: int, turn: int) -> tuple[bytes, bytes]:
    """What each client of a chat says: another name every time."""
    return b"nick c%d-%d\n" % (number, turn), b"ok\n"


def costs_at_most(lab: Scene, per_client: float, most: int) -> None:
    """The memory that one more client takes."""
    lab.expect(
        per_client <= most,
        f"a silent client costs at most {most // 1024} KiB",
        expected=f"{most:,} bytes",
        seen=f"{per_client:,.0f} bytes",
        otherwise=f"a silent client costs more than {most // 1024} KiB",
    )


def test_ten_thousand(lab: Scene) -> None:
    idle, active = crowd(lab)
    server = lab.serves("echo_server")
    peer = lab.connects(server)
    peer.sends(b"first")
    peer.reads_exactly(b"first")
    before = lab.kernel.usage()
    load = lab.clients.load(server, idle=idle, active=active, within=25)
    try:
        costs_at_most(lab, load.memory_per_client(before), 16_384)
    except NotMeasured as why:
        lab.says(f"memory is not measured here: {why}")
    lab.kernel.finds_idle(server, for_=1.0, at_most=0.1)
    load.drives(seconds=2, rate=1).stays_fair(at_most=0.2)
    load.all_answer()
    lab.kernel.finds_one_thread(server)


def test_greedy_among_many(lab: Scene) -> None:
    server = lab.serves("echo_server")
    load = lab.clients.load(server, idle=300, active=100)
    load.drives(seconds=1.5, rate=3, greedy=4).stays_fair(at_most=0.2)
    load.all_answer()


@PROGRAMS
def test_a_greedy_speaker(lab: Scene, program: str) -> None:
    server = lab.serves(program, "--slow", "drop")
    lab.says("20 readers come into the room tea, and none of them reads")
    for number in range(20):
        reader = lab.connects(server, quietly=True)
        reader.sends(b"nick r%d\njoin tea\n" % number)
        reader.reads_exactly(b"ok\nok\n")
    words = b"nick greedy\njoin tea\n" + b"say tea x\n" * 6000
    load = lab.clients.load(server, idle=20, active=10, exchange=renames, greedy_data=words)
    load.drives(seconds=1.5, rate=5, greedy=1).stays_fair(at_most=0.2)


@PROGRAMS
def test_a_silent_chat(lab: Scene, program: str) -> None:
    server = lab.serves(program)
    peer = lab.connects(server)
    peer.sends(b"nick first\n")
    peer.reads_exactly(b"ok\n")
    before = lab.kernel.usage()
    load = lab.clients.load(server, idle=2000 if lab.engine == "relay" else 4000, active=0, exchange=renames)
    try:
        costs_at_most(lab, load.memory_per_client(before), 65_536 if "asyncio" in program else 16_384)
    except NotMeasured as why:
        lab.says(f"memory is not measured here: {why}")
    lab.kernel.finds_idle(server, for_=1.0, at_most=0.1)
    load.all_answer()


@pytest.mark.parametrize("program", ["echo_server", "chat_server", "chat_server_asyncio"])
def test_500_connect_at_once(lab: Scene, program: str) -> None:
    server = lab.serves(program)
    peers = lab.clients.queue_up(server, 500)
    for number, peer in enumerate(peers):
        peer.sends(b"nick c%d\n" % number)
    for number, peer in enumerate(peers):
        peer.reads_exactly(b"nick c%d\n" % number if program == "echo_server" else b"ok\n")


def test_a_room_of_1000(lab: Scene) -> None:
    server = lab.serves("chat_server")
    count = 400 if lab.engine == "relay" else 1000
    lab.says(f"{count} readers come into the room tea")
    readers = [lab.connects(server, quietly=True) for _ in range(count)]
    for number, reader in enumerate(readers):
        reader.sends(b"nick r%d\njoin tea\n" % number)
    for reader in readers:
        reader.reads_exactly(b"ok\nok\n")
    speaker = lab.connects(server, name="ada")
    speaker.sends(b"nick ada\njoin tea\n")
    speaker.reads_exactly(b"ok\nok\n")
    begun = lab.now()
    speaker.sends(b"say tea hello, everyone\n")
    for reader in readers:
        reader.reads_exactly(b"tea ada hello, everyone\n")
    took = lab.now() - begun
    lab.expect(
        took < 2,
        "everyone in the room reads a line soon",
        expected="within 2 s",
        seen=f"{took:.1f} s",
        otherwise="it took too long until everyone in the room had read a line",
    )


def test_much_waits_for_a_slow_reader(lab: Scene) -> None:
    server = lab.serves("echo_server")
    data = lab.random_bytes(12_000_000)
    peer = lab.connects(server, receive_buffer=65_536)
    before = lab.kernel.usage().cpu_seconds
    sending = peer.sends_in_background(data)
    read = b"".join(peer.reads(8_000, within=10) for _ in range(len(data) // 8_000))
    sending.join(5)
    lab.expect_same(
        read, data, "every byte comes back", otherwise="the bytes that came back are not those that were sent"
    )
    used = lab.kernel.usage().cpu_seconds - before
    lab.expect(
        used < 1.5,
        "12 MB for a slow reader cost little CPU",
        expected="1.5 s at most",
        seen=f"{used:.2f} s",
        otherwise="12 MB for a slow reader cost much CPU",
    )
