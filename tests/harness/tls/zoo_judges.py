"""Three judges of a certificate that know nothing of each other: Python's ssl, openssl verify, and cryptography."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from harness.tls.zoo.zoo import Identity, Specimen

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
#: What `ssl` answers if there is no certificate: no code of X.509 is told.
NO_CERTIFICATE = -1
#: What the judge itself answers for a client of another name.
NOT_THE_NAME = -2

#: What is done to the context that judges.
Change = Callable[[ssl.SSLContext], None]


def as_it_is(_: ssl.SSLContext) -> None:
    """No change."""


# -- Python's ssl --------------------------------------------------------------------------------------------


def present(context: ssl.SSLContext, identity: Identity, folder: Path) -> None:
    """Let a context show an identity."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(identity.certificates)
    key.write_bytes(identity.key)
    context.load_cert_chain(chain, key)


def judging(specimen: Specimen, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A context as a right pipe has it."""
    is_client = specimen.role == "server"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if is_client else ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    if is_client:
        context.hostname_checks_common_name = False
    context.load_verify_locations(cadata=specimen.ca.decode("ascii"))
    context.minimum_version = context.maximum_version = version
    return context


def code_of_python(
    specimen: Specimen, opposite: Identity, folder: Path, version: ssl.TLSVersion = TLS_1_3, change: Change = as_it_is
) -> int:
    """0 if a handshake ends well, else why not: a code of X.509, or one of ours. `change`: done to the judge.

    opposite: what a server shows to the specimen that is a client.
    """
    judge = judging(specimen, version)
    if specimen.role == "client":
        present(judge, opposite, folder)
        change(judge)
        shown = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        shown.check_hostname, shown.verify_mode = False, ssl.CERT_NONE
    else:
        change(judge)
        shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if specimen.identity is not None:
        present(shown, specimen.identity, folder)
    client, server = (judge, shown) if specimen.role == "server" else (shown, judge)
    name = specimen.asked if specimen.role == "server" else None
    try:
        ends = handshake(client, server, name)
    except ssl.SSLCertVerificationError as error:
        return error.verify_code
    except ssl.SSLError as error:
        if error.reason != "PEER_DID_NOT_RETURN_A_CERTIFICATE":
            raise
        return NO_CERTIFICATE
    if specimen.role == "client" and specimen.asked and not _is_client(ends[1], specimen.asked):
        return NOT_THE_NAME
    return 0


def handshake(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, name: str | None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends after a handshake without sockets; what the one that judges raises otherwise."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    return client, server


def _is_client(server: ssl.SSLObject, asked: str) -> bool:
    said = (server.getpeercert() or {}).get("subjectAltName", ())
    try:
        address = ip_address(asked)
    except ValueError:
        return any(kind == "DNS" and value.lower() == asked.lower() for kind, value in said)
    return any(kind == "IP Address" and ip_address(value) == address for kind, value in said)


# -- the openssl program -------------------------------------------------------------------------------------


def codes_of_program(specimen: Specimen, folder: Path, *options: str, named: bool = True) -> set[int]:
    """Every code that `openssl verify` complains of. named: the name that is asked for is judged, too."""
    assert specimen.identity is not None
    own, *others = x509.load_pem_x509_certificates(specimen.identity.certificates)
    files = {"own": [own], "others": others}
    for title, certificates in files.items():
        (folder / title).write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))
    (folder / "roots").write_bytes(specimen.ca)
    command = ["openssl", "verify", "-no-CApath", "-no-CAfile", "-no-CAstore", "-x509_strict"]
    command += ["-trusted", str(folder / "roots")]
    command += ["-untrusted", str(folder / "others")] if others else []
    if "-purpose" not in options:
        command += ["-purpose", f"ssl{specimen.role}"]
    if named and specimen.asked:
        command += [_option_for(specimen.asked), specimen.asked]
    done = subprocess.run(
        [*command, *options, str(folder / "own")], capture_output=True, text=True, timeout=20, check=False
    )
    codes = {int(code) for code in re.findall(r"^error (\d+) at ", done.stdout + done.stderr, re.MULTILINE)}
    assert bool(codes) == (done.returncode != 0), done
    return codes


def _option_for(asked: str) -> str:
    try:
        ip_address(asked)
    except ValueError:
        return "-verify_hostname"
    return "-verify_ip"


# -- cryptography --------------------------------------------------------------------------------------------


def accepted_by_cryptography(specimen: Specimen) -> bool:
    """The verdict of the web's profile."""
    assert specimen.identity is not None
    own, *others = x509.load_pem_x509_certificates(specimen.identity.certificates)
    policy = PolicyBuilder().store(Store(x509.load_pem_x509_certificates(specimen.ca))).time(datetime.now(UTC))
    asked: x509.DNSName | x509.IPAddress
    try:
        asked = x509.IPAddress(ip_address(specimen.asked))
    except ValueError:
        asked = x509.DNSName(specimen.asked)
    try:
        policy.build_server_verifier(asked).verify(own, others)
    except VerificationError:
        return False
    return True
