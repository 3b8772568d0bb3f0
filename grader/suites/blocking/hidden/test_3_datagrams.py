"""Stage 3: the same two programs over datagrams, which may be lost, doubled, or come from a stranger."""

import itertools
from datetime import UTC, datetime

from harness.testing import Profile, Scene


def parsed(lab: Scene, answer: bytes) -> datetime:
    """The time that an answer tells. That a CR stands before its LF has a check of its own."""
    line = answer.decode("latin-1").removesuffix("\n").removesuffix("\r")
    try:
        return datetime.strptime(line, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        lab.expect(
            False,
            "the answer is one line YYYY-MM-DDTHH:MM:SSZ, CR, LF",
            seen=answer,
            otherwise="the answer is not one line YYYY-MM-DDTHH:MM:SSZ, CR, LF",
        )
        raise


def test_a_stranger_is_not_believed(lab: Scene) -> None:
    udp = lab.listens_udp()
    client = lab.runs("daytime_client", udp.address, "--timeout", "1.5", "--tries", "1")
    _, sender = udp.receives()
    stranger = udp.stranger()
    stranger.answers(sender, b"a lie\r\n")
    stranger.answers(sender, b"another lie\r\n")
    lab.pauses(0.1)
    truth = lab.random_bytes(20).hex().encode() + b"\r\n"
    udp.answers(sender, truth)
    udp.answers(sender, b"again\r\n")
    client.prints(truth)
    client.exits(0)


def test_only_a_stranger_answers(lab: Scene) -> None:
    udp = lab.listens_udp()
    client = lab.runs("daytime_client", udp.address, "--timeout", "0.5", "--tries", "2")
    stranger = udp.stranger()
    _, sender = udp.receives()
    begun = lab.now()
    lab.says("the stranger sends something every 0.2 s: that must not lengthen the wait")
    while client.runs() and lab.now() - begun < 4:
        stranger.answers(sender, b"a lie\r\n")
        lab.pauses(0.2)
    client.exits(5)
    client.says_why()
    lab.expect(
        lab.now() - begun < 2.5,
        "2 tries of 0.5 s are over in time",
        seen=f"{lab.now() - begun:.1f} s",
        otherwise="the client went on waiting after 2 tries of 0.5 s",
    )
    lab.expect_same(
        client.stdout, b"", "a stranger's answer is not printed", otherwise="the client printed a stranger's answer"
    )


def test_a_large_datagram_is_printed_whole(lab: Scene) -> None:
    udp = lab.listens_udp()
    for size in (0, 1400, 9000, 65_507):
        data = lab.random_bytes(size)
        client = lab.runs("daytime_client", udp.address)
        _, sender = udp.receives()
        udp.answers(sender, data)
        client.prints(data)
        client.exits(0)


def test_tries_are_bounded_and_spaced(lab: Scene) -> None:
    usual = lab.listens_udp()
    lab.says("beside all that, a client without options: 3 tries of 1 s")
    plain = lab.runs("daytime_client", usual.address)
    usual.receives()
    begun = lab.now()
    udp = lab.listens_udp()
    client = lab.runs("daytime_client", udp.address, "--timeout", "0.4", "--tries", "4")
    times = []
    for _ in range(4):
        asked, _ = udp.receives(within=3)
        times.append(lab.now())
        lab.expect_same(
            asked, b"", "it asks with an empty datagram", otherwise="the client did not ask with an empty one"
        )
    client.exits(5)
    udp.hears_nothing(for_=0.3)
    _every(lab, [*times, lab.now() - 0.3], 0.4)
    plain.exits(5)
    took = lab.now() - begun
    for _ in range(2):
        usual.receives()
    usual.hears_nothing(for_=0.05)
    lab.expect(2.7 < took < 4.5, "1 s each", seen=f"{took:.1f} s", otherwise="3 tries did not take 1 s each by default")
    lab.says("an answer to an earlier try is an answer")
    patient = lab.runs("daytime_client", udp.address, "--timeout", "0.5", "--tries", "3")
    _, first = udp.receives()
    udp.receives(within=3)
    udp.receives(within=3)
    lab.pauses(0.25)
    udp.answers(first, b"to the first\r\n")
    patient.prints(b"to the first\r\n")
    patient.exits(0)
    lab.says("options that are no numbers of seconds and tries")
    for option, value in (("timeout", "0"), ("timeout", "nan"), ("timeout", "soon"), ("tries", "0"), ("tries", "1.5")):
        client = lab.runs("daytime_client", udp.address, f"--{option}", value)
        client.exits(2)
    udp.hears_nothing(for_=0.1)


def _every(lab: Scene, times: list[float], seconds: float) -> None:
    """So long from each moment to the next, and not twice as long."""
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    lab.expect(
        all(0.75 * seconds < gap < 1.9 * seconds for gap in gaps),
        f"there is a try every {seconds:g} s, and as long a wait after the last",
        seen=[f"{gap:.2f} s" for gap in gaps],
        otherwise=f"the tries did not come every {seconds:g} s, or the client did not wait as long after the last",
    )


def test_the_second_request_is_lost_too(lab: Scene) -> None:
    lab.link(up=Profile(loss=1.0))
    lab.says("the link loses everything the client sends, for 0.7 s")
    udp = lab.listens_udp()
    client = lab.runs("daytime_client", udp.address, "--timeout", "0.3", "--tries", "9")
    lab.pauses(0.7)
    lab.link("campus")
    _, sender = udp.receives(within=4)
    udp.answers(sender, b"not the first time\r\n")
    client.prints(b"not the first time\r\n")
    client.exits(0)


def test_client_over_ipv6(lab: Scene) -> None:
    udp = lab.listens_udp(family=6)
    client = lab.runs("daytime_client", udp.address)
    _, sender = udp.receives()
    udp.answers(sender, b"six\r\n")
    client.prints(b"six\r\n")
    client.exits(0)


def test_nobody_there_is_no_answer(lab: Scene) -> None:
    lab.says("an ICMP error is no answer yet: the client tries on and gives up in the end")
    begun = lab.now()
    client = lab.runs("daytime_client", lab.nobody("udp"), "--timeout", "0.4", "--tries", "3")
    client.exits(5)
    took = lab.now() - begun
    lab.expect(
        took > 1.1,
        "each try lasts 0.4 s, error or not",
        expected="after 1.2 s",
        seen=f"after {took:.1f} s",
        otherwise="the client gave up before its tries were over",
    )
    udp = lab.listens_udp()
    good = lab.runs("daytime_client", udp.address)
    _, sender = udp.receives()
    udp.answers(sender, b"here\r\n")
    good.prints(b"here\r\n")


def test_server_answers_whoever_asks(lab: Scene) -> None:
    server = lab.serves("daytime_server", at="udp:[::]:0")
    peers = [lab.datagrams(server) for _ in range(20)]
    for number, peer in enumerate(peers):
        peer.sends(lab.random_bytes(number * 60))
    for peer in peers:
        answer, sender = peer.receives()
        otherwise = "an answer came from another address than the one that was asked"
        lab.expect_same(sender, peer.target, "it comes from where it was asked", otherwise=otherwise)
        said = parsed(lab, answer)
        off = abs((datetime.now(UTC) - said).total_seconds())
        lab.expect(
            off < 4,
            "the answer is the time of now",
            seen=answer,
            otherwise="the answer is another time than that of now",
        )
    server.keeps_running()


def test_server_outlives_a_client_that_left(lab: Scene) -> None:
    server = lab.serves("daytime_server", at="udp:0.0.0.0:0")
    for _ in range(3):
        gone = lab.datagrams(server)
        gone.sends(b"")
        gone.dismiss()
    peer = lab.datagrams(server)
    peer.sends(b"still there?")
    answer, _ = peer.receives()
    parsed(lab, answer)
    peer.hears_nothing(for_=0.2)
    lab.kernel.finds_idle(server, for_=0.5, at_most=0.2)
    server.terminates()
    server.prints(f"listening on {server.address}\n".encode())
    lab.runs("daytime_server", "udp:192.0.2.1:0").exits(3)
