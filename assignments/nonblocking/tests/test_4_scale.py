"""Stage 4: many clients at once. On a laptop 200 connections; a greedy one among them; a room of 100."""

from harness.testing import Scene


def test_200_clients(lab: Scene) -> None:
    server = lab.serves("echo_server")
    load = lab.clients.load(server, idle=150, active=50)
    load.drives(seconds=1, rate=5)
    load.all_answer()
    lab.kernel.finds_one_thread(server)
    lab.kernel.finds_idle(server, for_=1.0, at_most=0.1)


def test_a_greedy_client(lab: Scene) -> None:
    server = lab.serves("echo_server")
    load = lab.clients.load(server, idle=20, active=20)
    traffic = load.drives(seconds=1.5, rate=5, greedy=2)
    traffic.stays_fair(at_most=0.2)


def test_a_room_of_100(lab: Scene) -> None:
    server = lab.serves("chat_server")
    readers = [lab.connects(server, quietly=True) for _ in range(100)]
    lab.says("100 readers come into the room tea")
    for number, reader in enumerate(readers):
        reader.sends(b"nick r%d\njoin tea\n" % number)
        reader.reads_exactly(b"ok\nok\n")
    speaker = lab.connects(server, name="ada")
    speaker.sends(b"nick ada\njoin tea\n")
    speaker.reads_exactly(b"ok\nok\n")
    begun = lab.now()
    speaker.sends(b"".join(b"say tea line %d\n" % number for number in range(20)))
    expected = b"".join(b"tea ada line %d\n" % number for number in range(20))
    for reader in readers:
        reader.reads_exactly(expected)
    took = lab.now() - begun
    speaker.reads_exactly(b"ok\n" * 20)
    lab.expect(
        took < 3,
        "20 lines reach 100 readers soon",
        expected="within 3 s",
        seen=f"{took:.1f} s",
        otherwise="20 lines took too long to reach 100 readers",
    )
