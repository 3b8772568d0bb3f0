"""Stage 6: endings. Half of a connection may end, all of it may break, and nothing may be left behind."""

import struct
import threading
from typing import Any

from harness.testing import LabError, Peer, Scene, Server


def frame(body: bytes) -> bytes:
    """A body with its length before it."""
    return struct.pack("!I", len(body)) + body


def test_idle_is_silence_not_slowness(lab: Scene) -> None:
    usual = lab.connects(lab.serves("mailbox_server"), name="a silent client of a server that waits for a minute")
    longer = lab.serves("mailbox_server", "--max-clients", 8, "--idle", "2.8")
    patient = lab.connects(longer, name="a silent client of a server that waits for 2.8 s")
    since = lab.now()
    server = lab.serves("mailbox_server", "--max-clients", 8, "--idle", "1")
    silent = lab.connects(server, name="a silent client")
    half = lab.connects(server, name="a client that stops inside a frame")
    half.sends(b"\x00\x00")
    slow = lab.connects(server, name="a slow client")
    begun = lab.now()
    silent.hears_nothing(for_=0.4)
    half.hears_nothing(for_=0.1)
    whole = frame(b"list\n")
    slow.sends(*(whole[i : i + 1] for i in range(len(whole))), apart=0.25)
    answer = slow.reads_frame()
    lab.expect_same(
        answer,
        b"ok\n",
        "whoever sends now and then is served",
        otherwise="a client that sent a byte now and then, within the limit, was not served",
    )
    for peer in (silent, half):
        peer.sees_reset_or_end(within=max(0.1, begun + 1 + 2.3 - lab.now()))
    patient.sees_reset_or_end(within=max(0.1, since + 2.8 + 2.3 - lab.now()))
    lab.expect(
        lab.now() - since > 2.5,
        "nobody is sent away before the limit",
        seen=f"{lab.now() - since:.1f} s",
        otherwise="a silent client was sent away before the limit",
    )
    usual.sends_frame(b"list\n")
    usual.reads_frame()


def test_an_idle_limit_does_not_cut_a_large_answer(lab: Scene) -> None:
    server = lab.serves("mailbox_server", "--idle", "1.8")
    peer = lab.connects(server, receive_buffer=16384, segment=1000)
    data = lab.random_bytes(65_000)
    peer.sends_frame(b"put big\n" + data)
    peer.reads_frame()
    lab.says("more large answers are asked for than the system's buffers hold, and read only a little later")
    peer.sends(frame(b"get big\n") * 120)
    lab.pauses(0.3)
    for _ in range(120):
        answer = peer.reads_frame()
        lab.expect_same(
            answer, b"ok\n" + data, "every answer comes whole", otherwise="a large reply did not come whole"
        )
    slow = lab.connects(server, receive_buffer=2048, segment=536, name="a slow reader")
    slow.sends(frame(b"get big\n") * 3)
    _reads_slowly(lab, slow, frame(b"ok\n" + data) * 3, limit=1.8)


#: Bytes a second that a slow reader takes, and how many it has to have taken in a limit before a server is blamed. The
#: kernel offers room to a program (POLLOUT) when a third of its buffer is free, and that grows with what is under way:
#: up to 31,000 bytes (1.2 s) for whoever reads segment by segment, 50,000 in gulps. An answer takes 2.5 s.
PACE, ROOM = 26_000, 40_000


def _reads_slowly(lab: Scene, peer: Peer, expected: bytes, limit: float) -> None:
    """Read PACE bytes a second, by the clock: what the machine has held up is caught up with, though not at once."""
    lab.says("reads 26 KB a second, so that an answer takes 2.5 s, and a part of it is taken every 1.2 s")
    seen, begun = b"", lab.now()
    took = [(begun, 0)]  #: when so many bytes had been read
    piece: bytes | None = None
    while len(seen) < len(expected) and piece != b"":
        lab.waits_until(lambda: False, within=0.005, every=0.01)
        if len(seen) < (lab.now() - begun) * PACE and (piece := peer.sips(536)):  # never two at once: see ROOM
            seen += piece
        took.append((lab.now(), len(seen)))
    if seen != expected and (least := _least(took, limit)) < ROOM:
        raise LabError(f"the machine was busy: the slow reader took only {least:,} bytes in {limit:g} s")
    lab.expect(
        seen == expected,
        "answers that are read slowly come whole, too",
        seen=f"{len(seen):,} bytes",
        otherwise="a reply that was read slowly, but without a pause, did not come whole",
    )


def _least(took: list[tuple[float, int]], limit: float) -> int:
    """The fewest bytes that were taken in any `limit` seconds."""
    found, end = took[-1][1], 0
    for since, before in took:
        while end < len(took) and took[end][0] < since + limit:
            end += 1
        if end == len(took):
            break
        found = min(found, took[end][1] - before)
    return found


def test_descriptors_and_threads_come_back(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    lab.says("a first crowd of 60 at once, so that a pool has grown before anything is counted")
    crowd = [lab.connects(server, quietly=True) for _ in range(60)]
    for peer in crowd:
        peer.sends_frame(b"list\n")
    for peer in crowd:
        peer.reads_frame()
        peer.closes()
    lab.pauses(0.3)
    before = lab.kernel.usage()
    lab.says("500 clients: some leave politely, some inside a frame, some with a reset, some send rubbish")
    for number in range(500):
        _comes_and_goes(lab, server, number % 4)

    def back() -> bool:
        now = lab.kernel.usage()
        return now.open_files <= before.open_files + 8 and now.threads <= before.threads + 8

    returned = lab.waits_until(back, within=4, every=0.1)
    now = lab.kernel.usage()
    lab.expect(
        returned,
        "descriptors and threads are back to where they were",
        expected=f"about {before.open_files} descriptors, {before.threads} threads",
        seen=f"{now.open_files} descriptors, {now.threads} threads",
        otherwise="descriptors or threads of clients that have left are not given back",
    )
    last = lab.connects(server)
    last.sends_frame(b"list\n")
    lab.expect(
        last.reads_frame() == b"ok\n",
        "the server still serves after 500 clients",
        otherwise="the server did not serve a new client after 500 that had come and gone",
    )


def _comes_and_goes(lab: Scene, server: Server, way: int) -> None:
    """One client that leaves politely, inside a frame, with a reset, or after rubbish."""
    peer = lab.connects(server, quietly=True)
    if way == 0:
        peer.sends(frame(b"list\n"))
        answer = peer.reads_frame()
        if answer != b"ok\n":
            lab.expect(
                False,
                "a client in between is answered",
                expected=b"ok\n",
                seen=answer,
                otherwise="a client was answered wrongly while others came and went",
            )
    else:
        peer.sends((b"\x00\x00\x00\x09get", b"\x00\x00", b"\xff\xff\xff\xffrubbish")[way - 1], may_fail=True)
    if way == 2:
        peer.resets()
    else:
        peer.closes()


def test_every_place_comes_back(lab: Scene) -> None:
    server = lab.serves("mailbox_server", "--max-clients", 2, "--idle", "0.6")
    first = lab.connects(server, name="the first")
    first.sends_frame(b"put big\n" + lab.random_bytes(60_000))
    first.reads_frame()
    first.closes()
    lab.says("clients take both places and leave them: two fall silent, the others end in the midst of something")
    for number in range(2):
        lab.connects(server, name=f"silent client {number}")
    for number in range(2):
        gone = lab.connects(server, name=f"client {number} that asks for much", receive_buffer=4096)
        gone.sends(frame(b"get big\n") * 100, may_fail=True)
        lab.pauses(0.1)
        gone.resets()
    for number in range(2):
        stays = lab.connects(server, name=f"client {number} that announces too much, and sends a byte now and then")
        stays.sends(b"\xff\xff\xff\xff", may_fail=True)
        drip: dict[str, Any] = {"target": stays.sends, "args": [b"x"] * 90, "kwargs": {"apart": 0.2, "may_fail": True}}
        threading.Thread(**drip, daemon=True).start()
    lab.says("after all of them, both places are free")
    peers = [lab.connects(server, name=name) for name in ("one of the last", "the other")]
    for peer in peers:
        peer.sends_frame(b"list\n")
    for peer in peers:
        answer = peer.reads_frame(within=8)
        lab.expect_same(
            answer,
            b"ok\nbig\n",
            "a client that waited for a place is served",
            otherwise="a client that waited for a place was answered something else",
        )


def test_floods_and_broken_pipes_keep_no_place(lab: Scene) -> None:
    server = lab.serves("mailbox_server", "--max-clients", 12)
    first = lab.connects(server, name="the first")
    first.sends_frame(b"put big\n" + lab.random_bytes(60_000))
    first.reads_frame()
    first.closes()
    lab.says("12 take every place, ask for much, read nothing, and end their side; after that they reset")
    gone = [lab.connects(server, quietly=True, receive_buffer=2048, segment=536) for _ in range(12)]
    for peer in gone:
        peer.sends(frame(b"get big\n") * 20, may_fail=True)
    lab.pauses(0.2)
    with server.stands_still():
        for peer in gone:
            peer.ends()
            peer.resets()
    places_are_free(lab, server, "that ended their side and then reset, with replies unread")
    lab.says("another 12 ask for much, and close without having read it")
    gone = [lab.connects(server, quietly=True, receive_buffer=2048, segment=536) for _ in range(12)]
    for peer in gone:
        peer.sends(frame(b"get big\n") * 20, may_fail=True)
    lab.pauses(0.2)
    for peer in gone:
        peer.closes()
    places_are_free(lab, server, "that closed with replies unread")
    lab.clients.misbehaving(server).floods(12, struct.pack("!I", 1 << 30)).are_ended(within=5)
    places_are_free(lab, server, "that went on sending after 'error too long'")


def places_are_free(lab: Scene, server: Server, whose: str) -> None:
    """12 clients are served at once."""
    peers = [lab.connects(server, quietly=True) for _ in range(12)]
    for peer in peers:
        peer.sends_frame(b"list\n")
    served: set[Peer] = set()

    def all_are() -> bool:
        served.update(peer for peer in peers if peer not in served and peer.sips(100))
        return len(served) == len(peers)

    lab.expect(
        lab.waits_until(all_are, within=4),
        f"the places of clients {whose} are free again",
        expected="12 clients are served at once",
        seen=f"{len(served)} of 12",
        otherwise=f"places of clients {whose} are not given back",
    )
    for peer in peers:
        peer.closes()


def test_gone_clients_cost_no_cpu(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    for _ in range(5):
        peer = lab.connects(server, quietly=True)
        peer.sends_frame(b"list\n")
        peer.reads_frame()
        peer.ends()
    idle = lab.connects(server, name="a client that stays")
    idle.sends_frame(b"list\n")
    idle.reads_frame()
    lab.pauses(0.2)
    before = lab.kernel.usage().cpu_seconds
    lab.pauses(0.8)
    used = lab.kernel.usage().cpu_seconds - before
    lab.expect(
        used < 0.2,
        "nothing to do costs no CPU",
        expected="next to none",
        seen=f"{used:.2f} s in 0.8 s",
        otherwise="the server used CPU after its clients had left",
    )


def test_restarts_while_old_connections_linger(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    old = lab.connects(server, name="a client that stays")
    old.sends_frame(b"list\n")
    old.reads_frame()
    server.terminates(within=2, status=0)
    again = lab.serves("mailbox_server", at=f"0.0.0.0:{server.address.port}")
    peer = lab.connects(again)
    peer.sends_frame(b"list\n")
    answer = peer.reads_frame()
    lab.expect_same(
        answer,
        b"ok\n",
        "the new server serves on the same port",
        otherwise="a server that was started again on the same port answered wrongly",
    )


def test_the_last_answer_arrives_whole(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    lab.says("a frame that is too long, and a moment later something behind it")
    late = lab.connects(server, segment=1448, name="a client that speaks late")
    late.sends(struct.pack("!I", 1 << 30))
    lab.pauses(0.3)
    late.sends(b"x" * 100, b"y" * 100, apart=0.1)
    late.reads_exactly(frame(b"error too long\n"))
    late.sees_end()
    lab.says("a frame that is too long, with much behind it that nobody will read")
    for _ in range(3):
        peer = lab.connects(server)
        peer.sends(struct.pack("!I", 1 << 30) + b"x" * 30_000, may_fail=True)
        peer.ends()
        answer = peer.reads_frame()
        lab.expect_same(
            answer,
            b"error too long\n",
            "the reply 'error too long' arrives",
            otherwise="the reply 'error too long' was lost when the connection ended",
        )
        peer.sees_end()


def test_half_close_with_answers_pending(lab: Scene) -> None:
    lab.link("campus")
    server = lab.serves("mailbox_server")
    peer = lab.connects(server, receive_buffer=8192)
    data = lab.random_bytes(50_000)
    peer.sends_frame(b"put n\n" + data)
    peer.reads_frame()
    peer.sends(frame(b"get n\n") * 30)
    peer.ends()
    lab.pauses(0.2)
    for _ in range(30):
        answer = peer.reads_frame()
        lab.expect_same(
            answer,
            b"ok\n" + data,
            "all 30 answers come whole after the half-close",
            otherwise="a reply did not come whole after the half-close",
        )
    peer.sees_end()


def test_ends_with_clients_inside(lab: Scene) -> None:
    lab.says("a server at which nobody has ever been")
    alone = lab.serves("mailbox_server")
    lab.pauses(0.2)
    alone.terminates(within=2, status=0)
    server = lab.serves("mailbox_server", "--max-clients", 4)
    inside = [lab.connects(server, name=f"client {number}") for number in (1, 2, 3)]
    for peer in inside:
        peer.sends_frame(b"put n\n" + bytes(60_000))
        peer.reads_frame()
    lab.says("one is inside a frame, one is silent, one does not read, one goes on sending, and one waits for a place")
    inside[0].sends(b"\x00\x00")
    deaf = lab.connects(server, receive_buffer=2048, segment=536, name="a client that does not read")
    deaf.sends(frame(b"get n\n") * 40, may_fail=True)
    pumping = inside[2].sends_in_background(frame(b"put m\n" + bytes(60_000)) * 400)
    waiting = lab.connects(server, name="a waiting client")
    waiting.sends_frame(b"list\n")
    lab.pauses(0.2)
    server.terminates(within=2, status=0)
    for peer in (*inside, deaf):
        peer.sees_reset_or_end()
    pumping.join(5)
