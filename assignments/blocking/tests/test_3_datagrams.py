"""Stage 3: the same two programs over datagrams, which may be lost, doubled, or come from a stranger."""

import re

from harness.testing import Scene


def test_client_asks_and_prints(lab: Scene) -> None:
    udp = lab.listens_udp()
    client = lab.runs("daytime_client", udp.address)
    _, sender = udp.receives()
    udp.answers(sender, b"2026-09-01T08:00:00Z\r\n")
    client.prints(b"2026-09-01T08:00:00Z\r\n")
    client.exits(0)


def test_client_asks_again(lab: Scene) -> None:
    udp = lab.listens_udp()
    client = lab.runs("daytime_client", udp.address, "--timeout", "0.4", "--tries", "3")
    udp.receives()
    _, sender = udp.receives(within=2)
    udp.answers(sender, b"at last\r\n")
    client.prints(b"at last\r\n")
    client.exits(0)


def test_client_gives_up(lab: Scene) -> None:
    udp = lab.listens_udp()
    client = lab.runs("daytime_client", udp.address, "--timeout", "0.2", "--tries", "2")
    udp.receives()
    udp.receives()
    client.exits(5)
    lab.expect_same(
        client.stdout,
        b"",
        "nothing is printed without an answer",
        otherwise="the client printed something although no answer came",
    )


def test_server_answers(lab: Scene) -> None:
    server = lab.serves("daytime_server", at="udp:0.0.0.0:0")
    udp = lab.datagrams(server)
    for question in (b"", b"anything at all"):
        udp.sends(question)
        answer, _ = udp.receives()
        line = re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\r?\n", answer)
        lab.expect(
            line,
            "the answer is one line YYYY-MM-DDTHH:MM:SSZ, CR, LF",
            seen=answer,
            otherwise="the answer is not one line YYYY-MM-DDTHH:MM:SSZ, CR, LF",
        )
    server.terminates()


def test_the_line_in_a_datagram_ends_in_cr_lf(lab: Scene) -> None:
    server = lab.serves("daytime_server", at="udp:0.0.0.0:0")
    udp = lab.datagrams(server)
    udp.sends(b"")
    answer, _ = udp.receives()
    lab.expect(
        answer.endswith(b"Z\r\n"),
        "the line ends in CR LF",
        expected=b"...Z\r\n",
        seen=answer,
        otherwise="the line does not end in CR and LF",
    )
