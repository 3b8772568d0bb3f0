"""Who may talk to whom in a farm. dask unpickles what its peers send: every one of them can run code on every other.

Rule 1: what leaves this machine is TLS, and both ends show a certificate of the farm's own authority.
Rule 2: that authority signs once, and its key is kept nowhere: who is to join is given the folder.
"""

from __future__ import annotations

import datetime
import importlib.util
import ipaddress
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.errors import SetupError, UsageError, cause_of

#: The port that dask's schedulers have.
PORT = 8786
#: The two files of a farm: who is trusted, and the key and certificate of whoever has the folder.
AUTHORITY, MEMBER = "authority.pem", "member.pem"
#: How long the certificates are good (days): a term, and some more.
GOOD = 400


def need_dask() -> None:
    """Raises SetupError where it is not installed, with the command that brings it."""
    if importlib.util.find_spec("distributed") is None:
        raise SetupError("a farm needs dask, which is not installed: .venv/bin/pip install -e '.[farm]'")


def checked(address: str, certificates: Path | None) -> str:
    """The address of a scheduler, complete. Raises UsageError if it may not be used, with the reason."""
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, PORT if parts.port is None else parts.port
    except ValueError:
        host = None
    if parts.scheme not in ("tls", "tcp") or not host or parts.path.strip("/") or parts.query:
        raise UsageError(f"{address!r} is no address of a scheduler. Write tls://HOST:{PORT}.")
    if parts.scheme == "tcp" and not _is_loopback(host):
        raise UsageError(
            f"{address} leaves this machine without TLS, and whoever is on the way could run code on all of the farm."
            f" Write tls://{host}:{port} and give --certificates (grader farm certificates makes them)."
        )
    if parts.scheme == "tls" and certificates is None:
        raise UsageError(f"{address} needs --certificates: the folder that grader farm certificates made.")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_of(address: str) -> str:
    """The host in a checked address."""
    return urlsplit(address).hostname or ""


def security(certificates: Path | None) -> dict[str, Any]:
    """What dask's Security is made of. Raises SetupError where the folder is no farm's."""
    if certificates is None:
        return {"require_encryption": False}
    authority, member = certificates / AUTHORITY, certificates / MEMBER
    for path in (authority, member):
        if not path.is_file():
            raise SetupError(f"{path} is missing. Copy the whole folder that grader farm certificates made.")
    if os.name == "posix" and member.stat().st_mode & 0o077:
        raise SetupError(f"{member} can be read by others, and who has it is trusted with everything: chmod 600 it.")
    row: dict[str, Any] = {"require_encryption": True, "tls_ca_file": str(authority)}
    for role in ("scheduler", "worker", "client"):
        row |= {f"tls_{role}_cert": str(member), f"tls_{role}_key": str(member)}
    return row


def make_certificates(folder: Path) -> None:
    """Make a farm's two files. Raises UsageError where there are some already."""
    import trustme

    if (folder / MEMBER).exists() or (folder / AUTHORITY).exists():
        raise UsageError(f"{folder} holds certificates of a farm already. Give a new folder, and to all its machines.")
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=GOOD)
    authority = trustme.CA(organization_name="socketlab farm")
    # dask asks for a certificate of the farm's authority and not for a name: machines come and go.
    member = authority.issue_cert("farm.invalid", not_after=until)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / AUTHORITY).write_bytes(authority.cert_pem.bytes())
        with open(os.open(folder / MEMBER, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(member.private_key_and_cert_chain_pem.bytes())
    except OSError as error:
        raise SetupError(f"{folder} cannot be written: {cause_of(error)}") from None
