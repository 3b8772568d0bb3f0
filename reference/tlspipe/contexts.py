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
    ### BEGIN SOLUTION: stage 1: a server's context with its own certificate; stage 5: clients' certificates, ALPN
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _common(context, alpn)
    _load_own(context, cert, key)
    if client_ca is not None:
        # A server context verifies no one by default: CERT_NONE. Without this line mutual TLS is decoration.
        context.verify_mode = ssl.CERT_REQUIRED
        _load_roots(context, client_ca)
    return context
    ### END SOLUTION


def client_context(
    ca: str, *, cert: str | None = None, key: str | None = None, alpn: str | None = None
) -> ssl.SSLContext:
    """For the side that connects: trusts the roots in `ca` and no others. Raises Unusable."""
    ### BEGIN SOLUTION: stage 2: a client's context that knows one root file and checks names
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies the chain and the name by default ...
    _common(context, alpn)
    _load_roots(context, ca)  # ... and load_default_certs() is not called: the system's roots are not ours
    # RFC 9525, section 2: "the Common Name ... MUST NOT be used". Only subjectAltName says who a server is.
    context.hostname_checks_common_name = False
    if cert is not None and key is not None:
        _load_own(context, cert, key)
    return context
    ### END SOLUTION


### BEGIN SOLUTION: stage 1: what both contexts have in common; stage 5: whose eyes the key is for
def _common(context: ssl.SSLContext, alpn: str | None) -> None:
    # RFC 8996: "TLS 1.0 MUST NOT be used", and TLS 1.1 MUST NOT either.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # In TLS 1.2 either side may ask for a new handshake at any time: work for us, at the price of a record for it.
    context.options |= ssl.OP_NO_RENEGOTIATION
    # In TLS 1.2 compression tells secrets by the length of records (CRIME); TLS 1.3 has none.
    context.options |= ssl.OP_NO_COMPRESSION
    if alpn is not None:
        try:
            context.set_alpn_protocols([alpn])
        except (ssl.SSLError, UnicodeError):
            raise Unusable(f"--alpn {alpn!r}: not 1 to 255 ASCII characters") from None


def _load_own(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Our certificate with its intermediates, leaf first, and the key that proves it is ours."""
    try:
        if os.name == "posix" and os.stat(key).st_mode & 0o077:
            raise Unusable(f"{key}: others than its owner may read this key (chmod 600 {key})")
        context.load_cert_chain(cert, key, password=_no_password)
    except (OSError, ValueError) as error:  # SSLError is an OSError: no PEM, or a key of another certificate
        raise Unusable(f"{cert}, {key}: {_reason(error)}") from None


def _no_password() -> str:
    """OpenSSL would ask the terminal."""
    raise ValueError("the key is encrypted, and nobody is here to be asked for the password")


def _load_roots(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(path)
    except (OSError, ValueError) as error:
        raise Unusable(f"{path}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no PEM file").lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error)


### END SOLUTION
