"""Stage 1: daytime_client reads a stream to its end."""

from harness.testing import Scene


def test_prints_one_answer(lab: Scene) -> None:
    server = lab.listens()
    client = lab.runs("daytime_client", server.address)
    peer = server.accepts()
    peer.sends(b"2026-09-01T08:00:00Z\r\n")
    peer.ends()
    client.prints(b"2026-09-01T08:00:00Z\r\n")
    client.exits(0)


def test_reads_to_the_end_of_the_stream(lab: Scene) -> None:
    pieces = [lab.random_bytes(n) for n in (1, 2, 3, 500, 1)]
    server = lab.listens()
    client = lab.runs("daytime_client", server.address)
    peer = server.accepts()
    peer.sends(*pieces, apart=0.03, may_fail=True)
    peer.ends()
    client.prints(b"".join(pieces))
    client.exits(0)


def test_cannot_connect(lab: Scene) -> None:
    lab.says("first an address where somebody listens, then one where nobody does")
    server = lab.listens()
    client = lab.runs("daytime_client", server.address)
    server.accepts().ends()
    client.exits(0)
    refused = lab.runs("daytime_client", lab.nobody())
    refused.prints(b"")
    refused.exits(3)


def test_ipv6(lab: Scene) -> None:
    server = lab.listens(family=6)
    client = lab.runs("daytime_client", server.address)
    peer = server.accepts()
    peer.sends(b"version six\n")
    peer.ends()
    client.prints(b"version six\n")
    client.exits(0)
