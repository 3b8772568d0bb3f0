"""The words of a test: the one page that suites, and tests of your own, import from.

A test is a function that takes the fixture `lab`, a `Scene`; everything else is what it gets from it, or the values
that it hands in. Rule: a name moves in the harness as it likes; here it stays.

    from harness.testing import Scene

    def test_answers_each_line(lab: Scene) -> None:
        server = lab.serves("echo_server")
        ...
"""

from __future__ import annotations

from harness.lab import CannotStart, Mangle, NotMeasured
from harness.listener import Listener
from harness.peers import Peer
from harness.profile import Profile
from harness.program import Program, Server
from harness.scene import Scene
from harness.steps import Broken
from harness.tls.contexts import BOTH, TLS10, TLS11, TLS12, TLS13, Versions
from harness.tls.load import TlsLoad
from harness.tls.peer import TlsPeer
from harness.tls.records import HANDSHAKE, is_tls, plaintext_in
from harness.tls.sealer import Sealer
from harness.tls.ways import (
    Way,
    Ways,
    carries,
    comes_out,
    exchange,
    is_private,
    joins,
    opens,
    reaches,
    starts,
)
from harness.tls.zoo import Beast, Identity, names_of_beasts
from harness.transport.scenarios import App, Change, Scenario
from harness.transport.segments import Seg

__all__ = [
    "BOTH",
    "HANDSHAKE",
    "TLS10",
    "TLS11",
    "TLS12",
    "TLS13",
    "App",
    "Beast",
    "Broken",
    "CannotStart",
    "Change",
    "Identity",
    "Listener",
    "Mangle",
    "NotMeasured",
    "Peer",
    "Profile",
    "Program",
    "Scenario",
    "Scene",
    "Sealer",
    "Seg",
    "Server",
    "TlsLoad",
    "TlsPeer",
    "Versions",
    "Way",
    "Ways",
    "carries",
    "comes_out",
    "exchange",
    "is_private",
    "is_tls",
    "joins",
    "names_of_beasts",
    "opens",
    "plaintext_in",
    "reaches",
    "starts",
]
