"""What a link does to the packets of one direction, as data. Pure.

Rule 1: the vocabulary is netem's (tc-netem(8)) and so are the meanings: one profile means the same in virtual time,
on loopback, in the TUN router and in the kernel. What netem cannot express comes last and is marked so.
Rule 2: a wrong value is refused here, with the field and what is allowed; nothing checks it again later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from harness.text.nearest import nearest

Distribution = Literal["normal", "pareto", "paretonormal"]

#: Longest delay or blackout of a profile, in seconds: an hour, so that a figure in milliseconds is noticed.
LONGEST = 3600.0
#: Largest jitter in seconds: netem keeps it as a signed 32 bit number of nanoseconds.
LARGEST_JITTER = 2.147
#: Highest rate in bits per second.
HIGHEST_RATE = 100_000_000_000


class BadProfile(ValueError):
    """A field has a value that no link can have; the message names the field and the allowed range."""


class TwoLossModels(BadProfile):
    """More than one of loss, gemodel and state is set."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One direction of a link. `Profile()` changes nothing. Probabilities are from 0 to 1, times in seconds.

    Raises BadProfile.
    """

    delay: float = 0.0  #: seconds every packet takes
    jitter: float = 0.0  #: seconds: half the width of the uniform spread around delay, sigma with a distribution
    distribution: Distribution | None = None  #: shape of the jitter; None is uniform
    loss: float = 0.0  #: probability that a packet is lost, each on its own
    gemodel: tuple[float, ...] | None = None  #: Gilbert-Elliott loss: p, r, 1-h, 1-k, the last three optional
    state: tuple[float, ...] | None = None  #: 4-state loss: p13, p31, p32, p23, p14, the last four optional
    duplicate: float = 0.0  #: probability that a second copy is sent
    corrupt: float = 0.0  #: probability that one bit of the payload is flipped
    reorder: float = 0.0  #: probability that a packet skips the delay (and so overtakes); needs a delay
    gap: int = 1  #: with reorder: only every gap-th packet is a candidate
    rate: int = 0  #: bits per second, 0 is no limit; with a rate, jitter does not reorder
    overhead: int = 0  #: bytes added to each packet's length when the rate is applied, may be negative
    limit: int = 100_000  #: packets under way or queued; any more are lost (overflow)
    # What netem cannot express:
    burst_cap: int = 0  #: most random losses in a row, 0 is no cap
    drop: tuple[int, ...] = ()  #: lose exactly these packets, counted from 0 since the profile was set
    blackout: tuple[tuple[float, float], ...] = ()  #: lose everything from..to, seconds since the profile was set
    truncate: float = 0.0  #: probability that a datagram's payload is cut short

    def __post_init__(self) -> None:
        for name in ("delay", "jitter"):
            most = LONGEST if name == "delay" else LARGEST_JITTER
            _number(name, getattr(self, name), 0, most, "seconds")
        for name in ("loss", "duplicate", "corrupt", "reorder", "truncate"):
            _number(name, getattr(self, name), 0, 1, "as a probability: 5 % is 0.05")
        for name, least, most in (
            ("gap", 1, 1_000_000),
            ("rate", 0, HIGHEST_RATE),
            ("overhead", -1500, 1500),
            ("limit", 1, 10_000_000),
            ("burst_cap", 0, 1_000_000),
        ):
            _whole(name, getattr(self, name), least, most)
        self._check_models()
        self._check_exact()

    def _check_models(self) -> None:
        if self.distribution not in (None, "normal", "pareto", "paretonormal"):
            raise BadProfile(
                f"distribution: {self.distribution!r} is not normal, pareto or paretonormal (leave it out: uniform)"
            )
        if self.distribution and not (self.delay and self.jitter):
            raise BadProfile("distribution: needs a delay and a jitter, as netem does")
        if self.reorder and not self.delay:
            raise BadProfile("reorder: needs a delay, since a packet overtakes by skipping it")
        for name, most in (("gemodel", 4), ("state", 5)):
            value = getattr(self, name)
            if value is not None:
                numbers = _sequence(name, value)
                if not 1 <= len(numbers) <= most:
                    raise BadProfile(f"{name}: has {len(numbers)} numbers, allowed are 1 to {most}")
                for number in numbers:
                    _number(name, number, 0, 1, "as probabilities: 5 % is 0.05")
                object.__setattr__(self, name, numbers)
        if (self.loss > 0) + (self.gemodel is not None) + (self.state is not None) > 1:
            raise TwoLossModels("loss, gemodel, state: only one of them can be set")

    def _check_exact(self) -> None:
        for index in _sequence("drop", self.drop):
            _whole("drop", index, 0, 2**63)
        object.__setattr__(self, "drop", tuple(self.drop))
        spans = []
        for span in _sequence("blackout", self.blackout):
            pair = _sequence("blackout", span)
            if len(pair) != 2 or not all(_is_number(edge) and 0 <= edge <= LONGEST for edge in pair):
                raise BadProfile(f"blackout: {span!r} is not a pair of seconds from 0 to {LONGEST:g}")
            if pair[0] >= pair[1]:
                raise BadProfile(f"blackout: {span!r} ends before it starts")
            spans.append((pair[0], pair[1]))
        object.__setattr__(self, "blackout", tuple(spans))

    def as_dict(self) -> dict[str, object]:
        """The fields that differ from `Profile()`, as JSON and TOML can hold them."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Profile:
        """The inverse of `as_dict`. Raises BadProfile; for an unknown name it suggests the nearest."""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise BadProfile(f"{name}: no such field. {nearest(name, known)}")
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ looks at every value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number(name: str, value: object, least: float, most: float, unit: str) -> None:
    if not _is_number(value):
        raise BadProfile(f"{name}: {value!r} is not a number (allowed: {least:g} to {most:g}, {unit})")
    if not least <= value <= most:  # type: ignore[operator]
        raise BadProfile(f"{name}: {value!r} is outside {least:g} to {most:g} ({unit})")


def _whole(name: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadProfile(f"{name}: {value!r} is not a whole number from {least} to {most}")


def _sequence(name: str, value: object) -> tuple[float, ...]:
    if not isinstance(value, tuple | list):
        raise BadProfile(f"{name}: {value!r} is not a list")
    return tuple(value)
