"""Stage 1: whose layer is it, who reads late, where an address is, what comes last."""

from harness.testing import Profile, Scene

#: 5 % loss, damage and reordering.
BAD = Profile(delay=0.005, jitter=0.003, loss=0.05, burst_cap=3, corrupt=0.02, reorder=0.05)
#: More than the kernel's buffers, two pipes of TLS and a window of the transport hold on the way, in bytes.
MUCH = 64_000_000


def _pages(lab: Scene) -> dict[str, bytes]:
    return {"/a.bin": lab.random_bytes(900), "/b.bin": lab.random_bytes(150_000), "/c.txt": b"the last one\n"}


def test_your_tls_over_the_references_transport(lab: Scene) -> None:
    lab.link("5 % loss, damage, reordering", up=BAD, down=BAD)
    lab.stack.fetches(_pages(lab), transport="the reference's", within=40)


def test_the_references_tls_over_your_transport(lab: Scene) -> None:
    lab.link("5 % loss, damage, reordering", up=BAD, down=BAD)
    lab.stack.fetches(_pages(lab), tls="the reference's", within=40)


def test_who_reads_late(lab: Scene) -> None:
    stack = lab.stack.stands()
    client = stack.connects()
    client.sends(b"please")
    server = stack.behind.accepts(within=20)
    server.reads_exactly(b"please", within=20)
    data = lab.random_bytes(1 << 20) * (MUCH >> 20)
    taken = server.sends_what_fits(data, quiet=1.5)
    lab.expect(
        taken < len(data),
        "a server is held up while its client does not read",
        expected=f"less than {len(data):,} bytes taken",
        seen=f"all {taken:,}",
        otherwise="the stack took more than it can hold: somebody on the way keeps what nobody reads",
    )
    client.reads_exactly(data[:100_000], within=20)


def test_the_servers_side(lab: Scene) -> None:
    lab.says("the web server is at ::1 of its own side; nothing of this address means anything on the client's side")
    lab.stack.fetches({"/here.txt": lab.random_bytes(500)}, family=6)


def test_the_last_bytes(lab: Scene) -> None:
    stack = lab.stack.stands()
    client = stack.connects()
    client.sends(b"GET / HTTP/1.0\r\n\r\n")
    server = stack.behind.accepts(within=20)
    server.reads_exactly(b"GET / HTTP/1.0\r\n\r\n", within=20)
    lab.says("an answer without a length: its end is the end of the connection")
    body = b"HTTP/1.0 200 OK\r\n\r\n" + lab.random_bytes(60_000)
    server.sends(body)
    server.ends()
    client.reads_exactly(body, within=20)
    client.sees_end(within=20)
    client.ends()
    server.sees_end(within=20)
    for end in (stack.near_join, stack.far_join):
        end.exits(0, within=20)


def test_a_cut_is_no_end(lab: Scene) -> None:
    stack = lab.stack.stands()
    client = stack.connects()
    client.sends(b"GET / HTTP/1.0\r\n\r\n")
    server = stack.behind.accepts(within=20)
    server.reads_exactly(b"GET / HTTP/1.0\r\n\r\n", within=20)
    server.sends(b"HTTP/1.0 200 OK\r\n\r\nthe first half of")
    client.reads_exactly(b"HTTP/1.0 200 OK\r\n\r\nthe first half of", within=20)
    lab.says("the transport is cut below TLS, which nobody above must take for an end")
    stack.far_join.signal(15)
    client.sees_reset(within=20)


def test_records_in_pieces(lab: Scene) -> None:
    lab.link("5 % loss, damage, reordering", up=BAD, down=BAD)
    stack = lab.stack.stands()
    client = stack.connects()
    client.sends(*[bytes([byte]) for byte in b"a byte at a time"], apart=0.01)
    server = stack.behind.accepts(within=20)
    server.reads_exactly(b"a byte at a time", within=20)
    for size in (1, 16_384, 16_385, 3):
        data = lab.random_bytes(size)
        server.sends(data)
        client.reads_exactly(data, within=20)
        client.sends(data[::-1])
        server.reads_exactly(data[::-1], within=20)
