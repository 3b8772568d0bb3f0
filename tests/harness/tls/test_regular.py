"""Ends that come again resume their sessions with each other, and look at everything else anew."""

from __future__ import annotations

import socket
import ssl
import threading
import time

import pytest

from harness.actors.peer import Peer
from harness.actors.story import Story
from harness.tls.peer.contexts import TLS12, TLS13, client_context, server_context
from harness.tls.peer.peer import TlsPeer
from harness.tls.peer.regular import Regular
from harness.tls.zoo.zoo import Zoo


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_two_regulars(version: ssl.TLSVersion) -> None:
    zoo, story = Zoo(), Story(time.monotonic)
    client = Regular(client_context(ca=zoo.ca, versions=[version]), server_side=False, name="server.example")
    server = Regular(server_context(identity=zoo.server(), versions=[version]), server_side=True)

    def meet(offered: list[str], known: list[str]) -> tuple[TlsPeer, TlsPeer]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            left = Peer(socket.create_connection(listener.getsockname()), story)
            right = Peer(listener.accept()[0], story)
        serving = server.meets(right, alpn=known, shakes=False)
        thread = threading.Thread(target=serving.handshakes)
        thread.start()
        asking = client.meets(left, alpn=offered)
        thread.join()
        serving.sends(b"hello")
        asking.reads_exactly(b"hello")
        return asking, serving

    first, _ = meet(["mail/2"], ["mail/2"])
    assert first.alpn == "mail/2" and not first.openssl.tls.session_reused
    client.remembers(first)
    second, _ = meet(["mail/2"], [])
    assert second.alpn is None and second.openssl.tls.session_reused
    third, _ = meet([], ["mail/2"])
    assert third.alpn is None and third.openssl.tls.session_reused
    assert any("a session resumed" in step.what for step in story.steps)
    for end in (first, second, third):
        end.raw.dismiss()
