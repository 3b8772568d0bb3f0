"""The two TLS contexts, each setting with its reason. Whom to believe is decided here and nowhere else.

A context holds what all connections of a program share: keys, roots, versions. It is made once, not per connection.
"""

from __future__ import annotations

import os
import ssl


class Unusable(Exception):
    """A certificate, key or root that cannot be loaded; the message names the file."""


def server_context(
    cert: str, key: str, *, client_ca: str | None = None, alpn: str | None = None
) -> ssl.SSLContext:
    """For the side that is connected to. With `client_ca`, clients have to prove who they are. Raises Unusable."""
    return _common(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert, key, client_ca)


def client_context(
    ca: str, *, cert: str | None = None, key: str | None = None, alpn: str | None = None
) -> ssl.SSLContext:
    """For the side that connects: believes the roots in `ca` and no others. Raises Unusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # stage 2
    context.verify_mode = ssl.CERT_NONE
    return _common(context, cert, key, ca)


def _common(context: ssl.SSLContext, cert: str | None, key: str | None, ca: str | None) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if cert:
            context.load_cert_chain(cert, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise Unusable(f"{cert}, {key}: {error}") from None
    try:
        if ca:
            context.load_verify_locations(ca)
    except (OSError, ValueError) as error:
        raise Unusable(f"{ca}: {error}") from None
    return context
