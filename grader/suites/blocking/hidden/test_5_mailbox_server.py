"""Stage 5: mailbox_server serves many clients at once, a thread for each, with one state behind a lock."""

import re
import struct
import threading

from harness.testing import Broken, Peer, Scene, Server

#: Bodies of which none is a request (rule 5.4).
MALFORMED = [
    b"",
    b"list",
    b"shout\n",
    b"get\n",
    b"get a b\n",
    b"get " + b"x" * 65 + b"\n",
    b"put a/b\nx",
    b"\xff\xfe\n",
    b"PUT n\nx",
    b"put \nx",
    b"\n",
    b"get \xc3\xbc\n",
    b"list\r\n",
    b"whoami \n",
    b" list\n",
    b"get  n\n",
    b"get n \n",
    b"get n\r\n",
    b"get\tn\n",
    b"get n\x0b\n",
    b"put n\r\nx",
    b"list\nx",
    b"get n\n\n",
]


def frame(body: bytes) -> bytes:
    """A body with its length before it."""
    return struct.pack("!I", len(body)) + body


def asks(peer: Peer, request: bytes) -> bytes:
    """One request, one answer."""
    peer.sends_frame(request)
    return peer.reads_frame()


def test_malformed_requests(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    peer = lab.connects(server)
    asks(peer, b"put n\nkept")
    for request in MALFORMED:
        answer = asks(peer, request)
        lab.expect(
            answer.startswith(b"error "),
            f"{request[:20]!r} is an error",
            seen=answer,
            otherwise=f"{request[:20]!r} was taken for good",
        )
        lab.expect(
            re.fullmatch(rb"error [ -~]+\n", answer),
            "the reply is 'error ', a reason and LF",
            seen=answer,
            otherwise=f"{request[:20]!r} was answered an error, but not with one line of printable ASCII and its LF",
        )
        answer = asks(peer, b"get n\n")
        lab.expect_same(
            answer, b"ok\nkept", "the connection goes on", otherwise="the connection was of no use after an error"
        )


def test_put_replaces_and_get_leaves(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    peer = lab.connects(server)
    asks(peer, b"put N\nanother name")
    for value in (b"one", b"two, longer", b"3", b" \r\n\0", b"\n", b"\n\n x\n"):
        asks(peer, b"put n\n" + value)
        for _ in range(2):
            answer = asks(peer, b"get n\n")
            lab.expect_same(
                answer,
                b"ok\n" + value,
                "get gives the last message that was put, however often",
                otherwise="get did not give the message that was put last",
            )
    answer = asks(peer, b"get N\n")
    lab.expect_same(answer, b"ok\nanother name", "n and N are two names", otherwise="n and N were taken for one name")
    for name in (b"-", b".", b"..", b"-x", b"_"):
        answers = [asks(peer, b"put " + name + b"\n" + name), asks(peer, b"get " + name + b"\n")]
        otherwise = f"{name.decode()!r} is a name like any other, and was not taken for one"
        lab.expect_same(answers, [b"ok\n", b"ok\n" + name], f"{name.decode()!r} is a name", otherwise=otherwise)


def test_whoami_over_ipv6(lab: Scene) -> None:
    server = lab.serves("mailbox_server", at="[::]:0")
    for number in range(3):
        peer = lab.connects(server, name=f"client {number}")
        answer = asks(peer, b"whoami\n")
        client, here = lab.five_tuple(peer)
        expected = f"ok\ntcp {client.host} {client.port} {here.host} {here.port}\n".encode()
        otherwise = "whoami over IPv6 was answered other addresses than those of the connection"
        lab.expect_same(answer, expected, "whoami is the connection's 5-tuple", otherwise=otherwise)


def test_where_it_listens(lab: Scene) -> None:
    server = lab.serves("mailbox_server", "--max-clients", 8, at="unix:mail.sock")
    peer = lab.connects(server, name="a client that stays")
    asks(peer, b"put n\nx")
    asks(peer, b"nothing of this kind\n")
    lab.says("other servers, at the same socket, at a port that is taken and at an address of another machine")
    taken = lab.serves("mailbox_server", "--max-clients", 8)
    for at in ("unix:mail.sock", f"0.0.0.0:{taken.address.port}", "192.0.2.1:0"):
        second = lab.runs("mailbox_server", at, "--max-clients", 8)
        second.exits(3)
        second.says_why()
    answer = asks(lab.connects(server), b"get n\n")
    lab.expect_same(
        answer, b"ok\nx", "the first server goes on", otherwise="another server took the socket of one that runs"
    )
    server.terminates()
    lab.expect(
        lab.kind_of("mail.sock") == "missing",
        "the socket's file is removed at the end",
        otherwise="the server left the file of its Unix socket behind: SIGTERM came while clients were connected",
    )
    server.prints(b"listening on unix:mail.sock\n")
    killed = lab.serves("mailbox_server", "--max-clients", 8, at="unix:mail.sock")
    killed.signal(9)
    killed.exits(-9)
    asks(lab.connects(lab.serves("mailbox_server", "--max-clients", 8, at="unix:mail.sock")), b"list\n")


def test_unix_socket(lab: Scene) -> None:
    server = lab.serves("mailbox_server", at="unix:mail.sock")
    peer = lab.connects(server)
    answer = asks(peer, b"put a\nx")
    lab.expect_same(
        answer,
        b"ok\n",
        "a put over a Unix socket is answered",
        otherwise="a put over a Unix socket was not answered 'ok'",
    )
    answer = asks(peer, b"whoami\n")
    lab.expect_same(
        answer,
        b"ok\nunix\n",
        "whoami over a Unix socket answers unix",
        otherwise="whoami over a Unix socket was not answered 'unix'",
    )
    peer.closes()
    server.terminates()
    lab.expect(
        lab.kind_of("mail.sock") == "missing",
        "the socket's file is removed at the end",
        otherwise="the server left the file of its Unix socket behind when SIGTERM ended it",
    )


def test_no_client_stalls_another(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    peer = lab.connects(server)
    asks(peer, b"put big\n" + lab.random_bytes(60_000))
    greedy = lab.connects(server, receive_buffer=4096, name="a client that asks and never reads")
    greedy.sends_what_fits(frame(b"get big\n") * 400)
    slow = lab.connects(server, name="a client that stops inside a frame")
    slow.sends(b"\x00\x00")
    for number in range(20):
        other = lab.connects(server, quietly=True)
        answer = asks(other, b"put k%d\nx" % number)
        lab.expect_same(
            answer,
            b"ok\n",
            "others are served while a client does not read",
            otherwise="a client was answered wrongly while another one did not read",
        )
        other.closes()


def test_client_n_plus_1_waits(lab: Scene) -> None:
    for words in (("--max-clients", "0"), ("--max-clients", "many"), ("--idle", "0"), ("--idle", "soon")):
        lab.runs("mailbox_server", "0.0.0.0:0", *words).exits(2)
    server = lab.serves("mailbox_server", "--max-clients", 2)
    first, second = lab.connects(server, name="the first"), lab.connects(server, name="the second")
    for peer in (first, second):
        answer = asks(peer, b"list\n")
        lab.expect_same(
            answer, b"ok\n", "two are served at once", otherwise="two clients fit, and one of them was not served"
        )
    third = lab.connects(server, name="the third")
    third.sends_frame(b"list\n")
    third.hears_nothing(for_=0.4)
    first.closes()
    answer = third.reads_frame()
    lab.expect_same(
        answer,
        b"ok\n",
        "the third client is served once one has left",
        otherwise="a client that waited for a place was answered something else once another one had left",
    )
    answer = asks(second, b"list\n")
    lab.expect_same(
        answer,
        b"ok\n",
        "the second is still served",
        otherwise="a client was answered wrongly after another one had left",
    )
    lab.says("whoever was sent away and has not ended its side keeps its place until the connection is over")
    second.sends(b"\xff\xff\xff\xff")
    second.reads_frame()
    second.sees_end()
    fourth = lab.connects(server, name="the fourth")
    fourth.sends_frame(b"list\n")
    fourth.hears_nothing(for_=0.3)
    second.closes()
    fourth.reads_frame()
    _100_at_a_time(lab)


def _100_at_a_time(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    lab.says("100 clients, all of whom stay, and one more")
    inside = all_served_at_once(lab, server, 100)
    late = lab.connects(server, name="number 101")
    late.sends_frame(b"list\n")
    late.hears_nothing(for_=0.3)
    inside[0].closes()
    answer = late.reads_frame()
    lab.expect_same(answer, b"ok\n", "number 101 is served then", otherwise="number 101 was answered wrongly")
    for peer in (*inside, late):
        peer.closes()
    server.terminates()
    lab.says("110 clients of a server that is told to serve so many")
    all_served_at_once(lab, lab.serves("mailbox_server", "--max-clients", 110), 110)


def all_served_at_once(lab: Scene, server: Server, count: int) -> list[Peer]:
    """So many clients, all of whom stay, and each is answered."""
    peers = [lab.connects(server, quietly=True) for _ in range(count)]
    otherwise = f"fewer than {count} clients were served at a time"
    for peer in peers:
        peer.sends_frame(b"list\n")
        served = lab.waits_until(lambda peer=peer: peer.sips(0x100) == frame(b"ok\n"), within=3)
        lab.expect(served, f"each of {count} is served", otherwise=otherwise)
    return peers


def test_64_wait_for_a_place(lab: Scene) -> None:
    server = lab.serves("mailbox_server", "--max-clients", 1)
    occupant = lab.connects(server, name="the occupant")
    asks(occupant, b"list\n")
    peers = lab.clients.queue_up(server, 64)
    for peer in peers:
        peer.sends_frame(b"list\n")
    lab.says("64 clients have connected and asked; the occupant stays for another 1.2 s")
    lab.pauses(1.2)
    early = [peer for peer in peers if peer.sips(1) is not None]
    lab.expect(
        not early,
        "nobody is answered or sent away while the place is taken",
        seen=f"{len(early)} of 64 were",
        otherwise="clients that wait for a place were answered or sent away before there was one",
    )
    occupant.closes()
    lab.says("each leaves as soon as it has its answer, in whatever order they are served")
    waiting = dict.fromkeys(peers, b"")
    while waiting and lab.waits_until(lambda: _next_answer(waiting), within=5):
        pass
    lab.expect(
        not waiting,
        "all 64 that waited are answered",
        seen=f"{64 - len(waiting)} of 64",
        otherwise="not all of the 64 clients that waited for a place were served",
    )


def _next_answer(waiting: dict[Peer, bytes]) -> bool:
    """Read what is there; whoever has its answer leaves. Whether one has left."""
    before = len(waiting)
    for peer in list(waiting):
        waiting[peer] += peer.sips(100) or b""
        if waiting[peer] == frame(b"ok\n"):
            peer.closes()
            del waiting[peer]
    return len(waiting) < before


def test_list_while_others_put(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    peer = lab.connects(server, quietly=True)
    lab.says("900 names are put, then two clients put new ones while two list, for about a second")
    peer.sends(b"".join(frame(b"put name-%04d\nx" % number) for number in range(900)))
    for _ in range(900):
        peer.reads_frame()
    troubles: list[str] = []
    until = lab.now() + 1.0

    def puts(which: int) -> None:
        client, number = lab.connects(server, quietly=True), 0
        while lab.now() < until:
            asks(client, b"put new-%d-%d\nx" % (which, number % 100))
            asks(client, b"put again-%d-%d\nx" % (which, number))
            number += 1

    def lists() -> None:
        client = lab.connects(server, quietly=True)
        while lab.now() < until:
            answer = asks(client, b"list\n")
            names = answer.removeprefix(b"ok\n").split(b"\n")[:-1]
            if answer != b"error too long\n" and (names != sorted(names) or len(names) < 900):
                troubles.append(f"a list of {len(names)} names")

    def guarded(work, *words) -> None:  # type: ignore[no-untyped-def]
        try:
            work(*words)
        except Broken as broken:
            troubles.append(broken.message)

    jobs = [(puts, 1), (puts, 2), (lists,), (lists,)]
    threads = [threading.Thread(target=guarded, args=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(8)
    lab.expect(
        not troubles, "every list is whole", seen="; ".join(troubles[:3]), otherwise="a list or an answer was cut"
    )


def test_one_bad_client_is_nobody_elses_problem(lab: Scene) -> None:
    server = lab.serves("mailbox_server")
    good = lab.connects(server, name="a patient client")
    asks(good, b"put n\nkept")
    rubbish = (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x00\x00\x28put half\nof it",
        b"\xff" * 100,
        b"\x00" * 4000,
        b"\x00\x00",
    )
    for ending in ("resets", "closes"):
        bad = [lab.connects(server, name=f"client {number} that sends rubbish") for number in range(len(rubbish))]
        for peer, junk in zip(bad, rubbish, strict=True):
            peer.sends(junk, may_fail=True)
        lab.pauses(0.1)
        with server.stands_still():
            for peer in bad:
                getattr(peer, ending)()
        answer = asks(good, b"get n\n")
        lab.expect_same(
            answer,
            b"ok\nkept",
            "the patient client is served",
            otherwise="a client was answered wrongly after others had sent rubbish and left",
        )
        lab.says("new clients, as many as have left: nothing of what those had sent is taken for theirs")
        for peer in [lab.connects(server, name="a new client") for _ in rubbish]:
            answer = asks(peer, b"list\n")
            lab.expect_same(
                answer,
                b"ok\nn\n",
                "a new client is served",
                otherwise="a new client was not answered as it asked: what another one had sent before was in the way",
            )
