"""Records of the tester's own under the live keys of a TlsPeer: what no TLS library would send.

Rule 1: from the first record on, everything that goes out is the sealer's: OpenSSL no longer knows the next sequence
number. What it would send is discarded; reading still goes through it.
Rule 2: every record made has to be sent, in order: each takes a number.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from harness.actors.program import PATIENCE
from harness.actors.story import Broken, show
from harness.lab.interface import LabError
from harness.tls.record_layer import sealing
from harness.tls.record_layer.records import CHANGE_CIPHER_SPEC, messages, split
from harness.tls.record_layer.sealing import ALERT, APPLICATION_DATA, HANDSHAKE, LONGEST, Keys12, Keys13, Suite

if TYPE_CHECKING:
    from harness.tls.peer.peer import TlsPeer

#: Bytes of a flood that are written at a time, and between two looks at what comes back.
_BATCH = 65_536
_CLIENT_HELLO, _SERVER_HELLO = 1, 2
#: Seconds for which replies are read, however many there are.
_LISTENS = 0.5


class Sealer:
    """Made by `lab.tls.seals(tls_peer)`, after the handshake. Raises LabError where the keys cannot be had."""

    def __init__(self, peer: TlsPeer) -> None:
        self.peer = peer
        self._tell = peer.raw.tells
        self._openssl = peer.openssl
        if self._openssl.flush(time.monotonic() + PATIENCE):
            raise Broken("the program ended the connection", expected="a connection", seen=str(self._openssl.ended))
        if self._openssl.unsent:
            raise LabError("there is something unsent on this connection: seal records before it is full")
        self._server = self._openssl.tls.server_side
        cipher = self._openssl.tls.cipher()
        suite = sealing.suite_of(cipher[0]) if cipher else None
        if suite is None:
            raise LabError(f"no records can be sealed under {cipher[0] if cipher else 'no cipher'}")
        went = peer.raw_out
        if len(went) < peer.raw_counts[1]:
            raise LabError("too much was sent on this connection for its records to be counted")
        self._records = [record.raw for record in split(went)[0]]
        self.is_tls13 = peer.version == "TLSv1.3"
        self._traffic: Keys13 | Keys12
        self._again = b""  # the ClientHello of a renegotiation, TLS 1.2
        self._traffic = self._traffic13(suite) if self.is_tls13 else self._traffic12(suite)
        self._discarded = False
        self._openssl.wire.tamper = self._discards

    # -- making records ------------------------------------------------------------------------------------------

    def seals(self, content: bytes, kind: int = APPLICATION_DATA, padding: int = 0) -> bytes:
        """The next record, with that content type; padding: zeros after it (TLS 1.3, RFC 8446, section 5.4)."""
        if isinstance(self._traffic, Keys13):
            return self._traffic.seals(content, kind, padding)
        if padding:
            raise LabError("records of TLS 1.2 have no padding under these ciphers")
        return self._traffic.seals(content, kind)

    def key_update(self, *, request: bool = True) -> bytes:
        """A KeyUpdate; what follows is under the next keys. request: the other side has to answer with one."""
        traffic = self._tls13()
        record = traffic.seals(sealing.key_update(request=request), HANDSHAKE)
        traffic.updates()
        return record

    def empty_record(self) -> bytes:
        """Application data of no bytes, which is allowed (section 5.1)."""
        return self.seals(b"")

    def padded_record(self, content: bytes) -> bytes:
        """Application data with zeros after it up to the largest record, which is allowed."""
        return self.seals(content, padding=LONGEST - len(content))

    def oversized(self) -> bytes:
        """One byte of plaintext more than a record may have: record_overflow (section 5.1)."""
        return self.seals(bytes(LONGEST + 1))

    def unknown_type(self, kind: int = 99) -> bytes:
        """A record of a content type that does not exist: unexpected_message (section 5)."""
        return self.seals(b"?", kind)

    def no_type(self) -> bytes:
        """Nothing but padding: unexpected_message (section 5.4)."""
        return self._tls13().seals_inner(bytes(32))

    def alert(self, description: int, *, level: int = 2) -> bytes:
        """An alert (section 6); under TLS 1.3 its level means nothing."""
        return self.seals(bytes([level, description]), ALERT)

    def warning_alert(self) -> bytes:
        """user_canceled at level warning: the only alert besides close_notify that need not end anything."""
        return self.alert(sealing.USER_CANCELED, level=1)

    def close_notify(self) -> bytes:
        """A close_notify: the proper end."""
        return self.alert(sealing.CLOSE_NOTIFY, level=1)

    def renegotiation(self) -> bytes:
        """A ClientHello in the middle of a TLS 1.2 connection, as a client sends that wants to start over.

        A server that keeps the old keys says no_renegotiation (RFC 5746, section 4.5): the tester's OpenSSL,
        which never asked, reads nothing more after that; what is sent still counts.
        """
        if self.is_tls13:
            raise LabError("TLS 1.3 knows no renegotiation")
        if self._server:
            raise LabError("a server asks for a renegotiation with a HelloRequest: seals(bytes(4), 22)")
        return self.seals(self._again, HANDSHAKE)

    # -- sending -------------------------------------------------------------------------------------------------

    def sends(self, *records: bytes, what: str = "", may_fail: bool = False, within: float = PATIENCE) -> None:
        """Write records that were made here, all at once. Raises Broken. `what`: their name in the story."""
        count = f"{len(records):,} records" if len(records) > 1 else "a record"
        self._tell(f"sends {what or count + ' of its own: ' + show(b''.join(records))}")
        try:
            self._openssl.send_raw(b"".join(records), time.monotonic() + within)
        except (TimeoutError, OSError) as error:
            if not may_fail:
                raise self._not_taken(error, within) from None
            self._tell("finds the connection ended while sending")

    def floods(
        self, make: Callable[[], bytes], count: int, *, what: str, within: float = 30.0, reads: bool = True
    ) -> int:
        """Send `count` records, each made by `make`, such as `sealer.key_update`; returns how many were taken.

        Fewer only if the program ended the connection, which it may; Broken if it stops reading. reads: read what it
        answers meanwhile; data is kept for a later read.
        """
        self._tell(f"sends {count:,} {what}, as fast as they are taken")
        deadline = time.monotonic() + within
        sent = 0
        for batch, records in _batches(make, count):
            try:
                self._openssl.send_raw(batch, deadline)
            except TimeoutError as error:
                raise self._not_taken(error, within) from None
            except OSError:
                self._tell(f"finds the connection ended after {sent:,} of them")
                return sent
            sent += records
            if reads:
                self.hears()
        return sent

    def hears(self) -> None:
        """Read what is there, without waiting; data is kept for a later read."""
        until = time.monotonic() + _LISTENS
        try:
            while isinstance(came := self._openssl.read(_BATCH, time.monotonic()), bytes):
                self.peer.keeps(came)
                if time.monotonic() > until:
                    return
            while self._openssl.wire.receive(time.monotonic()) and time.monotonic() < until:
                pass  # OpenSSL has given up; the flood goes on
        except TimeoutError:
            pass

    def _not_taken(self, error: Exception, within: float) -> Broken:
        late = isinstance(error, TimeoutError)
        return Broken(
            "the records could not be sent: the program " + ("stopped reading" if late else "ended the connection"),
            verdict="timeout" if late else "fail",
            expected=f"records that are taken within {within:g} s",
            seen="a full connection" if late else "the end of the connection",
        )

    def _discards(self, _record: bytes) -> bytes:
        if not self._discarded:
            self._discarded = True
            self._tell("throws away what OpenSSL would send: here the records are made by hand now")
        return b""

    # -- the keys ------------------------------------------------------------------------------------------------

    def _tls13(self) -> Keys13:
        if not isinstance(self._traffic, Keys13):
            raise LabError("this is something of TLS 1.3, and the connection speaks TLS 1.2")
        return self._traffic

    def _secret(self, label: str) -> bytes:
        try:
            return self.peer.secrets[label]
        except KeyError:
            raise LabError(f"the key log has no {label}: is the handshake complete?") from None

    def _traffic13(self, suite: Suite) -> Keys13:
        """The keys, at the sequence number that OpenSSL has reached.

        What it sent is opened again: under the handshake's keys first, then under those of the data.
        """
        side = "SERVER" if self._server else "CLIENT"
        handshake = Keys13(self._secret(f"{side}_HANDSHAKE_TRAFFIC_SECRET"), suite)
        data = Keys13(self._secret(f"{side}_TRAFFIC_SECRET_0"), suite)
        for record in self._records:
            if record[0] != APPLICATION_DATA or (not data.number and handshake.opens(record)):
                continue
            opened = data.opens(record)
            if opened is None:
                raise LabError("what was sent on this connection is not under its keys: was it tampered with?")
            kind, content = opened
            if kind == HANDSHAKE and content[:1] == b"\x18":
                data.updates()
        return data

    def _traffic12(self, suite: Suite) -> Keys12:
        peer = self.peer
        kinds = (_SERVER_HELLO, _CLIENT_HELLO) if self._server else (_CLIENT_HELLO, _SERVER_HELLO)
        hellos = [_hello(stream, kind) for stream, kind in zip((peer.raw_out, peer.raw_in), kinds, strict=True)]
        ours, theirs = (hello[2:34] for hello in hellos)
        randoms = (theirs, ours) if self._server else (ours, theirs)
        traffic = sealing.keys12(self._secret("CLIENT_RANDOM"), *randoms, suite)[int(self._server)]
        finished, encrypted = b"", False
        for record in self._records:
            if encrypted:
                opened = traffic.opens(record)
                if opened is None:
                    raise LabError("what was sent on this connection is not under its keys")
                finished = finished or opened[1]
            encrypted = encrypted or record[0] == CHANGE_CIPHER_SPEC
        if not self._server:
            self._again = sealing.hello_again(hellos[0], finished[4:])
        return traffic


def _hello(stream: bytes, wanted: int) -> bytes:
    """The hello of one side: not always its first message. Raises Broken if it did not come in the usual form."""
    for kind, body in messages(stream):
        if kind == wanted:
            return body
    raise Broken(
        "the handshake cannot be read", expected="a ClientHello and a ServerHello in the clear", seen=show(stream)
    )


def _batches(make: Callable[[], bytes], count: int) -> Iterator[tuple[bytes, int]]:
    """Records, some 64 KiB at a time, and how many they are."""
    batch, records = bytearray(), 0
    for _ in range(count):
        batch += make()
        records += 1
        if len(batch) >= _BATCH:
            yield bytes(batch), records
            batch, records = bytearray(), 0
    if batch:
        yield bytes(batch), records
