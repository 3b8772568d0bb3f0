"""Stage 1: daytime_client reads a stream to its end."""

from harness.testing import Scene


def test_megabytes_over_a_home_link(lab: Scene) -> None:
    lab.link("campus")
    data = lab.random_bytes(3_000_000)
    server = lab.listens()
    client = lab.runs("daytime_client", server.address)
    peer = server.accepts()
    sending = peer.sends_in_background(data)
    client.prints_at_least(len(data), within=8)
    sending.join()
    peer.ends()
    client.prints(data)
    client.exits(0)


def test_prints_bytes_as_they_come(lab: Scene) -> None:
    server = lab.listens()
    client = lab.runs("daytime_client", server.address, "--timeout", "0.2", "--tries", "1")
    peer = server.accepts()
    first, second = lab.random_bytes(700), lab.random_bytes(40)
    peer.sends(first)
    client.has_printed(first, within=2)
    lab.says("the options are for datagrams: a stream may stand still for as long as it likes")
    lab.pauses(5.3)
    peer.sends(second)
    client.has_printed(first + second)
    peer.ends()
    client.prints(first + second)
    client.exits(0)


def test_text_is_not_touched(lab: Scene) -> None:
    data = b"a\r\nb\n\r\x00\xff\xfe\x1a" + bytes(range(256)) + b"no line end"
    server = lab.listens()
    client = lab.runs("daytime_client", server.address)
    peer = server.accepts()
    peer.sends(data[:100], data[100:], apart=0.03, may_fail=True)
    peer.ends()
    client.prints(data)
    client.exits(0)


def test_unix_socket(lab: Scene) -> None:
    server = lab.listens(kind="unix")
    client = lab.runs("daytime_client", server.address)
    peer = server.accepts()
    data = lab.random_bytes(5000)
    peer.sends(data)
    peer.ends()
    client.prints(data)
    client.exits(0)


def test_a_reset_is_not_the_end(lab: Scene) -> None:
    server = lab.listens()
    lab.says("a connection that ends cleanly, then one that is reset after the same bytes")
    for ending, status in (("ends", 0), ("resets", 4)):
        client = lab.runs("daytime_client", server.address)
        peer = server.accepts()
        peer.sends(b"half a li")
        client.has_printed(b"half a li")
        getattr(peer, ending)()
        client.exits(status)
    client.says_why()


def test_usage(lab: Scene) -> None:
    server = lab.listens()
    good = lab.runs("daytime_client", server.address)
    server.accepts().ends()
    good.exits(0)
    wrong = ((), ("no-port",), ("127.0.0.1:99999",), ("127.0.0.1:65536",), ("localhost:13",), (server.address, "more"))
    for words in wrong:
        lab.runs("daytime_client", *words).fails(2)


def test_nobody_there(lab: Scene) -> None:
    server = lab.listens(kind="unix")
    good = lab.runs("daytime_client", server.address)
    peer = server.accepts()
    peer.sends(b"here\n")
    peer.ends()
    good.prints(b"here\n")
    good.exits(0)
    lab.expect_same(
        peer.reads_to_end(), b"", "the client has said nothing", otherwise="the client said something to the server"
    )
    server.closes()
    lab.says("a Unix socket at which nobody listens any more, one that is not there, and a port of IPv6")
    for address in (server.address, "unix:there-is-none", lab.nobody(family=6)):
        lab.runs("daytime_client", address).fails(3)
