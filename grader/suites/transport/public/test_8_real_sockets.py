"""Stage 8: the same connection on real sockets, with itself on two machines, and with a peer made by hand."""

from harness.testing import Profile, Scene


def test_a_file_arrives(lab: Scene) -> None:
    data = b"\n\0 \r\n" + lab.random_bytes(20_000) + b"\r\n \0\n"  # any bytes: nothing is white space here
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0", node="second")
    sender = lab.runs("rdt_send", lab.address_of(receiver), stdin=data)
    receiver.prints(data, within=10, sent_by=sender)
    receiver.exits(0, within=6)
    sender.exits(0, within=6)
    lab.transport.came_over_the_link(receiver)
    lab.transport.keeps_the_rules(sender, stage=3)


def test_an_empty_file(lab: Scene) -> None:
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0", node="second")
    sender = lab.runs("rdt_send", lab.address_of(receiver), stdin=b"")
    receiver.prints(b"", within=5, sent_by=sender)
    receiver.exits(0, within=6)


def test_segments_are_lost(lab: Scene) -> None:
    lab.says("the first SYN, the sixth datagram of the sender and the third of the receiver are lost")
    lab.link("a few lost", up=Profile(delay=0.005, drop=(0, 5)), down=Profile(delay=0.005, drop=(2,)))
    data = lab.random_bytes(12_000)
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0", node="second")
    sender = lab.runs("rdt_send", lab.address_of(receiver), stdin=data)
    receiver.prints(data, within=15, sent_by=sender)
    receiver.exits(0, within=6)
    lab.transport.came_over_the_link(receiver)


def test_strangers_are_ignored(lab: Scene) -> None:
    data = lab.random_bytes(500)
    receiver = lab.serves("rdt_recv", at="udp:0.0.0.0:0")
    peer = lab.transport.by_hand(receiver)
    peer.connects()
    stranger = peer.stranger()
    stranger.says(ack=True, payload=b"forged")
    stranger.says(ack=True, rst=True)
    stranger.says(syn=True)
    stranger.hears_nothing(for_=0.3)
    peer.sends(data)
    peer.sends(data[::-1], fin=True)
    fin = peer.hears("a FIN", lambda seg: seg.fin)
    peer.ends_with(fin)
    receiver.prints(data + data[::-1])
    receiver.exits(0)


def test_both_ways_at_once(lab: Scene) -> None:
    up, down = lab.random_bytes(60_000), lab.random_bytes(45_000)
    listener = lab.serves("rdt_pipe", at="udp:0.0.0.0:0", flags=["--listen"], node="second", stdin=down)
    connector = lab.runs("rdt_pipe", lab.address_of(listener), stdin=up)
    listener.prints(up, within=15, sent_by=connector)
    connector.prints(down, within=15)
    lab.transport.came_over_the_link(listener)
    lab.transport.came_over_the_link(connector)


def test_refused_and_reset(lab: Scene) -> None:
    peer = lab.transport.by_hand()
    refused = lab.runs("rdt_send", peer.address)
    first = peer.hears_the_syn()
    peer.says(rst=True, ack=True, sequence=0)
    refused.exits(3)
    peer = lab.transport.by_hand()
    sender = lab.runs("rdt_send", peer.address)
    second = peer.accepts()
    lab.expect(
        first.sequence != second.sequence,
        "the initial number is another one each time",
        otherwise="two connections began with the same number",
    )
    sender.keeps_running()
    peer.says(rst=True, ack=True)
    sender.exits(4)
