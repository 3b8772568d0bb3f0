"""Stage 2: daytime_server answers one client at a time and outlives them all."""

import re
import signal
import threading
import time
from datetime import UTC, datetime

from harness.testing import Scene, Server

LINE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\r?\n")


def check_time(lab: Scene, answer: bytes) -> None:
    """The answer is one line with the time of now. That a CR stands before its LF has a check of its own."""
    lab.expect(
        LINE.fullmatch(answer),
        "the answer is one line YYYY-MM-DDTHH:MM:SSZ, CR, LF",
        seen=answer,
        otherwise="the answer is not one line YYYY-MM-DDTHH:MM:SSZ, CR, LF",
    )
    try:
        said = datetime.strptime(answer.decode().rstrip(), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        lab.expect(
            False,
            "the answer is a time that there is",
            seen=answer,
            otherwise="the answer looks like a time and is none: there is no such date or hour",
        )
        raise
    off = abs((datetime.now(UTC) - said).total_seconds())
    lab.expect(
        off < 4,
        "the answer is the time of now, in UTC",
        expected="within 4 s",
        seen=f"{off:.0f} s off",
        otherwise="the answer is another time than that of now, in UTC",
    )


def check_moment(lab: Scene, server: Server) -> None:
    """It tells the moment when it answers, and not the one when it began to wait for this client."""
    asked = int(time.time() - 0.1)  # time(2) may be a tick behind
    answer = lab.connects(server).reads_to_end()
    check_time(lab, answer)
    said = datetime.strptime(answer.decode().rstrip(), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    lab.expect(
        said.timestamp() >= asked,
        "it is the time of the answer",
        seen=f"{asked - said.timestamp():.0f} s before the client came",
        otherwise="the answer is a time from before the client came",
    )


def is_refused(lab: Scene, at: str, *, stolen: str) -> None:
    """Another server cannot listen there; `stolen` says what it has done if it can."""
    second = lab.runs("daytime_server", at)
    still_runs = second.status(within=5) is None
    lab.expect(not still_runs, f"another server cannot listen at {at}", expected="exit status 3", otherwise=stolen)
    second.exits(3)


def test_utc_wherever_it_runs(lab: Scene) -> None:
    server = lab.serves("daytime_server", env={"TZ": "Asia/Kolkata"})
    check_time(lab, lab.connects(server).reads_to_end())


def test_ipv6(lab: Scene) -> None:
    server = lab.serves("daytime_server", at="[::]:0")
    check_time(lab, lab.connects(server).reads_to_end())


def test_survives_clients_that_vanish(lab: Scene) -> None:
    server = lab.serves("daytime_server")
    for _ in range(20):
        lab.connects(server, quietly=True).resets()
    check_time(lab, lab.connects(server).reads_to_end())
    lab.says("clients that vanish before they are accepted: the server is stopped meanwhile")
    with server.stands_still():
        for _ in range(10):
            lab.connects(server, quietly=True).resets()
    check_time(lab, lab.connects(server).reads_to_end())
    lab.says("clients that send a byte and close: what they are sent is answered by a reset")
    with server.stands_still():
        for _ in range(10):
            peer = lab.connects(server, quietly=True)
            peer.sends(b"x")
            peer.closes()
    check_time(lab, lab.connects(server).reads_to_end())
    lab.says("clients that end their side, and reset the connection after that")
    with server.stands_still():
        for number in range(10):
            peer = lab.connects(server, quietly=True)
            peer.sends(b"x" * number, may_fail=True)
            peer.ends()
            peer.resets()
    check_time(lab, lab.connects(server).reads_to_end())
    server.keeps_running()


def test_where_it_listens(lab: Scene) -> None:
    server = lab.serves("daytime_server")
    check_time(lab, lab.connects(server).reads_to_end())
    server.terminates()
    server.prints(f"listening on {server.address}\n".encode())
    first = lab.serves("daytime_server", at="127.0.0.1:0")
    lab.says("at another address of the same machine the same port is free for somebody else")
    other = lab.runs("daytime_server", f"127.0.0.3:{first.address.port}")
    lab.waits_until(lambda: b"listening on" in other.stdout or not other.runs())
    otherwise = "a server that was told to listen at 127.0.0.1 has taken the port of other addresses, too"
    lab.expect(other.runs(), "another server listens at 127.0.0.3", seen=other.ending(), otherwise=otherwise)
    lab.says("an address that is not of this machine")
    stranger = lab.runs("daytime_server", "192.0.2.1:0")
    stranger.exits(3)
    stranger.says_why()


def test_many_come_and_go(lab: Scene) -> None:
    server = lab.serves("daytime_server", files=100)
    lab.says("150 clients, one after the other; nothing that the server makes for one may be left for the next")
    for _ in range(150):
        peer = lab.connects(server, quietly=True)
        answer = peer.reads_to_end()
        if not LINE.fullmatch(answer):
            check_time(lab, answer)
        peer.closes()
    check_time(lab, lab.connects(server).reads_to_end())


def test_unread_input_does_not_destroy_the_answer(lab: Scene) -> None:
    server = lab.serves("daytime_server")
    lab.says("one client says something a moment after it was answered, and reads after that")
    late = lab.connects(server, segment=1448, name="a client that speaks late")
    lab.pauses(0.3)
    late.sends(b"thank ", b"you\r\n", apart=0.1)
    check_time(lab, late.reads_line())
    late.sees_end()
    late.closes()
    lab.says("the server is stopped while clients send, so that their bytes lie unread when it answers")
    with server.stands_still():
        peers = [lab.connects(server, name=f"client {number}") for number in (1, 2, 3)]
        for peer in peers:
            peer.sends(b"what time is it?\r\n" * 200)
    for peer in peers:
        check_time(lab, peer.reads_line())
        peer.sees_end()
        peer.closes()


def test_64_clients_wait(lab: Scene) -> None:
    server = lab.serves("daytime_server")
    for peer in lab.clients.queue_up(server, 64):
        check_time(lab, peer.reads_to_end(within=8))
        peer.closes()


def test_unix_socket_file_comes_and_goes(lab: Scene) -> None:
    server = lab.serves("daytime_server", at="unix:day.sock")
    otherwise = "the line says another address than the one that was given"
    lab.expect_same(server.stdout, b"listening on unix:day.sock\n", "it is printed as given", otherwise=otherwise)
    lab.expect(
        lab.kind_of("day.sock") == "socket",
        "the socket's file is there",
        otherwise="the server listens on a Unix socket, and its file is not there",
    )
    check_time(lab, lab.connects(server).reads_to_end())
    server.terminates()
    lab.expect(
        lab.kind_of("day.sock") == "missing",
        "the socket's file is removed at the end",
        otherwise="the server left the file of its Unix socket behind when SIGTERM ended it",
    )
    lab.says("a server that is killed leaves the file; the next one has to get over it")
    killed = lab.serves("daytime_server", at="unix:day.sock")
    killed.signal(signal.SIGKILL)
    killed.exits(-9)
    again = lab.serves("daytime_server", at="unix:day.sock")
    check_time(lab, lab.connects(again).reads_to_end())
    lab.says("a socket of a server that lives is left alone, and so is a file that is none")
    is_refused(lab, "unix:day.sock", stolen="a second server has stolen the socket file of one that runs")
    lab.expect(
        lab.kind_of("day.sock") == "socket",
        "the socket file of a server that runs is left alone",
        otherwise="a second server, which could not listen, removed the socket file of the one that runs",
    )
    check_time(lab, lab.connects(again).reads_to_end())
    file = next(name for name in ("programs.toml", "daytime_server.py") if lab.kind_of(name) == "file")  # a fresh copy
    is_refused(lab, f"unix:{file}", stolen="a server listens where an ordinary file was: it deleted the file")
    lab.expect(
        lab.kind_of(file) == "file",
        "an ordinary file in the way is left alone",
        otherwise="a server that could not listen deleted the ordinary file that was in its way",
    )
    again.terminates()


def test_a_silent_client_holds_it_up_for_2_s_at_most(lab: Scene) -> None:
    server = lab.serves("daytime_server")
    silent = lab.connects(server, name="a client that never ends")
    check_time(lab, silent.reads_line())
    busy = lab.connects(server, name="a client that never ends and sends a byte now and then")
    check_time(lab, busy.reads_line(within=4.5))
    drip = threading.Thread(target=busy.sends, args=[b"x"] * 40, kwargs={"apart": 0.2, "may_fail": True}, daemon=True)
    drip.start()
    last = lab.connects(server, name="the last client")
    check_time(lab, last.reads_to_end(within=4.5))
    last.closes()
    lab.says("SIGTERM comes while the server waits for a client's end")
    check_time(lab, lab.connects(server, name="another client that never ends").reads_line())
    server.terminates(within=2, status=0)


def test_idles_without_cpu(lab: Scene) -> None:
    server = lab.serves("daytime_server")
    peer = lab.connects(server)
    check_time(lab, peer.reads_to_end())
    peer.closes()
    before = lab.kernel.usage().cpu_seconds
    lab.pauses(1.2)
    used = lab.kernel.usage().cpu_seconds - before
    server.keeps_running()
    lab.expect(
        used < 0.2,
        "a server with nothing to do uses no CPU",
        seen=f"{used:.2f} s of CPU in 1.2 s",
        otherwise="the server used CPU with nothing to do",
    )
    check_moment(lab, server)
