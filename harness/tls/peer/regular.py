"""An end of TLS that comes again: it resumes the session of an earlier connection, if the other side lets it.

A resumed handshake shows no certificate. What was demanded of the first connection has to be demanded of this one, too.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from harness.actors.peer import Peer
from harness.actors.program import PATIENCE
from harness.tls.peer.peer import TlsPeer


class Regular:
    """The tester's end of several connections, with one context for all: tickets are worth nothing elsewhere."""

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, name: str | None = None) -> None:
        """`name`: the server that a client asks for."""
        self._context, self._server_side, self._name = context, server_side, name
        self._session: ssl.SSLSession | None = None

    def meets(self, peer: Peer, *, alpn: Sequence[str] = (), shakes: bool = True, within: float = PATIENCE) -> TlsPeer:
        """One more connection; a client offers the session that it remembers. Raises Broken if the handshake fails.

        alpn: what is offered, or known, this time. shakes=False: nothing is sent yet.
        """
        self._context.set_alpn_protocols(list(alpn))
        end = TlsPeer(peer, self._context, server_side=self._server_side, name=self._name, session=self._session)
        if self._session is not None:
            peer.tells("offers to resume a session")
        if shakes:
            end.handshakes(within=within)
        return end

    def remembers(self, end: TlsPeer) -> None:
        """Keep the session of this connection for those to come, if the other side gave out what that takes."""
        session = end.openssl.tls.session
        self._session = session if session is not None and session.has_ticket else None
        end.raw.tells("has a session to resume" if self._session else "was given nothing to resume a session with")
