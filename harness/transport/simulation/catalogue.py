"""The scenarios that are graded, by name. Pure data.

Most send 32 KiB: 28 segments, enough for every rule, and hundreds of runs take seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from harness.link.profile import Profile
from harness.text.nearest import nearest
from harness.transport.simulation.scenarios import App, Change, Garbage, Lose, Replay, Role, Scenario, What

#: Bytes of most streams, and of a segment's payload.
MOST, SEGMENT = 32_768, 1200
#: 10 ms each way, 100 ms each way.
_DELAY, _FAR = 0.01, 0.1
#: Most losses in a row: keeps a high loss rate from failing a correct program by bad luck.
_CAP = 3
#: A correct program that sends one segment at a time gives up if none of 6 SYNs, or of 9 transmissions of another
#: segment, gets through and is answered. With at most 3 losses in a row, and loss one way only, that cannot happen;
#: elsewhere `flaky` is the chance of it, summed over the SYNs and 28 segments.
_RARE = 1e-6

_SENDS = App(sends=MOST)
_LISTENS = App(ends="heard")


def _link(**what: object) -> Profile:
    return Profile(**{"delay": _DELAY, **what})  # type: ignore[arg-type]


def _lossy(share: float) -> Profile:
    return _link(loss=share, burst_cap=_CAP)


def _one_way(name: str, why: str, stage: int) -> Callable[..., Scenario]:
    """The client sends, the server listens and ends once it has heard the end; call the result with other fields."""
    return partial(Scenario, name=name, why=why, stage=stage, client=_SENDS, server=_LISTENS)


def _lost(sender: Role, what: What, nth: int = 1, times: int = 1) -> Lose:
    return Lose(sender=sender, what=what, nth=nth, times=times)


def _plain() -> list[Scenario]:
    """Nothing is lost: different ways of sending."""
    sizes = (0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 2 * SEGMENT + 1)
    return [
        *(
            _one_way(
                "empty stream" if not size else f"{size} bytes" if size > 1 else "1 byte",
                "a boundary of segments, or an end without data, is missed",
                3,
            )(client=App(sends=size))
            for size in sizes
        ),
        _one_way("32 KiB", "the plain case", 3)(),
        _one_way("one byte every 100 ms", "small writes are lost, joined wrongly or held back", 3)(
            client=App(sends=30, chunk=1, every=0.1), limit=30
        ),
        _one_way("both directions", "data and ACKs share a segment", 3)(server=replace(_SENDS, ends="heard")),
        _one_way("ping-pong", "an answer waits for more data, or for an ACK", 3)(
            client=App(sends=20_000, chunk=1000, turn="asks"),
            server=App(sends=20_000, chunk=1000, turn="answers", ends="heard"),
        ),
        _one_way("half-close", "the end of one direction ends the other", 4)(
            server=App(sends=MOST, turn="after the end", ends="heard")
        ),
        _one_way("both close at once", "a FIN that crosses a FIN", 4)(server=App(sends=MOST)),
        _one_way("sequence wrap", "sequence numbers are compared with <", 3)(
            near_wrap=True, to_server=_lossy(0.1), limit=300, flaky=_RARE
        ),
        _one_way("8 MB", "quadratic buffers, numbers that grow, memory without bound", 7)(
            client=App(sends=8_000_000), to_server=_link(rate=80_000_000, limit=1000), limit=300
        ),
        _one_way("1 MB at 2 % loss", "speed of the program", 7)(
            client=App(sends=1_000_000), to_server=_lossy(0.02), limit=300, flaky=_RARE
        ),
    ]


def _exact() -> list[Scenario]:
    """Exactly these segments are lost."""
    return [
        _one_way("first SYN lost", "the SYN is sent once only", 3)(lose=(_lost("client", "SYN"),)),
        _one_way("SYN-ACK lost", "the SYN-ACK is not repeated", 3)(lose=(_lost("server", "SYN-ACK"),)),
        _one_way("first data segment lost", "the first segment has no timer", 3)(lose=(_lost("client", "data"),)),
        _one_way("last data segment lost", "the timer ends with the last write", 3)(
            lose=(_lost("client", "last data"),)
        ),
        _one_way("FIN lost", "the FIN is sent once only", 3)(lose=(_lost("client", "FIN"),)),
        _one_way("last ACK lost", "TIME-WAIT ends too early, or does not answer a FIN", 4)(
            lose=(_lost("client", "last ACK"),)
        ),
        _one_way("first ACK lost", "an ACK is believed to arrive", 3)(lose=(_lost("server", "ACK"),)),
        _one_way("second ACK lost", "the next ACK does not say it all", 3)(lose=(_lost("server", "ACK", nth=2),)),
        _one_way("a segment lost four times", "gives up too early, or never backs off", 3)(
            lose=(_lost("client", "data", nth=5, times=4),), limit=120
        ),
        _one_way("one hole in a window", "a hole costs a timeout, or the whole window", 6)(
            lose=(_lost("client", "data", nth=12),), to_server=_link(delay=0.05), to_client=_link(delay=0.05)
        ),
        _one_way("two holes in a window", "the second hole costs a timeout, or the whole window", 6)(
            lose=(_lost("client", "data", nth=12), _lost("client", "data", nth=14)),
            to_server=_link(delay=0.05),
            to_client=_link(delay=0.05),
        ),
        _one_way("a hole, and another one later", "the second loss of a connection costs a timeout", 6)(
            client=App(sends=150_000),
            lose=(_lost("client", "data", nth=20), _lost("client", "data", nth=90)),
            to_server=_link(delay=0.05),
            to_client=_link(delay=0.05),
        ),
        _one_way("window update lost", "window 0 is a deadlock without probes", 5)(
            lose=(_lost("server", "window update"),),
            server=App(ends="heard", sleeps=(0.0, 3.0)),
            buffers={"server": 8192},
            limit=120,
        ),
    ]


def _random() -> list[Scenario]:
    """Random impairments."""
    rows: list[Scenario] = []
    for percent, limit, flaky in ((2, 200, _RARE), (10, 300, 3e-5), (20, 600, 2e-3)):
        share = _lossy(percent / 100)
        for where, links in (
            ("data", {"to_server": share, "flaky": _RARE}),
            ("ACKs", {"to_client": share, "flaky": _RARE}),
            ("both", {"to_server": share, "to_client": share, "flaky": flaky}),
        ):
            why = "what is lost is not sent again, or what came twice is delivered twice"
            rows.append(_one_way(f"{percent} % loss on {where}", why, 3)(limit=limit, **links))
    twice, shaken = _link(duplicate=0.2), Profile(delay=0.03, jitter=0.02)
    rows += [
        _one_way("20 % duplicates", "a copy is delivered again, or a copy of an ACK counts", 3)(
            to_server=twice, to_client=twice, limit=120, flaky=_RARE
        ),
        _one_way("jitter that reorders", "order of arrival is taken for order of sending", 3)(
            to_server=shaken, to_client=shaken, limit=300, flaky=_RARE
        ),
        _one_way("truncated datagrams", "the length in the header is believed before the datagram's size", 3)(
            to_server=_link(truncate=0.1), to_client=_link(truncate=0.1), limit=300, flaky=2e-4
        ),
    ]
    for percent, limit, flaky in ((5, 200, 1e-5), (20, 600, 7e-3)):
        damaged = _link(corrupt=percent / 100)
        rows.append(
            _one_way(f"{percent} % damage", "the checksum leaves something out, or damage is acknowledged", 3)(
                to_server=damaged, to_client=damaged, limit=limit, flaky=flaky
            )
        )
    everything = Profile(
        delay=0.03, jitter=0.02, loss=0.05, burst_cap=_CAP, duplicate=0.05, corrupt=0.05, truncate=0.02
    )
    rows.append(
        _one_way("everything at once", "two repairs disturb each other", 4)(
            server=replace(_SENDS, ends="heard"), to_server=everything, to_client=everything, limit=600, flaky=3e-4
        )
    )
    return rows


def _strange() -> list[Scenario]:
    """Old segments, garbage, links that die."""
    dead = Profile(blackout=((0.0, 3600.0),))
    return [
        _one_way("a segment replayed 1.5 s late", "an old segment is taken for a new one", 4)(
            client=App(sends=MOST, chunk=2400, every=0.2), replay=(Replay(sender="client", what="data", nth=3),)
        ),
        _one_way("garbage from the peer", "bytes that are no segment stop the program", 3)(
            garbage=(Garbage(sender="client"), Garbage(sender="server")), limit=120
        ),
        _one_way("nobody there", "a SYN is repeated for ever", 3)(
            client=App(sends=100), to_server=dead, ending="timed out", watched=("client",), whole=False, limit=400
        ),
        _one_way("the link dies", "data is repeated for ever", 3)(
            changes=(Change(at=0.05, to_server=dead, to_client=dead),),
            to_server=_link(delay=0.02, rate=1_000_000),
            ending="timed out",
            watched=("client",),
            whole=False,
            limit=900,
        ),
        _one_way("the application aborts", "an RST is not sent, or not believed", 4)(
            client=App(sends=MOST, chunk=4800, every=0.1, ends="never", aborts=0.35), ending="reset", whole=False
        ),
    ]


def _windows() -> list[Scenario]:
    """Flow control: the receiver's buffer decides."""
    far = {"to_server": _link(delay=_FAR), "to_client": _link(delay=_FAR)}
    return [
        _one_way("a window's worth under way", "one packet in flight", 5)(client=App(sends=262_144), limit=12, **far),
        _one_way("a reader that sleeps", "the window is exceeded, or never opens again", 5)(
            server=App(ends="heard", sleeps=(0.05, 5.0)), buffers={"server": 8192}, limit=120
        ),
        _one_way("a reader that sleeps a minute", "a probe that is acknowledged counts as unanswered", 5)(
            server=App(ends="heard", sleeps=(0.05, 60.0)), buffers={"server": 8192}, limit=300
        ),
        _one_way("a slow reader", "silly windows, or updates for every byte", 5)(
            client=App(sends=16_384),
            server=App(ends="heard", reads=700, reads_every=0.05),
            buffers={"server": 4096},
            limit=120,
        ),
        _one_way("tiny windows", "a segment larger than the window is never sent, or sent anyhow", 5)(
            client=App(sends=4000), buffers={"server": 100}, limit=120
        ),
        _one_way("a window of one byte", "a small window is taken for none", 5)(
            client=App(sends=100), buffers={"server": 1}, limit=300
        ),
        _one_way("the FIN waits for the window", "the FIN ignores the window", 5)(
            client=App(sends=8192), server=App(ends="heard", sleeps=(0.0, 2.0)), buffers={"server": 8192}, limit=60
        ),
        _one_way("both read slowly", "both windows closed at once", 5)(
            client=App(sends=MOST, sleeps=(0.05, 3.0)),
            server=App(sends=MOST, ends="heard", sleeps=(0.05, 4.0)),
            buffers={"client": 4096, "server": 4096},
            limit=200,
        ),
        _one_way("750 ms links", "a timeout shorter than the round trip; one window a minute", 5)(
            client=App(sends=131_072), to_server=_link(delay=0.375), to_client=_link(delay=0.375), limit=25
        ),
    ]


def _paths() -> list[Scenario]:
    """Links that change, queues that overflow: recovery and congestion control."""
    step = Profile(delay=0.2)
    wide = _link(delay=0.05, rate=50_000_000, limit=2000)
    slow = {"to_client": _link(delay=0.02)}
    return [
        _one_way("RTT step from 20 to 400 ms", "the timeout does not follow the round trip", 6)(
            client=App(sends=300_000, chunk=6000, every=0.1),
            changes=(Change(at=1.0, to_server=step, to_client=step),),
            limit=60,
        ),
        _one_way("a 2 s blackhole", "back-off never ends, or never began", 6)(
            client=App(sends=300_000, chunk=6000, every=0.1),
            to_server=_link(blackout=((1.0, 3.0),)),
            to_client=_link(blackout=((1.0, 3.0),)),
            limit=60,
        ),
        _one_way("a long fat link", "the window is too small for the path", 7)(
            client=App(sends=4_000_000),
            to_server=wide,
            to_client=_link(delay=0.05),
            buffers={"server": 1 << 20},
            limit=20,
        ),
        _one_way("a queue of 3 packets", "bursts overflow it for ever", 7)(
            client=App(sends=250_000), to_server=_link(delay=0.02, rate=2_000_000, limit=3 + 4), limit=60, **slow
        ),
        _one_way("a queue of 64 packets", "the queue is kept full, or the link empty", 7)(
            client=App(sends=1_000_000),
            to_server=_link(delay=0.02, rate=4_000_000, limit=64 + 8),
            buffers={"server": 131_072},  # more than link and queue hold, so that it does overflow
            limit=60,
            **slow,
        ),
        _one_way("a rate that drops tenfold", "goes on sending at the old rate", 7)(
            client=App(sends=1_000_000),
            to_server=_link(delay=0.02, rate=10_000_000, limit=64),
            changes=(Change(at=0.4, to_server=_link(delay=0.02, rate=1_000_000, limit=32)),),  # less than a window
            limit=60,
            **slow,
        ),
    ]


CATALOGUE: dict[str, Scenario] = {
    row.name: row for row in (*_plain(), *_exact(), *_random(), *_strange(), *_windows(), *_paths())
}


def scenario(name: str, **changes: object) -> Scenario:
    """The scenario of that name, with some fields changed. Raises KeyError with the nearest names."""
    if name not in CATALOGUE:
        raise KeyError(f"no scenario {name!r}. {nearest(name, CATALOGUE)}")
    return replace(CATALOGUE[name], **changes) if changes else CATALOGUE[name]  # type: ignore[arg-type]
