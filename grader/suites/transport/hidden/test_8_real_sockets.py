"""Stage 8: the reference on the other side of bad links, a solution with itself, and what a program owes its shell."""

import signal

from harness.testing import Profile, Scene

#: A little of everything; three losses in a row at most, so that stop-and-wait is through in time as well.
BAD = Profile(
    delay=0.005, jitter=0.003, loss=0.03, burst_cap=3, duplicate=0.05, corrupt=0.04, reorder=0.1, truncate=0.01
)
#: What a stream may begin and end with, and lose to a program that takes it for text.
EDGE = b"\n\0 \t\r\n\0\v\f \n"
#: Where a megabyte takes half a second, for who has many segments under way.
LONG = Profile(delay=0.010, rate=20_000_000, limit=200)


def test_to_the_reference(lab: Scene) -> None:
    lab.link("a little of everything", up=BAD, down=BAD)
    data = EDGE + lab.random_bytes(24_000) + EDGE
    receiver = lab.transport.peer_serves("rdt_recv")
    sender = lab.runs("rdt_send", lab.address_of(receiver), stdin=data)
    receiver.prints(data, within=25, sent_by=sender)
    receiver.exits(0, within=15)


def test_from_the_reference(lab: Scene) -> None:
    lab.link("a little of everything", up=BAD, down=BAD)
    data = EDGE + lab.random_bytes(24_000) + EDGE
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0")
    sender = lab.transport.peer_runs("rdt_send", lab.address_of(receiver), stdin=data)
    receiver.prints(data, within=25, sent_by=sender)
    receiver.exits(0, within=15)
    lab.transport.came_over_the_link(receiver)


def test_two_megabytes_to_the_reference(lab: Scene) -> None:
    lab.link("20 Mbit/s, 20 ms", up=LONG, down=LONG)
    data = lab.random_bytes(2_000_000)
    receiver = lab.transport.peer_serves("rdt_recv")
    sender = lab.runs("rdt_send", lab.address_of(receiver), stdin=data)
    receiver.prints(data, within=12, sent_by=sender)
    receiver.exits(0, within=5)
    lab.transport.keeps_the_rules(sender, stage=5)


def test_two_megabytes_from_the_reference(lab: Scene) -> None:
    lab.link("20 Mbit/s, 20 ms", up=LONG, down=LONG)
    data = lab.random_bytes(2_000_000)
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0")
    sender = lab.transport.peer_runs("rdt_send", lab.address_of(receiver), stdin=data)
    receiver.prints(data, within=12, sent_by=sender)
    receiver.exits(0, within=5)
    lab.transport.came_over_the_link(receiver)


def test_both_ways_with_the_reference(lab: Scene) -> None:
    lab.link("20 Mbit/s, 20 ms", up=LONG, down=LONG)
    up, down = EDGE + lab.random_bytes(600_000) + EDGE, EDGE + lab.random_bytes(500_000) + EDGE
    listener = lab.transport.peer_serves("rdt_pipe", family=6, flags=["--listen"], stdin=down)
    connector = lab.runs("rdt_pipe", lab.address_of(listener), stdin=up)
    listener.prints(up, within=8, sent_by=connector)
    connector.prints(down, within=8)
    lab.transport.came_over_the_link(connector)
    listener = lab.serves("rdt_pipe", at="udp:[::]:0", flags=["--listen"], stdin=up)
    connector = lab.transport.peer_runs("rdt_pipe", lab.address_of(listener), stdin=down)
    listener.prints(down, within=8, sent_by=connector)
    connector.prints(up, within=8)


def test_against_itself(lab: Scene) -> None:
    lab.link("a little of everything", up=BAD, down=BAD)
    data = lab.random_bytes(300_000)
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0", node="second")
    sender = lab.runs("rdt_send", lab.address_of(receiver), stdin=data)
    receiver.prints(data, within=25, sent_by=sender)
    receiver.exits(0, within=15)
    lab.transport.came_over_the_link(receiver)
    lab.transport.keeps_the_rules(sender, stage=5)


def test_the_sender_knows_its_peer(lab: Scene) -> None:
    peer = lab.transport.by_hand()
    sender = lab.runs("rdt_send", peer.address)
    peer.hears_the_syn()
    stranger = peer.stranger()
    stranger.says(rst=True, ack=True, sequence=0)
    stranger.says(syn=True, ack=True)
    stranger.hears_nothing(for_=0.3)
    peer.accepts()
    stranger = peer.stranger()
    stranger.says(rst=True, ack=True)
    stranger.says(ack=True, fin=True)
    stranger.hears_nothing(for_=0.3)
    sender.keeps_running()
    data = lab.random_bytes(700)
    sender.stdin_sends(data)
    sender.stdin_ends()
    seg = peer.hears("its input", lambda seg: seg.payload)
    lab.expect(
        seg.payload == data,
        "it sends its input",
        expected=f"{len(data)} bytes",
        seen=seg.payload,
        otherwise="the program sent something else than its input",
    )


def test_the_peer_is_who_sends_a_syn(lab: Scene) -> None:
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0")
    early = lab.transport.by_hand(receiver)
    early.says(ack=True, payload=b"too early")
    early.says(ack=True, rst=True)
    early.rings(lab.random_bytes(40))
    lab.pauses(0.2)
    peer = lab.transport.by_hand(receiver)
    peer.connects()
    peer.sends(b"in time", fin=True)
    peer.ends_with(peer.hears("its FIN", lambda seg: seg.fin))
    receiver.prints(b"in time")
    receiver.exits(0)


def test_a_second_client_gets_nothing(lab: Scene) -> None:
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0")
    first = lab.transport.by_hand(receiver)
    first.connects()
    first.sends(b"first ")
    second = lab.transport.by_hand(receiver)
    second.says(syn=True)
    second.says(syn=True)
    second.hears_nothing(for_=0.5)
    first.sends(b"and only", fin=True)
    first.ends_with(first.hears("its FIN", lambda seg: seg.fin))
    receiver.prints(b"first and only")


def test_while_nothing_happens(lab: Scene) -> None:
    listener = lab.serves("rdt_pipe", at="udp:0.0.0.0:0", flags=["--listen"])
    peer = lab.transport.by_hand(listener)
    before = lab.kernel.usage().cpu_seconds
    lab.pauses(0.6)
    peer.connects()
    peer.sends(b"awake?")
    listener.has_printed(b"awake?")
    lab.pauses(0.9)
    spent = lab.kernel.usage().cpu_seconds - before
    lab.expect(
        spent < 0.3,
        "1.5 s of waiting take no computing time",
        expected="< 0.3 s",
        seen=f"{spent:.2f} s",
        otherwise="the program used the processor while nothing happened",
    )
    listener.stdin_sends(b"awake")
    peer.expected = (peer.hears("its answer", lambda seg: seg.payload == b"awake").sequence + 5) % 2**32
    listener.stdin_ends()
    peer.ends_with(peer.hears("its FIN", lambda seg: seg.fin))
    lab.says("its input has ended, and its peer goes on")
    before = lab.kernel.usage().cpu_seconds
    lab.pauses(0.8)
    spent = lab.kernel.usage().cpu_seconds - before
    listener.keeps_running()
    lab.expect(
        spent < 0.15,
        "and so does waiting for the peer when the input has ended",
        expected="< 0.15 s in 0.8 s",
        seen=f"{spent:.2f} s",
        otherwise="the program used the processor while it waited for its peer's end",
    )


def test_the_last_act(lab: Scene) -> None:
    lab.says("the other side ends first, and the program's own FIN is lost")
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0")
    peer = lab.transport.by_hand(receiver)
    peer.connects()
    peer.sends(b"the last bytes", fin=True)
    peer.hears("its FIN", lambda seg: seg.fin)
    peer.ends_with(peer.hears("its FIN again", lambda seg: seg.fin))
    receiver.prints(b"the last bytes")
    receiver.exits(0, within=6)
    peer = lab.transport.by_hand()
    sender = lab.runs("rdt_send", peer.address)
    peer.accepts()
    peer.sends(b"", fin=True)
    sender.stdin_sends(b"after the end of the peer")
    seg = peer.hears("its input, although the peer has ended", lambda seg: seg.payload)
    peer.expected = seg.sequence + len(seg.payload)
    peer.says(ack=True)
    sender.stdin_ends()
    peer.hears("its FIN", lambda seg: seg.fin)
    peer.ends_with(peer.hears("its FIN again", lambda seg: seg.fin))
    sender.exits(0, within=6)
    lab.says("the program ends first, and waits for the other side")
    peer = lab.transport.by_hand()
    sender = lab.runs("rdt_send", peer.address)
    peer.accepts()
    sender.stdin_ends()
    peer.ends_with(peer.hears("its FIN", lambda seg: seg.fin))
    lab.pauses(0.3)
    sender.keeps_running()
    peer.says(rst=True, ack=True)
    sender.exits(4)


def test_sigterm_aborts(lab: Scene) -> None:
    peer = lab.transport.by_hand()
    sender = lab.runs("rdt_send", peer.address)
    peer.accepts()
    sender.signal(signal.SIGTERM)
    peer.hears("an RST", lambda seg: seg.rst, within=2)
    lab.expect(
        sender.status(within=2) is not None,
        "SIGTERM ends it within 2 s",
        otherwise="the program sent an RST at SIGTERM and did not end",
    )
    lab.says("nobody is there yet")
    waiting = lab.serves("rdt_recv", at="udp:0.0.0.0:0")
    unanswered = lab.transport.by_hand()
    calling = lab.runs("rdt_pipe", unanswered.address)
    unanswered.hears_the_syn()
    for program in (waiting, calling):
        program.signal(signal.SIGTERM)
        lab.expect(
            program.status(within=2) is not None,
            "SIGTERM ends a program that has no peer within 2 s, too",
            otherwise="the program waits for its peer and did not end at SIGTERM",
        )


def test_statuses(lab: Scene) -> None:
    lab.says("words that are wrong")
    for program, *words in (
        ("rdt_send",),
        ("rdt_send", "127.0.0.1:9"),
        ("rdt_recv", "udp:127.0.0.1:99999"),
        ("rdt_recv", "udp:127.0.0.1:0", "udp:127.0.0.1:0"),
        ("rdt_pipe", "--listen"),
    ):
        lab.runs(program, *words).exits(2)
    lab.says("an address that this machine does not have")
    lab.runs("rdt_recv", "udp:192.0.2.1:0").exits(3)
    lab.runs("rdt_pipe", "--listen", "udp:192.0.2.1:0").exits(3)
    lab.says("a reset in the middle: what came is printed, and it is not the whole")
    for program, flags in (("rdt_recv", []), ("rdt_pipe", ["--listen"])):
        receiver = lab.serves(program, at="udp:0.0.0.0:0", flags=flags)
        peer = lab.transport.by_hand(receiver)
        peer.connects()
        peer.sends(b"as far as it went")
        receiver.has_printed(b"as far as it went")
        peer.says(rst=True, ack=True)
        receiver.exits(4)


def test_what_nobody_wants(lab: Scene) -> None:
    lab.says("a peer that has more to say than a window holds, to a program that only sends")
    data = EDGE + lab.random_bytes(300) + EDGE
    peer = lab.transport.peer_serves("rdt_pipe", flags=["--listen"], stdin=lab.random_bytes(400_000))
    sender = lab.runs("rdt_send", lab.address_of(peer), stdin=data)
    peer.prints(data, within=8, sent_by=sender)
    peer.exits(0, within=12)
    sender.exits(0, within=8)
    lab.expect(not sender.stdout, "it prints nothing", otherwise="rdt_send printed what its peer sent")
