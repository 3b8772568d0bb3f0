"""Stage 2: daytime_server answers one client at a time and outlives them all."""

import re
from datetime import UTC, datetime

from harness.testing import Scene

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
            otherwise="the answer is a time that no clock shows",
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


def is_refused(lab: Scene, at: str, *, stolen: str) -> None:
    """Another server cannot listen there; `stolen` says what it has done if it can."""
    second = lab.runs("daytime_server", at)
    still_runs = second.status(within=5) is None
    lab.expect(not still_runs, f"another server cannot listen at {at}", expected="exit status 3", otherwise=stolen)
    second.exits(3)


def test_tells_the_time(lab: Scene) -> None:
    server = lab.serves("daytime_server")
    peer = lab.connects(server)
    check_time(lab, peer.reads_to_end())
    peer.closes()
    server.keeps_running()


def test_the_line_ends_in_cr_lf(lab: Scene) -> None:
    server = lab.serves("daytime_server")
    answer = lab.connects(server).reads_to_end()
    lab.expect(
        answer.endswith(b"Z\r\n"),
        "the line ends in CR LF",
        expected=b"...Z\r\n",
        seen=answer,
        otherwise="the line does not end in CR and LF",
    )


def test_serves_one_after_the_other(lab: Scene) -> None:
    server = lab.serves("daytime_server")
    for _ in range(5):
        peer = lab.connects(server)
        check_time(lab, peer.reads_to_end())
        peer.closes()


def test_ends_at_sigterm(lab: Scene) -> None:
    server = lab.serves("daytime_server")
    check_time(lab, lab.connects(server).reads_to_end())
    server.terminates(within=2, status=0)
    lab.says("a server that waits for its first client ends as well")
    alone = lab.serves("daytime_server")
    lab.pauses(0.2)
    alone.terminates(within=2, status=0)


def test_restarts_on_the_same_port(lab: Scene) -> None:
    server = lab.serves("daytime_server")
    check_time(lab, lab.connects(server).reads_to_end())
    lab.says("beside a server that runs, another one cannot listen on its port")
    is_refused(lab, f"0.0.0.0:{server.address.port}", stolen="a second server listens on the port of one that runs")
    server.terminates()
    again = lab.serves("daytime_server", at=f"0.0.0.0:{server.address.port}")
    check_time(lab, lab.connects(again).reads_to_end())
