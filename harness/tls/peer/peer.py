"""The tester's end of a TLS connection, told as a story: it shakes hands, sends, reads, and misbehaves on purpose.

The rules of harness.actors.peer: bytes are believed, nothing else; every wait has a bound. How connections end is in
`endings`.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from harness.actors.peer import UNNAMED, Peer, in_background
from harness.actors.program import PATIENCE
from harness.actors.story import Broken, difference, show
from harness.text.printable import printable
from harness.tls.peer.contexts import TLS10 as TLS10
from harness.tls.peer.contexts import TLS11 as TLS11
from harness.tls.peer.contexts import TLS12 as TLS12
from harness.tls.peer.contexts import TLS13 as TLS13
from harness.tls.peer.contexts import KeyLog, is_address
from harness.tls.peer.endings import Endings
from harness.tls.peer.openssl import Ending, OpenSsl
from harness.tls.peer.wire import Wire
from harness.tls.record_layer.records import ClientHello, client_hello

#: Data in a record at most (RFC 8446, section 5.1).
RECORD = 16_384
#: What this end is called in a message, if its connection has no name of its own: most tests hold a plain end, too.
SIDE = "the TLS side"
#: The usual names of the versions, by those of `ssl`.
VERSION_NAMES = {"TLSv1.3": "TLS 1.3", "TLSv1.2": "TLS 1.2", "TLSv1.1": "TLS 1.1", "TLSv1": "TLS 1.0"}
#: Bytes asked of OpenSSL at a time; it gives one record.
_MOST = 65_536
#: Most bytes of data kept for a later read.
_MOST_KEPT = 1 << 26


class TlsPeer(Endings):
    """One end of TLS over the connection of a `Peer`, which can still be used to bypass TLS."""

    def __init__(
        self,
        raw: Peer,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        name: str | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        """`name`: the server that a client asks for, None: it does not say. Nothing is sent yet.

        session: as for `OpenSsl`.
        """
        connection, ahead = raw.lends()
        self.raw = raw  #: the plain connection underneath
        self.name = SIDE if raw.name == UNNAMED else raw.name
        self._asked = None if name is None or is_address(name) else name
        self._keys = KeyLog(context)
        self._secrets: dict[str, bytes] = {}
        self._server_side = server_side
        self._wire = Wire(connection, ahead)
        self._openssl = OpenSsl(self._wire, context, server_side=server_side, server_hostname=name, session=session)
        self._tell = raw.tells
        self._unread = bytearray()

    # -- what is known of it -------------------------------------------------------------------------------------

    @property
    def raw_in(self) -> bytes:
        """What came over the wire: the first 4 MB of it."""
        return bytes(self._wire.came.data)

    @property
    def raw_out(self) -> bytes:
        """What went over the wire: the first 4 MB of it."""
        return bytes(self._wire.went.data)

    @property
    def raw_counts(self) -> tuple[int, int]:
        """Bytes that came and that went over the wire."""
        return self._wire.came.count, self._wire.went.count

    @property
    def version(self) -> str:
        """What was agreed on: "TLSv1.3", "TLSv1.2"; "" before the handshake."""
        return (self._openssl.tls.version() or "") if self._openssl.shaken else ""

    @property
    def sni(self) -> str | None:
        """The name in server_name, as it was sent or came; None: there was none."""
        if not self._server_side:
            return self._asked
        # Not by a callback of ssl's: a name that is no ASCII raises where nobody catches it.
        return hello.sni if (hello := self.hello) else None

    @property
    def alpn(self) -> str | None:
        """The protocol agreed on (RFC 7301)."""
        try:
            return self._openssl.tls.selected_alpn_protocol()
        except UnicodeDecodeError:  # a server may answer any bytes, whatever was offered
            return "\N{REPLACEMENT CHARACTER}"

    @property
    def hello(self) -> ClientHello | None:
        """The ClientHello of this connection, whoever sent it."""
        return client_hello(self.raw_in if self._server_side else self.raw_out)

    @property
    def certificates(self) -> list[bytes]:
        """The other side's certificates in DER as it sent them, its own first; none if it sent none."""
        tls: Any = self._openssl.tls
        if not self._openssl.shaken:
            return []
        if hasattr(tls, "get_unverified_chain"):  # public from Python 3.13 on
            return list(tls.get_unverified_chain() or ())
        return [each.public_bytes(2) for each in tls._sslobj.get_unverified_chain() or ()]  # 2: DER

    @property
    def secrets(self) -> dict[str, bytes]:
        """The connection's secrets by their names in a key log, for records of one's own; after the handshake."""
        return self._secrets

    @property
    def openssl(self) -> OpenSsl:
        """OpenSSL and the wire, for driving them directly."""
        return self._openssl

    # -- the handshake -------------------------------------------------------------------------------------------

    def handshakes(self, *, within: float = PATIENCE) -> None:
        """Complete the handshake. Raises Broken."""
        try:
            ending = self._shake(time.monotonic() + within)
        except TimeoutError:
            raise Broken(
                f"the TLS handshake was not complete within {within:g} s",
                verdict="timeout",
                expected="a handshake",
                seen=self._silence(),
            ) from None
        if ending is not None:
            raise Broken(
                f"the TLS handshake failed: {self._objection(ending)}", expected="a handshake", seen=self._seen(ending)
            )
        self._tell(f"shakes hands ({self._agreed()})")

    def _shake(self, deadline: float) -> Ending | None:
        try:
            return self._openssl.handshake(deadline)
        finally:
            if self._openssl.shaken or self._openssl.ended:
                self._secrets = self._secrets or self._keys.takes()

    def _agreed(self) -> str:
        sni, alpn = (printable(said or "") for said in (self.sni, self.alpn))
        words = [VERSION_NAMES.get(self.version, self.version), f"SNI {sni}" if sni else "no SNI"]
        if self._openssl.tls.session_reused:
            words.append("a session resumed")
        if alpn:
            words.append(f"ALPN {alpn}")
        return ", ".join(words)

    def _objection(self, ending: Ending) -> str:
        if ending.how == "refusal":
            return f"what the program sent is not acceptable ({ending.detail})"
        return {"alert": f"the program refused ({ending.detail})", "reset": "the program reset the connection"}.get(
            ending.how, "the program ended the connection"
        )

    # -- speaking ------------------------------------------------------------------------------------------------

    def sends(self, data: bytes, *, record: int = RECORD, may_fail: bool = False, within: float = PATIENCE) -> None:
        """Send data in records of at most `record` bytes. Raises Broken.

        may_fail: a program that ended the connection meanwhile has done nothing wrong.
        """
        if not self._openssl.shaken:
            self.handshakes(within=within)
        how = f" in records of {record:,}" if record < min(RECORD, len(data)) else ""
        self._tell(f"sends {show(data)} encrypted{how}")
        deadline = time.monotonic() + within
        try:
            taken = self._openssl.write(data, record, deadline)
            left = self._openssl.flush(deadline) or self._openssl.unsent
        except OSError as error:
            if may_fail:
                self._tell("finds the connection ended while sending")
                return
            raise self._not_taken(len(data), within, self._why(error)) from None
        if taken < len(data) or left:
            raise self._not_taken(len(data), within, None)

    def _not_taken(self, total: int, within: float, why: str | None) -> Broken:
        if why is None:
            return Broken(
                f"{self.name} could not send: the program stopped reading",
                verdict="timeout",
                expected=f"{total:,} bytes taken within {within:g} s",
                seen="a full connection",
            )
        return Broken(
            f"{self.name} could not send: the program ended the connection",
            expected=f"a connection that takes {total:,} bytes",
            seen=why,
        )

    def _why(self, error: OSError) -> str:
        if self._openssl.ended is not None:
            return str(self._openssl.ended)
        return "a closed connection" if self._wire.broken == "end" else str(error.strerror or "a reset")

    def sends_in_background(
        self, data: bytes, *, record: int = RECORD, within: float = 30.0, ends: bool = False
    ) -> threading.Thread:
        """Send from a thread while the test keeps reading; a connection that ends early ends the thread.

        ends: with a close_notify after the data.
        """

        def send() -> None:
            self.sends(data, record=record, within=within)
            if ends:
                self.sends_close_notify()

        return in_background(send, self._tell)

    def sends_what_fits(self, data: bytes, *, quiet: float = 0.3) -> int:
        """Send until nothing more is taken for `quiet` seconds; returns how many bytes were made into records.

        The last record may be only partly sent: whatever is sent next goes after its rest.
        """
        view, taken = memoryview(data), 0
        try:
            while taken < len(data):
                went = self._openssl.write(view[taken : taken + RECORD], RECORD, time.monotonic() + quiet, batch=1)
                taken += went
                if not went or self._openssl.unsent:
                    break
        except OSError:
            pass
        self._tell(f"sends as much as is taken without reading: {taken:,} bytes")
        return taken

    def sends_raw(self, data: bytes, *, may_fail: bool = False, within: float = PATIENCE) -> None:
        """Write bytes past TLS onto the connection: no record of ours. Raises Broken."""
        self._tell(f"writes {show(data)} onto the connection, past TLS")
        try:
            self._openssl.send_raw(data, time.monotonic() + within)
        except TimeoutError:
            raise self._not_taken(len(data), within, None) from None
        except OSError as error:
            if not may_fail:
                raise self._not_taken(len(data), within, self._why(error)) from None

    def tampers(self, change: Callable[[bytes], bytes] | None) -> None:
        """From now on change every record that goes out: `change` gets it with its header and returns what to write.

        None: no more.
        """
        self._tell("changes what goes over the wire" if change else "changes nothing any more")
        self._wire.tamper = change

    def in_pieces(self, size: int, *, apart: float = 0.0) -> None:
        """From now on write to the connection `size` bytes at a time, `apart` seconds apart. 0: no more."""
        if size:
            self._tell(f"writes {size:,} bytes at a time" + (f", {apart:g} s apart" if apart else ""))
        self._wire.piece, self._wire.apart = size, apart

    # -- listening -----------------------------------------------------------------------------------------------

    def reads(self, count: int, *, within: float = PATIENCE) -> bytes:
        """Exactly `count` bytes. Raises Broken."""
        data, ending = self._collect(count, within)
        if ending is not None:
            raise Broken(
                f"the connection of {self.name} ended after {len(data):,} of {count:,} bytes: {self._seen(ending)}",
                expected=f"{count:,} bytes",
                seen=f"{show(data)}, then {self._seen(ending)}",
            )
        self._tell(f"reads {show(data)}")
        return data

    def reads_exactly(self, expected: bytes, *, within: float = PATIENCE) -> None:
        """The next bytes are `expected`. Raises Broken."""
        data, ending = self._collect(len(expected), within)
        if data != expected:
            raise Broken(
                f"other bytes came to {self.name}: {difference(expected, data)}",
                expected=show(expected),
                seen=show(data) + (f", then {self._seen(ending)}" if ending else ""),
            )
        self._tell(f"reads {show(data)}, as expected")

    def reads_to_close_notify(self, *, within: float = PATIENCE, most: int = 1 << 26) -> bytes:
        """Everything up to the close_notify, which is the only end that is accepted. Raises Broken."""
        data, ending = self._collect(most + 1, within, awaited="a close_notify")
        if ending is None:
            raise Broken(f"the stream to {self.name} does not end", expected=f"at most {most:,} bytes", seen="more")
        if ending.how != "close_notify":
            raise Broken(
                f"the connection of {self.name} ended, but not with a close_notify",
                expected="a close_notify",
                seen=f"{show(data)}, then {self._seen(ending)}",
            )
        self._tell(f"reads {show(data)} and then a close_notify")
        return data

    def hears_nothing(self, *, for_: float) -> None:
        """No data and no end for that many seconds; session tickets and the like are neither. Raises Broken."""
        try:
            came = self._next(time.monotonic() + for_)
        except TimeoutError:
            self._tell(f"hears nothing for {for_:g} s")
            return
        seen = self._seen(came) if isinstance(came, Ending) else show(came)
        raise Broken(f"something came to {self.name} too soon", expected=f"nothing for {for_:g} s", seen=seen)

    def keeps(self, data: bytes) -> None:
        """Keep data that was read from the engine elsewhere for the next read. Raises Broken when it does not end."""
        self._unread += data
        if len(self._unread) > _MOST_KEPT:
            raise Broken("the program sends data without end", expected="what was sent", seen=show(bytes(self._unread)))

    def _next(self, deadline: float) -> bytes | Ending:
        """What comes next; data is kept for a later read. Raises TimeoutError."""
        if not self._unread:
            if not self._openssl.shaken and (ending := self._shake(deadline)):
                return ending
            came = self._openssl.read(_MOST, deadline)
            if isinstance(came, Ending):
                return came
            self._unread += came
        return bytes(self._unread)

    def _collect(self, count: int, within: float, awaited: str = "") -> tuple[bytes, Ending | None]:
        """`count` bytes; fewer, and the ending, if it ends before that. Raises Broken (timeout)."""
        deadline = time.monotonic() + within
        ending = None
        try:
            if not self._openssl.shaken:
                ending = self._shake(deadline)
            while ending is None and len(self._unread) < count:
                came = self._openssl.read(_MOST, deadline)
                if isinstance(came, Ending):
                    ending = came
                else:
                    self._unread += came
        except TimeoutError:
            awaited = awaited or f"{count:,} bytes"
            raise Broken(
                f"{self.name} waited {within:g} s for {awaited} (so far {len(self._unread):,} bytes)",
                verdict="timeout",
                expected=awaited,
                seen=show(bytes(self._unread)) + ", then silence",
            ) from None
        data = bytes(self._unread[:count])
        del self._unread[:count]
        return data, ending
