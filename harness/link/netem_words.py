"""A `Profile` in the words of `tc ... netem` (tc-netem(8)), for people to read and for kernels that have it. Pure.

harness/lab/netem/kernel.py puts a profile into the kernel over netlink.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.link.profile import Profile

#: Fields that the kernel knows nothing of.
_BEYOND = ("burst_cap", "drop", "blackout", "truncate")


@dataclass(frozen=True)
class NetemWords:
    """What `tc qdisc add dev IF root netem ...` would take for a profile, and what it could not do."""

    words: tuple[str, ...]  #: after the word netem
    beyond: tuple[str, ...]  #: fields of the profile that netem cannot express

    def __str__(self) -> str:
        text = " ".join(("netem", *self.words))
        return f"{text} (and beyond netem: {', '.join(self.beyond)})" if self.beyond else text


def netem_words(profile: Profile, *, seed: int | None = None) -> NetemWords:
    """The words for a profile. `seed` needs Linux 6.6 and iproute2 6.6; features that are zero are left out."""
    words = [*_delay(profile), *_loss(profile)]
    for name in ("duplicate", "corrupt"):
        if value := getattr(profile, name):
            words += [name, _percent(value)]
    if profile.reorder:
        words += ["reorder", _percent(profile.reorder), "gap", str(profile.gap)]
    if profile.rate:
        words += ["rate", f"{profile.rate}bit"]
        if profile.overhead:
            words.append(str(profile.overhead))
    words += ["limit", str(profile.limit)]
    if seed is not None:
        words += ["seed", str(seed)]
    return NetemWords(tuple(words), beyond_netem(profile))


def beyond_netem(profile: Profile) -> tuple[str, ...]:
    """The fields that are set but that netem cannot express."""
    plain = Profile()
    return tuple(name for name in _BEYOND if getattr(profile, name) != getattr(plain, name))


def _delay(profile: Profile) -> list[str]:
    if not profile.delay and not profile.jitter:
        return []
    words = ["delay", _time(profile.delay)]
    if profile.jitter:
        words.append(_time(profile.jitter))
    if profile.distribution:
        words += ["distribution", profile.distribution]
    return words


def _loss(profile: Profile) -> list[str]:
    if profile.gemodel is not None:
        return ["loss", "gemodel", *map(_percent, profile.gemodel)]
    if profile.state is not None:
        return ["loss", "state", *map(_percent, profile.state)]
    return ["loss", _percent(profile.loss)] if profile.loss else []


def _time(seconds: float) -> str:
    """In the largest unit that keeps the number whole, nanoseconds at worst."""
    nanoseconds = round(seconds * 1_000_000_000)
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)):
        if nanoseconds % size == 0:
            return f"{nanoseconds // size}{unit}"
    return f"{nanoseconds}ns"


def _percent(probability: float) -> str:
    return f"{probability * 100:.10g}%"
