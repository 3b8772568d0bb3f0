"""Stage 1: fetch_all reads many streams at once, and none of them for longer than the deadline."""

import ipaddress
import json
import zlib
from typing import Any

from harness.testing import Listener, Profile, Program, Scene


def rows_of(lab: Scene, client: Program) -> list[dict[str, Any]]:
    """The lines it has printed so far."""
    rows = []
    for line in client.stdout.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            lab.expect(False, "every line is a JSON object", seen=line, otherwise="a line is not a JSON object")
        rows.append(row)
    return rows


def results(lab: Scene, client: Program, *, status: int, within: float = 5.0) -> dict[str, dict[str, Any]]:
    """The lines that it printed, by address, once it has ended."""
    client.exits(status, within=within)
    return {str(row.get("address")): row for row in rows_of(lab, client)}


def is_told(lab: Scene, row: dict[str, Any] | None, result: str, data: bytes = b"") -> None:
    """The line about one address tells the result, and what came."""
    wanted = {"result": result, "bytes": len(data), "crc32": zlib.crc32(data)}
    told = None if row is None else {name: row.get(name) for name in wanted}
    lab.expect_same(
        told,
        wanted,
        f"the line tells {result} and what came",
        otherwise=f"an address whose result is {result!r} was told otherwise, or with other bytes",
    )


def test_lines_come_as_each_ends(lab: Scene) -> None:
    servers = [lab.listens() for _ in range(3)]
    client = lab.runs("fetch_all", *(server.address for server in servers))
    peers = [server.accepts() for server in servers]
    told: list[str] = []
    for index in (1, 2, 0):
        peers[index].sends(b"done")
        peers[index].closes()
        told.append(str(servers[index].address))
        lab.waits_until(lambda: client.stdout.count(b"\n") >= len(told), within=0.75)
        seen = [row.get("address") for row in rows_of(lab, client)]
        lab.expect_same(
            seen,
            told,
            "each line is printed when its connection is over",
            otherwise="a line was not printed when its connection was over, or out of order",
        )
    client.exits(0, within=1.5)


def test_resets(lab: Scene) -> None:
    early, late, whole = lab.listens(), lab.listens(), lab.listens()
    client = lab.runs("fetch_all", early.address, late.address, whole.address)
    early.accepts().resets()
    peer = late.accepts()
    peer.sends(b"some of it")
    lab.pauses(0.3)
    peer.resets()
    peer = whole.accepts()
    lab.pauses(0.2)
    peer.closes()
    rows = results(lab, client, status=1)
    is_told(lab, rows.get(str(early.address)), "reset")
    is_told(lab, rows.get(str(late.address)), "reset", b"some of it")
    is_told(lab, rows.get(str(whole.address)), "ok")


def test_megabytes_are_not_kept(lab: Scene) -> None:
    server = lab.listens()
    client = lab.runs("fetch_all", server.address, "--deadline", "20")
    peer = server.accepts()
    lab.pauses(0.3)
    before = lab.kernel.usage().memory_bytes
    block = lab.random_bytes(1 << 20)
    count = 48
    lab.says(f"{count} MB come from one server")
    for _ in range(count - 1):
        peer.sends(block)
    grown = lab.kernel.usage().memory_bytes - before
    peer.sends(block)
    peer.closes()
    rows = results(lab, client, status=0, within=10)
    row = rows.get(str(server.address), {})
    lab.expect_same(row.get("bytes"), count << 20, "all bytes are counted", otherwise="not all bytes were counted")
    crc = 0
    for _ in range(count):
        crc = zlib.crc32(block, crc)
    lab.expect_same(
        row.get("crc32"),
        crc,
        "the CRC-32 is that of all bytes",
        otherwise="all bytes were counted, and their CRC-32 is wrong",
    )
    lab.expect(
        grown < 32e6,
        "none of the bytes is kept",
        expected="32 MB at most",
        seen=f"{grown / 1e6:.0f} MB more",
        otherwise="the memory grew with what was read",
    )


def test_1000_addresses(lab: Scene) -> None:
    server, nobody = lab.listens(segment=1448), lab.nobody()
    count = 100
    begun = lab.now()
    client = lab.runs("fetch_all", *([*[server.address] * 9, nobody] * count))
    lab.says(f"{9 * count} connections to one server, {count} to nobody; the server answers when all are there")
    peers = [server.accepts(quietly=True) for _ in range(9 * count)]
    for peer in peers:
        peer.sends(b"here\n")
        peer.closes()
    client.exits(1, within=8)
    rows = rows_of(lab, client)
    lines = sorted((str(row.get("address")), str(row.get("result")), row.get("bytes")) for row in rows)
    expected = sorted([(str(server.address), "ok", 5)] * (9 * count) + [(str(nobody), "refused", 0)] * count)
    lab.expect(
        lines == expected,
        "there is a line for each address",
        expected=f"{10 * count} lines",
        seen=f"{len(lines)} lines",
        otherwise="the lines are not one for each address, each with its own result",
    )
    lab.expect(
        lab.now() - begun < 8,
        "all addresses are connected to at the same time",
        seen=f"{lab.now() - begun:.1f} s",
        otherwise="the addresses took longer than if all were connected to at the same time",
    )


def test_ipv6_and_unix(lab: Scene) -> None:
    servers = [lab.listens(family=6), lab.listens(kind="unix"), lab.listens()]
    six = servers[0].address
    written = [f"[{ipaddress.ip_address(six.host).exploded}]:{six.port}", *(str(one.address) for one in servers[1:])]
    lab.says("an address may be written in more than one way; its line calls it as the command line does")
    client = lab.runs("fetch_all", *written, "unix:there-is-none")
    for number, server in enumerate(servers):
        peer = server.accepts()
        peer.sends(b"number %d" % number)
        peer.ends()
        said = peer.reads_to_end()
        lab.expect_same(said, b"", "it says nothing", otherwise="the program said something to a server")
    rows = results(lab, client, status=1)
    for number, address in enumerate(written):
        is_told(lab, rows.get(address), "ok", b"number %d" % number)
    is_told(lab, rows.get("unix:there-is-none"), "error")
    servers[1].closes()
    lab.says("a Unix socket at which nobody listens any more")
    rows = results(lab, lab.runs("fetch_all", servers[1].address), status=1)
    is_told(lab, rows.get(str(servers[1].address)), "refused")


def test_usage(lab: Scene) -> None:
    server = lab.listens()
    wrong = [
        (),
        ("nonsense",),
        (server.address, "127.0.0.1"),
        ("udp:127.0.0.1:7",),
        (server.address, "--deadline", "soon"),
        (server.address, "--deadline", "0"),
        (server.address, "--deadline", "-1"),
        (server.address, "--deadline", "nan"),
    ]
    for words in wrong:
        lab.runs("fetch_all", *words).fails(2)
    server.hears_not_a_byte(for_=0.2)
    client = lab.runs("fetch_all", server.address)
    server.accepts().closes()
    is_told(lab, results(lab, client, status=0).get(str(server.address)), "ok")


def test_one_thread_that_sleeps(lab: Scene) -> None:
    servers: list[Listener] = [lab.listens() for _ in range(10)]
    client = lab.runs("fetch_all", *(server.address for server in servers))
    peers = [server.accepts() for server in servers]
    for peer in peers:
        peer.sends(b"a beginning")
    lab.pauses(0.2)
    lab.kernel.finds_one_thread(client)
    lab.kernel.finds_idle(client, for_=0.6, at_most=0.1)
    for peer in peers:
        peer.closes()
    results(lab, client, status=0)


def test_a_flood_is_cut_at_the_deadline(lab: Scene) -> None:
    floods = [lab.listens(segment=1448) for _ in range(12)]
    calm = lab.listens()
    begun = lab.now()
    addresses = [server.address for server in floods]
    client = lab.runs("fetch_all", *addresses, calm.address, "--deadline", "1.5")
    lab.clients.flood([server.accepts() for server in floods])
    peer = calm.accepts()
    lab.pauses(0.3)
    peer.sends(b"calm")
    peer.closes()
    reached = lab.waits_until(lambda: str(calm.address).encode() in client.stdout, within=0.9)
    lab.expect(
        reached,
        "those that send without end do not hold up one that ends",
        expected="its line within half a second",
        seen=client.stdout,
        otherwise="12 servers that send without end held up one that ends",
    )
    rows = results(lab, client, status=1)
    took = lab.now() - begun
    is_told(lab, rows.get(str(calm.address)), "ok", b"calm")
    told = [rows.get(str(address), {}).get("result") for address in addresses]
    lab.expect(
        told == ["timeout"] * 12,
        "what does not end is a timeout",
        expected="12 timeouts",
        seen=told,
        otherwise="a server that did not end was not told as a timeout",
    )
    lab.expect(
        1.4 < took < 3.2,
        "the program ends at the deadline",
        expected="after 1.5 s",
        seen=f"after {took:.1f} s",
        otherwise="the program did not end at the deadline",
    )


def test_one_that_never_answers(lab: Scene) -> None:
    silent, good = lab.silence(), lab.listens()
    lab.says("the first address neither takes nor refuses a connection; the other one answers")
    for attempt in range(3):
        took = _ends_at_the_deadline(lab, silent, good)
        if took < 1.85:
            break
        lab.says(f"it ended after {took:.1f} s" + ("" if attempt == 2 else "; again, if the machine was busy just now"))
    lab.expect(
        1.0 < took < 1.85,
        "the program ends within half a second of the deadline",
        expected="after 1.2 s",
        seen=f"after {took:.1f} s",
        otherwise="the program did not end within half a second of the deadline",
    )


def _ends_at_the_deadline(lab: Scene, silent: object, good: Listener) -> float:
    """The good one is told at once, the silent one at the deadline; how long after the former had come, in seconds."""
    client = lab.runs("fetch_all", silent, good.address, "--deadline", "1.2")
    peer = good.accepts(within=3)
    begun = lab.now()
    peer.sends(b"here")
    peer.closes()
    reached = lab.waits_until(lambda: str(good.address).encode() in client.stdout, within=0.9)
    lab.expect(
        reached,
        "an address that does not answer holds up nobody",
        seen=client.stdout,
        otherwise="the line of a server that had ended was late: another address did not answer",
    )
    lab.kernel.finds_idle(client, for_=0.25, at_most=0.15)
    rows = results(lab, client, status=1)
    took = lab.now() - begun
    is_told(lab, rows.get(str(silent)), "timeout")
    is_told(lab, rows.get(str(good.address)), "ok", b"here")
    return took


def test_over_a_slow_link(lab: Scene) -> None:
    slow = Profile(delay=0.02, rate=256_000, limit=1000)
    lab.link("256 kbit/s", up=slow, down=slow)
    lab.says("all of it takes 5.5 s; without --deadline there are 10 s")
    servers = [lab.listens() for _ in range(8)]
    answers = [lab.random_bytes(21_000) for _ in servers]
    client = lab.runs("fetch_all", *(server.address for server in servers))
    for server, data in zip(servers, answers, strict=True):
        peer = server.accepts()
        peer.sends(data)
        peer.ends()
    rows = results(lab, client, status=0, within=9)
    for server, data in zip(servers, answers, strict=True):
        is_told(lab, rows.get(str(server.address)), "ok", data)
