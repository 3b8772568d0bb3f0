"""The words of a test: the one page that suites, and tests of your own, import from.

A test is a function that takes the fixture `lab`, a `Scene`; everything else is what it gets from it, or the values
that it hands in. The words of one subject are in a namespace: `lab.clients`, `lab.kernel`, `lab.transport`, `lab.tls`,
`lab.pipes`, `lab.stack`. Rule: a name moves in the harness as it likes; here it stays.

    from harness.testing import Scene

    def test_answers_each_line(lab: Scene) -> None:
        server = lab.serves("echo_server")
        ...
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from harness.actors.listener import Listener
from harness.actors.peer import Peer
from harness.actors.program import Program
from harness.actors.server import Server
from harness.actors.story import Broken, show
from harness.course.address import Address
from harness.lab.interface import CannotStart, LabError, Mangle, NotMeasured
from harness.link.profile import Profile
from harness.tester.scene import Scene

if TYPE_CHECKING:
    from harness.tls.load.load import TlsLoad
    from harness.tls.peer.contexts import BOTH, TLS10, TLS11, TLS12, TLS13, Versions
    from harness.tls.peer.peer import TlsPeer
    from harness.tls.peer.regular import Regular
    from harness.tls.peer.sealer import Sealer
    from harness.tls.pipes import PipeConnection, PipeConnections, comes_out, exchange
    from harness.tls.record_layer.records import HANDSHAKE, is_tls, plaintext_in
    from harness.tls.zoo.zoo import Identity, Specimen, names_of_specimens
    from harness.transport.script.peer import ScriptedPeer
    from harness.transport.segments import Seg
    from harness.transport.simulation.scenarios import App, Change, Scenario

__all__ = [
    "BOTH",
    "HANDSHAKE",
    "TLS10",
    "TLS11",
    "TLS12",
    "TLS13",
    "Address",
    "App",
    "Broken",
    "CannotStart",
    "Change",
    "Identity",
    "LabError",
    "Listener",
    "Mangle",
    "NotMeasured",
    "Peer",
    "PipeConnection",
    "PipeConnections",
    "Profile",
    "Program",
    "Regular",
    "Scenario",
    "Scene",
    "ScriptedPeer",
    "Sealer",
    "Seg",
    "Server",
    "Specimen",
    "TlsLoad",
    "TlsPeer",
    "Versions",
    "comes_out",
    "exchange",
    "is_tls",
    "names_of_specimens",
    "plaintext_in",
    "show",
]

#: What is of one subject only is loaded when a suite names it: suites of the others do without.
_LATER = {
    "harness.tls.load.load": ["TlsLoad"],
    "harness.tls.peer.contexts": ["BOTH", "TLS10", "TLS11", "TLS12", "TLS13", "Versions"],
    "harness.tls.peer.peer": ["TlsPeer"],
    "harness.tls.peer.regular": ["Regular"],
    "harness.tls.peer.sealer": ["Sealer"],
    "harness.tls.pipes": ["PipeConnection", "PipeConnections", "comes_out", "exchange"],
    "harness.tls.record_layer.records": ["HANDSHAKE", "is_tls", "plaintext_in"],
    "harness.tls.zoo.zoo": ["Specimen", "Identity", "names_of_specimens"],
    "harness.transport.script.peer": ["ScriptedPeer"],
    "harness.transport.segments": ["Seg"],
    "harness.transport.simulation.scenarios": ["App", "Change", "Scenario"],
}


def __getattr__(name: str) -> object:
    for module, names in _LATER.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"harness.testing has no {name!r}")
