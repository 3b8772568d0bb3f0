"""aioquic as an endpoint of `harness.link.simulator`: its connections are sans-IO, too, and are told the time.

It takes aioquic: `.venv/bin/pip install -e '.[bench]'`.
"""

from __future__ import annotations

import datetime
import ssl

from aioquic.buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import HandshakeCompleted, StreamDataReceived
from aioquic.quic.packet import pull_quic_header
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEER = ("192.0.2.1", 4433)  #: QUIC wants an address; there is one path only
#: aioquic asks for a timer at the very time that is `now` when it is already late; time has to go on.
_SOON = 1e-6


def _certificate() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """One for "localhost", signed by itself; nobody looks at it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(today - datetime.timedelta(days=1))
    return builder.not_valid_after(today + datetime.timedelta(days=1)).sign(key, hashes.SHA256()), key


class QuicEndpoint:
    """One end of a connection that carries one stream, upwards. The client sends, the server counts."""

    def __init__(self, connection: QuicConnection | None) -> None:
        """None for a server, which begins with the first datagram."""
        self.connection = connection
        self.received = 0  #: bytes of the stream
        self.ended = False  #: the stream has been read to its end
        self._to_send: bytes = b""
        self._now = 0.0

    def send(self, data: bytes) -> None:
        """Send all this when the handshake is done, and end the stream."""
        self._to_send = data

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        """As `harness.link.simulator.Endpoint`."""
        self._now = now
        if self.connection is None:
            self.connection = _server(data)
        self.connection.receive_datagram(data, _PEER, now)
        self._take_events()

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        """As `harness.link.simulator.Endpoint`."""
        self._now = now
        if self.connection is None:
            return []
        return [data for data, _ in self.connection.datagrams_to_send(now)]

    def next_timer(self) -> float | None:
        """As `harness.link.simulator.Endpoint`."""
        due = None if self.connection is None else self.connection.get_timer()
        return None if due is None else max(due, self._now + _SOON)

    def handle_timer(self, *, now: float) -> None:
        """As `harness.link.simulator.Endpoint`."""
        assert self.connection is not None
        self._now = now
        self.connection.handle_timer(now)
        self._take_events()

    def _take_events(self) -> None:
        assert self.connection is not None
        while (event := self.connection.next_event()) is not None:
            if isinstance(event, HandshakeCompleted) and self._to_send:
                stream = self.connection.get_next_available_stream_id()
                self.connection.send_stream_data(stream, self._to_send, end_stream=True)
                self._to_send = b""
            elif isinstance(event, StreamDataReceived):
                self.received += len(event.data)
                self.ended |= event.end_stream


def _server(first: bytes) -> QuicConnection:
    """The server for whoever sent this datagram: it has to know the identifier that the client chose for it."""
    header = pull_quic_header(Buffer(data=first), host_cid_length=8)
    certificate, key = _certificate()
    return QuicConnection(
        configuration=QuicConfiguration(is_client=False, certificate=certificate, private_key=key),
        original_destination_connection_id=header.destination_cid,
    )


def quic_pair(controller: str = "reno", *, now: float = 0.0) -> tuple[QuicEndpoint, QuicEndpoint]:
    """(client, server), the client about to say hello. `controller`: reno (aioquic's default) or cubic."""
    client = QuicConnection(
        configuration=QuicConfiguration(
            is_client=True, congestion_control_algorithm=controller, verify_mode=ssl.CERT_NONE
        )
    )
    client.connect(_PEER, now)
    return QuicEndpoint(client), QuicEndpoint(None)
