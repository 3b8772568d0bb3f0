"""One end of TLS: OpenSSL between two buffers in memory, and a wire. No story; endings are distinguished here.

Rule 1: whatever OpenSSL wants to say goes out, an alert above all, even when it has raised.
Rule 2: one thread may read while another writes; only one at a time calls OpenSSL.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from harness.tls.peer.wire import Wire
from harness.tls.record_layer.records import ALERT, is_tls, split

#: Bytes of records that are made before they are written.
_BATCH = 262_144
#: An alert under TLS 1.3: two bytes, the type, and a tag of 16 bytes (RFC 8446, section 5.2).
_ENCRYPTED_ALERT = 19
#: Seconds past a deadline after which reading stops, whatever still comes: records without data can come for ever.
_TOO_LATE = 5.0
#: Most raw bytes that are looked at after the last record.
_REST = 1 << 20

How = Literal["close_notify", "alert", "reset", "end", "refusal"]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Ending:
    """How the other end of the connection ended, or that this one gave up ("refusal")."""

    how: How
    detail: str = ""  #: the alert's name, or what this end objects to
    is_tls: bool = True  #: what came was TLS, as far as this end could read it

    def __str__(self) -> str:
        if self.how == "alert":
            return f"a fatal alert ({self.detail})" if self.detail else "a fatal alert"
        return {
            "close_notify": "a close_notify",
            "reset": "a reset",
            "end": "the end of the stream (FIN) without a close_notify",
            "refusal": f"the tester refuses: {self.detail}",
        }[self.how]


class OpenSsl:
    """TLS over a wire. Answers data or an Ending; raises TimeoutError when neither comes before the deadline."""

    def __init__(
        self,
        wire: Wire,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_hostname: str | None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        """session: of an earlier connection of this context, which a client offers to resume."""
        self.wire = wire
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname, session=session
        )
        self._lock = threading.RLock()  # OpenSSL and its two buffers
        self._sending = threading.Lock()  # the order of what goes out
        self._unsent = b""  # records, or a part of one, that the kernel has not taken yet
        self._early = bytearray()  # decrypted before close_notify was sent
        self.ended: Ending | None = None  #: no more data will be read
        self.shaken = False  #: the handshake is complete, as far as this end knows
        self.said_close_notify = False

    @property
    def unsent(self) -> int:
        """Bytes of records that the kernel has not taken yet."""
        return len(self._unsent) + self._outgoing.pending

    # -- the three things it does ----------------------------------------------------------------------------------

    def begin(self, deadline: float) -> None:
        """Send the first message of a handshake, and wait for nothing."""
        self._call(self.tls.do_handshake)
        self.flush(deadline)

    def handshake(self, deadline: float) -> Ending | None:
        """Complete the handshake; None: done."""
        if self.ended is not None:
            return self.ended
        while not self.shaken:
            done, ending = self._call(self.tls.do_handshake)
            self.flush(deadline)
            if ending is not None:
                self.ended = ending
                return ending
            if done:
                self.shaken = True
            elif ending := self._more(deadline):
                return ending
        return None

    def read(self, most: int, deadline: float) -> bytes | Ending:
        """At least one byte of data, or how it ended."""
        while (got := self._at_hand(most)) is None:
            self.flush(deadline, wait=False)
            self._more(deadline)
        self.flush(deadline, wait=False)
        return got

    def _at_hand(self, most: int) -> bytes | Ending | None:
        """Data, or the ending, if it has come already."""
        with self._lock:  # or what is read ahead would be overtaken
            if self._early:
                data = bytes(self._early[:most])
                del self._early[:most]
                return data
            if self.ended is not None:
                return self.ended
            done, ending = self._call(lambda: self.tls.read(most))
            if done and done[0]:
                return done[0]
            self.ended = Ending("close_notify") if done else ending
            return self.ended

    def write(self, data: bytes | memoryview, record: int, deadline: float, *, batch: int = _BATCH) -> int:
        """Send data in records of `record` bytes; returns how many bytes were made into records before the deadline.

        The last record may be unsent, or sent in part: the next call sends the rest. Raises OSError, ssl.SSLError when
        the connection has ended.
        """
        view = memoryview(data)
        taken = 0
        self.flush(deadline)
        while taken < len(view) and not self._unsent and time.monotonic() < deadline:
            with self._lock:
                while taken < len(view) and self._outgoing.pending < batch:
                    taken += self.tls.write(view[taken : taken + record])
            if self.flush(deadline):
                raise ConnectionResetError("the connection has ended")
        return taken

    def close_notify(self, deadline: float) -> None:
        """Say that no more data comes; reading goes on."""
        with self._lock:
            # With data waiting, OpenSSL would blame the other side for our wish to end.
            early = bytearray()
            while isinstance(got := self._at_hand(_BATCH), bytes):
                early += got
            self._early = early
            self._call(self.tls.unwrap)
        self.said_close_notify = True
        self.flush(deadline)

    # -- underneath ------------------------------------------------------------------------------------------------

    def flush(self, deadline: float, *, wait: bool = True) -> bool:
        """Send what OpenSSL has to say; True if the connection has ended. wait=False: unless a thread is sending."""
        while self._outgoing.pending or self._unsent:
            if not self._sending.acquire(timeout=max(0.0, deadline - time.monotonic()) if wait else 0):
                return False
            try:
                with self._lock:
                    data = self._unsent + self.wire.prepare(self._outgoing.read())
                    self._unsent = b""
                self._unsent = self.wire.send(data, deadline if wait else 0.0)
            except OSError:
                return True
            finally:
                self._sending.release()
            if self._unsent:
                return False
        return False

    def send_raw(self, data: bytes, deadline: float) -> None:
        """Write bytes past OpenSSL. Raises OSError, TimeoutError."""
        self.flush(deadline)
        with self._sending:
            if self.wire.send(data, deadline):
                raise TimeoutError

    def raw_end(self, deadline: float) -> tuple[bytes, Ending]:
        """The raw bytes that came after the last record looked at, and how TCP ended. Raises TimeoutError."""
        rest = bytearray(self._incoming.read())
        while self.wire.ended is None:
            came = self._receive(deadline)
            rest += came[: _REST - len(rest)]
        return bytes(rest), Ending(self.wire.ended)

    def _more(self, deadline: float) -> Ending | None:
        data = self._receive(deadline)
        if data:
            with self._lock:
                self._incoming.write(data)
        else:
            self.ended = Ending(self.wire.ended or "end")
        return self.ended

    def _receive(self, deadline: float) -> bytes:
        """`Wire.receive`, which gives up in the end on a stream that never pauses. Raises TimeoutError."""
        if time.monotonic() > deadline + _TOO_LATE:
            raise TimeoutError
        return self.wire.receive(deadline)

    def _call(self, call: Callable[[], Result]) -> tuple[tuple[Result] | None, Ending | None]:
        """((result,), None); (None, None) if more has to come first; (None, an ending)."""
        with self._lock:
            try:
                return (call(),), None
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return None, None
            except ssl.SSLZeroReturnError:
                return None, Ending("close_notify")
            except ssl.SSLEOFError:
                return None, Ending(self.wire.ended or "end")
            except ssl.SSLError as error:
                return None, self._judged(error)

    def _judged(self, error: ssl.SSLError) -> Ending:
        """What an error of OpenSSL means: an alert that came, or something that this end does not accept."""
        reason = error.reason or ""
        for prefix in ("SSLV3_ALERT_", "TLSV1_ALERT_", "TLSV13_ALERT_", "TLSV1_"):
            if reason.startswith(prefix):
                return Ending("alert", reason.removeprefix(prefix).lower().replace("_", " "))
        if isinstance(error, ssl.SSLCertVerificationError):
            return Ending("refusal", error.verify_message or reason.lower().replace("_", " "))
        came = bytes(self.wire.came.data)
        if not is_tls(came):
            return Ending("refusal", "what came is no TLS", is_tls=False)
        last = split(came)[0][-1:]
        if not reason and last and (last[0].type == ALERT or len(last[0].body) == _ENCRYPTED_ALERT):
            return Ending("alert", "one without a name here")  # as no_application_protocol in OpenSSL 3.0
        return Ending("refusal", (reason or str(error)).lower().replace("_", " "))
