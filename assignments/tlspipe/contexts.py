"""The two TLS contexts, each setting with its reason. Whom to trust is decided here and nowhere else.

A context holds what all connections of a program share: keys, roots, versions. It is made once, not per connection.
"""

from __future__ import annotations

import os
import ssl


class Unusable(Exception):
    """A certificate, key or root that cannot be loaded; the message names the file."""


def server_context(cert: str, key: str, *, client_ca: str | None = None, alpn: str | None = None) -> ssl.SSLContext:
    """For the side that is connected to. With `client_ca`, clients have to prove who they are. Raises Unusable."""
    raise NotImplementedError(
        "stage 1: a server's context with its own certificate; stage 5: clients' certificates, ALPN"
    )


def client_context(
    ca: str, *, cert: str | None = None, key: str | None = None, alpn: str | None = None
) -> ssl.SSLContext:
    """For the side that connects: trusts the roots in `ca` and no others. Raises Unusable."""
    raise NotImplementedError("stage 2: a client's context that knows one root file and checks names")


# Stage 1: what both contexts have in common; stage 5: whose eyes the key is for.
