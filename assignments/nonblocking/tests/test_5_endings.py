"""Stage 5: endings and timers."""

import signal

from harness.testing import Scene


def test_half_close_with_output_pending(lab: Scene) -> None:
    server = lab.serves("echo_server")
    lab.clients.misbehaving(server, receive_buffer=16384).half_closes_and_is_echoed(lab.random_bytes(2_000_000))


def test_idle(lab: Scene) -> None:
    server = lab.serves("echo_server", "--idle", "0.8")
    silent, other = lab.connects(server, name="a silent client"), lab.connects(server, name="another")
    for _ in range(2):
        silent.hears_nothing(for_=0.28)
        other.sends(b"y")
        other.reads_exactly(b"y")
    for _ in range(4):
        other.sends(b"x")
        other.reads_exactly(b"x")
        lab.pauses(0.3)
    silent.sees_reset_or_end(within=3)
    other.sees_reset_or_end(within=3)


def test_drains_on_sigterm(lab: Scene) -> None:
    server = lab.serves("chat_server", "--slow", "wait")
    ada, bob = lab.connects(server, name="ada"), lab.connects(server, receive_buffer=16384, name="bob")
    for peer, name in ((ada, b"ada"), (bob, b"bob")):
        peer.sends(b"nick " + name + b"\njoin tea\n")
        peer.reads_exactly(b"ok\nok\n")
    lab.says("ada says as many lines as are taken; bob does not read")
    ada.sends_what_fits(b"".join(b"say tea %d %s\n" % (number, b"x" * 3900) for number in range(3000)))
    answered = ada.reads_what_comes()
    server.signal(signal.SIGTERM)
    data = bob.reads_to_end()
    answered += ada.reads_to_end()
    count = answered.count(b"ok\n")
    good = count > 10 and answered == b"ok\n" * count
    lab.expect(
        good,
        "ada was answered, until bob was behind",
        expected=b"ok, again and again",
        seen=answered[:40],
        otherwise="ada got other answers than ok, or hardly any",
    )
    due = b"".join(b"tea ada %d %s\n" % (number, b"x" * 3900) for number in range(count))
    seen = f"{len(data):,} bytes" + ("" if due.startswith(data) else ", and other ones")
    lab.expect(
        data == due,
        "bob gets every line that was answered",
        expected=f"{len(due):,} bytes",
        seen=seen,
        otherwise="lines that had been answered did not reach bob before the end",
    )
    server.exits(0, within=2.5)
