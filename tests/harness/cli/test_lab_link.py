"""`lab link`: what can be asked for, what is shown, and how it ends."""

from __future__ import annotations

import io
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness.cli import link as paths
from harness.cli import main as cli
from harness.lab.interface import LinkCounters
from harness.link.model import Link, direction_seeds
from harness.link.named import find_profile
from harness.link.profile import Profile

ROOT = Path(__file__).parents[3]
HERE, THERE = "udp:127.0.0.1:0", "udp:127.0.0.1:9"


def plan(name: str = "clean", listen: str = HERE, to: str = THERE, **how) -> paths.LinkOptions:
    return paths.read_options(name, listen=listen, to=to, **how)


# -- what can be asked for -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "fields"),
    [
        (["delay=0.2"], {"delay": 0.2}),
        (["delay = 1"], {"delay": 1}),
        (["rate=1e6", "limit=50"], {"rate": 1_000_000, "limit": 50}),
        (["rate=1_000_000"], {"rate": 1_000_000}),
        (["gemodel=0.01,0.3"], {"gemodel": (0.01, 0.3)}),
        (["gemodel=[0.01, 0.3]"], {"gemodel": (0.01, 0.3)}),
        (["drop=0,2"], {"drop": (0, 2)}),
        (["drop=[3]"], {"drop": (3,)}),
        (["blackout=[1,2],[5,6.5]"], {"blackout": ((1, 2), (5, 6.5))}),
        (["delay=1", "jitter=0.1", "distribution=normal"], {"delay": 1, "jitter": 0.1, "distribution": "normal"}),
    ],
)
def test_single_fields_are_set_over_the_profile(texts, fields):
    assert plan(up=texts).up == Profile(**fields)
    assert plan(down=texts).down == Profile(**fields)


def test_the_rest_of_the_profile_stays_and_none_takes_a_field_away():
    mobile = find_profile("mobile")
    changed = plan("mobile", up=["gemodel=none", "loss=0.1"])
    assert changed.up.as_dict() == {
        **{name: value for name, value in mobile.up.as_dict().items() if name != "gemodel"},
        "loss": 0.1,
    }
    assert changed.down == mobile.down


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"name": "mobil"}, ["'mobil'", 'Did you mean "mobile"', "lab profiles"]),
        ({"up": ["delay=5000"]}, ["--up delay=5000", "delay: 5000", "0 to 3600", "seconds"]),
        ({"down": ["loss=5%"]}, ["--down loss=5%", "'5%' is not a number", "0 to 1", "5 % is 0.05"]),
        ({"up": ["rate=1.5"]}, ["rate: 1.5", "whole number", "0 to 100000000000"]),
        ({"up": ["dealy=1"]}, ["dealy: no such field", "delay"]),
        ({"up": ["dealy=none"]}, ["dealy: no such field", "delay"]),
        ({"up": ["delay"]}, ["--up delay", "FIELD=VALUE"]),
        ({"up": ["=1"]}, ["--up =1", "FIELD=VALUE"]),
        ({"up": ["delay="]}, ["--up delay=", "FIELD=VALUE"]),
        ({"up": ["delay=nan"]}, ["delay: nan is not a number"]),
        ({"up": ["reorder=0.1"]}, ["reorder: needs a delay"]),
        ({"name": "mobile", "up": ["loss=0.1"]}, ["only one of them", "has gemodel: add gemodel=none"]),
        ({"listen": "localhost:80"}, ["--listen", "'localhost' is not a numeric address"]),
        ({"to": "udp:127.0.0.1:70000"}, ["--to", "'70000' is not a port"]),
        ({"to": "unix:/tmp/x"}, ["--to unix:/tmp/x", "not unix"]),
        ({"to": "127.0.0.1:9"}, ["UDP", "TCP", "write both the same way"]),
        ({"to": "udp:[::1]:9"}, ["IPv4", "IPv6"]),
        ({"to": "udp:127.0.0.1:0"}, ["--to udp:127.0.0.1:0", "port 0"]),
        ({"listen": THERE}, ["lead to itself"]),
        ({"to": "udp:192.0.2.1:9"}, ["this machine only", "udp:0.0.0.0:0"]),
    ],
)
def test_what_cannot_be_is_refused_with_field_and_range_in_one_line(how, words):
    asked = {"name": "clean", "listen": HERE, "to": THERE, "up": [], "down": [], **how}
    options = [f"--{way}={text}" for way in ("up", "down") for text in asked[way]]
    result = CliRunner().invoke(
        cli.app, ["link", asked["name"], "--listen", asked["listen"], "--to", asked["to"], *options]
    )
    assert result.exit_code == 2
    for word in ["lab: ", *words]:
        assert word in result.stderr
    assert "Traceback" not in result.output
    assert len(result.stderr.splitlines()) == 1


def test_an_address_in_use_is_said():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        taken = f"udp:127.0.0.1:{sock.getsockname()[1]}"
        result = CliRunner().invoke(cli.app, ["link", "clean", "--listen", taken, "--to", THERE])
    assert result.exit_code == 2
    assert "in use" in result.stderr


# -- what is shown -------------------------------------------------------------------------------------------------

COUNTERS = {
    "up": LinkCounters(packets=2000, delivered=1500, lost=400, overflowed=100, late_p99=0.00012),
    "down": LinkCounters(),
}


def test_a_line_and_a_summary_hold_the_counters():
    assert paths.line(1.25, COUNTERS) == (
        "   1.2 s  up: 2,000 packets, 1,500 delivered, 400 lost, 100 queue full  down: 0 packets, 0 delivered, 0 lost"
    )
    assert paths.summary(3, COUNTERS) == [
        "3.0 s in all",
        "    up:   2,000 packets, 1,500 delivered, 400 lost, 100 queue full (25.0% gone)",
        "    down: 0 packets, 0 delivered, 0 lost (0.0% gone)",
        "    99 of 100 packets at most 0.12 ms late",
    ]


def test_what_the_machine_lost_is_no_doing_of_the_link():
    counters = {way: LinkCounters(engine_drops=3) for way in ("up", "down")}
    assert "3 lost by this machine, not by the link" in paths.summary(1, counters)[-1]


def test_a_terminal_gets_a_table_that_changes():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, legacy_windows=False)
    paths.run_link(plan("bursty", seed=7), console, seconds=0.05)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert "the link 'bursty', seed 7" in shown
    assert "queue full" in shown
    assert "s in all" in shown


# -- how it works and ends -----------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts are sent in another way there")
@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_packets_pass_and_an_interrupt_ends_with_a_summary(kind):
    profile = Profile(loss=0.3) if kind == "udp" else Profile()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    server.settimeout(5)
    server.bind(("127.0.0.1", 0))
    prefix = "udp:" if kind == "udp" else ""
    words = ["--listen", f"{prefix}127.0.0.1:0", "--to", f"{prefix}127.0.0.1:{server.getsockname()[1]}"]
    words += ["--up", f"loss={profile.loss}", "--seed", "11"]
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli.main", "link", "clean", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        port = int(first.partition(" ->")[0].rpartition(":")[2])
        while not process.stdout.readline().startswith("Up is from"):
            pass
        lost = 0
        if kind == "udp":
            link = Link(profile, seed=direction_seeds(11)[0])
            arriving = [number for number in range(50) if link.transmit(1, now=0)]
            lost = link.lost
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                for number in range(50):
                    client.sendto(bytes([number]), ("127.0.0.1", port))
                assert [server.recv(10)[0] for _ in arriving] == arriving
        else:
            server.listen()
            with socket.create_connection(("127.0.0.1", port)) as client:
                connection, _ = server.accept()
                client.sendall(b"through the link")
                assert connection.recv(100) == b"through the link"
                connection.close()
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=5)
    finally:
        process.kill()
        server.close()
    assert process.returncode == 0
    assert error == ""
    assert "s in all" in out
    if kind == "udp":
        assert f"50 packets, {50 - lost} delivered, {lost} lost" in out


def test_it_can_end_by_itself():
    result = CliRunner().invoke(cli.app, ["link", "awful", "--listen", HERE, "--to", THERE, "--seconds", "0.01"])
    assert result.exit_code == 0
    assert "the link 'awful', seed 1" in result.stdout
    assert "up:   netem delay 20ms 10ms loss 15%" in result.stdout
