"""Stage 1: fetch_all reads many streams at once, and none of them for longer than the deadline."""

import json
import zlib
from typing import Any

from harness.testing import Program, Scene


def row_of(lab: Scene, line: bytes) -> dict[str, Any]:
    """A line that it has printed, as a JSON object."""
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        lab.expect(False, "every line is a JSON object", seen=line, otherwise="a line is not a JSON object")
    return row  # type: ignore[no-any-return]


def results(lab: Scene, client: Program, *, status: int, within: float = 5.0) -> dict[str, dict[str, Any]]:
    """The lines that it printed, by address, once it has ended."""
    client.exits(status, within=within)
    rows = [row_of(lab, line) for line in client.stdout.splitlines()]
    return {str(row.get("address")): row for row in rows}


def is_told(lab: Scene, row: dict[str, Any] | None, result: str, data: bytes = b"") -> None:
    """The line about one address tells the result, and what came."""
    wanted = {"result": result, "bytes": len(data), "crc32": zlib.crc32(data)}
    told = None if row is None else {name: row.get(name) for name in wanted}
    lab.expect_same(
        told,
        wanted,
        f"the line tells {result} and what came",
        otherwise="the line of that address tells something else",
    )


def test_one_address(lab: Scene) -> None:
    server = lab.listens()
    client = lab.runs("fetch_all", server.address)
    peer = server.accepts()
    data = lab.random_bytes(3000)
    peer.sends(data[:1000], data[1000:], apart=0.1)
    peer.closes()
    rows = results(lab, client, status=0)
    is_told(lab, rows.get(str(server.address)), "ok", data)


def test_as_long_as_the_slowest(lab: Scene) -> None:
    servers = [lab.listens() for _ in range(20)]
    answers = [lab.random_bytes(50 + number) for number in range(20)]
    lab.says("none of the 20 servers answers before all of them have been connected to, and then after half a second")
    client = lab.runs("fetch_all", *(server.address for server in servers))
    begun = lab.now()
    peers = [server.accepts() for server in servers]
    lab.pauses(0.5)
    for peer, data in zip(peers, answers, strict=True):
        peer.sends(data)
        peer.closes()
    rows = results(lab, client, status=0)
    took = lab.now() - begun
    for server, data in zip(servers, answers, strict=True):
        is_told(lab, rows.get(str(server.address)), "ok", data)
    lab.expect(
        took < 2,
        "all of it takes as long as the slowest server",
        expected="about 0.5 s",
        seen=f"{took:.1f} s",
        otherwise="all of it took longer than the slowest server",
    )


def test_refused(lab: Scene) -> None:
    server, nobody = lab.listens(), lab.nobody()
    client = lab.runs("fetch_all", nobody, server.address)
    peer = server.accepts()
    peer.sends(b"here\n")
    peer.closes()
    rows = results(lab, client, status=1)
    is_told(lab, rows.get(str(nobody)), "refused")
    is_told(lab, rows.get(str(server.address)), "ok", b"here\n")


def test_deadline(lab: Scene) -> None:
    silent, stuck = lab.listens(), lab.listens()
    begun = lab.now()
    client = lab.runs("fetch_all", silent.address, stuck.address, "--deadline", "0.8")
    silent.accepts()
    stuck.accepts().sends(b"so far")
    rows = results(lab, client, status=1)
    took = lab.now() - begun
    is_told(lab, rows.get(str(silent.address)), "timeout")
    is_told(lab, rows.get(str(stuck.address)), "timeout", b"so far")
    lab.expect(
        0.7 < took < 2.5,
        "the program ends at the deadline",
        expected="after 0.8 s",
        seen=f"after {took:.1f} s",
        otherwise="the program did not end at the deadline",
    )
