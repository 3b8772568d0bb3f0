"""The concepts that have a page, and the rules of the handouts that each belongs to. Pure.

Whoever only wants to name a page (a failing check, a report) reads this; no demonstration is loaded for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import UsageError
from harness.text.nearest import nearest


@dataclass(frozen=True)
class Concept:
    """One word of the course's vocabulary."""

    name: str  #: what is typed
    title: str
    room: str  #: the module of its demonstration, which is called like the concept, with _ for -
    also: tuple[str, ...] = ()  #: other words for it
    rules: tuple[str, ...] = ()  #: "blocking 6.1": rules that cannot be kept without it


GROUPS: dict[str, tuple[Concept, ...]] = {
    "Sockets and connections": (
        Concept(
            "primitives",
            "Eight calls, and the states they lead through",
            "connections",
            (
                "states",
                "state-diagram",
                "socket",
                "connection",
                "bind",
                "listen",
                "accept",
                "connect",
                "send",
                "recv",
                "close",
            ),
            ("blocking 1.1", "transport 4.1", "transport 4.2", "transport 4.3", "transport 4.4"),
        ),
        Concept(
            "five-tuple",
            "The 5-tuple: what tells connections apart",
            "connections",
            ("5-tuple", "tuple"),
            ("blocking 5.2",),
        ),
        Concept(
            "listening-socket",
            "The door and the conversation: two kinds of socket",
            "connections",
            ("connection-socket", "listener"),
            ("blocking 2.1", "nonblocking 2.1", "tlspipe 1.3"),
        ),
        Concept(
            "ephemeral-port", "Ports that last as long as a connection", "connections", ("port", "well-known-port")
        ),
        Concept(
            "handshake",
            "Three segments before the first byte",
            "connections",
            ("syn", "tcp-handshake"),
            ("transport 3.2", "nonblocking 1.4"),
        ),
        Concept(
            "backlog",
            "The queue in front of accept()",
            "connections",
            ("accept-queue",),
            ("blocking 2.2", "blocking 5.5"),
        ),
        Concept("process-per-connection", "A process for each client", "many", ("fork",)),
    ),
    "Streams": (
        Concept(
            "short-read",
            "A stream has no seams",
            "streams",
            ("stream", "partial-read"),
            ("blocking 1.2", "blocking 1.3", "nonblocking 1.1", "capstone 1.1", "capstone 2.2"),
        ),
        Concept(
            "frame",
            "Messages in a stream",
            "streams",
            ("framing",),
            ("blocking 4.1", "blocking 4.4", "blocking 5.1", "blocking 5.4", "nonblocking 3.1", "capstone 2.1"),
        ),
        Concept(
            "byte-order",
            "Which byte of a number comes first",
            "streams",
            ("endian", "network-byte-order"),
            ("transport 1.1",),
        ),
        Concept(
            "bounded-buffer",
            "A mailbox with an end",
            "streams",
            ("mailbox", "buffer", "backpressure", "partial-write", "short-write"),
            (
                "blocking 5.3",
                "blocking 6.5",
                "nonblocking 2.3",
                "nonblocking 2.4",
                "nonblocking 3.6",
                "tlspipe 4.4",
                "tlspipe 4.5",
                "capstone 1.6",
            ),
        ),
    ),
    "Endings": (
        Concept(
            "end-of-stream", "Nothing yet, or never again", "endings", ("eof",), ("blocking 6.2", "transport 3.13")
        ),
        Concept(
            "half-close",
            "One side has finished, the other goes on",
            "endings",
            ("shutdown", "fin"),
            (
                "blocking 6.1",
                "capstone 1.4",
                "nonblocking 2.5",
                "nonblocking 5.1",
                "transport 4.7",
                "transport 4.8",
                "tlspipe 3.1",
                "tlspipe 3.2",
            ),
        ),
        Concept(
            "reset",
            "A close that destroys",
            "endings",
            ("rst", "abort", "linger"),
            (
                "blocking 1.5",
                "blocking 2.3",
                "blocking 2.4",
                "nonblocking 2.7",
                "transport 4.11",
                "tlspipe 3.4",
                "tlspipe 3.5",
            ),
        ),
        Concept(
            "time-wait",
            "The minute after",
            "endings",
            ("reuseaddr",),
            ("blocking 2.5", "blocking 6.4", "nonblocking 2.8", "transport 4.9"),
        ),
    ),
    "Datagrams": (
        Concept(
            "datagram",
            "A message that travels by itself",
            "datagrams",
            ("udp", "message"),
            ("blocking 3.1", "blocking 3.4"),
        ),
        Concept(
            "best-effort",
            "Mail without receipts",
            "datagrams",
            ("mail", "loss", "link"),
            ("blocking 3.2", "transport 3.9"),
        ),
        Concept(
            "connected-datagrams",
            "connect() without a handshake",
            "datagrams",
            ("icmp",),
            ("blocking 3.3", "transport 8.5"),
        ),
        Concept(
            "unix-socket",
            "The same calls inside one machine",
            "datagrams",
            ("socketpair", "af-unix"),
            ("blocking 1.4",),
        ),
    ),
    "Waiting for many": (
        Concept(
            "blocking",
            "To wait, or to be told: not now",
            "waiting",
            ("non-blocking", "nonblocking", "timeout", "eagain"),
            ("nonblocking 1.2", "nonblocking 1.5"),
        ),
        Concept(
            "readiness",
            "Ask the kernel who is ready",
            "waiting",
            ("select", "epoll", "poll", "selectors", "edge-triggered"),
            ("nonblocking 2.2", "nonblocking 4.1", "tlspipe 4.1", "tlspipe 4.2"),
        ),
        Concept(
            "busy-loop",
            "What asking again and again costs",
            "waiting",
            ("busy-wait", "spin"),
            ("nonblocking 1.6", "nonblocking 2.6", "transport 8.8", "tlspipe 4.7"),
        ),
        Concept(
            "many-clients",
            "Processes, threads, selectors, asyncio",
            "many",
            ("threads", "processes", "asyncio"),
            ("nonblocking 6.1",),
        ),
    ),
    "A stream over bad mail": (
        Concept("checksum", "How damage is noticed", "delivery", ("crc", "damage"), ("transport 1.4", "transport 1.6")),
        Concept(
            "three-answers",
            "What to do with mail that comes out of order",
            "delivery",
            ("sequence-number", "reordering", "reassembly"),
            ("transport 2.1", "transport 2.2", "transport 2.3", "transport 2.4", "transport 2.5"),
        ),
        Concept(
            "stop-and-wait",
            "One packet, one acknowledgement",
            "delivery",
            ("acknowledgement", "retransmission"),
            ("transport 3.4", "transport 3.5", "transport 3.8"),
        ),
        Concept(
            "rto",
            "How long to wait for an answer",
            "delivery",
            ("rtt", "karn", "round-trip-time", "retransmission-timeout"),
            ("transport 3.6", "transport 6.1"),
        ),
        Concept(
            "sliding-window",
            "Many under way",
            "delivery",
            ("pipelining", "bandwidth-delay-product"),
            ("transport 5.2",),
        ),
        Concept(
            "fast-retransmission",
            "Three that came later tell of one that is lost",
            "delivery",
            ("duplicate-ack", "fast-retransmit", "recovery"),
            ("transport 6.2", "transport 6.3", "transport 6.4"),
        ),
        Concept(
            "window",
            "A receiver that says: slower",
            "congestion",
            ("flow-control", "zero-window"),
            ("transport 5.1", "transport 5.3", "transport 5.4", "transport 5.5"),
        ),
        Concept(
            "aimd",
            "The saw: a share of the road",
            "congestion",
            ("congestion", "slow-start", "sawtooth", "fairness"),
            ("transport 7.1", "transport 7.2", "transport 7.3", "transport 7.4", "transport 7.5"),
        ),
        Concept("head-of-line", "Late, or lost: which is worse", "delivery", ("latency", "udp-against-tcp")),
    ),
    "Private and proven": (
        Concept(
            "plain-text",
            "What is read on the wire",
            "privacy",
            ("encryption", "record", "tls"),
            ("tlspipe 1.5", "tlspipe 6.1", "tlspipe 6.2", "capstone 1.2"),
        ),
        Concept(
            "tls-handshake",
            "What is said before the first secret",
            "privacy",
            ("clienthello", "sni"),
            ("tlspipe 1.4", "tlspipe 2.5", "tlspipe 4.3"),
        ),
        Concept(
            "certificate",
            "A chain taken apart",
            "identity",
            ("chain", "root"),
            ("tlspipe 2.1", "tlspipe 2.2", "tlspipe 2.6"),
        ),
        Concept(
            "identity",
            "Who is at the other end",
            "identity",
            ("name", "hostname", "wildcard"),
            ("tlspipe 2.3", "tlspipe 2.4", "tlspipe 2.7", "capstone 1.5"),
        ),
        Concept(
            "client-certificate",
            "Both sides proven, one after the other",
            "identity",
            ("mutual-tls", "mtls"),
            ("tlspipe 5.1", "tlspipe 5.2", "tlspipe 5.3", "tlspipe 1.6"),
        ),
        Concept(
            "truncation",
            "A cut that looks like an end",
            "privacy",
            ("close-notify", "cut"),
            ("tlspipe 3.3", "tlspipe 3.6", "tlspipe 3.7"),
        ),
        Concept(
            "pending", "Bytes that select() does not see", "privacy", ("want-read",), ("tlspipe 1.2", "tlspipe 4.6")
        ),
    ),
}

#: All of them, in the order of the course.
CONCEPTS = tuple(concept for group in GROUPS.values() for concept in group)
_BY_RULE = {rule: concept for concept in CONCEPTS for rule in concept.rules}


def find(word: str) -> Concept:
    """The concept that somebody means. Raises UsageError, with the nearest word."""
    wanted = word.strip().lower().replace("_", "-").replace(" ", "-")
    for concept in CONCEPTS:
        if wanted == concept.name:
            return concept
    for concept in CONCEPTS:
        if wanted in concept.also:
            return concept
    known = nearest(wanted, (concept.name for concept in CONCEPTS))
    raise UsageError(f'there is no page about "{word}". {known} `lab show` lists them.')


def page_for(assignment: str, section: str) -> str:
    """The name of the page that explains a rule of a handout; empty if none does.

    >>> page_for("blocking", "6.1")
    'half-close'
    """
    concept = _BY_RULE.get(f"{assignment} {section}")
    return concept.name if concept else ""
