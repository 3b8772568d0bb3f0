"""The words of a test: the one page that suites, and tests of your own, import from.

A test is a function that takes the fixture `lab`, a `Scene`; everything else is what it gets from it, or the values
that it hands in. Rule: a name moves in the harness as it likes; here it stays.

    from harness.testing import Scene

    def test_answers_each_line(lab: Scene) -> None:
        server = lab.serves("echo_server")
        ...
"""

from __future__ import annotations

from harness.actors.listener import Listener
from harness.actors.peer import Peer
from harness.actors.program import Program, Server
from harness.actors.story import Broken
from harness.lab.interface import CannotStart, Mangle, NotMeasured
from harness.link.profile import Profile
from harness.tester.scene import Scene
from harness.tester.tls_ways import Way, Ways, carries, comes_out, exchange, is_private, joins, opens, reaches, starts
from harness.tls.load.load import TlsLoad
from harness.tls.peer.contexts import BOTH, TLS10, TLS11, TLS12, TLS13, Versions
from harness.tls.peer.peer import TlsPeer
from harness.tls.peer.sealer import Sealer
from harness.tls.record_layer.records import HANDSHAKE, is_tls, plaintext_in
from harness.tls.zoo.zoo import Beast, Identity, names_of_beasts
from harness.transport.segments import Seg
from harness.transport.simulation.scenarios import App, Change, Scenario

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
