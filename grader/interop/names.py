"""Pseudonyms: what the others of a class are called on a student's page. Pure.

Rule: they change with the assignment, since its key does (`key_of`): nobody is followed through a term by name.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Sequence

_FIRST = [
    "amber",
    "azure",
    "bold",
    "brisk",
    "calm",
    "chalk",
    "cinder",
    "clear",
    "clever",
    "cobalt",
    "copper",
    "coral",
    "crimson",
    "curious",
    "dapper",
    "dusky",
    "eager",
    "early",
    "ember",
    "fabled",
    "fern",
    "fleet",
    "flint",
    "gentle",
    "gilded",
    "grey",
    "hazel",
    "honest",
    "indigo",
    "ivory",
    "jade",
    "keen",
    "lively",
    "lunar",
    "maple",
    "mellow",
    "misty",
    "nimble",
    "noble",
    "ochre",
    "olive",
    "opal",
    "patient",
    "pearl",
    "plain",
    "plum",
    "polar",
    "quick",
    "quiet",
    "rapid",
    "russet",
    "sable",
    "saffron",
    "scarlet",
    "sepia",
    "silent",
    "silver",
    "sleek",
    "slate",
    "steady",
    "sunny",
    "tawny",
    "teal",
    "tidy",
    "umber",
    "velvet",
    "violet",
    "vivid",
    "willow",
    "winter",
]
_SECOND = [
    "auk",
    "avocet",
    "bittern",
    "bunting",
    "bustard",
    "buzzard",
    "coot",
    "cormorant",
    "crake",
    "crane",
    "crow",
    "cuckoo",
    "curlew",
    "dipper",
    "dove",
    "dunlin",
    "eagle",
    "egret",
    "eider",
    "falcon",
    "finch",
    "fulmar",
    "gannet",
    "godwit",
    "goose",
    "grebe",
    "grouse",
    "gull",
    "harrier",
    "heron",
    "hobby",
    "hoopoe",
    "ibis",
    "jackdaw",
    "jay",
    "kestrel",
    "kite",
    "kittiwake",
    "knot",
    "lapwing",
    "lark",
    "linnet",
    "magpie",
    "mallard",
    "martin",
    "merlin",
    "nightjar",
    "nuthatch",
    "oriole",
    "osprey",
    "ouzel",
    "owl",
    "partridge",
    "petrel",
    "pipit",
    "plover",
    "puffin",
    "quail",
    "rail",
    "raven",
    "redshank",
    "robin",
    "rook",
    "ruff",
    "shrike",
    "siskin",
    "skua",
    "snipe",
    "starling",
    "stilt",
    "stint",
    "stork",
    "swallow",
    "swan",
    "swift",
    "teal",
    "tern",
    "thrush",
    "tit",
    "turnstone",
    "wagtail",
    "warbler",
    "whimbrel",
    "wigeon",
    "wren",
]


def key_of(secret: bytes, assignment: str) -> bytes:
    """The key of an assignment's pseudonyms and pairs, under the course's secret."""
    return hmac.new(secret, b"interop\0" + assignment.encode(), hashlib.sha256).digest()


def pseudonyms(names: Sequence[str], key: bytes) -> dict[str, str]:
    """A name of two words for each, all different."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names, key=lambda name: hmac.new(key, os.fsencode(name), hashlib.sha256).digest()):
        number = 0
        while (word := _words(name, number, key)) in taken:
            number += 1
        taken.add(word)
        found[name] = word
    return found


def _words(name: str, number: int, key: bytes) -> str:
    """The name's words; after so many that are taken, with a number that none has."""
    digest = hmac.new(key, b"%d\0" % number + os.fsencode(name), hashlib.sha256).digest()
    first = _FIRST[int.from_bytes(digest[:4], "big") % len(_FIRST)]
    second = _SECOND[int.from_bytes(digest[4:8], "big") % len(_SECOND)]
    return f"{first} {second}" if number < 50 else f"{first} {second} {number}"
