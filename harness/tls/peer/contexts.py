"""The settings of the tester's ends of TLS: versions, certificates, protocols. The only place that makes contexts."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import ssl
import tempfile
import warnings
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from harness.lab.interface import LabError

# The standard library's own names; a test for old versions has to speak them.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    TLS10, TLS11 = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3

#: Versions from the lowest to the highest; all in between are spoken too.
Versions = Sequence[ssl.TLSVersion]
BOTH: Versions = (TLS12, TLS13)
#: Under TLS 1.2 what RFC 9325, section 4.2, recommends, and the tester can make records of: with others on offer, it
#: would be the program's choice whether a check can do its part.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class Pem(Protocol):
    """A chain and its key, as harness.tls.zoo.zoo.Identity has them."""

    @property
    def certificates(self) -> bytes: ...
    @property
    def key(self) -> bytes: ...


def client_context(
    *, ca: bytes | None, identity: Pem | None = None, alpn: Sequence[str] = (), versions: Versions = BOTH
) -> ssl.SSLContext:
    """A client's. ca: PEM of the only trusted roots, None: any server is trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return _settled(context, ca, identity, alpn, versions)


def server_context(
    *,
    identity: Pem,
    client_ca: bytes | None = None,
    alpn: Sequence[str] = (),
    versions: Versions = BOTH,
    tickets: int = 2,
) -> ssl.SSLContext:
    """A server's. client_ca: clients need a certificate from there; tickets: of TLS 1.3."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = tickets
    return _settled(context, client_ca, identity, alpn, versions)


def _settled(
    context: ssl.SSLContext, ca: bytes | None, identity: Pem | None, alpn: Sequence[str], versions: Versions
) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version, context.maximum_version = min(versions), max(versions)
    if min(versions) < TLS12:
        context.set_ciphers("ALL:@SECLEVEL=0")  # their signatures are made with SHA-1
    else:
        context.set_ciphers(_CIPHERS)
    if ca is not None:
        context.load_verify_locations(cadata=ca.decode("ascii"))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if identity is not None:
        with tempfile.TemporaryDirectory() as folder:  # it only works through files; ours alone, gone at once
            chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
            chain.write_bytes(identity.certificates)
            key.write_bytes(identity.key)
            try:
                context.load_cert_chain(chain, key)
            except ssl.SSLError as error:
                raise LabError(f"the tester cannot use a certificate of its own: {error}") from None
    return context


class KeyLog:
    """The secrets of one context's connections, for making records of one's own."""

    def __init__(self, context: ssl.SSLContext) -> None:
        descriptor, name = tempfile.mkstemp(prefix="keys")
        os.close(descriptor)
        self._path = Path(name)
        self._gone = weakref.finalize(self, _remove, self._path)
        context.keylog_filename = name

    def takes(self) -> dict[str, bytes]:
        """The secrets by label, such as CLIENT_TRAFFIC_SECRET_0; the file is gone after that."""
        try:
            lines = [line.split() for line in self._path.read_text("ascii").splitlines()]
        except OSError:  # taken before
            lines = []
        self._gone()
        return {line[0]: bytes.fromhex(line[2]) for line in lines if len(line) == 3}


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # Windows keeps a file until the context that writes it is gone
        path.unlink()


def is_address(name: str) -> bool:
    """Whether a name is an IP address, which is never sent in server_name (RFC 6066, section 3)."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
