"""`lab link`: an impaired path to try out by hand, through the relay, with live counters.

Whoever connects to --listen reaches --to; "up" is the direction from the first to the second, "down" the way back.
"""

from __future__ import annotations

import ipaddress
import math
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.course.address import Address, BadAddress, parse_address
from harness.errors import UsageError
from harness.lab.interface import LinkCounters
from harness.lab.relay.loop import RelayLoop
from harness.link.named import find_profile
from harness.link.netem_words import netem_words
from harness.link.profile import BadProfile, Profile, TwoLossModels
from harness.link.trace import Direction

#: Seconds between two looks at the counters: on a terminal, and elsewhere, where each look is a line.
_REDRAW, _LINE = 0.25, 1.0
_WAYS: tuple[tuple[Direction, str], ...] = (("up", "up"), ("down", "down"))
#: Heading and field of LinkCounters.
_COLUMNS = (
    ("packets", "packets"),
    ("delivered", "delivered"),
    ("lost", "lost"),
    ("queue full", "overflowed"),
    ("doubled", "duplicated"),
    ("overtaken", "reordered"),
)


@dataclass(frozen=True, kw_only=True)
class LinkOptions:
    """The path that was asked for."""

    name: str  #: of the profile
    up: Profile  #: from whoever connects, on to the target
    down: Profile  #: the way back
    seed: int  #: the same seed loses the same packets
    listen: Address
    to: Address


def read_options(
    name: str, *, listen: str, to: str, up: Sequence[str] = (), down: Sequence[str] = (), seed: int = 1
) -> LinkOptions:
    """Check what was typed. `up` and `down` are `field=value` over the profile's. Raises UsageError."""
    try:
        profile = find_profile(name)
    except BadProfile as error:
        raise UsageError(f"{error} (`lab profiles` explains them)") from None
    here, there = _address("--listen", listen), _address("--to", to)
    _check_path(here, there)
    return LinkOptions(
        name=name,
        up=override(profile.up, up, "--up"),
        down=override(profile.down, down, "--down"),
        seed=seed,
        listen=here,
        to=there,
    )


def override(profile: Profile, texts: Sequence[str], option: str) -> Profile:
    """The profile with single fields set: `delay=0.2`, `gemodel=0.01,0.3`, `blackout=[[1,2]]`, `loss=none`.

    Raises UsageError with the option, the field and what is allowed.
    """
    fields = profile.as_dict()
    for text in texts:
        field, equals, value = (part.strip() for part in text.partition("="))
        if not (field and equals and value):
            raise UsageError(f"{option} {text}: write FIELD=VALUE, such as delay=0.2 or loss=0.1")
        fields[field] = _value(value)
        if value == "none" and field in Profile.__dataclass_fields__:
            del fields[field]
    try:
        return Profile.from_dict(fields)
    except BadProfile as error:
        raise UsageError(f"{option} {' '.join(texts)}: {error}{_hint(error, profile)}") from None


def _hint(error: BadProfile, profile: Profile) -> str:
    """How to unset a field of the profile itself, if two fields exclude each other."""
    set_already = [name for name in ("loss", "gemodel", "state") if name in profile.as_dict()]
    if isinstance(error, TwoLossModels) and set_already:
        return f"; this profile has {set_already[0]}: add {set_already[0]}=none"
    return ""


def _value(text: str) -> object:
    """A value as in TOML; besides, 1,2 is a list, a bare word is text, and 1e6 is an integer."""
    for written in (text, f"[{text}]"):
        try:
            value = tomllib.loads(f"value = {written}")["value"]
        except tomllib.TOMLDecodeError:
            continue
        whole = isinstance(value, float) and math.isfinite(value) and value.is_integer()
        return int(value) if whole else value
    return text


def _address(option: str, text: str) -> Address:
    try:
        address = parse_address(text)
    except BadAddress as error:
        raise UsageError(f"{option} {error}") from None
    if address.kind == "unix":
        raise UsageError(f"{option} {text}: a link carries TCP (HOST:PORT) or UDP (udp:HOST:PORT), not unix")
    return address


def _check_path(here: Address, there: Address) -> None:
    if here.kind != there.kind:
        raise UsageError(
            f"--listen {here} is {here.kind.upper()}, --to {there} is {there.kind.upper()}: write both the same way"
        )
    if here.family != there.family:
        raise UsageError(
            f"--listen {here} is IPv{here.family}, --to {there} is IPv{there.family}: use one of them for both"
        )
    if not there.port:
        raise UsageError(f"--to {there}: port 0 is nobody's; write the port the program listens on")
    if here == there:
        raise UsageError(f"--listen and --to are both {here}: the link would lead to itself; listen elsewhere")
    loopback = ipaddress.ip_address(here.host).is_loopback
    if here.kind == "udp" and loopback and not ipaddress.ip_address(there.host).is_loopback:
        everywhere = "[::]" if here.family == 6 else "0.0.0.0"
        raise UsageError(
            f"--listen {here} is reachable from this machine only, and so is what it sends; to reach {there} "
            f"listen on udp:{everywhere}:{here.port}"
        )


# -- running it ---------------------------------------------------------------------------------------------------


def run_link(options: LinkOptions, console: Console, *, seconds: float | None = None) -> None:
    """Run it until Ctrl-C, or for some seconds, with live counters and a summary at the end. Raises LabError."""
    relay = RelayLoop()
    try:
        relay.shape(up=options.up, down=options.down, seed=options.seed)
        add = relay.add_udp if options.listen.kind == "udp" else relay.add_tcp
        address = add(to=options.to, towards="tester", listen=options.listen.host, port=options.listen.port)
        start = time.monotonic()

        def look() -> tuple[float, dict[Direction, LinkCounters]]:
            return time.monotonic() - start, relay.each_way()

        try:
            _say(console, introduction(options, address))
            _watch(console, look, seconds)
        except KeyboardInterrupt:
            pass
        _say(console, summary(*look()))
    finally:
        relay.close()


def _watch(
    console: Console, look: Callable[[], tuple[float, dict[Direction, LinkCounters]]], seconds: float | None
) -> None:
    """Show the counters until time is up: redrawn on a terminal, elsewhere a line whenever they have changed."""
    until = math.inf if seconds is None else seconds
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while (now := look())[0] < until:
                live.update(picture(*now), refresh=True)
                time.sleep(min(_REDRAW, until - now[0]))
        return
    before: Mapping[Direction, LinkCounters] | None = None
    while (now := look())[0] < until:
        if now[1] != before:
            _say(console, [line(*now)])
        before = now[1]
        time.sleep(min(_LINE, until - now[0]))


def _say(console: Console, lines: Sequence[str]) -> None:
    for text in lines:
        console.print(text, markup=False, soft_wrap=True)


# -- words -------------------------------------------------------------------------------------------------------


def introduction(options: LinkOptions, address: Address) -> list[str]:
    """What is running, where, and how to end it."""
    lines = [f"{address} -> {options.to}: the link {options.name!r}, seed {options.seed}"]
    for name, profile in (("up", options.up), ("down", options.down)):
        lines.append(f"    {name + ':':6}{netem_words(profile) if profile != Profile() else 'unchanged'}")
    if address.kind == "tcp":
        lines.append("    TCP repeats what is lost, so a loss shows as a pause; packets are pieces of the stream.")
    lines.append("Up is from whoever connects. Ctrl-C ends it.")
    return lines


def picture(seconds: float, counters: Mapping[Direction, LinkCounters]) -> RenderableType:
    """The counters as a table for a terminal."""
    table = Table(title=f"{seconds:.0f} s", title_justify="left")
    table.add_column("")
    for heading, _ in _COLUMNS:
        table.add_column(heading, justify="right", min_width=9)
    for way, name in _WAYS:
        table.add_row(name, *(f"{getattr(counters[way], field):,}" for _, field in _COLUMNS))
    table.caption = Text(_engine(counters["up"]))
    return table


def line(seconds: float, counters: Mapping[Direction, LinkCounters]) -> str:
    """The counters in one line."""
    ways = [f"{name}: {_in_words(counters[way])}" for way, name in _WAYS]
    return f"{seconds:6.1f} s  {'  '.join(ways)}"


def summary(seconds: float, counters: Mapping[Direction, LinkCounters]) -> list[str]:
    """What the link did in total."""
    lines = [f"{seconds:.1f} s in all"]
    for way, name in _WAYS:
        told, of_all = _in_words(counters[way]), counters[way].packets + counters[way].duplicated
        gone = (counters[way].lost + counters[way].overflowed) / of_all if of_all else 0.0
        lines.append(f"    {name + ':':6}{told} ({gone:.1%} gone)")
    return [*lines, f"    {_engine(counters['up'])}"]


def _in_words(counters: LinkCounters) -> str:
    parts = [
        f"{getattr(counters, field):,} {heading}"
        for heading, field in _COLUMNS
        if field in ("packets", "delivered", "lost") or getattr(counters, field)
    ]
    return ", ".join(parts)


def _engine(counters: LinkCounters) -> str:
    """How punctual this machine was."""
    late = f"99 of 100 packets at most {counters.late_p99 * 1000:.2f} ms late"
    drops = counters.engine_drops
    return f"{late}; {drops} lost by this machine, not by the link" if drops else late
